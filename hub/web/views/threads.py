"""One issue or pull request: what was said and done in it, and what can be done. Its commits and files: ``pulls``."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request

from hub.base.errors import NotFound
from hub.base.paging import PageArgs
from hub.community.service.conversation import Cursor, count_news
from hub.community.service.discussions import get_comment
from hub.community.service.labels import labels_of
from hub.community.service.people import assignees_of, find_participants, find_telling
from hub.community.service.reactions import SIGNS, reactions_of
from hub.community.service.reviews_suggestions import find_suggestion
from hub.community.service.reviews_threads import show_thread as find_line_thread
from hub.db.uow import reading
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos.kinds import RepositoryKind
from hub.web.pages import render_page, wants_part
from hub.web.pulls import source_of
from hub.web.repository import render_repository_page
from hub.web.routing import REPOSITORY
from hub.web.threads import PER_PAGE, ThreadPage, open_thread_in, read_timeline, render_texts

blueprint = Blueprint("thread_pages", __name__)

THREAD = f"{REPOSITORY}/community/<int(min=1, max={2**31 - 1}):thread_number>"
PULL = f"{REPOSITORY}/community/<int(min=1, max={2**31 - 1}):pull_number>"
# How the signs of ``reactions`` look.
EMOJI = dict(zip(SIGNS, ["👍", "👎", "😄", "🎉", "😕", "❤️", "🚀", "👀"], strict=True))


@blueprint.get(THREAD)
def show_thread(kind: RepositoryKind, namespace: str, name: str, thread_number: int) -> Response:
    """The conversation, or the part of it that ``part`` names."""
    with reading(current_context()) as work:
        thread = open_thread_in(work, kind, namespace, name, thread_number)
    if wants_part():
        part = _PARTS.get(request.args.get("part", ""))
        if part is None:
            raise NotFound("There is no such part of the page.")
        return part(thread)
    return _show_whole(thread)


def _show_whole(thread: ThreadPage) -> Response:
    context = current_context()
    is_last = request.args.get("page") == "last"
    if is_last:
        with reading(context) as work:
            total = count_news(work, thread.row, actor=thread.viewer).count
        asked = PageArgs(max(1, -(-total // PER_PAGE)), PER_PAGE)
    else:
        asked = page_args(default=PER_PAGE)
    timeline = read_timeline(context, thread, asked=asked)
    return render_repository_page(
        "community/pull.html" if thread.pull else "community/thread.html",
        thread.repo,
        page="I3" if thread.pull else "I2",
        thread=thread,
        asked=asked,
        timeline=timeline,
        found=timeline.found,
        emoji=EMOJI,
        suggestion_in=find_suggestion,
        is_end=asked.offset + asked.per >= timeline.found.page.total,
        tab="conversation",
        source=source_of(context, thread) if thread.pull else None,
    )


# Parts.


def _since() -> Cursor:
    return Cursor.parse(request.args.get("since", ""))


def _show_news(thread: ThreadPage) -> Response:
    """How much came since: nothing (204) costs one query."""
    since = _since()
    with reading(current_context()) as work:
        news = count_news(work, thread.row, actor=thread.viewer, since=since)
    if not news.count:
        return Response(status=204)
    return render_page("community/_news_button.html", thread=thread, since=since, news=news)


def _show_items(thread: ThreadPage) -> Response:
    timeline = read_timeline(current_context(), thread, asked=PageArgs(per=100), since=_since())
    return render_page(
        "community/_fresh.html",
        repo=thread.repo,
        thread=thread,
        timeline=timeline,
        found=timeline.found,
        emoji=EMOJI,
        suggestion_in=find_suggestion,
    )


def _show_comment(thread: ThreadPage, template: str = "community/_comment_body.html") -> Response:
    with reading(current_context()) as work:
        comment = get_comment(work, thread.row, request.args.get("comment", 0, type=int))
        reactions = reactions_of(work, [comment.id], actor=thread.viewer)[comment.id]
    render = render_texts(thread, [comment.shown_content])
    return render_page(
        template, repo=thread.repo, thread=thread, comment=comment, reactions=reactions, render=render, emoji=EMOJI
    )


def _show_edit(thread: ThreadPage) -> Response:
    return _show_comment(thread, "community/_comment_edit.html")


def _show_reactions(thread: ThreadPage) -> Response:
    return _show_comment(thread, "community/_reactions.html")


def _show_labels(thread: ThreadPage) -> Response:
    with reading(current_context()) as work:
        labels = labels_of(work, [thread.row.id])[thread.row.id]
    return render_page("community/_side_labels.html", repo=thread.repo, thread=thread, labels=labels)


def _show_people(thread: ThreadPage) -> Response:
    with reading(current_context()) as work:
        assignees = assignees_of(work, [thread.row.id])[thread.row.id]
        participants = find_participants(work, thread.row)
    return render_page(
        "community/_side_people.html",
        repo=thread.repo,
        thread=thread,
        assignees=assignees,
        participants=participants,
    )


def _show_telling(thread: ThreadPage) -> Response:
    with reading(current_context()) as work:
        telling = find_telling(work, thread.row, actor=thread.viewer)
    return render_page("community/_side_telling.html", repo=thread.repo, thread=thread, telling=telling)


def show_line_thread(thread: ThreadPage) -> Response:
    """One conversation about lines, with all that was said in it."""
    found = find_line_thread(
        current_context(),
        actor=thread.viewer,
        repository=thread.repository,
        number=thread.row.number,
        thread_id=request.args.get("thread", 0, type=int),
        page=PageArgs(per=200),
    )
    render = render_texts(thread, [comment.shown_content for comment in found.comments])
    return render_page(
        "community/_line_thread.html",
        repo=thread.repo,
        thread=thread,
        one=found,
        render=render,
        suggestion_in=find_suggestion,
    )


_PARTS: dict[str, Callable[[ThreadPage], Response]] = {
    "news": _show_news,
    "items": _show_items,
    "comment": _show_comment,
    "edit": _show_edit,
    "reactions": _show_reactions,
    "labels": _show_labels,
    "people": _show_people,
    "telling": _show_telling,
    "line": show_line_thread,
}
