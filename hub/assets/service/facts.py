"""What the files of a commit say about their repository: its card's metadata, a model's configuration and size.

Worked out once for a commit and kept (``hub.repos.derived``); of a file of weights once for its content.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from hub.accounts.policy import SYSTEM, Actor
from hub.assets.indexing import IndexRun
from hub.assets.service.cardcheck import decode_card
from hub.assets.service.cards import CARD_PATH, MAX_HEAD_BYTES, read_metadata
from hub.assets.service.tensors import (
    LENGTH_BYTES,
    MAX_GGUF_HEAD_BYTES,
    MAX_HEAD_PARTS,
    count_parameters,
    length_of_head,
    parts_of,
    read_gguf,
    read_head,
)
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound, TooLarge
from hub.base.frontmatter import text_of_key
from hub.base.log import get_logger
from hub.base.names import normalise_path
from hub.base.offload import offload
from hub.git import tree
from hub.git.types import EntryKind
from hub.repos import derived
from hub.repos.contents import OpenedFile, open_file
from hub.repos.lookup import repository_path
from hub.repos.rows import Shown

log = get_logger(__name__)

WEIGHTS_PATH = "model.safetensors"
INDEX_PATH = "model.safetensors.index.json"
MAX_CONFIG_BYTES = 256 * 1024
MAX_INDEX_BYTES = 16 * 1024 * 1024
# Of a model whose weights lie in more files than these, the size is not told.
MAX_SHARDS = 200
# Of all the heads that are sent together; the largest of well-known models, 90,000 tensors, has 11 MiB.
MAX_HEADS_BYTES = 16 * 1024 * 1024

# YAML's references let a dozen lines stand for millions of values.
_MAX_VALUES = 20_000
_MAX_DEPTH = 20
_MOST = 2**63
_FORMAT = "1"
_OF_CONFIG = ("architectures", "model_type", "auto_map")


@dataclass(frozen=True)
class Facts:
    """What the files of a commit say. Members are None where they say nothing.

    card: the metadata at the head of the README. config, mask_token: from a model's ``config.json`` and
    ``tokenizer_config.json``. safetensors: ``parameters`` by type, and their ``total``. gguf: ``tensors.read_gguf``.
    """

    card: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    mask_token: str | None = None
    safetensors: dict[str, Any] | None = None
    gguf: dict[str, Any] | None = None


def read_facts(context: Context, repository: Shown, *, commit_id: str) -> Facts:
    """What a commit's files say; of gated repositories, too, as this much stands in lists.

    It is quick where it was asked before, and where it was not, some 10 ms for each file of weights.
    """
    key = ("facts", _FORMAT, repository.uuid, commit_id)
    kept = derived.find(context, *key)
    if isinstance(kept, dict) and kept.keys() == Facts.__dataclass_fields__.keys():
        return Facts(**kept)
    read = offload(_read_files, repository_path(context.settings, repository), commit_id, repository.kind == "model")
    facts = Facts(
        card=read.card,
        config=read.config,
        mask_token=read.mask_token,
        safetensors=_measure(context, repository, commit_id, read.weights),
        gguf=_read_gguf(context, repository, commit_id, read.gguf),
    )
    derived.keep(context, *key, answer=asdict(facts))
    return facts


def find_facts(context: Context, repository: Shown, *, commit_id: str) -> Facts:
    """As ``read_facts``, for lists: nothing is told of a repository whose files make it fail, and the others are."""
    try:
        return read_facts(context, repository, commit_id=commit_id)
    except Exception:
        log.exception("facts_unreadable", repository=str(repository.uuid), commit_id=commit_id)
        return Facts()


def read_all(run: IndexRun) -> None:
    """The indexer: work out what the commit says, so that it is kept and whoever asks first need not wait."""
    if run.commit_id:
        read_facts(run.context, run.repository, commit_id=run.commit_id)


@dataclass
class _Files:
    card: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    mask_token: str | None = None
    weights: list[str] = field(default_factory=list)
    gguf: str = ""


def _read_files(path: Path, commit_id: str, is_model: bool) -> _Files:
    names = tree.list_names(path, commit_id)
    found = _Files()
    if CARD_PATH in names:
        text, _fault = decode_card(_read(path, commit_id, CARD_PATH, MAX_HEAD_BYTES))
        found.card = plain_json(_said(read_metadata(text))) or None
    if not is_model:
        return found
    config = _read_json(path, commit_id, "config.json") if "config.json" in names else {}
    kept: dict[str, Any] = {
        name: plain_json(config[name]) for name in ("architectures", "model_type", "auto_map") if name in config
    }
    if "tokenizer_config.json" in names:
        tokenizer = _read_json(path, commit_id, "tokenizer_config.json")
        tokens = {name: _token(value) for name, value in tokenizer.items() if name.endswith("_token")}
        found.mask_token = tokens.get("mask_token")
        if named := {name: text for name, text in tokens.items() if text is not None}:
            kept["tokenizer_config"] = named
    found.config = kept or None
    if WEIGHTS_PATH in names:
        found.weights = [WEIGHTS_PATH]
    elif INDEX_PATH in names:
        found.weights = _shards(_read(path, commit_id, INDEX_PATH, MAX_INDEX_BYTES))
    found.gguf = next((name for name in names if name.endswith(".gguf")), "")
    return found


def _said(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata with Norwegian in it: YAML reads its code, "no", as a boolean."""
    languages = metadata.get("language")
    if isinstance(languages, list):
        metadata["language"] = ["no" if language is False else language for language in languages]
    elif languages is False:
        metadata["language"] = "no"
    return metadata


def _read(path: Path, commit_id: str, name: str, limit_bytes: int) -> bytes:
    """The beginning of a file that Git holds whole; nothing of one that lies in LFS, or is no file."""
    entry = tree.find_entry(path, commit_id, name)
    if entry is None or entry.kind is not EntryKind.FILE or entry.lfs is not None:
        return b""
    return tree.read_blob(path, entry.oid, limit_bytes=limit_bytes).data


def _read_json(path: Path, commit_id: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(_read(path, commit_id, name, MAX_CONFIG_BYTES))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _token(value: Any) -> str | None:
    text = value.get("content") if isinstance(value, dict) else value
    return text[:200] if isinstance(text, str) else None


def _shards(index: bytes) -> list[str]:
    """The files that an index of weights names; none where there are too many, or it cannot be read."""
    places = (read_head(index) or {}).get("weight_map")
    if not isinstance(places, dict):
        return []
    names = {name for name in places.values() if isinstance(name, str)}
    return sorted(names) if len(names) <= MAX_SHARDS else []


def plain_json(value: Any, *, depth: int = 0, _left: list[int] | None = None) -> Any:
    """A value of YAML or JSON as JSON can say it: dates as texts, what it has no word for left out.

    None for one that is too deep or has too many parts.
    """
    left = [_MAX_VALUES] if _left is None else _left
    left[0] -= 1
    if depth > _MAX_DEPTH or left[0] < 0:
        return None
    if isinstance(value, Mapping):
        named = ((text_of_key(key), each) for key, each in value.items())
        return {name: plain_json(each, depth=depth + 1, _left=left) for name, each in named if name is not None}
    if isinstance(value, list | tuple | set):
        return [plain_json(each, depth=depth + 1, _left=left) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return value if isinstance(value, int) and abs(value) < _MOST else None


# Weights.


def _measure(context: Context, repository: Shown, commit_id: str, names: Sequence[str]) -> dict[str, Any] | None:
    """The parameters of files of weights together; None without any, or where one cannot be read."""
    counts: Counter[str] = Counter()
    for name in names:
        file = _open(context, repository, commit_id, name)
        found = _parameters_of(context, file) if file is not None else None
        if found is None:
            return None
        counts.update(found)
    return {"parameters": dict(counts), "total": sum(counts.values())} if counts else None


def _open(context: Context, repository: Shown, commit_id: str, name: str) -> OpenedFile | None:
    try:
        return open_file(context, repository, actor=SYSTEM, path=name, revision=commit_id)
    except (NotFound, Invalid):
        return None


def _parameters_of(context: Context, file: OpenedFile) -> dict[str, int] | None:
    kept = derived.find(context, "parameters", _FORMAT, file.etag)
    if kept is None:
        raw = _read_raw_head(file)
        kept = {"counts": offload(count_parameters, raw) if raw is not None else None}
        derived.keep(context, "parameters", _FORMAT, file.etag, answer=kept)
    counts: dict[str, int] | None = kept["counts"]
    return counts


def _read_raw_head(file: OpenedFile) -> bytes | None:
    length = length_of_head(b"".join(file.open_range(0, LENGTH_BYTES))) if file.size_bytes >= LENGTH_BYTES else None
    if length is None or LENGTH_BYTES + length > file.size_bytes:
        return None
    return b"".join(file.open_range(LENGTH_BYTES, length))


def _read_gguf(context: Context, repository: Shown, commit_id: str, name: str) -> dict[str, Any] | None:
    file = _open(context, repository, commit_id, name) if name else None
    if file is None:
        return None
    kept = derived.find(context, "gguf", _FORMAT, file.etag)
    if kept is None:
        head = b"".join(file.open_range(0, min(file.size_bytes, MAX_GGUF_HEAD_BYTES)))
        kept = {"gguf": offload(read_gguf, head)}
        derived.keep(context, "gguf", _FORMAT, file.etag, answer=kept)
    gguf: dict[str, Any] | None = kept["gguf"]
    return gguf


@dataclass(frozen=True)
class WeightHeads:
    """The heads of files of weights, by the file's name. metadata: what their index says of them all."""

    metadata: dict[str, Any]
    heads: Mapping[str, Mapping[str, Any]]


def read_weight_heads(
    context: Context, repository: Shown, *, actor: Actor, path: str, revision: str = ""
) -> WeightHeads:
    """The heads of a safetensors file, or of all that an index (``…index.json``) names, whole.

    Raises NotFound (``revision_not_found``, ``entry_not_found``), Invalid (``not_safetensors``), TooLarge (more than
    ``MAX_SHARDS`` files, or heads of more than 16 MiB); NotSignedIn or Denied (``gated_repository``).
    """
    index = open_file(context, repository, actor=actor, path=path, revision=revision)
    metadata: dict[str, Any] = {}
    names = [path]
    if path.endswith(".json"):
        if index.size_bytes > MAX_INDEX_BYTES:
            raise TooLarge("The index is too large to be read.", size_bytes=index.size_bytes)
        said = offload(read_head, b"".join(index.open_range(0, index.size_bytes))) or {}
        metadata = plain_json(said.get("metadata")) if isinstance(said.get("metadata"), dict) else {}
        places = said.get("weight_map")
        shards = sorted({name for name in places.values() if isinstance(name, str)}) if isinstance(places, dict) else []
        if len(shards) > MAX_SHARDS:
            raise TooLarge(f"The index names more than {MAX_SHARDS} files.")
        folder = path.rpartition("/")[0]
        names = [normalise_path(f"{folder}/{name}" if folder else name) for name in shards]
    heads: dict[str, Mapping[str, Any]] = {}
    left, parts_left = MAX_HEADS_BYTES, MAX_HEAD_PARTS
    for name in names:
        file = open_file(context, repository, actor=actor, path=name, revision=index.commit_id)
        raw = _read_raw_head(file)
        left -= len(raw or b"")
        parts_left -= parts_of(raw or b"")
        if left < 0 or parts_left < 0:
            raise TooLarge("The heads of the files are too large to be sent together.")
        head = offload(read_head, raw) if raw is not None else None
        if head is None:
            raise Invalid(f"{name!r} is no safetensors file.", code="not_safetensors")
        heads[name.rpartition("/")[2] if names != [path] else name] = head
    return WeightHeads(metadata, heads)


def transformers_info(facts: Facts, *, pipeline_tag: str | None) -> dict[str, str] | None:
    """How ``transformers`` loads a model whose ``config.json`` names its architecture; None where it names none.

    The members are those that clients allow, and no others. Source: Hugging Face contract, section 5.1.
    """
    architectures = (facts.config or {}).get("architectures")
    if not isinstance(architectures, list) or not architectures or not isinstance(architectures[0], str):
        return None
    name = architectures[0]
    head = next((head for ending, head in _AUTO_CLASSES.items() if name.endswith(ending)), "AutoModel")
    view = {"auto_model": head, "pipeline_tag": pipeline_tag}
    if "tokenizer_config" in (facts.config or {}):
        view["processor"] = "AutoTokenizer"
    return {name: value for name, value in view.items() if value is not None}


# Source: transformers' naming of the heads of its models.
_AUTO_CLASSES = {
    ending: f"AutoModel{ending}"
    for ending in (
        *("ForCausalLM", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering"),
        *("ForMultipleChoice", "ForImageClassification", "ForObjectDetection", "ForAudioClassification", "ForCTC"),
        *("ForSpeechSeq2Seq", "ForImageTextToText"),
    )
} | {"ForConditionalGeneration": "AutoModelForSeq2SeqLM", "LMHeadModel": "AutoModelForCausalLM"}
