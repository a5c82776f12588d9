"""Which files are read for the search, what a card says without its markup, and the lines that snippets show."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hub.assets.search.words import Row, holds, words_of
from hub.base.frontmatter import find_head

CARD_PATHS = ("README.md", "readme.md", "Readme.md")
MAX_FILE_BYTES = 256 * 1024
MAX_CARD_BYTES = 256 * 1024
# Of a card without markup; what comes after is neither found nor shown.
MAX_CARD_CHARS = 64_000
SNIPPET_CHARS = 240
MAX_LINES = 3
_MAX_LINE_CHARS = 240

# Other people's code, what programs have made, and data: thousands of lines that nobody wrote or looks for.
_SKIPPED_FOLDERS = frozenset(
    (
        *("node_modules", "vendor", "vendored", "third_party", "third-party", "bower_components", "site-packages"),
        *("dist", "build", "target", "__pycache__", ".git", ".venv", "venv", ".idea", ".vscode", ".cache"),
    )
)
_SKIPPED_NAMES = frozenset(
    (
        *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "poetry.lock", "pipfile.lock"),
        *("uv.lock", "pdm.lock", "cargo.lock", "go.sum", "composer.lock", "gemfile.lock", "flake.lock"),
        *("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json", ".gitattributes"),
    )
)
_SKIPPED_ENDINGS = (
    *(".min.js", ".min.css", ".map", ".svg", ".lock", ".csv", ".tsv", ".jsonl", ".ndjson", ".geojson", ".ipynb"),
    *(".pem", ".crt", ".po", ".srt", ".vtt", ".tex.bak", ".log"),
)


def is_read(path: str, size_bytes: int | None) -> bool:
    """Whether a file of this path and size is one that people wrote; what is binary shows when it is read."""
    *folders, name = path.lower().split("/")
    if not size_bytes or size_bytes > MAX_FILE_BYTES or not _SKIPPED_FOLDERS.isdisjoint(folders):
        return False
    return name not in _SKIPPED_NAMES and not name.endswith(_SKIPPED_ENDINGS)


def decoded(data: bytes) -> str | None:
    """The text that a file holds; None where it is none."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace").replace("\0", " ")
    return None if b"\0" in data else data.decode("utf-8", "replace")


_FENCE = re.compile(r"^[ \t]*(?:```|~~~).*$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,1000}>")
_IMAGE = re.compile(r"!\[([^\[\]]{0,500})\]\([^()\s]{0,2000}(?:\s[^()]{0,500})?\)")
_LINK = re.compile(r"\[([^\[\]]{0,500})\]\([^()\s]{0,2000}(?:\s[^()]{0,500})?\)")
_RULE = re.compile(r"^[-=*_|: \t]{3,}$", re.MULTILINE)
_LEAD = re.compile(r"^[ \t]*(?:#{1,6}|>+|[-*+]|\d{1,9}[.)])[ \t]+", re.MULTILINE)
_MARKS = re.compile(r"[*`|~]+")
_SPACE = re.compile(r"\s+")


def card_text(text: str) -> str:
    """What a card says: its body as a run of words and punctuation, without Markdown's and HTML's own marks."""
    head = find_head(text)
    body = text if head is None else text[text.index(head) + len(head) :].lstrip("-\r\n \t")
    for pattern, put in (
        (_COMMENT, " "),
        (_FENCE, ""),
        (_IMAGE, r"\1"),
        (_LINK, r"\1"),
        (_TAG, " "),
        (_RULE, ""),
        (_LEAD, ""),
        (_MARKS, " "),
    ):
        body = pattern.sub(put, body)
    return _SPACE.sub(" ", body).strip()[:MAX_CARD_CHARS]


def snippet_of(text: str, wanted: Sequence[str]) -> str:
    """A piece of a text around the first of the words that stands in it; "" where none does."""
    lower = text.lower()
    places = [at for word in wanted if (at := lower.find(word.lower())) >= 0]
    if not places:
        return ""
    start = max(0, min(places) - SNIPPET_CHARS // 3)
    # Not in the middle of a word, where there are spaces.
    if start and (space := text.find(" ", start, start + 30)) >= 0:
        start = space + 1
    piece = text[start : start + SNIPPET_CHARS].strip()
    return ("…" if start else "") + piece + ("…" if start + SNIPPET_CHARS < len(text) else "")


def lines_with(text: str, rows: Sequence[Row]) -> list[tuple[int, str]]:
    """(number from 1, line) of the first lines that hold one of the rows, ``MAX_LINES`` at most."""
    wanted = [row for row in rows if not row.is_negated]
    found: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        # To look for the letters is a hundred times faster than to cut each line into words.
        lower = line[:2000].lower()
        if not any(row.words[0] in lower for row in wanted):
            continue
        words = [*words_of(line[:2000], is_code=True)]
        if any(holds(words, row) for row in wanted):
            found.append((number, _cut(line, wanted)))
            if len(found) == MAX_LINES:
                break
    return found


def _cut(line: str, rows: Sequence[Row]) -> str:
    if len(line) <= _MAX_LINE_CHARS:
        return line
    return snippet_of(line, [row.words[0] for row in rows]) or line[:_MAX_LINE_CHARS]
