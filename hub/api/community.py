"""REST of issues and pull requests together, by their numbers in a repository; the contract has no such routes.

What is said in them besides is written through the routes of ``discussions`` and ``pulls``.
"""

from __future__ import annotations

from typing import Any

from hub.api import community_schemas as schemas
from hub.api.community_views import comment_view, conversation_view, counts_view, thread_view
from hub.api.discussion_schemas import CommentBody
from hub.api.envelope import ok
from hub.api.ids import ROW_ID
from hub.api.schemas import PageQuery
from hub.base.errors import Invalid
from hub.community.models import Discussion, DiscussionStatus
from hub.community.service import (
    board,
    completion,
    conversation,
    discussions,
    moderation,
    switches,
    templates,
    timeline,
)
from hub.community.service.board import Wanted
from hub.community.service.reactions import Reactions
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("community", __name__, url_prefix=PREFIX, description="Issues and pull requests together")

THREAD = f"/community/<int(min=1, max={2**31 - 1}):thread_number>"


def load_thread(work: UnitOfWork, address: Address, number: int) -> Discussion:
    """The issue or pull request of that number at an address. Raises NotFound."""
    repository = address.load(work)
    return discussions.get_numbered(work, actor=current_actor(), repository_id=repository.id, number=number)


@blp.at("/community")
@blp.arguments(schemas.CommunityQuery, location="query")
@blp.response(200, schemas.CommunityEnvelope)
def list_community(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The issues and pull requests of a repository, those that are pinned first, with the counts for tabs."""
    wanted = Wanted(
        **{name: query[name] for name in ("type", "state", "author", "assignee", "sort")},
        labels=query["label"],
        words=query["q"],
    )
    with reading(current_context()) as work:
        repository_id = address.load(work).id
        found = board.list_community(
            work, actor=current_actor(), repository_id=repository_id, wanted=wanted, page=page_args()
        )
        return ok(
            {
                "data": [
                    thread_view(one, found.labels.get(one.id, ()), found.assignees.get(one.id, ()))
                    for one in found.page.items
                ],
                "total": found.page.total,
                "total_is_estimate": found.page.is_estimate,
                "counts": counts_view(found.counts),
                "settings": {"issues": found.switches.issues, "pulls": found.switches.pulls},
            }
        )


@blp.at("/community", method="POST")
@blp.arguments(schemas.NewIssueBody)
@blp.response(200, schemas.ShownThreadEnvelope)
def open_issue(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Open an issue on a repository that one may read, with labels of one's choice."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        opened = conversation.open_issue(
            work,
            actor=actor,
            repository_id=address.load(work).id,
            title=body["title"],
            description=body["description"],
            names=body["labels"],
            assignees=body["assignees"],
        )
        return ok(_shown(work, opened))


def _shown(work: UnitOfWork, discussion: Discussion) -> dict[str, Any]:
    asked = page_args()
    found = conversation.read_conversation(work, discussion, actor=current_actor(), page=asked)
    return conversation_view(work, found, asked)


@blp.at(THREAD)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.ShownThreadEnvelope)
def show_thread(query: dict[str, Any], address: Address, thread_number: int) -> dict[str, Any]:
    """An issue or pull request with a page of what was said and done in it, the oldest first."""
    with reading(current_context()) as work:
        return ok(_shown(work, load_thread(work, address, thread_number)))


@blp.at(THREAD, method="PUT")
@blp.arguments(schemas.CommunityThreadBody)
@blp.response(200, schemas.ShownThreadEnvelope)
def update_thread(body: dict[str, Any], address: Address, thread_number: int) -> dict[str, Any]:
    """Give it another title, close it for a reason or open it again: for its author and who may write."""
    title, status = body.pop("title", None), body.pop("status", None)
    if title is None and status is None:
        raise Invalid("Say what is to change: 'title' or 'status'.", code="REQ-ERR-4")
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        discussion = load_thread(work, address, thread_number)
        if title is not None:
            discussions.update_discussion(work, actor=actor, discussion_id=discussion.id, title=title)
        if status is not None:
            timeline.set_status(work, actor=actor, discussion_id=discussion.id, status=DiscussionStatus(status), **body)
        return ok(_shown(work, discussion))


@blp.at(f"{THREAD}/comments", method="POST")
@blp.arguments(CommentBody)
@blp.response(200, schemas.TimelineItemEnvelope)
def create_comment(body: dict[str, Any], address: Address, thread_number: int) -> dict[str, Any]:
    """Say something."""
    with unit_of_work(current_context()) as work:
        discussion = load_thread(work, address, thread_number)
        comment = discussions.create_comment(work, actor=current_actor(), discussion_id=discussion.id, **body)
        return ok(comment_view(comment, Reactions()))


@blp.at(f"{THREAD}/comments/<{ROW_ID}:comment_id>/hide", method="POST")
@blp.response(200, schemas.TimelineItemEnvelope)
def hide_comment(address: Address, thread_number: int, comment_id: int) -> dict[str, Any]:
    """Show a comment's text to nobody any more: for its author and who may write."""
    with unit_of_work(current_context()) as work:
        discussion = load_thread(work, address, thread_number)
        comment = timeline.hide_comment(work, actor=current_actor(), discussion_id=discussion.id, comment_id=comment_id)
        return ok(comment_view(comment, Reactions()))


@blp.at("/community/bulk", method="POST")
@blp.arguments(schemas.ManyBody)
@blp.response(200, schemas.DoneManyEnvelope)
def do_to_many(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Close, open, label or lock up to 100 at once: for who may write; what cannot be done is told one by one."""
    body["names"] = body.pop("labels")
    with unit_of_work(current_context()) as work:
        done = moderation.do_to_many(work, actor=current_actor(), repository_id=address.load(work).id, **body)
    return ok([{"number": one.number, "is_done": not one.reason, "reason": one.reason} for one in done])


def _set(address: Address, number: int, **values: Any) -> dict[str, Any]:
    with unit_of_work(current_context()) as work:
        discussion = load_thread(work, address, number)
        change = moderation.set_pinned if "is_pinned" in values else moderation.set_locked
        change(work, actor=current_actor(), discussion_id=discussion.id, **values)
        return ok(_shown(work, discussion))


@blp.at(f"{THREAD}/lock", method="POST")
@blp.arguments(schemas.LockBody)
@blp.response(200, schemas.ShownThreadEnvelope)
def lock_thread(body: dict[str, Any], address: Address, thread_number: int) -> dict[str, Any]:
    """Let only who may write to the repository say something in it."""
    return _set(address, thread_number, is_locked=True, reason=body["reason"])


@blp.at(f"{THREAD}/lock", method="DELETE")
@blp.response(200, schemas.ShownThreadEnvelope)
def unlock_thread(address: Address, thread_number: int) -> dict[str, Any]:
    """Let everybody say something in it again."""
    return _set(address, thread_number, is_locked=False)


@blp.at(f"{THREAD}/pin", method="POST")
@blp.response(200, schemas.ShownThreadEnvelope)
def pin_thread(address: Address, thread_number: int) -> dict[str, Any]:
    """Show it before the others; at most 3 are."""
    return _set(address, thread_number, is_pinned=True)


@blp.at(f"{THREAD}/pin", method="DELETE")
@blp.response(200, schemas.ShownThreadEnvelope)
def unpin_thread(address: Address, thread_number: int) -> dict[str, Any]:
    """Show it among the others again."""
    return _set(address, thread_number, is_pinned=False)


@blp.at("/community/templates")
@blp.response(200, schemas.ThreadTemplatesEnvelope)
def show_templates(address: Address) -> dict[str, Any]:
    """What the repository wants said in new issues and pull requests; null where it has no such file."""
    found = templates.read_templates(current_context(), address.get(), actor=current_actor())
    return ok(
        {
            name: {"path": one.path, "content": one.content} if one else None
            for name, one in (("issue", found.issue), ("pull", found.pull))
        }
    )


@blp.at("/community/people")
@blp.arguments(schemas.CompletionQuery, location="query")
@blp.response(200, schemas.FoundPeopleEnvelope)
def complete_people(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """Users who may read the repository and whose names begin so, for those who write a text; 8 at most."""
    with reading(current_context()) as work:
        found = completion.find_people(
            work, actor=current_actor(), repository_id=address.load(work).id, beginning=query["q"]
        )
    return ok([person._asdict() for person in found])


@blp.at("/community/references")
@blp.arguments(schemas.CompletionQuery, location="query")
@blp.response(200, schemas.FoundThreadsEnvelope)
def complete_references(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """Issues and pull requests whose numbers begin so, or with that in their titles; 8 at most."""
    with reading(current_context()) as work:
        found = completion.find_threads(
            work, actor=current_actor(), repository_id=address.load(work).id, beginning=query["q"]
        )
    return ok(
        [
            {"number": one.number, "title": one.title, "type": "pull" if one.is_pull_request else "issue"}
            for one in found
        ]
    )


@blp.at("/community/settings")
@blp.response(200, schemas.CommunitySettingsEnvelope)
def show_settings(address: Address) -> dict[str, Any]:
    """Whether the repository has issues and takes pull requests."""
    with reading(current_context()) as work:
        found = switches.get_switches(work, actor=current_actor(), repository_id=address.load(work).id)
    return ok({"issues": found.issues, "pulls": found.pulls})


@blp.at("/community/settings", method="PUT")
@blp.arguments(schemas.CommunitySettingsBody)
@blp.response(200, schemas.CommunitySettingsEnvelope)
def change_settings(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Switch either off or on: for who administers the repository; absent members stay."""
    with unit_of_work(current_context()) as work:
        found = switches.set_switches(work, actor=current_actor(), repository_id=address.load(work).id, **body)
    return ok({"issues": found.issues, "pulls": found.pulls})


@blp.get("/discussions/mine")
@blp.arguments(schemas.MineQuery, location="query")
@blp.response(200, schemas.MineEnvelope)
def list_mine(query: dict[str, Any]) -> dict[str, Any]:
    """The issues and pull requests that concern the caller, of all repositories that they may read by now."""
    with reading(current_context()) as work:
        found = board.list_mine(
            work,
            actor=current_actor(),
            page=page_args(),
            **{name: query[name] for name in ("role", "type", "state", "repository")},
        )
        return ok(
            {
                "data": [
                    thread_view(one, found.labels.get(one.id, ()), found.assignees.get(one.id, ()), work=work)
                    for one in found.page.items
                ],
                "total": found.page.total,
                "total_is_estimate": found.page.is_estimate,
                "counts": counts_view(found.counts),
            }
        )
