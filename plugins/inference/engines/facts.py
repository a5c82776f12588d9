"""What engines ask of a model's files: from what the hub has read of them, and from a few small ones.

Source: compute contract, section 2.5. Whatever is in a configuration, it is bounded, and only words come out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hub.plugin.assets import ModelMetadata
from plugins.inference.engines.engine import GgufFile, ModelFacts

MAX_CONFIG_BYTES = 256 * 1024
_MAX_VARIANTS, _MAX_PARTS = 200, 400
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,128}\Z")
_FORMATS = ("safetensors", "gguf", "onnx")
# Of architectures, what a model does; whatever is not here makes texts.
_TASKS_OF_ARCHS = (
    (re.compile(r"(ForConditionalGeneration|(VL|\dV)ForCausalLM)\Z"), "image-text-to-text"),
    (re.compile(r"(ForCausalLM|LMHeadModel)\Z"), "text-generation"),
    (re.compile(r"ForSequenceClassification\Z"), "text-classification"),
    (re.compile(r"(Bert|Roberta|MPNet|Gte|NewModel|TextModel)\w*\Z|(Model|ForMaskedLM)\Z"), "feature-extraction"),
    (re.compile(r"Pipeline\Z"), "text-to-image"),
    (re.compile(r"(bert|t5encoder|gemma-embedding)"), "feature-extraction"),
)
_SPEECH = ("WhisperForConditionalGeneration",)

ReadFile = Callable[[str, int], bytes | None]


def gather_facts(
    metadata: ModelMetadata | None, read: ReadFile, *, commit_id: str, origin_name: str, task: str
) -> ModelFacts:
    """The facts of a model at a commit.

    metadata: what the hub has read of its files; None: nothing yet. read: the beginning of a file, or None. task: what
    its card says; empty: nothing.
    """
    config = _read_json(read, "config.json")
    pipeline = {} if config else _read_json(read, "model_index.json")
    inner = config.get("text_config")
    shape = {**config, **inner} if isinstance(inner, dict) else config
    files = metadata.files if metadata is not None else []
    formats = _formats_of(files)
    architectures = _words(config.get("architectures"))
    gguf_names = _words([metadata.architecture]) if metadata is not None and not config and "gguf" in formats else ()
    class_name = next(iter(_words([pipeline.get("_class_name")])), "") or next(iter(architectures), "")
    model_type = next(iter(_words([config.get("model_type")])), "")
    names = (*architectures, *gguf_names)
    method = config.get("quantization_config")
    return ModelFacts(
        commit_id=commit_id,
        formats=formats or (("paddle_static",) if read("inference.yml", 1) is not None else ()),
        architectures=names,
        class_name=class_name,
        model_type=model_type,
        origin_name=origin_name,
        gguf_files=_variants(metadata.quantizations if metadata is not None else ()),
        projectors=tuple(file["path"] for file in files if _is_projector(file))[:_MAX_VARIANTS],
        parameters=(metadata.parameters if metadata is not None else None) or 0,
        weight_bytes=(metadata.weight_bytes if metadata is not None else None) or 0,
        task=task or _task_of(names, class_name, config, read),
        context_length=(metadata.context_length if metadata is not None else None) or 0,
        has_chat_template=_has_template(read, formats),
        has_remote_code="auto_map" in config,
        quantization_method=next(iter(_words([method.get("quant_method")] if isinstance(method, dict) else [])), ""),
        layers=_count(shape, "num_hidden_layers", "n_layer", "num_layers"),
        hidden_size=_count(shape, "hidden_size", "n_embd", "d_model"),
        heads=_count(shape, "num_attention_heads", "n_head", "num_heads"),
        bytes_per_weight=_bytes_per_weight(metadata),
    )


def _read_json(read: ReadFile, path: str) -> dict[str, Any]:
    data = read(path, MAX_CONFIG_BYTES)
    if data is None or len(data) >= MAX_CONFIG_BYTES:
        return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(values: Any) -> tuple[str, ...]:
    """Those of a list's values that are plain words."""
    listed = values[:8] if isinstance(values, list) else []
    return tuple(value for value in listed if isinstance(value, str) and _WORD.match(value))


def _count(config: Mapping[str, Any], *names: str) -> int:
    values = (config.get(name) for name in names)
    return next((value for value in values if type(value) is int and 0 < value < 2**31), 0)


def _formats_of(files: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    there = {"pytorch" if file["format"] == "zip" else file["format"] for file in files if not file["reason"]}
    return tuple(each for each in (*_FORMATS, "pytorch") if each in there)


def _is_projector(file: Mapping[str, Any]) -> bool:
    return file["format"] == "gguf" and "mmproj" in file["path"].rpartition("/")[2].lower() and not file["reason"]


def _variants(variants: Sequence[Mapping[str, Any]]) -> tuple[GgufFile, ...]:
    return tuple(
        GgufFile(one["path"], one["name"], one["size"], tuple(one["files"][:_MAX_PARTS]))
        for one in variants[:_MAX_VARIANTS]
    )


def _task_of(names: Sequence[str], class_name: str, config: Mapping[str, Any], read: ReadFile) -> str:
    if any(name in _SPEECH for name in names):
        return "automatic-speech-recognition"
    # Some encoders of sentences are language models by their class.
    if names and read("modules.json", 1) is not None:
        return "feature-extraction"
    found = (task for name in (*names, class_name) if name for pattern, task in _TASKS_OF_ARCHS if pattern.search(name))
    task = next(found, "text-generation" if names else "")
    # With a single number, a classifier is a judge of pairs.
    labels = config.get("id2label")
    is_judge = config.get("num_labels") == 1 or (isinstance(labels, dict) and len(labels) == 1)
    return "text-ranking" if task == "text-classification" and is_judge else task


def _has_template(read: ReadFile, formats: Sequence[str]) -> bool:
    if read("chat_template.jinja", 1) is not None or read("chat_template.json", 1) is not None:
        return True
    if "chat_template" in _read_json(read, "tokenizer_config.json"):
        return True
    # Of GGUF files nearly all carry one, and llama.cpp has one for the rest.
    return "gguf" in formats


def _bytes_per_weight(metadata: ModelMetadata | None) -> float:
    if metadata is None or not metadata.parameters or not metadata.weight_bytes:
        return 2.0
    return round(metadata.weight_bytes / metadata.parameters, 3)


# As they are kept.


def facts_to_json(facts: ModelFacts) -> dict[str, Any]:
    """The facts as values of JSON."""
    return asdict(facts)


def facts_from_json(data: Mapping[str, Any]) -> ModelFacts:
    """The facts that were kept; what a former version did not know has its default."""
    known = {name: value for name, value in data.items() if name in ModelFacts.__dataclass_fields__}
    for name in ("formats", "architectures", "projectors"):
        known[name] = tuple(known.get(name, ()))
    known["gguf_files"] = tuple(
        GgufFile(**{**one, "files": tuple(one.get("files", ()))}) for one in known.get("gguf_files", ())
    )
    return ModelFacts(**known)
