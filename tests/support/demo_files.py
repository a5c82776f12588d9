"""Small files such as repositories of assets hold, made for the lifelike world of ``tests.support.demo``.

``RECIPES`` are what the world's description may ask for: each gives the files of one item, path to content.
"""

from __future__ import annotations

import base64
import io
import json
import math
import random
import struct
import wave
import zlib
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from pyarrow import parquet

_SIZES = {"F32": 4, "BF16": 2, "F16": 2, "I8": 1}
# A type of tensors that no reader knows the size of: the file may claim more weights than it has.
_UNSIZED_OF_GGUF = 41
_Q4_K_M_OF_GGUF = 15


def picture(width: int, height: int, colour: Callable[[float, float], tuple[float, float, float]]) -> bytes:
    """A PNG. colour: red, green and blue from 0 to 1 of a place, whose x and y go from 0 to 1."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    lines = bytearray()
    for row in range(height):
        lines.append(0)
        for column in range(width):
            lines += bytes(min(255, max(0, int(255 * part))) for part in colour(column / width, row / height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(lines))) + chunk(b"IEND", b"")
    )


def waves(seed: int, width: int = 160, height: int = 80) -> bytes:
    """A picture of soft colours, another for each seed."""
    place = random.Random(seed)
    a, b, c = (place.uniform(2, 7) for _ in range(3))

    def colour(x: float, y: float) -> tuple[float, float, float]:
        red = 0.5 + 0.4 * math.sin(a * x + c * y)
        green = 0.5 + 0.4 * math.sin(b * y + a * x * y)
        return red, green, 0.6 + 0.35 * math.cos(c * (x - y))

    return picture(width, height, colour)


def curve(seed: int) -> bytes:
    """A picture of a curve that falls, as of a loss."""
    noise = random.Random(seed)
    width, height = 360, 200
    heights = [0.12 + 0.75 * math.exp(-3.2 * at / width) + noise.uniform(-0.015, 0.015) for at in range(width)]

    def colour(x: float, y: float) -> tuple[float, float, float]:
        far = abs((1 - y) - heights[int(x * width)])
        if far < 0.012:
            return 0.15, 0.35, 0.8
        return (0.88, 0.9, 0.93) if int(y * height) % 40 == 0 else (1, 1, 1)

    return picture(width, height, colour)


def tone(seconds: float = 0.4, hertz: float = 440.0) -> bytes:
    """A sound, as a WAV."""
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        count = int(8000 * seconds)
        file.writeframes(
            b"".join(struct.pack("<h", int(9000 * math.sin(2 * math.pi * hertz * at / 8000))) for at in range(count))
        )
    return sink.getvalue()


def safetensors(layers: int, width: int, *, dtype: str = "BF16", vocabulary: int = 512) -> bytes:
    """Weights of a small transformer, of zeros."""
    shapes = {"model.embed_tokens.weight": [vocabulary, width], "lm_head.weight": [vocabulary, width]}
    for layer in range(layers):
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes[f"model.layers.{layer}.self_attn.{name}.weight"] = [width, width]
        shapes[f"model.layers.{layer}.mlp.up_proj.weight"] = [4 * width, width]
        shapes[f"model.layers.{layer}.mlp.down_proj.weight"] = [width, 4 * width]
        shapes[f"model.layers.{layer}.input_layernorm.weight"] = [width]
    head: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in shapes.items():
        start, at = at, at + _SIZES[dtype] * math.prod(shape)
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, at]}
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at)


def gguf(billions: float, *, architecture: str = "llama", context: int = 8192) -> bytes:
    """The head of a GGUF file that claims so many parameters, and 64 KiB of its weights."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    members = text("general.architecture") + struct.pack("<I", 8) + text(architecture)
    members += text(f"{architecture}.context_length") + struct.pack("<II", 4, context)
    members += text("general.file_type") + struct.pack("<II", 4, _Q4_K_M_OF_GGUF)
    width = 4096
    rows = int(billions * 1e9 / width / 4)
    body = members
    for number in range(4):
        body += text(f"blk.{number}.ffn_up.weight") + struct.pack("<I2Q", 2, width, rows)
        body += struct.pack("<IQ", _UNSIZED_OF_GGUF, 0)
    return b"GGUF" + struct.pack("<IQQ", 3, 4, 3) + body + bytes(64 * 1024)


def table(columns: dict[str, list[Any]]) -> bytes:
    """A Parquet file."""
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink, row_group_size=500)
    return sink.getvalue()


def notebook(title: str) -> bytes:
    """A Jupyter notebook with text, code, a table and a picture as outputs."""
    lines = ["import pandas as pd\n", 'frame = pd.read_parquet("data/train.parquet")\n', "frame.describe()"]
    html = "<table><tr><th></th><th>score</th></tr><tr><td>mean</td><td>0.71</td></tr></table>"
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": [f"# {title}\n", "\n", "What the loss is: $L = -\\log p$"]},
        {
            "cell_type": "code",
            "metadata": {},
            "execution_count": 1,
            "source": lines,
            "outputs": [
                {
                    "output_type": "execute_result",
                    "execution_count": 1,
                    "metadata": {},
                    "data": {"text/plain": ["mean 0.71"], "text/html": [html]},
                }
            ],
        },
        {
            "cell_type": "code",
            "metadata": {},
            "execution_count": 2,
            "source": ["frame.plot()"],
            "outputs": [
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "data": {"image/png": base64.b64encode(curve(3)).decode(), "text/plain": ["<Figure>"]},
                },
                {"output_type": "stream", "name": "stdout", "text": ["done in 0.3 s\n"]},
            ],
        },
    ]
    whole = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1).encode()


def _rows(count: int, seed: int) -> dict[str, list[Any]]:
    words = ("The lift is out of order", "Pünktlich geliefert", "很好用", "خدمة ممتازة", "Needs a bigger box", "👍")
    labels = ("praise", "complaint", "question", "spam", "other")
    return {
        "id": list(range(count)),
        "text": [f"{words[(at * 7 + seed) % len(words)]} ({at})" for at in range(count)],
        "label": [labels[(at * at + seed) % len(labels)] for at in range(count)],
        "score": [round(((at * 37 + seed * 11) % 1000) / 1000, 3) for at in range(count)],
        "tokens": [[at % 50, at % 7, at % 3] for at in range(count)],
    }


def _csv(count: int, seed: int) -> bytes:
    rows = _rows(count, seed)
    cells = zip(rows["id"], rows["text"], rows["label"], rows["score"], strict=True)
    return (
        "id,text,label,score\n" + "".join(f'{id},"{text}",{label},{score}\n' for id, text, label, score in cells)
    ).encode()


def _lines(*records: dict[str, Any]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def _chat(number: int) -> dict[str, Any]:
    asked, answered = {"role": "user", "content": f"こんにちは {number}"}, {"role": "assistant", "content": "Hello! 👋"}
    return {"messages": [asked, answered]}


def _page(number: int) -> dict[str, Any]:
    return {"url": f"https://example.org/{number}", "text": f"Page {number}", "quality": number % 10 / 10}


_CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 128, "num_hidden_layers": 4}


def _config() -> dict[str, bytes]:
    return {"config.json": (json.dumps(_CONFIG, indent=2) + "\n").encode()}


def _prompt(path: str, title: str, content: str, tags: list[str], language: str) -> dict[str, bytes]:
    variables = [
        {"name": name, "type": "text", "required": True, "description": name}
        for name in ("text", "topic")
        if f"{{{{{name}}}}}" in content
    ]
    told = {"title": title, "content": content, "language": language, "tags": tags, "variables": variables}
    return {path: _lines(told)}


_SKILL = """\
---
name: {name}
description: {description}
license: MIT
allowed-tools: Read Bash
metadata:
  category: {category}
---

# {name}

1. Read what was asked.
2. Look at the files below `references/`.
3. Answer with a table and no more than five lines.
"""


def _skill(name: str, description: str, category: str) -> dict[str, bytes]:
    text = _SKILL.format(name=name, description=description, category=category)
    return {"SKILL.md": text.encode(), "references/rules.md": b"# Rules\n\nBe brief.\n"}


RECIPES: dict[str, Callable[..., dict[str, bytes]]] = {
    "chats": lambda path, count: {path: _lines(*(_chat(number) for number in range(count)))},
    "config": _config,
    "csv": lambda path, count, seed: {path: _csv(count, seed)},
    "gguf": lambda name, billions: {f"{name}-{bits}.gguf": gguf(billions) for bits in ("Q4_K_M", "Q8_0")},
    "notebook": lambda path, title: {path: notebook(title)},
    "pages": lambda path, count: {path: _lines(*(_page(number) for number in range(count)))},
    "pictures": lambda count: {f"images/{number:02}.png": waves(number, 96, 96) for number in range(count)},
    "prompt": _prompt,
    "skill": _skill,
    "table": lambda path, count, seed: {path: table(_rows(count, seed))},
    "text": lambda path, text: {path: text.encode()},
    "tone": lambda path: {path: tone()},
    "weights": lambda layers, width: {"model.safetensors": safetensors(layers, width)} | _config(),
    "zeros": lambda path, count: {path: bytes(count)},
}
