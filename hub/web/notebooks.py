"""Notebooks (.ipynb) as pages show them: cells and what they put out, as safe HTML. Nothing of them is run.

Source: nbformat's documentation, format version 4.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import nh3
from markupsafe import Markup

from hub.web.highlight import highlight
from hub.web.markdown import LinkBase, render_markdown

MAX_CELLS = 500
_MAX_OUTPUTS = 50
_MAX_TEXT_CHARS = 50_000
_MAX_HTML_CHARS = 500_000
# Of all pictures together: they stand in the page itself.
_MAX_PICTURE_CHARS = 8 * 1024 * 1024
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
# What terminals take for colours and movements. Source: ECMA-48, section 5.4.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
# Without headings: the page's own order stands.
_TAGS = nh3.ALLOWED_TAGS - {"img", "figure", "figcaption", "map", "area", "h1", "h2", "h3", "h4", "h5", "h6"}
_ATTRIBUTES = {"a": {"href", "title"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"}}


NOTHING = Markup("")


class NotebookError(Exception):
    """Why a notebook cannot be shown, in words for people."""


@dataclass(frozen=True)
class OutputView:
    """Something that a cell put out. kind: "text", "error", "html", "picture" or "note"."""

    kind: str
    html: Markup = NOTHING
    source: str = ""


@dataclass(frozen=True)
class CellView:
    """A cell. kind: "markdown", "code" or "raw". lines: of code; count: its number in brackets, or ""."""

    kind: str
    html: Markup = NOTHING
    lines: Sequence[Markup] = ()
    count: str = ""
    outputs: Sequence[OutputView] = ()


@dataclass(frozen=True)
class NotebookView:
    """A notebook. language: of its code. is_cut: whether there are more cells."""

    cells: Sequence[CellView]
    language: str
    is_cut: bool


def read_notebook(data: bytes, *, base: LinkBase) -> NotebookView:
    """What a notebook shows. Raises NotebookError: it is none, or of a format before version 4."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise NotebookError("The file is no JSON.") from None
    cells = found.get("cells") if isinstance(found, dict) else None
    if not isinstance(cells, list):
        raise NotebookError("The file has no cells, as notebooks of format version 4 do.")
    metadata = _dict(found.get("metadata"))
    told = _dict(metadata.get("language_info")).get("name") or _dict(metadata.get("kernelspec")).get("language")
    language = told if isinstance(told, str) else "python"
    budget = _Budget()
    views = [_cell(_dict(cell), at, language, base, budget) for at, cell in enumerate(cells[:MAX_CELLS])]
    return NotebookView(views, language[:40], len(cells) > MAX_CELLS)


@dataclass
class _Budget:
    picture_chars: int = _MAX_PICTURE_CHARS


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A text that may come as the list of its lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _cell(cell: dict[str, Any], at: int, language: str, base: LinkBase, budget: _Budget) -> CellView:
    source = _text(cell.get("source"))
    kind = cell.get("cell_type")
    if kind == "markdown":
        return CellView("markdown", html=render_markdown(source, base=base, key=f"cell-{at}"))
    if kind != "code":
        return CellView("raw", lines=highlight(source))
    count = cell.get("execution_count")
    outputs = cell.get("outputs")
    shown = outputs[:_MAX_OUTPUTS] if isinstance(outputs, list) else []
    return CellView(
        "code",
        lines=highlight(source, language=language),
        count=str(count) if isinstance(count, int) else "",
        outputs=[view for output in shown for view in _outputs(_dict(output), budget)],
    )


def _outputs(output: dict[str, Any], budget: _Budget) -> Iterator[OutputView]:
    kind = output.get("output_type")
    if kind == "stream":
        yield _plain("error" if output.get("name") == "stderr" else "text", _text(output.get("text")))
    elif kind == "error":
        trace = output.get("traceback")
        lines = [line for line in trace if isinstance(line, str)] if isinstance(trace, list) else []
        yield _plain("error", "\n".join(lines) or f"{output.get('ename')}: {output.get('evalue')}")
    elif kind in ("execute_result", "display_data"):
        yield _best(_dict(output.get("data")), budget)


def _plain(kind: str, text: str) -> OutputView:
    clean = _ESCAPES.sub("", text)
    cut = clean[:_MAX_TEXT_CHARS] + (" …" if len(clean) > _MAX_TEXT_CHARS else "")
    return OutputView(kind, Markup("{}").format(cut))


def _best(data: dict[str, Any], budget: _Budget) -> OutputView:
    """Of the forms that a result comes in the one that shows most, as far as it is safe."""
    for media_type in _PICTURES:
        if media_type in data and (source := _picture(media_type, _text(data[media_type]), budget)):
            return OutputView("picture", source=source)
    html = _text(data.get("text/html"))
    if html and len(html) <= _MAX_HTML_CHARS:
        cleaned = nh3.clean(
            html, tags=set(_TAGS), attributes=dict(_ATTRIBUTES), url_schemes={"http", "https", "mailto"}
        )
        return OutputView("html", Markup(cleaned))  # noqa: S704 - cleaned in the line before
    if markdown := _text(data.get("text/markdown")):
        return OutputView("html", render_markdown(markdown[:_MAX_TEXT_CHARS]))
    if plain := _text(data.get("text/plain")):
        return _plain("text", plain)
    return _plain("note", ", ".join(sorted(name for name in data if isinstance(name, str)))[:200])


def _picture(media_type: str, text: str, budget: _Budget) -> str:
    """The picture as an address that holds it, or "" where it is none or one too many."""
    encoded = "".join(text.split())
    if len(encoded) > budget.picture_chars:
        return ""
    try:
        base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return ""
    budget.picture_chars -= len(encoded)
    return f"data:{media_type};base64,{encoded}"
