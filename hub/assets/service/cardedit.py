"""Changing members at the head of a card: what else stands there, comments and order included, stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.base.errors import Unprocessable
from hub.base.frontmatter import Marked, UnreadableError, find_head, load_marked
from hub.repos.cardkeys import CardKey, CardType

MAX_CHANGES = 100


def change_head(text: str, changes: Mapping[str, Any]) -> str:
    """The card's text with these members at its head; None, and what is empty, takes one away.

    Raises Unprocessable (``card_unreadable``) where the head cannot be read as it is.
    """
    head = find_head(text)
    if head is None:
        members = {name: value for name, value in changes.items() if not _is_empty(value)}
        return f"---\n{_dump(members)}---\n{text}" if members else text
    try:
        marked = load_marked(head)
    except UnreadableError as error:
        raise Unprocessable(
            f"The metadata is no valid YAML ({error}); mend it in its own view first.", code="card_unreadable"
        ) from None
    if marked.value is not None and not isinstance(marked.value, dict):
        raise Unprocessable("The metadata must be members with names, such as 'license: mit'.", code="card_unreadable")
    before = marked.value or {}
    after = {**before, **changes}
    after = {name: value for name, value in after.items() if name not in changes or not _is_empty(value)}
    changed = {name for name in changes if before.get(name) != after.get(name)}
    if not changed:
        return text
    start = text.index("\n") + 1
    new = _replace(head, marked, {name: after.get(name) for name in changed})
    if _read(new) != after:
        # Written so oddly that its lines cannot be told apart: the same members, in the usual form.
        new = _dump(after)
    return text[:start] + new + text[start + len(head) :]


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _read(head: str) -> Any:
    try:
        return load_marked(head).value or {}
    except UnreadableError:
        return None


def _replace(head: str, marked: Marked, changes: Mapping[str, Any]) -> str:
    """The head with the lines of some members replaced; new ones come at its end."""
    lines = head.splitlines(keepends=True)
    starts = sorted({line - 1 for found in marked.lines.values() for line in found})
    spans = {
        start: _end_of(lines, start, next((later for later in starts if later > start), len(lines))) for start in starts
    }
    for name, value in sorted(changes.items(), key=lambda item: max(marked.lines.get(item[0], [0])), reverse=True):
        found = [line - 1 for line in marked.lines.get(name, [])]
        block = [] if _is_empty(value) else [_dump({name: value})]
        if not found:
            if lines and not lines[-1].endswith("\n"):
                lines[-1] += "\n"
            lines += block
        for place in sorted(found, reverse=True):
            lines[place : spans[place]] = block if place == found[-1] else []
    return "".join(lines)


def _end_of(lines: list[str], start: int, limit: int) -> int:
    """Where a member's lines end: blank ones and comments before the next one belong to that."""
    end = limit
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return end


def _dump(members: Mapping[str, Any]) -> str:
    import yaml  # deliberate: few requests write cards

    if not members:
        return ""
    return str(yaml.safe_dump(dict(members), allow_unicode=True, sort_keys=False, width=100))


# The members that the form of the page offers, in order; a kind's card has some of them.
_OFFERED = (
    *("license", "license_name", "license_link", "language", "pipeline_tag", "task_categories", "library_name"),
    *("size_categories", "base_model", "base_model_relation", "new_version", "datasets", "models", "pretty_name"),
    *("title", "sdk", "sdk_version", "app_file", "version", "industry", "tags"),
)


def offered_keys(keys: tuple[CardKey, ...]) -> list[CardKey]:
    """Those of a kind's members that a form can show, in the order in which people think of them."""
    known = {key.name: key for key in keys if key.type in (CardType.TEXT, CardType.WORDS, CardType.ANY)}
    return [known[name] for name in _OFFERED if name in known]
