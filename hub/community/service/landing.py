"""Changes that somebody made in the browser: onto the branch, onto a new one with a pull request, or as a proposal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.errors import Invalid
from hub.community.service import pulls
from hub.community.service.texts import MAX_CONTENT_CHARS, MAX_TITLE_CHARS, shorten
from hub.repos.files import FileEdit, build_proposal, commit_files
from hub.repos.vetting import SECRETS, vet_edits


@dataclass(frozen=True)
class Landed:
    """Where changes are now. pull_number: of the pull request that was opened with them; None: there is none.

    branch: where the commit is; of a proposal the branch that it is for. is_new: False when nothing was changed.
    """

    commit_id: str
    branch: str
    pull_number: int | None = None
    is_new: bool = True


def land_changes(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    message: str,
    edits: Sequence[FileEdit],
    branch: str,
    new_branch: str = "",
    with_pull: bool = False,
    parent: str | None = None,
    allows_secrets: bool = False,
) -> Landed:
    """One commit of all the edits, for a branch.

    new_branch: it goes there instead. with_pull: a pull request is opened with it; without a new branch it is the pull
    request's own, for which the right to read is enough. Its title is the message's first line. allows_secrets: also
    texts that look as if they held one, which those who administer the repository may say.
    Opens its own units of work. Raises as ``vet_edits`` (``secrets_found``), ``commit_files``, ``build_proposal`` and
    ``open_pull``.
    """
    title, _, description = message.strip().partition("\n")
    if not title.strip():
        raise Invalid("A commit needs a message.", code="REQ-ERR-4", member="message")
    given = {"actor": actor, "repository_id": repository_id}
    is_proposal = with_pull and not new_branch
    vet_edits(
        context,
        **given,  # type: ignore[arg-type]
        edits=edits,
        action=Action.REPOSITORY_PROPOSE if is_proposal else Action.REPOSITORY_WRITE,
        leaves_out=frozenset({SECRETS}) if allows_secrets else frozenset(),
    )
    if is_proposal:
        commit_id = build_proposal(context, **given, message=message, edits=edits, branch=branch, parent=parent)  # type: ignore[arg-type]
        landed = Landed(commit_id, branch)
    else:
        made = commit_files(
            context,
            **given,  # type: ignore[arg-type]
            message=message,
            edits=edits,
            branch=branch,
            new_branch=new_branch,
            parent=parent,
        )
        landed = Landed(made.commit_id, made.branch, is_new=made.is_new)
    if not with_pull:
        return landed
    pull = pulls.open_pull(
        context,
        actor=actor,
        repository_id=repository_id,
        title=shorten(title.strip(), MAX_TITLE_CHARS),
        description=description.strip()[:MAX_CONTENT_CHARS],
        base=branch,
        revision=new_branch,
        commit_id="" if new_branch else landed.commit_id,
    )
    return Landed(landed.commit_id, landed.branch, pull.discussion.number, landed.is_new)
