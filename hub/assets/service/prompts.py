"""The prompts that a repository holds: each is a file of the root, ``*.jsonl``, that is one JSON object.

Source of the form and of the limits: CSGHub contract, sections 4.1 and 5.3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.offload import offload
from hub.base.texts import is_storable
from hub.repos.entries import read_small_files
from hub.repos.models import Repository

SUFFIX = ".jsonl"
MAX_PROMPTS = 100
MAX_PROMPT_BYTES = 1024 * 1024
# Of all together, so that one page does not take more memory than a file that is shown.
MAX_PROMPTS_BYTES = 10 * 1024 * 1024
TYPES = ("text", "image", "video", "audio")


@dataclass(frozen=True)
class Prompt:
    """One prompt; ``time`` is what its author wrote, in any form."""

    title: str
    content: str
    language: str = ""
    tags: Sequence[str] = field(default_factory=list)
    type: str = "text"
    source: str = ""
    author: str = ""
    time: str = ""
    copyright: str = ""
    feedback: Sequence[str] = field(default_factory=list)


_LISTS = ("tags", "feedback")


def read_prompts(context: Context, repository: Repository, *, actor: Actor) -> list[tuple[str, Prompt]]:
    """(path, prompt) of each prompt on the default branch, in the order of its files.

    At most ``MAX_PROMPTS`` files are looked at, and ``MAX_PROMPTS_BYTES`` of them read; those in LFS, those larger
    than ``MAX_PROMPT_BYTES`` and those that are no prompt are left out. No branch, no prompts.
    Raises NotSignedIn or Denied (``gated_repository``).
    """
    files = read_small_files(
        context,
        repository,
        actor=actor,
        suffix=SUFFIX,
        max_files=MAX_PROMPTS,
        max_file_bytes=MAX_PROMPT_BYTES,
        max_bytes=MAX_PROMPTS_BYTES,
    )
    return offload(_parse_all, files)


def _parse_all(files: Mapping[str, bytes]) -> list[tuple[str, Prompt]]:
    found = ((path, parse_prompt(data)) for path, data in files.items())
    return [(path, prompt) for path, prompt in found if prompt is not None]


def parse_prompt(data: bytes) -> Prompt | None:
    """The prompt that a file's content is; None when it is none. Members that are not a prompt's are left out."""
    try:
        given = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict):
        return None
    # As null, a member is not said.
    members = {each.name: given[each.name] for each in fields(Prompt) if given.get(each.name) is not None}
    if not all(_fits(name, value) for name, value in members.items()):
        return None
    if not members.get("title") or not members.get("content"):
        return None
    return Prompt(**{**members, "type": members.get("type") or "text"})


def _fits(name: str, value: Any) -> bool:
    if name in _LISTS:
        return isinstance(value, list) and all(_is_text(item) for item in value)
    return _is_text(value) and (name != "type" or value in ("", *TYPES))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and is_storable(value)
