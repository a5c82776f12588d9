"""Pages of issues and pull requests: who sees what, names as links, what is hostile stays text, few queries."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from sqlalchemy import insert

from hub.accounts.models import User
from hub.community.models_people import DiscussionLabel
from hub.community.service import discussions, pulls
from hub.community.service.conversation import open_issue
from hub.community.service.moderation import set_locked
from hub.community.service.reviews import LineComment, give_review
from hub.community.service.reviews_lines import Place
from hub.community.service.sources import follow_pull
from hub.community.service.switches import set_switches
from hub.db.uow import unit_of_work
from hub.repos.branches import create_branch, set_protected_branch
from hub.repos.files import FileEdit, commit_files

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html,*/*;q=0.8"}
PART = {"HX-Request": "true"}
HERE = "/models/ada/thing/community"
HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>"


@pytest.fixture
def world(context, make_user, make_token, make_repository, actor_of):
    """Ada, whose model it is, Bob and Eve: as actors, their headers, and the repository."""
    users = {name: make_user(name) for name in ("ada", "bob", "eve")}
    headers = {name: {"Authorization": f"Bearer {make_token(user, 'admin')}"} for name, user in users.items()}
    actors = {name: actor_of(user) for name, user in users.items()}
    return SimpleNamespace(**actors, users=users, headers=headers, repository=make_repository(users["ada"], "thing"))


@pytest.fixture
def look(client, world):
    """``look("bob", path)``: the page as Bob sees it; as nobody for ""."""

    def get(name, path, status=200, **more):
        answer = client.get(path, headers=HTML | world.headers.get(name, {}) | more)
        assert answer.status_code == status, (path, answer.status_code, answer.text[-1500:])
        return answer

    return get


@pytest.fixture
def open_one(context, world):
    """``open_one(title="…")``: the number of a new issue of Bob's."""

    def make(title="It crashes", description="On load.", by="bob", **more):
        with unit_of_work(context) as work:
            actor = getattr(world, by)
            return open_issue(
                work, actor=actor, repository_id=world.repository.id, title=title, description=description, **more
            ).number

    return make


@pytest.fixture
def propose(context, world):
    """``propose(b"…")``: a pull request of Ada's for a file that ``main`` has with the lines one, two, three."""

    def make(content=b"one\nTWO\nthree\n", branch="better"):
        what = {"actor": world.ada, "repository_id": world.repository.id}
        commit_files(
            context, **what, message="Start", edits=[FileEdit("a.txt", content=b"one\ntwo\nthree\n")], branch="main"
        )
        create_branch(context, **what, name=branch, revision="main")
        commit_files(context, **what, message="Better", edits=[FileEdit("a.txt", content=content)], branch=branch)
        return pulls.open_pull(context, **what, title="Better", revision=branch, description="Fixes #1, @bob.")

    return make


def test_the_list_is_filtered_by_its_address_and_shows_who_may_do_what(context, world, look, open_one, count_queries):
    assert "No open threads" in look("", HERE).text
    for number in range(21):
        open_one(f"Thing {number}", names=["bug" if number % 2 else "question"])
    page = look("", HERE).text
    assert page.count('data-testid="community.thread"') == 20
    assert 'data-page="I1"' in page
    assert "community.choose" not in page
    assert 'data-testid="community.choose"' in look("ada", HERE).text
    assert look("", f"{HERE}?label=bug").text.count('data-testid="community.thread"') == 10
    assert look("", f"{HERE}?author=bob&q=Thing+7").text.count('data-testid="community.thread"') == 2
    for nothing in ("assignee=eve", "state=closed", "author=%00", "q=%F0%9F%A6%84"):
        assert "Nothing matches these filters" in look("", f"{HERE}?{nothing}").text
    look("", f"{HERE}?sort=odd", 400)
    look("", f"{HERE}?page=0", 400)

    def count(path):
        with count_queries() as queries:
            look("", path)
        return len(queries)

    assert count(f"{HERE}?per=20") == count(f"{HERE}?per=2") <= 16

    with unit_of_work(context) as work:
        set_switches(work, actor=world.ada, repository_id=world.repository.id, issues=False)
    page = look("bob", HERE).text
    assert "Issues are switched off" in page
    assert "Who administers the repository can change this" in page
    assert "Change this in the settings" in look("ada", HERE).text


def test_names_and_numbers_are_links_where_the_reader_may_follow_them(context, world, look, open_one, make_repository):
    secret = make_repository(world.users["eve"], "secret", private=True)
    with unit_of_work(context) as work:
        open_issue(work, actor=world.eve, repository_id=secret.id, title="Hidden")
    open_one()
    text = "@eve see #1, #99, `#1`, eve/secret#1 and [@bob](/x)"
    number = open_one(description=text, by="eve")
    shown = look("", f"{HERE}/{number}").text
    assert '<a href="/profile/eve"' in shown
    assert f'href="{HERE}/1"' in shown
    assert f'href="{HERE}/99"' not in shown
    assert "/models/eve/secret" not in shown
    assert 'href="/models/eve/secret/community/1"' in look("eve", f"{HERE}/{number}").text


def test_what_is_hostile_stays_text_wherever_it_stands(context, world, look, open_one, propose, client):
    number = open_one(title=HOSTILE, description=HOSTILE)
    api = "/api/v1/models/ada/thing"
    made = client.post(f"{api}/community/labels", json={"name": HOSTILE[:40]}, headers=world.headers["ada"])
    assert made.status_code == 200
    put = client.post(f"{api}/community/{number}/labels", json={"labels": [HOSTILE[:40]]}, headers=world.headers["ada"])
    assert put.status_code == 200
    client.put(f"{api}/community/{number}", json={"title": HOSTILE + "2"}, headers=world.headers["ada"])
    client.post(f"{api}/community/{number}/lock", json={"reason": HOSTILE}, headers=world.headers["ada"])
    pages = [look("ada", f"{HERE}{rest}").text for rest in ("", f"/{number}", "/labels")]
    pages.append(look("ada", f"{HERE}/labels?for=thread&number={number}", **PART).text)
    pages.append(look("ada", f"{HERE}/new?type=issue&title={HOSTILE}&label={HOSTILE}").text)
    for page in pages:
        assert "<img src=x" not in page
        assert "<script>alert" not in page
        assert not re.search(r"<[^>]* onerror=", re.sub(r'"[^"]*"', "", page))


def test_a_thread_tells_what_happened_and_what_one_may_do(context, world, look, open_one, client, count_queries):
    number = open_one()
    place = f"{HERE}/{number}"
    page = look("", place).text
    assert "Sign in to take part" in page
    assert 'data-testid="thread.lock"' not in look("bob", place).text
    assert 'data-testid="thread.close"' in look("bob", place).text
    assert 'data-testid="thread.close"' not in look("eve", place).text
    assert 'data-testid="thread.lock"' in look("ada", place).text
    [since] = set(re.findall(r"part=news&amp;since=(\d+-\d+)", page))
    news = f"{place}?part=news&since={since}"
    assert look("eve", news, 204, **PART).text == ""
    with unit_of_work(context) as work:
        one = discussions.get_numbered(work, actor=world.eve, repository_id=world.repository.id, number=number)
        said = discussions.create_comment(work, actor=world.eve, discussion_id=one.id, content="Me, too.")
        set_locked(work, actor=world.ada, discussion_id=one.id, is_locked=True)
    assert "Show 2 new" in look("bob", news, **PART).text
    items = look("bob", f"{place}?part=items&since={since}", **PART).text
    assert "Me, too." in items
    assert "On load." not in items
    assert 'hx-swap-oob="true"' in items
    assert "locked: only people who may write" in look("bob", place).text
    edit = look("eve", f"{place}?part=edit&comment={said.id}", **PART).text
    assert "Me, too." in edit
    look("bob", f"{place}?part=news&since=odd", 400, **PART)
    look("bob", f"{place}?part=nothing", 404, **PART)
    look("bob", f"{place}?part=comment&comment=99999", 404, **PART)

    def count():
        look("ada", place)  # what all pages ask is remembered for moments
        with count_queries() as queries:
            look("ada", place)
        return len(queries)

    few = count()
    with unit_of_work(context) as work:
        for _ in range(5):
            discussions.create_comment(work, actor=world.ada, discussion_id=one.id, content="Hear, @bob: #1")
    assert count() <= few + 2  # names and numbers, once for all


def test_private_things_and_others_pages_are_not_there(world, look, make_repository, open_one):
    make_repository(world.users["ada"], "secret", private=True)
    for rest in ("", "/new", "/labels", "/1", "/1/files", "/1/commits", "/1/merge", "/1/reviewers"):
        look("bob", f"/models/ada/secret/community{rest}", 404)
    look("bob", "/models/ada/secret/discussions/1", 404)
    number = open_one()
    assert look("", f"/models/ada/thing/discussions/{number}?x=1", 302).location == f"{HERE}/{number}?x=1"
    assert look("", "/models/ada/thing/discussions", 302).location == HERE
    look("", f"{HERE}/{number}/files", 404)  # an issue has none
    look("", f"{HERE}/99", 404)
    assert look("", f"{HERE}/new?type=pr", 302).location.startswith("/login?next=")
    assert look("", "/issues", 302).location == "/login?next=%2Fissues"


def test_a_pull_request_shows_its_files_with_what_is_said_of_them_and_what_stands_before_it(
    context, world, look, propose
):
    pull = propose()
    number = pull.discussion.number
    place = f"{HERE}/{number}"
    words = "Why?\n\n```suggestion\nTwo\n```"
    give_review(
        context,
        actor=world.bob,
        repository_id=world.repository.id,
        number=number,
        state="commented",
        content="Look.",
        comments=[LineComment(Place("a.txt", "new", 2, 2), words)],
    )
    page = look("ada", place).text
    assert "wants to bring" in page
    assert "Look." in page
    assert page.count('data-testid="line.thread"') == 1
    assert 'data-testid="line.apply"' in page
    assert "line.apply" not in look("eve", place).text
    files = look("ada", f"{place}/files").text
    assert files.count('data-testid="line.thread"') == 1
    assert 'data-testid="diff.comment"' in files
    assert 'data-testid="diff.comment"' not in look("", f"{place}/files").text
    assert "Better" in look("", f"{place}/commits").text

    merge = look("ada", f"{place}/merge", **PART).text
    assert 'data-merge-state="mergeable"' in merge
    assert 'data-testid="pr.merge"' in merge
    assert "Merging takes the right to write" in look("bob", f"{place}/merge", **PART).text
    with unit_of_work(context) as work:
        set_protected_branch(
            work,
            actor=world.ada,
            repository_id=world.repository.id,
            pattern="main",
            required_approvals=1,
            require_resolved=True,
            allow_admins=False,
        )
    merge = look("ada", f"{place}/merge", **PART).text
    assert 'data-merge-state="blocked"' in merge
    assert re.findall(r'data-passed="no"', merge) == ['data-passed="no"'] * 2
    assert "0 of 1 required approvals" in merge
    assert "bob" in look("", f"{place}/reviewers", **PART).text

    # Other lines by now: what was said of them stands in the conversation alone.
    what = {"actor": world.ada, "repository_id": world.repository.id}
    commit_files(context, **what, message="Again", edits=[FileEdit("a.txt", content=b"0\n1\n2\n")], branch="better")
    follow_pull(context, pull)
    assert 'data-testid="line.outdated"' in look("", place).text
    assert "line.thread" not in look("", f"{place}/files").text


def test_mine_are_found_by_how_they_concern_me(context, world, look, open_one):
    open_one("Mine", description="@eve should know.")
    assert "Mine" in look("bob", "/issues").text
    assert "Mine" in look("eve", "/issues?role=mentioned&repository=ada/thing").text
    assert "Nothing here" in look("eve", "/issues?role=mentioned&repository=ada/other").text
    assert "Nothing here" in look("eve", "/pulls?role=review_requested").text
    look("eve", "/issues?role=review_requested", 400)


def test_who_is_gone_is_a_ghost(context, world, look, open_one):
    number = open_one(by="eve")
    with unit_of_work(context) as work:
        work.session.delete(work.session.get(User, world.eve.user_id))
    for path in (HERE, f"{HERE}/{number}"):
        assert "ghost" in look("", path).text


def test_ten_thousand_labels_are_a_search_and_pages(context, world, look, open_one, client):
    number = open_one()
    with unit_of_work(context) as work:
        rows = [
            {
                "repository_id": world.repository.id,
                "name": f"Area {each:05}",
                "name_key": f"area {each:05}",
                "color": "#d73a4a",
                "description": "",
                "created_at": work.now(),
            }
            for each in range(10_000)
        ]
        work.session.execute(insert(DiscussionLabel), rows)
    choices = f"{HERE}/labels?for=thread&number={number}"
    page = look("ada", choices, **PART).text
    assert page.count('data-testid="community.label"') == 30
    assert "Show more (9,970)" in page
    assert "Area 04711" in look("ada", f"{choices}&q=4711", **PART).text
    assert look("ada", f"{choices}&q=no-such", **PART).text.count("community.label") == 0
    assert "10,000 labels" in look("ada", f"{HERE}/labels?page=334").text
    made = client.post("/api/v1/models/ada/thing/community/labels", json={"name": "More"}, headers=world.headers["ada"])
    assert (made.status_code, made.json["code"]) == (409, "too_many_labels")
