"""Writing single prompts: each change is one commit, through the same checks as any other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.accounts.policy import Action, Actor
from hub.assets.service.prompts import (
    MAX_PROMPT_BYTES,
    MEMBERS,
    SUFFIX,
    Prompt,
    load_object,
    misfits,
    prompt_of,
    write_object,
)
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound, TooLarge, Unprocessable
from hub.base.names import normalise_path
from hub.db.uow import reading
from hub.repos.contents import read_file
from hub.repos.files import CommitResult, FileEdit, commit_files
from hub.repos.lookup import get_for
from hub.repos.models import Repository
from hub.repos.rows import Shown

MAX_STEM_BYTES = 200
# What file systems keep for themselves, and what ends a path's part.
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|]+')


@dataclass(frozen=True)
class PromptFile:
    """A prompt and where it stands. blob_id: which who changes it sends along. members: the whole JSON object."""

    path: str
    commit_id: str
    blob_id: str
    prompt: Prompt
    members: Mapping[str, Any]


@dataclass(frozen=True)
class Saved:
    """What a change of a prompt led to. blob_id: empty when it is gone."""

    path: str
    result: CommitResult
    prompt: Prompt | None


def read_prompt(context: Context, repository: Shown, *, actor: Actor, path: str, revision: str = "") -> PromptFile:
    """One prompt of a repository that ``get_readable`` gave.

    Raises NotFound (``revision_not_found``, ``entry_not_found``), Invalid (``not_a_file``), Unprocessable
    (``prompt_unreadable``) for a file that is no prompt, NotSignedIn or Denied (``gated_repository``).
    """
    read = read_file(context, repository, actor=actor, path=path, revision=revision, limit_bytes=MAX_PROMPT_BYTES)
    members = None
    if read.blob.is_whole and read.blob.lfs is None:
        members = load_object(read.blob.data)
    prompt = prompt_of(members) if members is not None else None
    if members is None or prompt is None:
        raise Unprocessable(
            f"{path[:200]!r} is no prompt: it must be one JSON object with a 'title' and a 'content', in Git and of at "
            f"most {MAX_PROMPT_BYTES} bytes.",
            code="prompt_unreadable",
        )
    return PromptFile(read.entry.path, read.commit_id, read.entry.oid, prompt, members)


def path_of_title(title: str) -> str:
    """The file that a new prompt of that title is kept in. Raises Invalid when nothing of it makes a name."""
    plain = "".join(char for char in title if unicodedata.category(char)[0] != "C")
    stem = _NOT_IN_NAMES.sub("-", plain).strip(" .-")
    stem = stem.encode()[:MAX_STEM_BYTES].decode(errors="ignore").rstrip(" .")
    if not stem:
        raise Invalid("Of this title no file name can be made; say a 'path'.", code="REQ-ERR-6", member="title")
    return normalise_path(f"{stem}{SUFFIX}")


def check_path(path: str) -> str:
    """The path of a prompt's file in its one form. Raises Invalid (``path_invalid``)."""
    found = normalise_path(path)
    if not found.endswith(SUFFIX):
        raise Invalid(f"The file of a prompt is called *{SUFFIX}.", code="path_invalid")
    return found


def composed(given: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> tuple[Prompt, bytes]:
    """A prompt and its file: the given members over those of ``base``, whose other members stay as they are.

    A prompt of messages without a content has what its user says for one. Raises Invalid (``REQ-ERR-6``) with all
    that does not fit, TooLarge.
    """
    members = dict(base or {}) | {name: given[name] for name in MEMBERS if given.get(name) is not None}
    if not members.get("content") and isinstance(members.get("messages"), list):
        members["content"] = _content_of(members["messages"])
    found = misfits(members)
    prompt = prompt_of(members) if not found else None
    if prompt is None:
        raise Invalid(" ".join(found) or "This is no prompt.", code="REQ-ERR-6", problems=found)
    data = write_object(members)
    if len(data) > MAX_PROMPT_BYTES:
        raise TooLarge(f"A prompt takes at most {MAX_PROMPT_BYTES} bytes.", size_bytes=len(data))
    return prompt, data


def _content_of(messages: list[Any]) -> str:
    texts = [item.get("content") for item in messages if isinstance(item, dict) and item.get("role") == "user"]
    return "\n\n".join(text for text in texts if isinstance(text, str))


def create_prompt(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    members: Mapping[str, Any],
    path: str = "",
    message: str = "",
    branch: str = "",
    new_branch: str = "",
) -> Saved:
    """Add a prompt in a commit of its own. path: "" for one that is made of the title.

    branch: "" for the default branch. new_branch: the commit goes there instead, beginning at ``branch``.
    Raises Conflict (``prompt_exists``) when there is a file already, Invalid, TooLarge, and what ``commit_files``
    raises.
    """
    repository = _get(context, actor, repository_id)
    prompt, data = composed(members)
    target = check_path(path) if path else path_of_title(prompt.title)
    edit = FileEdit(target, content=data, expected_oid="")
    try:
        result = commit_files(
            context,
            actor=actor,
            repository_id=repository_id,
            message=message or f"Create {target}",
            edits=[edit],
            branch=branch or repository.default_branch,
            new_branch=new_branch,
        )
    except Conflict as error:
        if error.code != "file_changed":
            raise
        raise Conflict(f"There is a file {target!r} already.", code="prompt_exists", path=target) from None
    return Saved(target, result, prompt)


def update_prompt(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    path: str,
    members: Mapping[str, Any],
    expected_oid: str = "",
    new_path: str = "",
    message: str = "",
    branch: str = "",
    new_branch: str = "",
) -> Saved:
    """Change the given members of a prompt in a commit of its own; the others stay.

    expected_oid: the blob that the editor began with: when the file is another one by now, Conflict
    (``file_changed``); "" for the one that is there now. new_path: the file is called so from then on.
    Raises as ``create_prompt``, NotFound, Unprocessable (``prompt_unreadable``).
    """
    repository = _get(context, actor, repository_id)
    current = read_prompt(context, repository, actor=actor, path=check_path(path), revision=branch)
    if expected_oid and expected_oid != current.blob_id:
        raise Conflict(
            f"{current.path!r} was changed meanwhile; look at it and try again.",
            code="file_changed",
            sha=current.blob_id,
        )
    prompt, data = composed(members, current.members)
    target = check_path(new_path) if new_path else current.path
    edit = FileEdit(target, content=data, expected_oid=current.blob_id)
    edits = [edit]
    if target != current.path:
        edits = [FileEdit(current.path, "delete", expected_oid=current.blob_id), replace(edit, expected_oid="")]
    result = commit_files(
        context,
        actor=actor,
        repository_id=repository_id,
        message=message or f"Update {target}",
        edits=edits,
        branch=branch or repository.default_branch,
        new_branch=new_branch,
    )
    return Saved(target, result, prompt)


def delete_prompt(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    path: str,
    expected_oid: str = "",
    message: str = "",
    branch: str = "",
) -> Saved:
    """Remove a prompt's file in a commit of its own. Raises as ``update_prompt``; it need not be readable."""
    _get(context, actor, repository_id)
    target = check_path(path)
    result = commit_files(
        context,
        actor=actor,
        repository_id=repository_id,
        message=message or f"Delete {target}",
        edits=[FileEdit(target, "delete", expected_oid=expected_oid or None)],
        branch=branch,
    )
    return Saved(target, result, None)


def _get(context: Context, actor: Actor, repository_id: int) -> Repository:
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    if repository.kind != "prompt":
        raise NotFound("This is no prompt repository.", code="repository_not_found")
    return repository
