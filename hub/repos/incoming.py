"""What a browser asks before it sends files: how each would be stored, what is there, and what stands against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import HubError, Invalid
from hub.base.names import branch_ref, normalise_path
from hub.base.offload import offload
from hub.db.uow import reading
from hub.git.repository import find_revision
from hub.repos.lfs.holding import action_to_send
from hub.repos.lfs.proposed import check_room
from hub.repos.lookup import get_for, repository_path
from hub.repos.uploads import UploadPlan, plan_uploads


@dataclass(frozen=True)
class CheckedFile:
    """One file of those that are to come. fault: why it cannot be taken; "": nothing stands against it."""

    path: str
    plan: UploadPlan | None
    fault: str = ""


@dataclass(frozen=True)
class Checked:
    """commit_id: what the branch was at; "": nothing. fault: what stands against all together, such as the quota."""

    commit_id: str
    files: Sequence[CheckedFile]
    fault: str = ""


def check_files(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    branch: str,
    files: Sequence[tuple[str, int]],
    total_bytes: int = 0,
    for_proposal: bool = False,
) -> Checked:
    """How each (path, size in bytes) would be stored on a branch. total_bytes: of all that is to come.

    for_proposal: the right to open a pull request is enough. Raises NotFound, NotSignedIn, Denied.
    """
    with reading(context) as work:
        action = action_to_send(for_proposal=for_proposal)
        repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
        try:
            check_room(work, actor, repository, total_bytes)
            fault = ""
        except HubError as error:
            fault = str(error)
    ref = branch_ref(branch or repository.default_branch)
    commit_id = offload(find_revision, repository_path(context.settings, repository), ref)
    faults = {path: _fault_of(context, path, size_bytes) for path, size_bytes in files}
    good = [(path, size_bytes) for path, size_bytes in files if not faults[path]]
    plans = plan_uploads(
        context,
        actor=actor,
        repository_id=repository_id,
        revision=commit_id or ref,
        files=good,
        for_proposal=for_proposal,
    )
    by_path = {plan.path: plan for plan in plans}
    return Checked(commit_id or "", [CheckedFile(path, by_path.get(path), faults[path]) for path, _ in files], fault)


def _fault_of(context: Context, path: str, size_bytes: int) -> str:
    limit = context.settings.max_lfs_object_size_bytes
    if size_bytes > limit:
        return f"This hub takes files of at most {limit} bytes."
    try:
        normalise_path(path)
    except Invalid as error:
        return str(error)
    return ""
