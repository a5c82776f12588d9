"""What a repository's files say of where it comes from, and of what it uses: its card, a model's configuration.

Source of the card's members: Hugging Face's model cards ("Specifying a base model"); CSGHub contract, section 7.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.accounts.policy import SYSTEM
from hub.assets.indexing import IndexRun
from hub.assets.models_lineage import RelationOrigin, RelationType
from hub.assets.service.cards import CARD_PATH, MAX_HEAD_BYTES, read_metadata, words_in
from hub.assets.service.claims import Claim, set_read_relations
from hub.assets.service.facts import find_facts
from hub.assets.service.relations import BASE_TYPES, is_name
from hub.base.errors import Invalid, NotFound
from hub.db.uow import unit_of_work
from hub.repos.contents import read_file
from hub.repos.entries import read_small_files
from hub.repos.models import Repository

ADAPTER_PATH = "adapter_config.json"
CONFIG_PATH = "config.json"
_MAX_CONFIG_BYTES = 256 * 1024
# Of model-index: a card of a leaderboard's favourite names some dozens.
_MAX_RESULTS = 1000

# Words among a card's tags, and its library, that say how the model comes from its base.
_ADAPTER_WORDS = frozenset({"peft", "lora", "adapter", "adapter-transformers", "adapters"})
_QUANTIZED_WORDS = frozenset({"gguf", "gptq", "awq", "exl2", "4-bit", "8-bit", "bitsandbytes", "compressed-tensors"})
_MERGE_WORDS = frozenset({"merge", "mergekit"})

# The card's member -> the kind of what it names. What else is said by ``_type_of``.
_MEMBERS = {"models": "model", "datasets": "dataset", "codes": "code", "mcpservers": "mcpserver"}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_EXTENDED = "extended|"


@dataclass(frozen=True)
class Files:
    """What besides the card says how a model was made.

    adapter, config: ``adapter_config.json`` and ``config.json``. has_gguf: there are weights as llama.cpp reads them.
    """

    adapter: Mapping[str, Any] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    has_gguf: bool = False


def claims_in(metadata: Mapping[str, Any], *, kind: str, files: Files | None = None) -> list[Claim]:
    """What a card, and a model's files, say of other repositories, each once, in the order of the card."""
    files = files or Files()
    claims = [*_bases(metadata, files)] if kind == "model" else []
    for member, of in _MEMBERS.items():
        claims += [Claim(_type_of(kind, of), of, name) for name in _names(metadata.get(member))]
    if kind != "model":
        claims += [Claim(RelationType.USES, "model", name) for name in _names(metadata.get("base_model"))]
    if kind == "dataset":
        said = words_in(metadata.get("source_datasets"))
        extended = [word.removeprefix(_EXTENDED) for word in said if word.startswith(_EXTENDED)]
        claims += [Claim(RelationType.DERIVED_FROM, "dataset", name) for name in _names(extended)]
    if kind in ("model", "dataset", "space"):
        claims += [Claim(RelationType.NEW_VERSION, kind, name) for name in _names(metadata.get("new_version"))]
    if kind == "space":
        claims += [Claim(RelationType.DERIVED_FROM, kind, name) for name in _names(metadata.get("duplicated_from"))]
    if kind == "model":
        claims += _results(metadata.get("model-index"))
    return [*dict.fromkeys(claims)]


def _bases(metadata: Mapping[str, Any], files: Files) -> Iterator[Claim]:
    """What a model was made from, and how: as the card says, else as its words and the files do."""
    names = _names(metadata.get("base_model"))
    said = next(iter(words_in(metadata.get("base_model_relation"))), "").lower()
    type = RelationType(said) if said in BASE_TYPES else _infer(metadata, files, len(names))
    for name in names:
        yield Claim(type, "model", name)
    base = (files.adapter or {}).get("base_model_name_or_path")
    if not names and isinstance(base, str) and "/" in base and is_name(base):
        yield Claim(RelationType.ADAPTER, "model", base, read_as=RelationOrigin.INFERRED)


def _infer(metadata: Mapping[str, Any], files: Files, count: int) -> RelationType:
    words = {word.lower() for member in ("tags", "library_name") for word in words_in(metadata.get(member))}
    if files.adapter is not None or words & _ADAPTER_WORDS:
        return RelationType.ADAPTER
    if files.has_gguf or isinstance(files.config.get("quantization_config"), dict) or words & _QUANTIZED_WORDS:
        return RelationType.QUANTIZED
    return RelationType.MERGE if count > 1 or words & _MERGE_WORDS else RelationType.FINETUNE


def _type_of(kind: str, of: str) -> RelationType:
    return RelationType.TRAINED_ON if (kind, of) == ("model", "dataset") else RelationType.USES


def _results(index: Any) -> Iterator[Claim]:
    """The data sets by which a model was measured. Their ``type`` is the repository, their ``revision`` a commit."""
    left = _MAX_RESULTS
    for model in index if isinstance(index, list) else ():
        results = model.get("results") if isinstance(model, dict) else None
        for result in results if isinstance(results, list) else ():
            left -= 1
            if left < 0:
                return
            dataset = result.get("dataset") if isinstance(result, dict) else None
            if not isinstance(dataset, dict):
                continue
            revision = dataset.get("revision")
            commit = revision if isinstance(revision, str) and _COMMIT.fullmatch(revision) else ""
            for name in _names(dataset.get("type"))[:1]:
                yield Claim(RelationType.EVALUATED_ON, "dataset", name, target_commit=commit)


def _names(value: Any) -> list[str]:
    return [word for word in words_in(value) if is_name(word)]


def read_lineage(run: IndexRun) -> None:
    """The indexer: let what is read of a repository's relations be what its files at the commit say."""
    claims: list[Claim] = []
    if run.repository.forked_from_id is not None:
        forked_from = run.repository.forked_from_id
        claims.append(Claim(RelationType.DERIVED_FROM, target_id=forked_from, read_as=RelationOrigin.INFERRED))
    if run.commit_id:
        files = _read_files(run) if run.repository.kind == "model" else None
        claims += claims_in(_read_card(run), kind=run.repository.kind, files=files)
    with unit_of_work(run.context) as work:
        repository = work.session.get(Repository, run.repository.id)
        if repository is not None:
            set_read_relations(work, repository=repository, claims=claims)
        run.finish(work)


def _read_card(run: IndexRun) -> dict[str, Any]:
    try:
        read = read_file(
            run.context,
            run.repository,
            actor=SYSTEM,
            path=CARD_PATH,
            revision=run.commit_id,
            limit_bytes=MAX_HEAD_BYTES,
        )
    except (NotFound, Invalid):  # no such file; a folder or a submodule of that name
        return {}
    return read_metadata(read.blob.data.decode("utf-8", "replace"))


def _read_files(run: IndexRun) -> Files:
    found = read_small_files(
        run.context,
        run.repository,
        actor=SYSTEM,
        suffix=CONFIG_PATH,
        revision=run.commit_id,
        max_files=50,
        max_file_bytes=_MAX_CONFIG_BYTES,
        max_bytes=4 * _MAX_CONFIG_BYTES,
    )
    facts = find_facts(run.context, run.repository, commit_id=run.commit_id)
    return Files(
        adapter=_members(found[ADAPTER_PATH]) if ADAPTER_PATH in found else None,
        config=_members(found.get(CONFIG_PATH, b"")),
        has_gguf=facts.gguf is not None,
    )


def _members(data: bytes) -> dict[str, Any]:
    try:
        read = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
