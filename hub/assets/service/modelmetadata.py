"""What is kept of models' files, for pages and lists."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, false, func, literal, select

from hub.accounts.policy import Action, Actor, require
from hub.assets.models_indexing import ModelMetadata
from hub.assets.service.labels import LABEL_IDS
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound
from hub.base.offload import offload
from hub.db.uow import UnitOfWork, reading
from hub.git import tree
from hub.git.types import TreeEntry
from hub.repos.lookup import repository_path
from hub.repos.models import Repository
from hub.repos.rows import RepositoryRow, Shown

BILLION = 1_000_000_000
# Of a model's variants, what lists tell: a page of a hundred models is as light as it was. Most have less than thirty.
MAX_VARIANTS = 40
MAX_PATH_CHARS = 200

_BRIEF = select(ModelMetadata.brief).where(ModelMetadata.repository_id == Repository.id).correlate(Repository)

# One more column for lists of repositories: with the ids of their labels and what is told of models' files, their
# page is one query. Source of the order: ``labels.labels_shown`` and ``briefs_shown``.
ALSO: ColumnElement[str] = func.coalesce(LABEL_IDS, "") + literal(";") + func.coalesce(_BRIEF.scalar_subquery(), "")

# Built once: every page of models asks it.
_OF_LIST = select(ModelMetadata.repository_id, ModelMetadata.brief).where(
    ModelMetadata.repository_id.in_(bindparam("repository_ids", expanding=True))
)
_OF_MODEL = select(*ModelMetadata.__table__.columns).where(ModelMetadata.repository_id == bindparam("repository_id"))


class Brief(NamedTuple):
    """What lists tell of a model's files. None and empty texts: not known. quantizations: the smallest first."""

    parameters: int | None
    tensor_type: str
    architecture: str
    model_type: str
    class_name: str
    run_bytes: int | None
    finetune_bytes: int | None
    quantizations: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, row: ModelMetadata) -> Brief:
        """Of a whole row."""
        members = ("name", "path", "size", "parameters")
        told = [variant for variant in row.quantizations if len(variant["path"]) <= MAX_PATH_CHARS][:MAX_VARIANTS]
        variants = [{name: variant[name] for name in members} for variant in told]
        return cls(
            *(row.parameters, row.tensor_type, row.architecture, row.model_type, row.class_name),
            *(row.run_bytes, row.finetune_bytes),
            variants,
        )

    @property
    def text(self) -> str:
        """As it is kept."""
        return json.dumps(self, separators=(",", ":"))


def briefs_shown(work: UnitOfWork, repositories: Sequence[Shown]) -> dict[int, Brief]:
    """For each model that was read what lists tell of it, by its id.

    One query, none without models and none for repositories that were read with ``ALSO``.
    """
    models = [repository for repository in repositories if repository.kind == "model"]
    texts: dict[int, str] = {}
    unread = []
    for model in models:
        if isinstance(model, RepositoryRow) and model.has_also and ";" in (model.also or ""):
            texts[model.id] = model.also.partition(";")[2]
        else:
            unread.append(model.id)
    if unread:
        texts |= dict(work.rows(_OF_LIST, {"repository_ids": unread}))
    return {id: Brief(*json.loads(text)) for id, text in texts.items() if text}


def with_parameters(*, at_least: float | None = None, at_most: float | None = None) -> list[ColumnElement[bool]]:
    """Conditions on ``Repository``: that it is a model of so many billions of parameters. None or 0: no limit."""
    limits: list[ColumnElement[bool]] = []
    if at_least:
        limits.append(ModelMetadata.parameters >= min(int(at_least * BILLION), 2**63 - 1))
    if at_most:
        limits.append(ModelMetadata.parameters <= min(int(at_most * BILLION), 2**63 - 1))
    if not limits:
        return []
    if at_least and at_most and at_least > at_most:
        return [false()]
    return [Repository.id.in_(select(ModelMetadata.repository_id).where(*limits))]


_NUMBER = r"(\d{1,6}(?:\.\d{1,6})?)([KMBT]?)"
_SPAN = re.compile(f"(?:min:{_NUMBER})?,?(?:max:{_NUMBER})?", re.IGNORECASE)
_UNITS = {"": 1e-9, "K": 1e-6, "M": 1e-3, "B": 1.0, "T": 1e3}


def with_span(text: str) -> list[ColumnElement[bool]]:
    """As ``with_parameters``, from the words that huggingface_hub sends: "min:6B,max:128B", either of them.

    Raises Invalid (``REQ-ERR-6``).
    """
    match = _SPAN.fullmatch(text)
    if match is None or not text:
        raise Invalid("'num_parameters' is written 'min:6B,max:128B'.", code="REQ-ERR-6", query="num_parameters")
    least, least_unit, most, most_unit = match.groups()
    return with_parameters(
        at_least=float(least) * _UNITS[least_unit.upper()] if least else None,
        at_most=float(most) * _UNITS[most_unit.upper()] if most else None,
    )


def find_metadata(work: UnitOfWork, *, actor: Actor, repository: Repository) -> ModelMetadata:
    """All that is kept of a model's files. Raises NotFound (``metadata_not_found`` before they were read)."""
    require(work, actor, Action.REPOSITORY_READ, repository)
    found = work.session.get(ModelMetadata, repository.id)
    if found is None:
        raise NotFound("The files of this model have not been read yet.", code="metadata_not_found")
    return found


def find_known_metadata(work: UnitOfWork, repository: Shown) -> ModelMetadata | None:
    """The same for a repository that was opened for its viewer already; None before they were read. One query.

    It is for reading: no session knows it.
    """
    found = work.rows(_OF_MODEL, {"repository_id": repository.id})
    return ModelMetadata(**found[0]._mapping) if found else None


def list_quantizations(
    context: Context, repository: Repository, *, actor: Actor
) -> tuple[str, list[tuple[TreeEntry, str]]]:
    """The commit that was read, and its GGUF variants as files, each with the name of its quantisation.

    Raises NotFound.
    """
    with reading(context) as work:
        require(work, actor, Action.REPOSITORY_READ, repository)
        row = work.session.get(ModelMetadata, repository.id)
        commit_id, variants = (row.commit_id, row.quantizations) if row is not None else ("", [])
    if not commit_id or not variants:
        return commit_id, []
    path = repository_path(context.settings, repository)
    names = [variant["path"] for variant in variants]
    _commit, entries = offload(tree.find_entries, path, commit_id, names)
    pairs = zip(entries, variants, strict=True)
    return commit_id, [(entry, variant["name"]) for entry, variant in pairs if entry is not None]
