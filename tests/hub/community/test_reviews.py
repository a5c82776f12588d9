"""Reviews of pull requests: what counts for a merge, conversations about lines, suggestions."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from hub.accounts.models import Role, User
from hub.accounts.policy import SYSTEM
from hub.accounts.service import delete_user, set_grant
from hub.base.errors import Conflict, Denied, HubError, Invalid, NotFound
from hub.base.paging import PageArgs
from hub.community.models import DiscussionEvent, Notification
from hub.community.models_people import Mention
from hub.community.service import (
    discussions,
    mergeability,
    merging,
    pulls,
    reviews,
    reviews_requests,
    reviews_suggestions,
    reviews_threads,
    timeline,
)
from hub.community.service.reviews import LineComment
from hub.community.service.reviews_lines import Place
from hub.db.uow import reading, unit_of_work
from hub.git.repository import get_commit, list_refs
from hub.jobs.models import Job, JobState
from hub.jobs.run import run_due
from hub.repos.branches import set_protected_branch
from hub.repos.contents import open_file, read_text
from hub.repos.files import FileEdit, commit_files
from hub.repos.lookup import repository_path
from hub.repos.service import fork_repository

START = b"".join(b"line %d\n" % number for number in range(1, 9))


@pytest.fixture
def people(context, make_user, make_repository):
    """ada owns, wes and wil may write, bob opens the pull request, eve reads."""
    users = {name: make_user(name) for name in ("ada", "wes", "wil", "bob", "eve")}
    users["thing"] = make_repository(users["ada"], "thing")
    with unit_of_work(context) as work:
        for name in ("wes", "wil"):
            set_grant(work, actor=SYSTEM, resource=users["thing"], user=users[name], role=Role.WRITE)
    return users


@pytest.fixture
def where(context, people):
    return {"context": context, "repository_id": people["thing"].id, "number": 1}


@pytest.fixture
def commit(context, people, actor_of):
    def run(content, name="a.txt", by="bob", **place):
        edits = [FileEdit(name, content=content)]
        return commit_files(
            context, actor=actor_of(people[by]), repository_id=people["thing"].id, message="x", edits=edits, **place
        ).commit_id

    return run


@pytest.fixture
def pull(context, people, actor_of, commit):
    """bob's, with another fourth line."""
    commit(START, by="ada", branch="main")
    made = pulls.open_pull(context, actor=actor_of(people["bob"]), repository_id=people["thing"].id, title="Better")
    commit(START.replace(b"line 4", b"LINE 4"), proposal=1)
    return made


def refused(function, **values):
    with pytest.raises(HubError) as caught:
        function(**values)
    return caught.value.code


def test_a_merge_waits_for_somebody_elses_approval(context, people, where, actor_of, pull, commit):
    actors = {name: actor_of(people[name]) for name in ("ada", "wes", "wil", "bob", "eve")}

    def protect(**rule):
        with unit_of_work(context) as work:
            set_protected_branch(
                work, actor=actors["ada"], repository_id=people["thing"].id, pattern="main", require_pull=True, **rule
            )

    def say(name, state, **more):
        return reviews.give_review(**where, actor=actors[name], state=state, **more)

    def stand():
        found = mergeability.read_mergeability(context, actor=actors["ada"], repository=people["thing"], number=1)
        return {check.name: check.passed for check in found.checks if check.name in ("approvals", "changes")}

    protect(required_approvals=1)
    merge = {**where, "actor": actors["ada"]}
    assert refused(merging.merge_pull, **merge) == "merge_blocked"
    assert refused(say, name="bob", state="approved") == "own_pull_request"
    assert refused(say, name="eve", state="changes") == "REQ-ERR-6"
    assert refused(say, name="eve", state="approved", commit_id="1" * 40) == "head_changed"
    say("eve", "approved")
    assert stand() == {"approvals": False, "changes": True}  # who only reads has no say
    say("wes", "approved")
    assert stand() == {"approvals": True, "changes": True}
    objection = say("wil", "changes", content="No.")
    say("wil", "commented", content="Really.")
    assert stand() == {"approvals": True, "changes": False}
    assert refused(merging.merge_pull, **merge) == "merge_blocked"
    gone = {**where, "review_id": objection.review.id}
    del gone["context"]
    with unit_of_work(context) as work:
        with pytest.raises(Denied):
            reviews.dismiss_review(work, **gone, actor=actors["bob"], reason="Mine.")
        done = reviews.dismiss_review(work, **gone, actor=actors["ada"], reason="He left.")
        assert (done.review.dismissed_by.name, done.review.dismissal) == ("ada", "He left.")
        assert refused(reviews.dismiss_review, work=work, **gone, actor=actors["ada"], reason="x") == "review_dismissed"
    assert stand() == {"approvals": True, "changes": True}
    # Another commit: what was said of the former one counts no more, where the rule says so.
    commit(START.replace(b"line 4", b"Line 4"), proposal=1)
    assert stand()["approvals"] is True
    protect(required_approvals=2, dismiss_stale=True)
    assert stand()["approvals"] is False
    with ThreadPoolExecutor(2) as pool:
        [*pool.map(lambda name: say(name, "approved"), ("wes", "wil"))]
    assert stand() == {"approvals": True, "changes": True}
    with unit_of_work(context) as work:
        set_grant(work, actor=SYSTEM, resource=people["thing"], user=people["wil"], role=Role.READ)
    assert stand()["approvals"] is False
    say("ada", "approved")
    assert merging.merge_pull(**merge).merged_at
    assert refused(say, name="wes", state="approved") == "pull_request_closed"
    shown = {
        one.user.name: (one.state, one.is_stale, one.has_weight)
        for one in reviews.list_reviewers(context, actor=actors["eve"], repository=people["thing"], number=1)
    }
    assert shown == {
        "ada": ("approved", False, True),
        "eve": ("approved", True, False),
        "wes": ("approved", False, True),
        "wil": ("approved", False, False),
    }


def test_who_is_asked_is_so_until_they_reviewed(context, people, where, actor_of, pull):
    ada, wes, bob = (actor_of(people[name]) for name in ("ada", "wes", "bob"))
    place = {name: where[name] for name in ("repository_id", "number")}
    with unit_of_work(context) as work:
        ask = {"work": work, **place, "actor": bob}
        assert refused(reviews_requests.ask_for_review, **ask, names=["nobody"]) == "user_not_found"
        assert refused(reviews_requests.ask_for_review, **ask, names=["bob"]) == "own_pull_request"
        for _ in range(2):
            reviews_requests.ask_for_review(**ask, names=["wes", "WIL"])
        gone = {"work": work, **place, "name": "wil"}
        with pytest.raises(Denied):
            reviews_requests.withdraw_request(**gone, actor=actor_of(people["eve"]))
        reviews_requests.withdraw_request(**gone, actor=ada)
        assert refused(reviews_requests.withdraw_request, **gone, actor=ada) == "request_not_found"

    def list_states():
        found = reviews.list_reviewers(context, actor=bob, repository=people["thing"], number=1)
        return [(one.user.name, one.state, one.is_requested) for one in found]

    assert list_states() == [("wes", "requested", True)]
    run_due(context)
    reviews.give_review(**where, actor=wes, state="approved")
    assert list_states() == [("wes", "approved", False)]
    with reading(context) as work:
        discussion = discussions.get_numbered(work, actor=ada, repository_id=place["repository_id"], number=1)
        found = [one for one in timeline.list_events(work, discussion) if isinstance(one, DiscussionEvent)]
    assert [(one.type, one.data.get("user")) for one in found if one.type.startswith("review")] == [
        ("review-request", "wes"),
        ("review-request", "wil"),
        ("review-request", "wil"),
        ("review", None),
    ]
    run_due(context)
    with reading(context) as work:
        told = work.session.execute(
            select(User.name, Notification.title).join(User, User.id == Notification.user_id).order_by(Notification.id)
        ).all()
        assert not work.session.scalars(select(Job.error).where(Job.state == JobState.FAILED)).all()
    on = "a pull request on ada/thing: Better"
    assert ("wes", f"bob asks you to review {on}") in told
    assert "wil" not in {name for name, _ in told}  # nobody asks them any more
    assert {name for name, title in told if title == f"wes approved {on}"} == {"ada", "bob"}


def test_conversations_about_lines(context, people, where, actor_of, pull, commit, count_queries):
    wes, bob, eve = (actor_of(people[name]) for name in ("wes", "bob", "eve"))
    thing = people["thing"]
    place = {name: where[name] for name in ("repository_id", "number")}

    def speak(actor, *places, content="Why?"):
        comments = [LineComment(Place(*one), content) for one in places]
        return reviews.give_review(**where, actor=actor, state="commented", comments=comments)

    def threads(**narrow):
        return reviews_threads.list_threads(context, actor=eve, repository=thing, number=1, **narrow)

    for wrong, error in (
        (("a.txt", "new", 8, 9), Invalid),
        (("a.txt", "new", 4, 3), Invalid),
        (("a.txt", "both", 1, 1), Invalid),
        (("b.txt", "new", 1, 1), NotFound),
        (("a.txt\0", "new", 1, 1), NotFound),
    ):
        with pytest.raises(error):
            speak(eve, wrong)
    speak(eve, ("a.txt", "new", 3, 4), ("a.txt", "old", 4, 4), content="Why, @bob?")
    with reading(context) as work:
        assert list(work.session.scalars(select(Mention.user_id))) == [people["bob"].id]
    new, old = threads().items
    assert (new.row.excerpt, old.row.excerpt, new.is_outdated) == ("line 3\nLINE 4", "line 4", False)
    with unit_of_work(context) as work:
        where_it_is = {"work": work, **place, "thread_id": new.row.id}
        reviews_threads.reply(**where_it_is, actor=wes, content="So.")
        with pytest.raises(Denied):
            reviews_threads.set_resolved(**where_it_is, actor=eve, is_resolved=True)
        reviews_threads.set_resolved(**where_it_is, actor=bob, is_resolved=True)
        shown = discussions.show_discussion(work, actor=eve, discussion_id=pull.discussion_id)
        assert (shown[0].comment_count, [*shown[1].items]) == (0, [])  # they are not among the others
        assert reviews.count_unresolved(work, pull) == 1
    assert [one.row.id for one in threads(state="open").items] == [old.row.id]
    (resolved,) = threads(state="resolved", path="a.txt").items
    assert ([one.content for one in resolved.comments], resolved.row.resolved_by.name) == (["Why, @bob?", "So."], "bob")
    # A page costs the same, however much was said.
    with count_queries() as queries:
        threads()
    speak(wes, *[("a.txt", "new", line, line) for line in range(1, 6)])
    with count_queries() as more:
        assert threads(page=PageArgs(2, 3)).total == 7
    assert len(more) == len(queries)
    # The file is another one; the other side's is not.
    commit(START.replace(b"line 4", b"Line 4"), proposal=1)
    outdated = {one.row.side: one.is_outdated for one in threads().items[:2]}
    assert outdated == {"new": True, "old": False}
    # Who goes takes along what they said, and what nobody answered.
    with unit_of_work(context) as work:
        delete_user(work, actor=SYSTEM, name="wes", with_discussions=True)
    assert [one.comment_count for one in threads().items] == [1, 1]
    with unit_of_work(context) as work:
        ids = {"discussion_id": pull.discussion_id, "comment_id": old.comments[0].id}
        discussions.delete_comment(work, actor=eve, **ids)
        assert refused(reviews_threads.get_thread, work=work, pull=pull, thread_id=old.row.id) == "thread_not_found"
        assert reviews_threads.get_thread(work, pull, new.row.id)


@pytest.mark.any_database
def test_suggestions_become_commits(context, people, where, actor_of, pull, commit):
    wes, bob, eve = (actor_of(people[name]) for name in ("wes", "bob", "eve"))
    path = repository_path(context.settings, people["thing"])

    def suggest(content, start, end):
        comment = LineComment(Place("a.txt", "new", start, end), content)
        reviews.give_review(**where, actor=eve, state="commented", comments=[comment])
        return reviews_threads.list_threads(context, actor=eve, repository=people["thing"], number=1).items[-1].row.id

    def read():
        return read_text(context, people["thing"], actor=bob, path="a.txt", revision="refs/pr/1")

    first = suggest("Two:\n```suggestion\nfour\nand a half\n```\n", 4, 4)
    second = suggest("````suggestion\n```\n````", 7, 8)
    plain = suggest("No.", 1, 1)
    last = suggest("```suggestion\n```", 1, 2)
    assert refused(reviews_suggestions.apply_suggestion, **where, actor=bob, thread_id=plain) == "no_suggestion"
    with pytest.raises(Denied):
        reviews_suggestions.apply_suggestion(**where, actor=eve, thread_id=first)
    _, made = reviews_suggestions.apply_suggestion(**where, actor=bob, thread_id=first)
    assert list_refs(path)["refs/pr/1"] == made
    commit_made = get_commit(path, made)
    assert commit_made.author.name == "bob"
    assert commit_made.message.strip().endswith("Co-authored-by: eve <eve@users.noreply.127.0.0.1>")
    assert read().splitlines()[2:6] == ["line 3", "four", "and a half", "line 5"]
    again = {**where, "actor": bob}
    assert refused(reviews_suggestions.apply_suggestion, **again, thread_id=first) == "suggestion_applied"
    # Its lines are elsewhere by now.
    assert refused(reviews_suggestions.apply_suggestion, **again, thread_id=second) == "suggestion_outdated"
    reviews_suggestions.apply_suggestion(**{**where, "actor": wes}, thread_id=last)
    assert read().startswith("line 3\n")
    thread = reviews_threads.show_thread(context, actor=eve, repository=people["thing"], number=1, thread_id=last)
    assert (thread.row.resolved_by.name, thread.comments[0].applied_commit) == ("wes", list_refs(path)["refs/pr/1"])
    with pytest.raises(Conflict):
        reviews_suggestions.apply_suggestion(**again, thread_id=second)


@pytest.mark.any_database
def test_suggestions_go_to_the_branch_that_is_followed(context, people, where, actor_of, commit):
    ada, bob, wes, eve = (actor_of(people[name]) for name in ("ada", "bob", "wes", "eve"))
    thing = people["thing"]
    commit(b"one\r\ntwo\r\nlast", by="ada", branch="main")
    fork = fork_repository(context, actor=bob, source_id=thing.id, namespace="bob", name="copy")
    edits = [FileEdit("a.txt", content=b"one\r\nTWO\r\nlast"), FileEdit("b.txt", content=b"\xff\n")]
    commit_files(context, actor=bob, repository_id=fork.id, message="x", edits=edits, branch="main", new_branch="mine")
    pulls.open_pull(context, actor=bob, repository_id=thing.id, title="Mine", revision="mine", source_id=fork.id)
    comments = [
        LineComment(Place("a.txt", "new", 2, 2), "```suggestion\r\n2\r\n3\r\n```"),
        LineComment(Place("a.txt", "new", 3, 3), "~~~\n~~~\n```suggestion\nend\n```"),
    ]
    reviews.give_review(**where, actor=eve, state="commented", comments=comments)
    first, last = reviews_threads.list_threads(context, actor=eve, repository=thing, number=1).items
    # Who writes here does not, for that, write to the fork.
    with pytest.raises(Denied):
        reviews_suggestions.apply_suggestion(**where, actor=wes, thread_id=last.row.id)
    # The last one first: it moves no line.
    reviews_suggestions.apply_suggestion(**where, actor=bob, thread_id=last.row.id)
    _, made = reviews_suggestions.apply_suggestion(**where, actor=bob, thread_id=first.row.id)
    tips = [list_refs(repository_path(context.settings, one)) for one in (thing, fork)]
    assert (tips[0]["refs/pr/1"], tips[1]["refs/heads/mine"]) == (made, made)
    opened = open_file(context, thing, actor=ada, path="a.txt", revision="refs/pr/1")
    assert b"".join(opened.open_range(0, opened.size_bytes)) == b"one\r\n2\r\n3\r\nend"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("No.", None),
        ("```suggestion\n```", ""),
        ("```suggestion\na\n\nb\n```\n```suggestion\nc\n```", "a\n\nb\n"),
        ("````suggestion\n```\n````", "```\n"),
        ("```suggestions are\n```", None),
        ("```suggestion\nnever closed", None),
        ("x ```suggestion\na\n```", None),
        ("```md\n```suggestion\n```\n", None),
        ("```md\nx\n```\n```suggestion x\na\n````", "a\n"),
    ],
)
def test_a_block_is_found_in_a_comment(content, found):
    assert reviews_suggestions.find_suggestion(content) == found
