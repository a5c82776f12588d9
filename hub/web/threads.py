"""An issue or pull request as its pages show it: opening it, and a stretch of what was said and done in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import Denied, NotSignedIn
from hub.base.paging import PageArgs
from hub.community.models import Comment, Discussion, DiscussionEvent, DiscussionEventType, PullRequest
from hub.community.models_reviews import Review
from hub.community.service.conversation import Conversation, Cursor, count_news, read_conversation
from hub.community.service.discussions import get_numbered
from hub.community.service.pulls import find_pull
from hub.community.service.reviews import find_reviews
from hub.community.service.reviews_threads import Thread, list_threads
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos.kinds import RepositoryKind
from hub.repos.models import Repository
from hub.web.community import Rights, rights_in, text_renderer
from hub.web.repository import RepositoryPage, open_page_in
from hub.web.routing import repository_url

# Of what was said and done, on a page.
PER_PAGE = 50
# Of conversations about lines, beneath the reviews of a page.
MAX_LINE_THREADS = 100


@dataclass(frozen=True)
class ThreadPage:
    """An issue or pull request for whoever looks: ``thread`` in its templates. pull: None for an issue."""

    repo: RepositoryPage
    row: Discussion
    rights: Rights
    viewer: Actor
    pull: PullRequest | None

    @property
    def url(self) -> str:
        return self.repo.url("community", str(self.row.number))

    def page_url(self, *rest: str, **query: Any) -> str:
        """The address of one of its pages."""
        return self.repo.url("community", str(self.row.number), *rest, **query)

    def url_of(self, other: Discussion) -> str:
        """The address of another one, whose repository is loaded."""
        place = other.repository
        return repository_url(current_context(), place.kind, place.path, "community", str(other.number))

    @property
    def api(self) -> str:
        """Of what an issue and a pull request have in common."""
        return f"{self.repo.api}/community/{self.row.number}"

    @property
    def pull_api(self) -> str:
        return f"{self.repo.api}/pulls/{self.row.number}"

    @property
    def comment_api(self) -> str:
        """Of its comments, which are changed and deleted there."""
        return f"/api/v1/discussions/{self.row.id}/comments"

    @property
    def repository(self) -> Repository:
        return self.row.repository


def open_thread_in(work: UnitOfWork, kind: RepositoryKind, namespace: str, name: str, number: int) -> ThreadPage:
    """The one of that number. Raises as ``open_page_in``; NotFound (``discussion_not_found``)."""
    viewer = current_actor()
    repo = open_page_in(work, kind, namespace, name, tab="community")
    row = get_numbered(work, actor=viewer, repository_id=repo.id, number=number)
    pull = find_pull(work, repo.id, number) if row.is_pull_request else None
    return ThreadPage(repo, row, rights_in(row, repo.shown, repo.access, viewer), viewer, pull)


@dataclass(frozen=True)
class Timeline:
    """A stretch of a thread. render: makes HTML of a text in it. cursor: its end, for what comes after.

    reviews: by id; line_threads: conversations about lines by the review that began them; is_closed: they quote the
    files, and those are not for the viewer.
    """

    found: Conversation
    cursor: Cursor
    render: Callable[..., Markup]
    reviews: Mapping[int, Review] = field(default_factory=dict)
    line_threads: Mapping[int, Sequence[Thread]] = field(default_factory=dict)
    is_closed: bool = False


def read_timeline(
    context: Context, thread: ThreadPage, *, asked: PageArgs | None = None, since: Cursor | None = None
) -> Timeline:
    """A page of a thread, or what came since a cursor."""
    with reading(context) as work:
        news = count_news(work, thread.row, actor=thread.viewer, since=since)
        found = read_conversation(work, thread.row, actor=thread.viewer, page=asked, since=since)
        events = [one for one in found.page.items if isinstance(one, DiscussionEvent)]
        ids = [one.data["review_id"] for one in events if one.type == DiscussionEventType.REVIEW]
        reviews = find_reviews(work, discussion_id=thread.row.id, ids=ids)
    line_threads, is_closed = _threads_of(context, thread, [*reviews])
    texts = [one.shown_content for one in found.page.items if isinstance(one, Comment)]
    texts += [review.content for review in reviews.values()]
    texts += [said.shown_content for threads in line_threads.values() for one in threads for said in one.comments]
    with reading(context) as work:
        render = text_renderer(work, thread.repo.shown, texts, viewer=thread.viewer)
    return Timeline(found, news.cursor, render, reviews, line_threads, is_closed)


def _threads_of(
    context: Context, thread: ThreadPage, review_ids: Sequence[int]
) -> tuple[dict[int, list[Thread]], bool]:
    found: dict[int, list[Thread]] = {}
    if not review_ids:
        return found, False
    try:
        page = list_threads(
            context,
            actor=thread.viewer,
            repository=thread.repository,
            number=thread.row.number,
            review_ids=review_ids,
            page=PageArgs(per=MAX_LINE_THREADS),
        )
    except (Denied, NotSignedIn):
        return found, True
    for one in page.items:
        begun = next((said.review_id for said in one.comments if said.review_id is not None), None)
        if begun is not None:
            found.setdefault(begun, []).append(one)
    return found, False


def render_texts(thread: ThreadPage, texts: Sequence[str]) -> Callable[..., Markup]:
    """What makes HTML of some texts of a thread."""
    with reading(current_context()) as work:
        return text_renderer(work, thread.repo.shown, texts, viewer=thread.viewer)
