"""The head of a ``SKILL.md``, read and judged. Source of the rules: the Agent Skills specification (agentskills.io)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.base.frontmatter import UnreadableError, find_head, load_yaml, text_of_key
from hub.base.texts import is_storable

SKILL_PATH = "SKILL.md"
MAX_SKILL_BYTES = 1024 * 1024
# Of the head; what is longer is not read.
MAX_HEAD_CHARS = 64 * 1024
MAX_NAME_CHARS = 64
MAX_DESCRIPTION_CHARS = 1024
MAX_COMPATIBILITY_CHARS = 500
MAX_LICENSE_CHARS = 255
MAX_TOOLS = 100
MAX_METADATA = 100
MAX_METADATA_CHARS = 1000
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
# Words; what stands in brackets belongs to the word before it: Bash(git:*).
_TOOL = re.compile(r"[^\s,(]{1,200}(?:\([^()]{0,500}\))?")
_MEMBERS = frozenset({"name", "description", "license", "compatibility", "metadata", "allowed-tools"})


@dataclass(frozen=True)
class Problem:
    """Why a skill does not keep to the rules. line: of the file, from 1; 0: of none. A warning keeps nobody away."""

    message: str
    line: int = 0
    member: str = ""
    is_warning: bool = False


@dataclass
class Skill:
    """What a ``SKILL.md`` says; with problems, as far as it could be read. details: its member ``metadata``."""

    name: str = ""
    description: str = ""
    license: str = ""
    compatibility: str = ""
    allowed_tools: list[str] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)
    body: str = ""
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_valid(self) -> bool:
        """Whether nothing but warnings stands against it."""
        return all(problem.is_warning for problem in self.problems)

    @property
    def category(self) -> str:
        """What its metadata call its category, in lower case; empty without one."""
        return self.details.get("category", "").strip().lower()[:100]


def missing_skill() -> Skill:
    """What is said of a repository without the file."""
    return Skill(problems=[Problem(f"There is no {SKILL_PATH} at the root of the repository.")])


def parse_skill(data: bytes, *, directory: str = "") -> Skill:
    """The skill that a file's content is, and what is wrong with it.

    directory: what the folder of the skill is called, which its name must be; "": not known.
    """
    skill = Skill()
    if len(data) > MAX_SKILL_BYTES:
        return _refuse(skill, f"The file is larger than {MAX_SKILL_BYTES} bytes.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _refuse(skill, "The file is no UTF-8.", data[: error.start].count(b"\n") + 1)
    head = find_head(text)
    if head is None:
        return _refuse(skill, "The file must begin with YAML between two lines of '---'.", 1)
    if len(head) > MAX_HEAD_CHARS:
        return _refuse(skill, f"Its head is longer than {MAX_HEAD_CHARS} characters.", 1)
    skill.body = text[text.index(head) + len(head) :].partition("\n")[2]
    try:
        members = load_yaml(head)
    except UnreadableError as error:
        # The line before the head is the file's first.
        return _refuse(skill, f"Its head is no YAML: {error}.", (error.line or 0) + 1)
    if not isinstance(members, dict):
        return _refuse(skill, "Its head must be members with values, such as 'name: ...'.", 2)
    _read(skill, members, _lines_of(head), directory)
    if not skill.body.strip():
        skill.problems.append(Problem("There are no instructions below the head.", is_warning=True))
    return skill


def _refuse(skill: Skill, message: str, line: int = 0) -> Skill:
    skill.problems.append(Problem(message, line))
    return skill


def _lines_of(head: str) -> dict[str, int]:
    """In which line of the file each member stands, as far as it is written plainly."""
    found: dict[str, int] = {}
    for number, line in enumerate(head.split("\n"), 2):
        name, colon, _ = line.partition(":")
        if colon and name and not name[0].isspace():
            found.setdefault(name.strip().strip("'\""), number)
    return found


def _read(skill: Skill, members: Mapping[Any, Any], lines: Mapping[str, int], directory: str) -> None:
    def complain(member: str, message: str, *, is_warning: bool = False) -> None:
        skill.problems.append(Problem(message, lines.get(member, 2), member, is_warning))

    def text(member: str, most: int, *, is_required: bool = False) -> str:
        value = members.get(member)
        if value is None or value == "":
            if is_required:
                complain(member, f"'{member}' is missing.")
            return ""
        if not isinstance(value, str) or not is_storable(value):
            complain(member, f"'{member}' must be a text.")
            return ""
        if len(value) > most:
            complain(member, f"'{member}' is longer than {most} characters.")
        return value.strip()[:most]

    skill.name = text("name", MAX_NAME_CHARS, is_required=True)
    if skill.name and not _NAME.match(skill.name):
        complain("name", "'name' must be lower-case letters and digits, with single hyphens between them.")
    elif skill.name and directory and skill.name != directory:
        complain("name", f"'name' should be that of its repository, {directory!r}.", is_warning=True)
    skill.description = text("description", MAX_DESCRIPTION_CHARS, is_required=True)
    skill.license = text("license", MAX_LICENSE_CHARS)
    skill.compatibility = text("compatibility", MAX_COMPATIBILITY_CHARS)
    tools = members.get("allowed-tools")
    skill.allowed_tools = _tools_of(tools)
    if tools not in (None, "", []) and not skill.allowed_tools:
        complain("allowed-tools", "'allowed-tools' must be names with spaces between them, or a list of names.")
    details = members.get("metadata")
    if isinstance(details, dict):
        skill.details = _details_of(details)
        if len(skill.details) < len(details):
            complain("metadata", "'metadata' must hold texts; other values are left out.", is_warning=True)
    elif details is not None:
        complain("metadata", "'metadata' must be members with values.")
    for key in members:
        name = text_of_key(key)
        if name is not None and name not in _MEMBERS:
            complain(name, f"{name[:80]!r} is no member of a skill.", is_warning=True)
            if len(skill.problems) > MAX_METADATA:
                return


def _tools_of(value: Any) -> list[str]:
    if isinstance(value, list):
        names = [item.strip() for item in value if isinstance(item, str)]
    else:
        names = _TOOL.findall(value) if isinstance(value, str) else []
    return [name for name in names if name and len(name) <= 1000 and is_storable(name)][:MAX_TOOLS]


def _details_of(given: Mapping[Any, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in list(given.items())[:MAX_METADATA]:
        name = text_of_key(key)
        if name is None or not isinstance(value, str | int | float | bool):
            continue
        said = str(value)
        if is_storable(name) and is_storable(said):
            found[name[:100]] = said[:MAX_METADATA_CHARS]
    return found
