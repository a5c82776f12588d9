"""What a model's files say together: size, type, architecture, context, quantisations. No weight is loaded."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.accounts.policy import SYSTEM
from hub.assets.heads import estimates
from hub.assets.heads.reading import Summary, format_of, summarise
from hub.assets.heads.types import MAX_PARAMETERS, shown_text
from hub.assets.indexing import IndexRun
from hub.assets.models_indexing import ModelMetadata
from hub.assets.service.modelmetadata import Brief
from hub.assets.service.tensors import parts_of
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound
from hub.base.offload import offload
from hub.db.insert import insert_new
from hub.db.uow import unit_of_work
from hub.git import tree
from hub.git.types import EntryKind
from hub.repos.contents import open_file
from hub.repos.lookup import repository_path
from hub.repos.rows import Shown

# Of a repository's files of weights; the largest models have about two hundred.
MAX_FILES = 400
MAX_WALKED = 1_000_000
MAX_CONFIG_BYTES = 256 * 1024
MAX_INDEX_BYTES = 16 * 1024 * 1024
MAX_TOKENIZER_BYTES = 16 * 1024 * 1024
# Of the values of such a file. The vocabularies of well-known models, with their merges, have up to a million.
MAX_PARTS = 2_000_000

_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})(\.\w+)\Z")
_VARIANT = re.compile(r"\.(fp16|bf16|fp32|int8|non_ema|ema)\.")
_WORDS = re.compile(r"[-._](I?Q\d\w*|MXFP4\w*|TQ\d_0|BF16|F16|F32|FP16|FP32)(?=[-.]|\Z)", re.IGNORECASE)
_CONTEXT_KEYS = (
    *("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length", "max_sequence_length"),
    "model_max_length",
)


@dataclass
class Found:
    """What one look at the commit found besides weights: configurations, and the names of files of weights."""

    config: dict[str, Any] = field(default_factory=dict)
    pipeline: dict[str, Any] = field(default_factory=dict)
    tokenizer: dict[str, Any] = field(default_factory=dict)
    adapter: dict[str, Any] = field(default_factory=dict)
    vocabulary_size: int | None = None
    names: list[str] = field(default_factory=list)
    index: dict[str, list[str]] = field(default_factory=dict)


def read_model(run: IndexRun) -> None:
    """The indexer: let the model's metadata be what the files at the commit say.

    What was read of a file is kept by its content, so that a run that was cut off goes on where it stood.
    """
    values = judge(Found(), [])
    if run.commit_id:
        values = _read(run.context, run.repository, run.commit_id, run.note)
    with unit_of_work(run.context) as work:
        insert_new(work.session, ModelMetadata, [{"repository_id": run.repository.id}])
        row = work.session.get(ModelMetadata, run.repository.id)
        if row is not None:
            row.commit_id = run.commit_id
            for name, value in values.items():
                setattr(row, name, value)
            row.brief = Brief.of(row).text
        run.finish(work)


def read_model_at(context: Context, repository: Shown, *, commit_id: str) -> ModelMetadata:
    """The same of any commit, as a row that belongs to no session. Quick for files that were read at another one."""
    row = ModelMetadata(repository_id=repository.id, commit_id=commit_id, brief="")
    for name, value in _read(context, repository, commit_id, lambda _done, _total: None).items():
        setattr(row, name, value)
    return row


def _read(context: Context, repository: Shown, commit_id: str, note: Callable[[int, int], None]) -> dict[str, Any]:
    found = offload(look, repository_path(context.settings, repository), commit_id)
    summaries = []
    for place, name in enumerate(found.names):
        note(place, len(found.names))
        summaries.append(_summary_of(context, repository, commit_id, name))
    return judge(found, summaries)


def _summary_of(context: Context, repository: Shown, commit_id: str, name: str) -> Summary:
    try:
        file = open_file(context, repository, actor=SYSTEM, path=name, revision=commit_id)
    except (NotFound, Invalid) as error:
        return Summary(name, format_of(name) or "", 0, {}, 0, {}, reason=shown_text(str(error), 300))
    return summarise(context, file)


def look(path: Path, commit_id: str) -> Found:
    """The configurations of a commit, and the names of its files of weights."""
    found = Found(
        names=tree.select_files(path, commit_id, _is_weights, limit=MAX_FILES, max_walked=MAX_WALKED),
        config=_read_json(path, commit_id, "config.json"),
        pipeline=_read_json(path, commit_id, "model_index.json"),
        tokenizer=_read_json(path, commit_id, "tokenizer_config.json"),
        adapter=_read_json(path, commit_id, "adapter_config.json"),
    )
    if not isinstance(found.config.get("vocab_size"), int):
        found.vocabulary_size = _vocabulary_size(path, commit_id)
    places = _read_json(path, commit_id, "model.safetensors.index.json", MAX_INDEX_BYTES).get("weight_map")
    if isinstance(places, dict):
        found.index["model"] = sorted({name for name in places.values() if isinstance(name, str)})
    return found


def _is_weights(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    kind = format_of(name)
    # Of PyTorch's files, those that carry weights; the rest are states of training, and archives of anything.
    return kind is not None and (kind != "zip" or (not name.endswith(".zip") and not name.startswith("training_args")))


def _read_json(path: Path, commit_id: str, name: str, limit_bytes: int = MAX_CONFIG_BYTES) -> dict[str, Any]:
    try:
        entry = tree.find_entry(path, commit_id, name)
        if entry is None or entry.kind is not EntryKind.FILE or entry.lfs is not None:
            return {}
        if (entry.size_bytes or 0) > limit_bytes:
            return {}
        data = tree.read_blob(path, entry.oid, limit_bytes=limit_bytes).data
        # What it becomes in memory goes by its values: 16 MiB of empty lists would take half a gigabyte.
        found = json.loads(data) if parts_of(data) <= MAX_PARTS else None
    except (NotFound, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _vocabulary_size(path: Path, commit_id: str) -> int | None:
    tokenizer = _read_json(path, commit_id, "tokenizer.json", MAX_TOKENIZER_BYTES)
    model = tokenizer.get("model")
    words = model.get("vocab") if isinstance(model, dict) else None
    return len(words) if isinstance(words, dict | list) and words else None


# What it comes to.


def judge(found: Found, summaries: Sequence[Summary]) -> dict[str, Any]:
    """The columns of ``ModelMetadata`` that follow from what the files say."""
    read = [summary for summary in summaries if not summary.reason]
    chosen = _choose(found, [summary for summary in read if summary.format == "safetensors"])
    ggufs = _variants([summary for summary in read if summary.format == "gguf"])
    onnx = [summary for summary in read if summary.format == "onnx"]
    counts: Counter[str] = Counter()
    for summary in chosen:
        counts.update(summary.counts)
    parameters, weight_bytes, tensor_type = sum(counts.values()) or None, estimates.weight_bytes_of(counts), ""
    if counts:
        tensor_type = max(counts, key=lambda dtype: counts[dtype])
    elif ggufs:
        smallest = min(ggufs, key=lambda variant: variant["size"])
        parameters = max(variant["parameters"] for variant in ggufs) or None
        weight_bytes, tensor_type = smallest["size"], smallest["name"]
    elif onnx:
        largest = max(onnx, key=lambda summary: summary.parameters)
        parameters, weight_bytes = largest.parameters or None, largest.weight_bytes
        tensor_type = max(largest.counts, key=lambda dtype: largest.counts[dtype], default="")
    if parameters is not None and parameters > MAX_PARAMETERS:
        parameters, weight_bytes = None, 0
    facts = next((summary.facts for summary in read if summary.format == "gguf"), {})
    config = found.config
    method = config.get("quantization_config")
    return {
        "parameters": parameters,
        "tensor_type": tensor_type[:32],
        "architecture": _text(_first(config.get("architectures"))) or _text(facts.get("architecture")),
        "model_type": _text(config.get("model_type"), 64) or _text(facts.get("architecture"), 64),
        "class_name": _text(found.pipeline.get("_class_name"))
        or _text(found.adapter.get("peft_type"))
        or _text(_first(config.get("architectures"))),
        "context_length": _context_length(found) or facts.get("context_length"),
        "tokenizer_class": _text(found.tokenizer.get("tokenizer_class")),
        "vocabulary_size": _count(config.get("vocab_size"))
        or _count(_inner(config).get("vocab_size"))
        or found.vocabulary_size
        or facts.get("vocabulary_size"),
        "quantization_method": _text(method.get("quant_method"), 32) if isinstance(method, dict) else "",
        "weight_bytes": _bounded(weight_bytes),
        "run_bytes": _bounded(estimates.bytes_to_run(weight_bytes)),
        "finetune_bytes": _bounded(estimates.bytes_to_finetune(parameters or 0)),
        "quantizations": ggufs,
        "files": [_file_view(summary) for summary in summaries],
    }


def _choose(found: Found, files: Sequence[Summary]) -> list[Summary]:
    """Which safetensors files are the model: others are the same once more, in other types or parts."""
    by_name = {summary.path: summary for summary in files}
    if "model.safetensors" in by_name:
        return [by_name["model.safetensors"]]
    if shards := found.index.get("model"):
        # One that is missing or cannot be read makes the sum a lie.
        return [by_name[name] for name in shards] if all(name in by_name for name in shards) else []
    if found.pipeline:
        return _of_pipeline(files)
    root = [summary for summary in files if "/" not in summary.path]
    shards_there = [summary for summary in root if _SHARD.match(summary.path)]
    named = [summary for summary in shards_there if not summary.path.startswith("consolidated")]
    plain = [summary for summary in root if summary not in shards_there and not _VARIANT.search(summary.path)]
    return named or shards_there or sorted(plain, key=lambda summary: -summary.parameters)[:1]


def _of_pipeline(files: Sequence[Summary]) -> list[Summary]:
    """Of a pipeline of diffusers, each part's weights: those without a variant where there are such."""
    parts: dict[str, list[Summary]] = {}
    for summary in files:
        folder, _, _name = summary.path.rpartition("/")
        if folder and "/" not in folder:
            parts.setdefault(folder, []).append(summary)
    chosen = []
    for inside in parts.values():
        plain = [summary for summary in inside if not _VARIANT.search(summary.path)]
        variants = {match[1] for summary in inside if (match := _VARIANT.search(summary.path))}
        first = min(variants, default="")
        chosen += plain or [summary for summary in inside if f".{first}." in summary.path]
    return chosen


def _variants(files: Sequence[Summary]) -> list[dict[str, Any]]:
    """The GGUF variants of a model; one that lies in several files is one."""
    groups: dict[str, list[Summary]] = {}
    for summary in files:
        match = _SHARD.match(summary.path)
        groups.setdefault(f"{match[1]}{match[4]}" if match else summary.path, []).append(summary)
    found = []
    for parts in groups.values():
        first = parts[0]
        name = first.path.rpartition("/")[2]
        said = _WORDS.search(name.removesuffix(".gguf"))
        if "mmproj" in name.lower():  # what looks at pictures, beside the model
            continue
        found.append(
            {
                "name": said[1].upper() if said else str(first.facts.get("quantization") or ""),
                "path": first.path,
                "files": [summary.path for summary in parts],
                "size": sum(summary.size_bytes for summary in parts),
                "parameters": sum(summary.parameters for summary in parts),
            }
        )
    return sorted(found, key=lambda variant: (variant["size"], variant["path"]))


def _file_view(summary: Summary) -> dict[str, Any]:
    return {
        "path": summary.path,
        "format": summary.format,
        "size": summary.size_bytes,
        "parameters": summary.parameters,
        "reason": summary.reason,
        "note": summary.note,
    }


def _context_length(found: Found) -> int | None:
    for config in (found.config, _inner(found.config), found.tokenizer):
        for key in _CONTEXT_KEYS:
            # A tokenizer that knows no limit says 10**30.
            if (count := _count(config.get(key))) is not None and count < 10**9:
                return count
    return None


def _inner(config: dict[str, Any]) -> dict[str, Any]:
    """Of a model of several, the part for text."""
    inner = config.get("text_config")
    return inner if isinstance(inner, dict) else {}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def _text(value: Any, limit: int = 128) -> str:
    return shown_text(value, limit - 1) if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < 2**63 else None


def _bounded(value: int) -> int | None:
    return value if 0 < value < 2**63 else None
