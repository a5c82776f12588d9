"""What happens, in the words of the Hugging Face Hub's webhooks, version 3, for those who set theirs up as there.

Such a webhook watches repositories and whole namespaces, hears of the domains "repo" and "discussion", and is told only
what its owner may see. Source: Hugging Face contract, section 12.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Action, Actor, can
from hub.community.models import Comment, Discussion, PullRequest, Webhook, WebhookWatch
from hub.db.uow import UnitOfWork
from hub.git.types import ZERO_OID
from hub.repos.kinds import KINDS
from hub.repos.models import Repository

DIALECT = "hf"
REPO, DISCUSSION = "repo", "discussion"
DOMAINS = (REPO, DISCUSSION)
# Receivers check that the kind is one of these.
KINDS_TOLD = frozenset({"model", "dataset", "space"})

# By topic: what was done, and to what. A topic that is not here has no word there.
_EVENTS: Mapping[str, tuple[str, str]] = {
    "push": ("update", "repo.content"),
    "repository.created": ("create", "repo"),
    "repository.updated": ("update", "repo.config"),
    "repository.moved": ("move", "repo"),
    "repository.deleted": ("delete", "repo"),
    "repository.undeleted": ("create", "repo"),
    "discussion.created": ("create", "discussion"),
    "discussion.updated": ("update", "discussion"),
    "pull_request.opened": ("create", "discussion"),
    "pull_request.closed": ("update", "discussion"),
    "pull_request.merged": ("update", "discussion"),
    "comment.created": ("create", "discussion.comment"),
    "comment.updated": ("update", "discussion.comment"),
}


@dataclass(frozen=True)
class Report:
    """A message that lacks only the webhook that it is sent to."""

    domain: str
    repository: Repository
    message: dict[str, Any]

    def to(self, webhook: Webhook) -> dict[str, Any]:
        """The message for a webhook."""
        return self.message | {"webhook": {"id": webhook.uuid, "version": 3}}


def write_report(
    work: UnitOfWork, topic: str, event: object, data: Mapping[str, Any], repository: Repository | None
) -> Report | None:
    """An event as it is told there; None for what has no words there, and for what is gone by now."""
    if topic not in _EVENTS or repository is None or repository.kind not in KINDS_TOLD:
        return None
    action, scope = _EVENTS[topic]
    if topic == "pull_request.opened" and getattr(event, "is_again", False):
        action = "update"
    domain = scope.partition(".")[0]
    web, api = _addresses(work, repository)
    message: dict[str, Any] = {
        "event": {"action": action, "scope": scope},
        "repo": {
            "id": id_of(repository),
            "type": repository.kind,
            "name": repository.path,
            "private": repository.is_private,
            "url": {"web": web, "api": api},
            "owner": {"id": repository.namespace.uuid},
        },
    }
    if topic == "push":
        message |= _refs(message["repo"], data["changes"], repository)
    elif topic == "repository.moved":
        message["movedTo"] = {"name": repository.path, "owner": {"id": repository.namespace.uuid}}
        message["repo"]["name"] = data["old_path"]
    elif domain == DISCUSSION:
        told = _discussion(work, event, web, api)
        if told is None:
            return None
        message |= told
    return Report(domain, repository, message)


def id_of(repository: Repository) -> str:
    """The id that the Hub's clients know a repository by."""
    return repository.uuid.replace("-", "")


def _addresses(work: UnitOfWork, repository: Repository) -> tuple[str, str]:
    """(page, API)."""
    kind, base = work.context[KINDS][repository.kind], work.settings.effective_base_url
    return f"{base}/{kind.collection}/{repository.path}", f"{base}/api/{kind.collection}/{repository.path}"


def _refs(repo: dict[str, Any], changes: Sequence[Mapping[str, str]], repository: Repository) -> dict[str, Any]:
    head = f"refs/heads/{repository.default_branch}"
    for change in changes:
        if change["ref"] == head and change["new"] != ZERO_OID:
            repo["head_sha"] = change["new"]
    return {
        "updatedRefs": [
            {
                "ref": change["ref"],
                "oldSha": None if change["old"] == ZERO_OID else change["old"],
                "newSha": None if change["new"] == ZERO_OID else change["new"],
            }
            for change in changes
        ]
    }


def _discussion(work: UnitOfWork, event: Any, web: str, api: str) -> dict[str, Any] | None:
    """The members about a discussion, and the comment where it is about one; None where the row is gone."""
    discussion = work.session.get(Discussion, event.discussion_id)
    if discussion is None:
        return None
    place = f"discussions/{discussion.number}"
    about: dict[str, Any] = {
        "id": f"{discussion.id:024x}",
        "num": discussion.number,
        "title": discussion.title,
        "url": {"web": f"{web}/{place}", "api": f"{api}/{place}"},
        "isPullRequest": discussion.is_pull_request,
        "status": discussion.status.value,
        "author": {"id": _author(discussion.user)},
    }
    pull = work.session.get(PullRequest, discussion.id) if discussion.is_pull_request else None
    if pull is not None:
        merged = {"mergeCommitId": pull.merge_commit} if pull.merge_commit else {}
        about["changes"] = {"base": pull.base_ref, **merged}
    comment_id = getattr(event, "comment_id", None)
    if comment_id is None:
        return {"discussion": about}
    comment = work.session.get(Comment, comment_id)
    if comment is None:
        return None
    said: dict[str, Any] = {
        "id": f"{comment.id:024x}",
        "author": {"id": _author(comment.user)},
        "hidden": comment.hidden_at is not None,
        "url": {"web": f"{web}/{place}#{comment.id:024x}"},
    }
    if comment.hidden_at is None:
        said["content"] = comment.content
    return {"discussion": about, "comment": said}


def _author(user: User | None) -> str:
    return user.namespace.uuid if user is not None else ""


# Who is told.


def watches_of(work: UnitOfWork, repository_ids: set[int], namespace_ids: set[int]) -> Sequence[WebhookWatch]:
    """The watches over any of these, of webhooks that are active. One query."""
    return work.session.scalars(
        select(WebhookWatch)
        .join(Webhook, Webhook.id == WebhookWatch.webhook_id)
        .where(
            Webhook.is_active,
            or_(WebhookWatch.repository_id.in_(repository_ids), WebhookWatch.namespace_id.in_(namespace_ids)),
        )
    ).all()


def may_hear(work: UnitOfWork, webhook: Webhook, repository: Repository) -> bool:
    """Whether a webhook's owner may see the repository that a message is about; asked before it is written down."""
    user = webhook.created_by
    return (
        user is not None
        and user.is_active
        and can(work, Actor.of_user(user, via="webhook"), Action.REPOSITORY_READ, repository)
    )


def is_watched(watch: WebhookWatch, repository: Repository, namespace: Namespace | None) -> bool:
    """Whether what happens to a repository is what this watch is about."""
    if watch.repository_id is not None:
        return watch.repository_id == repository.id
    return namespace is not None and watch.namespace_id == namespace.id
