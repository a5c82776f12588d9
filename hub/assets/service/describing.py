"""The first words of a card's text, for a repository that nobody has described."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

MAX_CHARS = 250
# Of a paragraph; what is shorter says "Table of contents".
MIN_LETTERS = 20
_MAX_LINES = 2000

# Each of them reads a line once, whatever stands there: nothing repeats inside of what repeats.
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_SKIPPED = re.compile(r" {0,3}(#|<|\||>|\[[^\]\n]{1,200}\]:|([-*_=] {0,3}){3,}$|[-*+] |\d{1,9}[.)] )|\t| {4}")
_IMAGE = re.compile(r"!\[[^\[\]\n]{0,300}\]\([^()\n]{0,500}\)")
_LINK = re.compile(r"\[([^\[\]\n]{0,300})\](\([^()\n]{0,500}\)|\[[^\[\]\n]{0,300}\])?")
_TAG = re.compile(r"<[^<>\n]{1,300}>")
_MARKS = re.compile(r"(\*{1,3}|_{2,3}|~~|`{1,3})")
_COMMENT = re.compile(r"<!--.*?(-->|\Z)", re.DOTALL)


def describe_text(body: str) -> str:
    """The first paragraph of Markdown that is plain prose, as plain text of at most ``MAX_CHARS``; else empty."""
    for paragraph in _paragraphs(_COMMENT.sub("", body)):
        text = _plain(paragraph)
        if sum(map(str.isalpha, text)) >= MIN_LETTERS:
            return _cut(text)
    return ""


def _paragraphs(body: str) -> Iterator[str]:
    """Runs of lines that are neither code, heading, table, list, quotation nor HTML."""
    fence = ""
    lines: list[str] = []
    for line in body.split("\n", _MAX_LINES)[:_MAX_LINES]:
        line = line.rstrip("\r")
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence):
                fence = ""
            continue
        is_heading = bool(lines) and re.match(r" {0,3}(=+|-+) *$", line) is not None
        if is_heading:
            lines = []
        elif mark or not line.strip() or (not lines and _SKIPPED.match(line)):
            yield from (["\n".join(lines)] if lines else [])
            lines = []
            fence = mark[1] if mark else ""
        else:
            lines.append(line)
    yield from (["\n".join(lines)] if lines else [])


def _plain(paragraph: str) -> str:
    text = _IMAGE.sub("", paragraph[: MAX_CHARS * 20])
    text = _LINK.sub(lambda match: match[1], _LINK.sub(lambda match: match[1], text))
    text = html.unescape(_MARKS.sub("", _TAG.sub("", text)))
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())


def _cut(text: str) -> str:
    if len(text) <= MAX_CHARS:
        return text
    kept = text[: MAX_CHARS - 1]
    # Chinese and its like have no spaces to cut at.
    at_word = kept.rpartition(" ")[0]
    return (at_word if len(at_word) > MAX_CHARS // 2 else kept).rstrip(" ,;:") + "…"
