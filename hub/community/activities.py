"""What happens in discussions and pull requests, noted for feeds."""

from __future__ import annotations

from hub.base.context import Context
from hub.community import events
from hub.community.models import Discussion
from hub.db.uow import UnitOfWork
from hub.repos.activities import ActivityType, forget_activity, note_activity
from hub.repos.models import Repository

DISCUSSION = "discussion"
MAX_TITLE_CHARS = 200


def install(context: Context) -> None:
    """Note what happens from now on; done once, by ``hub.community.install``."""
    context.events.record_with(_record, owner="hub")


def _record(work: UnitOfWork, event: object) -> None:
    match event:
        case events.DiscussionCreated():
            _note(work, ActivityType.DISCUSSION_OPENED, event)
        case events.PullRequestOpened(is_again=False):
            _note(work, ActivityType.PULL_REQUEST_OPENED, event)
        case events.PullRequestMerged():
            _note(work, ActivityType.PULL_REQUEST_MERGED, event)
        case events.DiscussionDeleted():
            forget_activity(work, subject=(DISCUSSION, event.discussion_id))


def _note(
    work: UnitOfWork,
    type: ActivityType,
    event: events.DiscussionCreated | events.PullRequestOpened | events.PullRequestMerged,
) -> None:
    if event.actor_id is None:
        return
    discussion = work.session.get(Discussion, event.discussion_id)
    repository = work.session.get(Repository, event.repository_id)
    if discussion is None or repository is None:
        return
    note_activity(
        work,
        type=type,
        actor_id=event.actor_id,
        namespace_id=repository.namespace_id,
        repository_id=repository.id,
        subject=(DISCUSSION, discussion.id),
        data={"number": discussion.number, "title": discussion.title[:MAX_TITLE_CHARS]},
    )
