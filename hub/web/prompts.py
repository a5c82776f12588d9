"""Single prompts as pages show them: texts with their places marked, what a form begins with, two versions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from flask_babel import gettext
from markupsafe import Markup

from hub.assets.records.prompt_versions import Change, PromptComparison, text_of
from hub.assets.records.variables import names_of, split_places
from hub.assets.service.prompts import Prompt, Variable
from hub.base.offload import offload
from hub.git.texts import compare_texts
from hub.web.difflines import HunkView, draw_hunks

# What a comparison shows; longer texts are cut.
MAX_LINES = 4000
# Tags that people choose from. Source: the pages' contract, P1.
COMMON_TAGS = (
    *("image", "video", "music", "code generation", "data analysis", "research", "personalisation"),
    *("creative writing", "technical writing", "design", "marketing", "education"),
)


def mark_places(text: str) -> Markup:
    """A text with its places ``{{name}}`` marked."""
    pieces = [
        Markup('<mark class="place">{}</mark>').format(piece) if name else Markup.escape(piece)
        for piece, name in split_places(text)
    ]
    return Markup("").join(pieces)


class VariableRow(NamedTuple):
    """A line of the table of variables. is_known: it stands in the prompt's own table; else only in its texts."""

    variable: Variable
    is_known: bool
    is_used: bool


def variable_rows(prompt: Prompt) -> list[VariableRow]:
    """The variables of a prompt: those of its table, and those that only its texts name."""
    used, known = names_of(prompt), {variable.name for variable in prompt.variables}
    rows = [VariableRow(variable, True, variable.name in set(used)) for variable in prompt.variables]
    return rows + [VariableRow(Variable(name), False, True) for name in used if name not in known]


def as_json(items: Sequence[Any]) -> str:
    """A member of a prompt that is a list, as its form keeps it."""
    return json.dumps([asdict(item) for item in items], ensure_ascii=False)


def is_of_messages(prompt: Prompt) -> bool:
    """Whether its content is only what its messages' user says."""
    said = "\n\n".join(message.content for message in prompt.messages if message.role == "user")
    return bool(prompt.messages) and prompt.content == said


def member_titles() -> dict[str, str]:
    """What the members of a prompt are called."""
    return {
        "title": gettext("Title"),
        "language": gettext("Language"),
        "tags": gettext("Tags"),
        "type": gettext("Type"),
        "source": gettext("Source"),
        "author": gettext("Author"),
        "time": gettext("Time"),
        "copyright": gettext("Copyright"),
        "feedback": gettext("Feedback"),
        "variables": gettext("Variables"),
        "examples": gettext("Examples"),
        "model": gettext("Model"),
        "categories": gettext("Categories"),
    }


def role_titles() -> dict[str, str]:
    """Who speaks in a message."""
    return {"system": gettext("System"), "user": gettext("User"), "assistant": gettext("Assistant")}


@dataclass(frozen=True)
class MemberChange:
    """A member that two versions say differently, in words."""

    title: str
    before: str
    after: str


@dataclass(frozen=True)
class Lines:
    """Changed lines, as ``parts/diff_lines.html`` asks a file for them."""

    hunks: Sequence[HunkView]
    path: str
    is_cut: bool
    id: str = "texts"
    special: str = ""
    reason: str = ""
    file: Any = None
    leftover: Sequence[Markup] = ()


def compared_lines(found: PromptComparison, *, view: str) -> Lines:
    """The changed lines of two versions' texts."""
    old, new = text_of(found.before.prompt), text_of(found.after.prompt)
    hunks, is_cut = offload(compare_texts, old, new, most_lines=MAX_LINES)
    path = "prompt.txt"
    return Lines(offload(draw_hunks, hunks, old_path=path, new_path=path, view=view), found.after.path, is_cut)


def member_changes(changes: Sequence[Change]) -> list[MemberChange]:
    """The other members that two versions say differently."""
    titles = member_titles()
    return [
        MemberChange(titles.get(change.name, change.name), _in_words(change.before), _in_words(change.after))
        for change in changes
    ]


def _in_words(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return "\n".join(_line_of(item) for item in value)
    return json.dumps(value, ensure_ascii=False, indent=2)


def _line_of(item: dict[str, Any]) -> str:
    """An item of a list in a line: what it says, without what it leaves empty."""
    said = {name: value for name, value in item.items() if value not in ("", False, [])}
    words = {name: "✓" if value is True else _in_words(value) for name, value in said.items()}
    return " · ".join(f"{name}: {value}" for name, value in words.items())
