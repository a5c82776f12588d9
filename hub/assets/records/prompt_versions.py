"""The versions of one prompt: the commits that touched its file, the tags that name them, and two side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hub.accounts.policy import Actor
from hub.assets.records.prompt_edits import PromptFile, check_path, read_prompt
from hub.assets.service.prompts import MEMBERS, Prompt
from hub.base.context import Context
from hub.base.offload import offload
from hub.git.texts import diff_texts
from hub.git.types import Commit
from hub.repos.contents import read_history
from hub.repos.entries import read_refs
from hub.repos.rows import Shown

# Shown as lines, not as members.
_TEXTS = ("content", "messages")


@dataclass(frozen=True)
class Version:
    """A commit that touched a prompt, and the tags that stand at it."""

    commit: Commit
    tags: Sequence[str]


@dataclass(frozen=True)
class Versions:
    """A page of a prompt's versions, newest first, and how many there are."""

    items: Sequence[Version]
    total: int


@dataclass(frozen=True)
class Change:
    """One member that two versions say differently, in JSON's types."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class PromptComparison:
    """Two versions of a prompt. diff: of their texts, as `git diff` prints it. changes: of the other members."""

    before: PromptFile
    after: PromptFile
    diff: str
    changes: Sequence[Change]


def list_versions(
    context: Context, repository: Shown, *, path: str, revision: str = "", offset: int, limit: int
) -> Versions:
    """The versions of a prompt that lead to a revision ("": the default branch). Raises NotFound, Invalid."""
    history = read_history(context, repository, revision=revision, path=check_path(path), offset=offset, limit=limit)
    named: dict[str, list[str]] = {}
    for tag in read_refs(context, repository)[1] if history.commits else ():
        named.setdefault(tag.target.id, []).append(tag.name)
    return Versions([Version(commit, named.get(commit.id, [])) for commit in history.commits], history.total)


def compare_versions(
    context: Context, repository: Shown, *, actor: Actor, path: str, before: str, after: str, old_path: str = ""
) -> PromptComparison:
    """A prompt at two revisions ("": the default branch). old_path: how its file was called before, if otherwise.

    Raises as ``read_prompt``.
    """
    old = read_prompt(context, repository, actor=actor, path=old_path or path, revision=before)
    new = read_prompt(context, repository, actor=actor, path=path, revision=after)
    diff = offload(diff_texts, text_of(old.prompt), text_of(new.prompt), path=new.path)
    was, now = asdict(old.prompt), asdict(new.prompt)
    changes = [Change(name, was[name], now[name]) for name in MEMBERS if name not in _TEXTS and was[name] != now[name]]
    return PromptComparison(old, new, diff, changes)


def text_of(prompt: Prompt) -> str:
    """A prompt's content and messages as one text, for a comparison by lines."""
    blocks = [prompt.content, *(f"[{message.role}]\n{message.content}" for message in prompt.messages)]
    return "".join(f"{block}\n" for block in blocks)
