"""The members of information about a repository: which there are for its kind, and what each takes to be told.

Source: Hugging Face contract, section 5.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.assets.service import Label
from hub.assets.service.facts import Facts, transformers_info
from hub.assets.service.tags import Related, sdk_of, tags_of
from hub.base.errors import Invalid
from hub.compat.addresses import dialect
from hub.compat.views import label_text, sibling_views, time_text
from hub.http.context import current_context
from hub.repos.entries import Snapshot
from hub.repos.lfs.sources import find_transfer
from hub.repos.rows import Shown

_MODEL = (
    "author baseModels cardData childrenModelCount config createdAt disabled downloads downloadsAllTime evalResults "
    "gated gguf inference inferenceProviderMapping lastModified library_name likes mask_token model-index pipeline_tag "
    "private resourceGroup safetensors sha siblings spaces tags transformersInfo trendingScore usedStorage widgetData"
)
_DATASET = (
    "author cardData citation createdAt description disabled downloads downloadsAllTime gated lastModified likes "
    "mainSize paperswithcode_id private resourceGroup sha siblings tags trendingScore usedStorage"
)
_SPACE = (
    "author cardData createdAt datasets disabled lastModified likes models private region resourceGroup runtime sdk "
    "sha siblings subdomain tags trendingScore usedStorage"
)
_OTHER = (
    "author cardData createdAt disabled downloads downloadsAllTime gated lastModified likes private sha siblings tags "
    "trendingScore usedStorage"
)
_VOCABULARIES = {"model": _MODEL, "dataset": _DATASET, "space": _SPACE}
VOCABULARIES: Mapping[str, frozenset[str]] = {kind: frozenset(text.split()) for kind, text in _VOCABULARIES.items()}
_OTHERS = frozenset(_OTHER.split())

_ALSO = frozenset({"id", "_id", "modelId", "xetEnabled"})

# What is told where nobody says what is wanted. The rest takes more work, or says the same twice.
_ONLY_WHEN_ASKED = frozenset(
    {"baseModels", "childrenModelCount", "downloadsAllTime", "mainSize", "runtime", "xetEnabled"}
)
# What a commit's id, its files, and reading them is needed for.
OF_FILES = frozenset({"siblings"})
_OF_FACTS = (
    "cardData config gguf mask_token model-index safetensors transformersInfo widgetData baseModels citation "
    "paperswithcode_id"
)
OF_FACTS = frozenset(_OF_FACTS.split())
# What the card knows best, and labels well enough for lists.
OF_CARD = frozenset({"library_name", "pipeline_tag"})
OF_COMMIT = OF_FILES | OF_FACTS | {"sha"}
OF_RELATED = frozenset({"tags", "spaces", "models", "datasets"})

_DATES = {
    "hf": {},
    "csg": {"createdAt": "created_at", "lastModified": "last_modified"},
    "ms": {"createdAt": "created_at", "lastModified": "last_modified"},
}


@dataclass(frozen=True)
class Subject:
    """A repository and what was read of it.

    children: how many models name it. main_size: bytes of its files. runtime: what a space is at.
    """

    repository: Shown
    labels: Sequence[Label]
    related: Sequence[Related] = ()
    snapshot: Snapshot | None = None
    facts: Facts = field(default_factory=Facts)
    children: int | None = None
    main_size: int | None = None
    runtime: dict[str, Any] | None = None


def check_members(kind: str, asked: Sequence[str]) -> frozenset[str]:
    """The members that a request asks for. Raises Invalid (``REQ-ERR-6``) for what a repository of the kind never has.

    The id is told in every case.
    """
    known = VOCABULARIES.get(kind, _OTHERS)
    if unknown := sorted(set(asked) - known - _ALSO):
        raise Invalid(
            f"'expand' does not know {', '.join(unknown)[:200]!r}; it knows {', '.join(sorted(known))}.",
            code="REQ-ERR-6",
            query="expand",
        )
    return frozenset(asked)


def usual_members(kind: str, *, with_files: bool) -> frozenset[str]:
    """What is told of a repository where nobody says what is wanted. with_files: what its files say, too."""
    usual = (VOCABULARIES.get(kind, _OTHERS) | _ALSO) - _ONLY_WHEN_ASKED
    return usual if with_files else usual - OF_COMMIT


def info_view(subject: Subject, wanted: frozenset[str]) -> dict[str, Any]:
    """The id and those of the wanted members that have something to say."""
    repository = subject.repository
    view: dict[str, Any] = {"_id": repository.uuid.replace("-", ""), "id": repository.path}
    names = _DATES[dialect()]
    for member, tell in _TELLERS.items():
        if member in wanted and (value := tell(subject)) is not None:
            view[names.get(member, member)] = value
    return view


def _named(category: str, member: str) -> Callable[[Subject], str | None]:
    """What the card says at the member, where it was read, else the label of the category."""

    def tell(subject: Subject) -> str | None:
        said = (subject.facts.card or {}).get(member)
        if isinstance(said, str) and said:
            return said
        return next((label.name for label in subject.labels if label.category == category), None)

    return tell


_pipeline_tag = _named("task", "pipeline_tag")


def _paths(kind: str, *, is_named: bool) -> Callable[[Subject], list[str]]:
    def tell(subject: Subject) -> list[str]:
        here = [other for other in subject.related if other.is_here and other.is_named == is_named]
        # One may be related in more than one way.
        return list(dict.fromkeys(other.path for other in here if other.kind == kind))

    return tell


def _of_card(member: str, form: type) -> Callable[[Subject], Any]:
    def tell(subject: Subject) -> Any:
        value = (subject.facts.card or {}).get(member)
        return value if isinstance(value, form) else None

    return tell


def _base_models(subject: Subject) -> list[str] | None:
    said = (subject.facts.card or {}).get("base_model")
    named = [said] if isinstance(said, str) else said
    return [name for name in named if isinstance(name, str)] if isinstance(named, list) else None


def _modified(subject: Subject) -> str:
    repository = subject.repository
    commit = subject.snapshot.commit if subject.snapshot else None
    return time_text(commit.committer.when if commit else repository.pushed_at or repository.updated_at)


def _sdk(subject: Subject) -> str | None:
    details = subject.repository.details
    return sdk_of(details) if dialect() == "hf" else details.get("sdk")


def _tags(subject: Subject) -> list[str]:
    if dialect() != "hf":
        return [label_text(label) for label in subject.labels]
    tags = tags_of(subject.repository.kind, subject.labels, subject.related)
    if subject.repository.kind == "space" and (sdk := sdk_of(subject.repository.details)) not in tags:
        tags.insert(0, sdk)
    return tags


def _siblings(subject: Subject) -> list[dict[str, Any]] | None:
    snapshot = subject.snapshot
    return sibling_views(snapshot) if snapshot is not None and snapshot.paths is not None else None


# In the order in which they stand in answers.
_TELLERS: Mapping[str, Callable[[Subject], Any]] = {
    "modelId": lambda subject: subject.repository.path if subject.repository.kind == "model" else None,
    "author": lambda subject: subject.repository.namespace.path,
    "sha": lambda subject: subject.snapshot.commit.id if subject.snapshot else None,
    "private": lambda subject: subject.repository.is_private,
    "disabled": lambda subject: False,
    "gated": lambda subject: subject.repository.gate or False,
    "downloads": lambda subject: subject.repository.download_count,
    "downloadsAllTime": lambda subject: subject.repository.download_count,
    "likes": lambda subject: subject.repository.like_count,
    "trendingScore": lambda subject: round(subject.repository.trending_score, 3),
    "usedStorage": lambda subject: subject.repository.git_size_bytes + subject.repository.lfs_size_bytes,
    "mainSize": lambda subject: subject.main_size,
    # Asked for by huggingface_hub before 1.0 when it uploads a large folder.
    "xetEnabled": lambda subject: find_transfer(current_context()) is not None,
    "tags": _tags,
    "pipeline_tag": _pipeline_tag,
    "library_name": _named("framework", "library_name"),
    "mask_token": lambda subject: subject.facts.mask_token,
    "description": lambda subject: subject.repository.description,
    "createdAt": lambda subject: time_text(subject.repository.created_at),
    "lastModified": _modified,
    "sdk": _sdk,
    "subdomain": lambda subject: subject.repository.path.replace("/", "-").replace("_", "-").lower(),
    "cardData": lambda subject: subject.facts.card,
    "config": lambda subject: subject.facts.config,
    "safetensors": lambda subject: subject.facts.safetensors,
    "gguf": lambda subject: subject.facts.gguf,
    "transformersInfo": lambda subject: transformers_info(subject.facts, pipeline_tag=_pipeline_tag(subject)),
    "model-index": _of_card("model-index", list),
    "widgetData": _of_card("widget", list),
    "baseModels": _base_models,
    "childrenModelCount": lambda subject: subject.children,
    "citation": _of_card("citation", str),
    "paperswithcode_id": _of_card("paperswithcode_id", str),
    "spaces": _paths("space", is_named=False),
    "models": _paths("model", is_named=True),
    "datasets": _paths("dataset", is_named=True),
    "runtime": lambda subject: subject.runtime,
    "siblings": _siblings,
}
