"""Who may use which of git's services on which repository: the same question for HTTP and SSH."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hub.accounts.policy import Action, Actor, can, require
from hub.base.context import Context
from hub.base.settings import Settings
from hub.community.service.pulls import has_open
from hub.db.uow import reading
from hub.repos.gates import require_content
from hub.repos.lookup import get_readable_place, path_of_uuid
from hub.transport.urls import RepositoryAddress

UPLOAD_PACK = "git-upload-pack"
UPLOAD_ARCHIVE = "git-upload-archive"
RECEIVE_PACK = "git-receive-pack"

_PROTOCOL = re.compile(r"[a-z0-9=:._-]{1,64}\Z")


@dataclass(frozen=True)
class Access:
    """A repository that an actor may use for the asked service.

    is_proposal: for a push to the refs of their pull requests only.
    """

    actor: Actor
    repository_id: int
    uuid: str
    path: Path
    git_size_bytes: int
    is_proposal: bool = False


def open_repository(context: Context, actor: Actor, address: RepositoryAddress, service: str) -> Access:
    """Find the repository and judge the actor's right. Nothing of a repository is touched before this has returned.

    Who may only read may push while they have a pull request open there: what may move, the push's checks judge.
    Raises NotFound for a repository that is missing or hidden from the actor; NotSignedIn and Denied for a push by
    another one who may only read, and for a fetch from a gated repository by one who has no access to its content.
    """
    with reading(context) as work:
        place = get_readable_place(work, actor=actor, kind=address.kind, path=address.path)
        is_proposal = False
        if service == RECEIVE_PACK:
            is_proposal = (
                not can(work, actor, Action.REPOSITORY_WRITE, place)
                and can(work, actor, Action.REPOSITORY_PROPOSE, place)
                and has_open(work, repository_id=place.id, user_id=actor.user_id)
            )
            if not is_proposal:
                require(work, actor, Action.REPOSITORY_WRITE, place)
        else:
            require_content(work, actor, place)
    path = path_of_uuid(context.settings, place.storage, place.uuid)
    return Access(actor, place.id, place.uuid, path, place.git_size_bytes, is_proposal)


def service_command(settings: Settings, service: str, *, is_proposal: bool = False) -> list[str]:
    """The arguments of git that start a service. is_proposal: as in ``Access``; such a push is small."""
    if service == RECEIVE_PACK:
        limit = settings.max_push_size_bytes
        if is_proposal:
            limit = min(limit, settings.proposal_quota_bytes)
        return ["-c", f"receive.maxInputSize={limit}", "receive-pack"]
    if service == UPLOAD_PACK:
        return ["upload-pack", "--strict"]
    return ["upload-archive"]


def protocol_environment(offered: str | None) -> dict[str, str]:
    """Git's variable for the protocol version that a client offers, when that is a plain word."""
    return {"GIT_PROTOCOL": offered} if offered and _PROTOCOL.match(offered) else {}
