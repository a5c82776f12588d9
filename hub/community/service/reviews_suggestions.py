"""Suggestions: what a comment about lines proposes in their place, in a block that begins with ```suggestion.

Applying one makes a commit of it by the path of every other commit: to the pull request's own ref, or to the branch
that it follows, where the actor must be able to write.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from hub.accounts.models import User
from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.community.models import Comment, PullRequest
from hub.community.models_reviews import ReviewThread
from hub.community.service import discussions
from hub.community.service.pulls import get_open
from hub.community.service.reviews_lines import NEW, read_text_lines, require_head
from hub.community.service.reviews_threads import MAX_COMMENTS, get_thread, resolve
from hub.community.service.sources import follow_pull
from hub.community.service.texts import check_content
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.tree import find_entry
from hub.git.types import EntryKind
from hub.repos.checks import short_name
from hub.repos.files import CommitResult, FileEdit, commit_files
from hub.repos.gates import check_content as check_gate
from hub.repos.lookup import get_for, repository_path

log = get_logger(__name__)

# A line that opens or closes a block of code, and what it says of it.
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)\Z")


def find_suggestion(content: str) -> str | None:
    """What a comment proposes, its lines with their ends; None: nothing. Of several blocks the first counts.

    As in Markdown a block ends with a fence at least as long as the one that opened it; other blocks' text is theirs.
    """
    fence, is_suggestion = "", False
    text: list[str] = []
    for line in content.replace("\r\n", "\n").split("\n"):
        found = _FENCE.match(line)
        if not fence:
            if found:
                fence, is_suggestion, text = found[1], found[2].split()[:1] == ["suggestion"], []
        elif found and found[1].startswith(fence) and not found[2].strip():
            if is_suggestion:
                return "".join(f"{one}\n" for one in text)
            fence = ""
        else:
            text.append(line)
    return None


def apply_suggestion(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    number: int,
    thread_id: int,
    comment_id: int | None = None,
    seen: str | None = None,
    message: str = "",
    via: str = "api",
) -> tuple[PullRequest, str]:
    """A commit of a suggestion, by its author or who may write to the repository; the pull request, and the commit.

    comment_id: whose suggestion; None: the last one of the conversation, which is resolved by it. seen: the lines that
    the actor has read; with others, since comments can be changed, it is refused; None: whatever it says. message: of
    the commit; "": one that names the file. Who made the suggestion is named in it, without their e-mail address: they
    have not committed it to anything.
    A crash after the commit leaves the conversation open; applying it again is refused, as its lines are others then.
    Raises NotFound (``pull_request_not_found``, ``thread_not_found``, ``comment_not_found``), Invalid
    (``no_suggestion``), NotSignedIn, Denied; Conflict (``suggestion_outdated``: the lines are no longer what they were,
    ``suggestion_applied``, ``suggestion_changed``, ``nothing_to_commit``, ``pull_request_closed``, ``file_changed``),
    PreconditionFailed (``parent_mismatch``: somebody pushed at that moment), and what a push may raise.
    """
    if message.strip():
        check_content(message, what="message")
    with reading(context) as work:
        pull = get_open(work, actor=actor, repository_id=repository_id, number=number)
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=repository_id)
        thread = get_thread(work, pull, thread_id)
        comment = _find_comment(work, thread, comment_id)
    check_gate(context, actor, repository)
    suggestion = find_suggestion(comment.content)
    assert suggestion is not None  # only such comments are found
    if comment.applied_commit:
        raise Conflict("This suggestion was applied already.", code="suggestion_applied")
    if seen is not None and seen != suggestion:
        raise Conflict("Something else is suggested by now; look at it first.", code="suggestion_changed")
    if thread.side != NEW:
        raise Invalid("Only lines that the pull request has can be changed.", code="no_suggestion")
    head = require_head(context, repository, pull)
    path = repository_path(context.settings, repository)
    oid, content = offload(_build, path, thread, head, suggestion)
    words = message.strip() or f"Apply suggestion to {thread.path.rpartition('/')[2]}"
    if comment.user is not None and comment.user.id != actor.user_id:
        words += f"\n\nCo-authored-by: {comment.user.name} <{_address_of(context, comment.user)}>"
    edit = FileEdit(thread.path, content=content, expected_oid=oid)
    made = _commit(context, actor, pull, repository_id, edit, head, words, via)
    if not made.is_new:
        raise Conflict("The lines are as suggested already.", code="nothing_to_commit")
    with unit_of_work(context) as work:
        applied = update(Comment).where(Comment.id == comment.id).values(applied_commit=made.commit_id)
        discussions.count_of(work, applied)
        row = work.session.get(ReviewThread, thread.id)
        if row is not None:
            resolve(work, row, actor, is_resolved=True)
    log.info("suggestion_applied", comment_id=comment.id, commit_id=made.commit_id, actor_id=actor.user_id)
    return pull, made.commit_id


def _find_comment(work: UnitOfWork, thread: ReviewThread, comment_id: int | None) -> Comment:
    """The comment whose suggestion is meant, its author loaded."""
    wanted = [Comment.thread_id == thread.id, Comment.hidden_at.is_(None)]
    if comment_id is not None:
        wanted.append(Comment.id == comment_id)
    said = select(Comment).where(*wanted).options(joinedload(Comment.user)).order_by(Comment.id.desc())
    for comment in work.session.scalars(said.limit(MAX_COMMENTS)):
        if find_suggestion(comment.content) is not None:
            return comment
        if comment_id is not None:
            raise Invalid("This comment suggests nothing.", code="no_suggestion")
    if comment_id is not None:
        raise NotFound("There is no such comment.", code="comment_not_found")
    raise Invalid("Nothing is suggested in this conversation.", code="no_suggestion")


def _address_of(context: Context, user: User) -> str:
    return f"{user.name}@users.noreply.{urlsplit(context.settings.effective_base_url).hostname or 'localhost'}"


def _build(path: Path, thread: ReviewThread, head: str, suggestion: str) -> tuple[str, bytes]:
    """The blob that the file is at the head, and the content with the suggestion in place of its lines."""
    first, last = thread.start_line - 1, thread.end_line
    oid, lines = _read(path, head, thread.path)
    _, before = _read(path, thread.commit_id, thread.path)
    was = before[first:last]
    if not was or lines[first:last] != was:
        raise _outdated()
    proposed = suggestion.encode()
    if was[0].endswith(b"\r\n"):
        proposed = proposed.replace(b"\n", b"\r\n")
    if not was[-1].endswith(b"\n"):
        proposed = proposed.removesuffix(b"\n").removesuffix(b"\r")
    return oid, b"".join(lines[:first]) + proposed + b"".join(lines[last:])


def _read(path: Path, commit_id: str, name: str) -> tuple[str, list[bytes]]:
    try:
        entry = find_entry(path, commit_id, name)
        lines = read_text_lines(path, entry.oid) if entry is not None and entry.kind is EntryKind.FILE else None
    except NotFound:
        raise _outdated() from None
    if entry is None or lines is None:
        raise _outdated()
    return entry.oid, lines


def _outdated() -> Conflict:
    return Conflict(
        "The lines are no longer what they were when this was suggested; change them by hand.",
        code="suggestion_outdated",
    )


def _commit(
    context: Context,
    actor: Actor,
    pull: PullRequest,
    repository_id: int,
    edit: FileEdit,
    head: str,
    message: str,
    via: str,
) -> CommitResult:
    """The commit, where the pull request takes its commits from; it is at the pull request's ref when this returns."""
    what: dict[str, Any] = {"actor": actor, "message": message, "edits": [edit], "parent": head, "via": via}
    if not pull.source_ref or pull.source_repository_id is None:
        return commit_files(context, **what, repository_id=repository_id, proposal=pull.discussion.number)
    branch = short_name(pull.source_ref)
    made = commit_files(context, **what, repository_id=pull.source_repository_id, branch=branch)
    follow_pull(context, pull, by=actor)
    return made
