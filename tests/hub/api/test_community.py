"""The REST routes of issues and pull requests together, as pages use them."""

import pytest

from hub.accounts.models import Role
from hub.accounts.policy import SYSTEM, Actor
from hub.accounts.service import set_grant
from hub.db.uow import unit_of_work
from hub.repos.files import FileEdit, commit_files
from hub.repos.service import update_settings
from tests.hub.api.test_accounts import Caller, data, refusal

DENIED = (403, "AUTH-ERR-2")


@pytest.fixture
def people(client, make_user, make_token):
    """A caller each: ada owns, bob and eve read."""
    users = {name: make_user(name) for name in ("ada", "bob", "eve")}
    callers = {name: Caller(client, make_token(user, "write")) for name, user in users.items()}
    for name, caller in callers.items():
        caller.user = users[name]
    return callers


def numbers(answer):
    return [one["number"] for one in data(answer)["data"]]


def names(things):
    return [thing["name"] for thing in things]


def items(caller, address):
    return [item["type"] for item in data(caller.get(address))["timeline"]["data"]]


def test_a_repository_sorts_what_is_said_of_it(client, people, make_repository, count_queries):
    ada, bob, eve = people.values()
    make_repository(ada.user, "thing")
    place = "/models/ada/thing/community"
    labels = f"{place}/labels"
    offered = data(bob.get(labels))
    assert [label["id"] for label in offered] == [0] * 8
    assert "good first issue" in names(offered)
    assert refusal(bob.post(place, {"title": "Crash", "labels": ["nope"]})) == (404, "label_not_found")
    assert refusal(bob.post(place, {"title": "Crash", "assignees": ["ada"]})) == DENIED
    opened = data(bob.post(place, {"title": "It crashes", "description": "On load.", "labels": ["BUG", "question"]}))
    assert (opened["number"], opened["type"], opened["status"]) == (1, "issue", "open")
    assert names(opened["labels"]) == ["bug", "question"]
    assert [item["type"] for item in opened["timeline"]["data"]] == ["comment", "labelled"]
    # What was offered is there now, for writers to change.
    real = {label["name"]: label for label in data(bob.get(labels))}
    assert (len(real), real["bug"]["open_count"], real["wontfix"]["open_count"]) == (8, 1, 0)
    assert refusal(bob.post(labels, {"name": "mine"})) == DENIED
    made = data(ada.post(labels, {"name": "Triage", "color": "#ABCDEF", "description": "Not looked at"}))
    assert made["color"] == "#abcdef"
    assert refusal(ada.post(labels, {"name": "triage"})) == (409, "label_exists")
    assert refusal(ada.post(labels, {"name": "odd", "color": "red"})) == (400, "REQ-ERR-6")
    assert refusal(ada.put(f"{labels}/{made['id']}", {"name": "bug"})) == (409, "label_exists")
    assert data(ada.put(f"{labels}/{made['id']}", {"name": "Later"}))["description"] == "Not looked at"
    for gone in ("wontfix", "invalid"):
        data(ada.delete(f"{labels}/{real[gone]['id']}"))
    assert refusal(ada.delete(f"{labels}/{real['wontfix']['id']}")) == (404, "label_not_found")

    one = f"{place}/1"
    assert refusal(bob.post(f"{one}/labels", {"labels": ["later"]})) == DENIED
    assert names(data(ada.post(f"{one}/labels", {"labels": ["later", "bug"]}))) == ["bug", "Later", "question"]
    assert names(data(ada.delete(f"{one}/labels", {"labels": ["question"]}))) == ["bug", "Later"]
    assert refusal(bob.post(f"{one}/assignees", {"users": ["ada"]})) == DENIED
    assert refusal(ada.post(f"{one}/assignees", {"users": ["nobody"]})) == (404, "AUTH-ERR-1")
    assert sorted(names(data(ada.post(f"{one}/assignees", {"users": ["eve", "Bob"]})))) == ["bob", "eve"]
    assert names(data(ada.delete(f"{one}/assignees/bob"))) == ["eve"]
    data(eve.post(place, {"title": "Please document", "labels": ["documentation"]}))
    pulls = "/models/ada/thing/pulls"
    assert refusal(bob.post(pulls, {"title": "A fix", "labels": ["nope"]})) == (404, "label_not_found")
    fix = {"title": "A fix", "description": "Fixes #1: it crashes no more.", "labels": ["enhancement"]}
    data(bob.post(pulls, fix))
    assert names(data(eve.get(f"{place}/3"))["labels"]) == ["enhancement"]

    page = data(eve.get(f"{place}?q=crashes"))
    assert (numbers(eve.get(f"{place}?q=crashes")), page["total"]) == ([3, 1], 2)
    assert numbers(eve.get(f"{place}?q=no more")) == [3]  # words of a comment
    assert page["counts"] == {"open": 2, "closed": 0, "issues": 1, "pulls": 1}
    assert numbers(eve.get(f"{place}?type=issue&sort=oldest")) == [1, 2]
    assert numbers(eve.get(f"{place}?label=bug&label=later")) == numbers(eve.get(f"{place}?assignee=eve")) == [1]
    assert numbers(eve.get(f"{place}?author=eve&state=open")) == [2]
    assert numbers(eve.get(f"{place}?label=nope")) == numbers(eve.get(f"{place}?author=%00")) == []
    assert refusal(eve.get(f"{place}?sort=odd"))[0] == 400
    closed = data(ada.put(one, {"status": "closed", "reason": "duplicate", "duplicate_of": 2}))
    assert (closed["status"], closed["reason"], closed["duplicate_of"]) == ("closed", "duplicate", 2)
    assert refusal(ada.put(f"{place}/2", {"status": "closed", "reason": "duplicate", "duplicate_of": 2}))[0] == 400
    assert (numbers(eve.get(f"{place}?state=closed")), numbers(eve.get(f"{place}?state=open"))) == ([1], [3, 2])
    kinds = ["comment", "labelled", "labelled", "unlabelled", "assigned", "unassigned", "referenced", "status-change"]
    assert items(eve, one) == kinds
    shown = data(eve.get(f"{one}?per=2&page=4"))["timeline"]
    assert (shown["total"], shown["data"][0]["source"]["number"], shown["data"][0]["source"]["type"]) == (8, 3, "pull")
    # The Hub's clients are not told of what they do not know.
    hub = client.get("/hf/api/models/ada/thing/discussions/1").json
    assert [event["type"] for event in hub["events"]] == ["comment", "status-change"]

    done = data(ada.post(f"{place}/bulk", {"numbers": [1, 2, 3, 9], "action": "label", "labels": ["later"]}))
    assert [(one["number"], one["is_done"]) for one in done] == [(1, True), (2, True), (3, True), (9, False)]
    assert refusal(bob.post(f"{place}/bulk", {"numbers": [1], "action": "close"})) == DENIED
    data(ada.post(f"{place}/bulk", {"numbers": [2], "action": "close", "reason": "not_planned"}))
    assert data(eve.get(f"{place}/2"))["reason"] == "not_planned"

    def count():
        with count_queries() as queries:
            found = data(eve.get(place))["data"]
        return len(queries), len(found)

    few, _ = count()
    for number in range(5):
        data(bob.post(place, {"title": f"T{number}", "labels": ["bug"]}))
    assert count() == (few, 8)


@pytest.mark.any_database
def test_readers_answer_with_signs_and_writers_keep_order(people, make_repository, count_queries):
    ada, bob, eve = people.values()
    make_repository(ada.user, "thing")
    place = "/models/ada/thing/community"
    for title in ("One", "Two", "Three", "Four"):
        data(bob.post(place, {"title": title, "description": "So."}))
    one = f"{place}/1"
    first = data(bob.get(one))["timeline"]["data"][0]
    sign = f"{one}/comments/{first['id']}/reactions"
    data(eve.post(f"{sign}/heart"))
    data(eve.post(f"{sign}/heart"))
    data(eve.post(f"{sign}/+1"))
    assert data(bob.post(f"{sign}/+1")) == {"counts": {"+1": 2, "heart": 1}, "mine": ["+1"]}
    assert (
        data(bob.delete(f"{sign}/+1"))
        == data(bob.delete(f"{sign}/+1"))
        == {
            "counts": {"+1": 1, "heart": 1},
            "mine": [],
        }
    )
    assert refusal(bob.post(f"{sign}/sad")) == (400, "REQ-ERR-6")
    assert data(eve.get(one))["timeline"]["data"][0]["reactions"]["mine"] == ["+1", "heart"]

    # Locked: who may write goes on, nobody else.
    assert refusal(bob.post(f"{one}/lock")) == DENIED
    assert data(ada.post(f"{one}/lock", {"reason": "too heated"}))["is_locked"]
    for refused in (
        bob.post(f"{one}/comments", {"content": "But"}),
        bob.post(f"{sign}/eyes"),
        bob.put(one, {"title": "But"}),
        bob.put(one, {"status": "closed", "comment": "But"}),
        bob.put(f"/discussions/{data(bob.get(one))['id']}/comments/{first['id']}", {"content": "But"}),
    ):
        assert refusal(refused) == (403, "discussion_locked")
    data(ada.post(f"{one}/comments", {"content": "The last word."}))
    assert not data(ada.delete(f"{one}/lock"))["is_locked"]
    said = data(bob.post(f"{one}/comments", {"content": "Thanks"}))
    assert data(ada.post(f"{one}/comments/{said['id']}/hide"))["is_hidden"]

    for number in (4, 1, 2):
        assert data(ada.post(f"{place}/{number}/pin"))["is_pinned"]
    assert refusal(ada.post(f"{place}/3/pin")) == (409, "too_many_pinned")
    data(ada.delete(f"{place}/2/pin"))
    assert numbers(eve.get(place)) == [4, 1, 3, 2]
    assert items(eve, f"{place}/2") == ["comment", "pinned", "unpinned"]

    def count():
        with count_queries() as queries:
            data(eve.get(one))
        return len(queries)

    few = count()
    for number in range(4):
        comment = data(bob.post(f"{one}/comments", {"content": f"Number {number}"}))
        data(eve.post(f"{one}/comments/{comment['id']}/reactions/eyes"))
    assert count() == few
    assert [user["name"] for user in data(eve.get(one))["participants"]] == ["ada", "bob"]


def test_ones_own_of_all_repositories_as_far_as_they_may_be_read_by_now(context, people, make_repository):
    ada, bob, eve = people.values()
    make_repository(ada.user, "thing")
    secret = make_repository(ada.user, "secret", private=True)
    with unit_of_work(context) as work:
        grant = set_grant(work, actor=SYSTEM, resource=secret, user=bob.user, role=Role.READ)
    data(bob.post("/models/ada/thing/community", {"title": "Open", "description": "@eve and @nobody see, `@ada`"}))
    data(bob.post("/models/ada/secret/community", {"title": "Secret", "description": "As ada/thing#1. @eve"}))
    data(ada.post("/models/ada/secret/community/1/assignees", {"users": ["bob"]}))
    mine = "/discussions/mine"
    found = data(bob.get(mine))
    assert [one["repository"]["path"] for one in found["data"]] == ["ada/secret", "ada/thing"]
    assert found["counts"]["issues"] == 2
    assert numbers(bob.get(f"{mine}?repository=ada/thing")) == numbers(bob.get(f"{mine}?repository=models/ada/thing"))
    assert numbers(bob.get(f"{mine}?repository=datasets/ada/thing")) == numbers(bob.get(f"{mine}?repository=x")) == []
    assert numbers(bob.get(f"{mine}?role=assigned")) == [1]
    assert numbers(bob.get(f"{mine}?role=review_requested")) == []
    # Eve is named in both, and may read one of them; ada is named in code only.
    assert [one["title"] for one in data(eve.get(f"{mine}?role=mentioned"))["data"]] == ["Open"]
    assert numbers(ada.get(f"{mine}?role=mentioned")) == []
    # That the secret names the open one is for those who may read both.
    assert items(eve, "/models/ada/thing/community/1") == ["comment"]
    shown = data(bob.get("/models/ada/thing/community/1"))["timeline"]
    assert (shown["total"], shown["data"][1]["source"]["title"]) == (2, "Secret")
    with unit_of_work(context) as work:
        work.session.delete(work.session.merge(grant))
    assert [one["title"] for one in data(bob.get(mine))["data"]] == ["Open"]
    assert numbers(bob.get(f"{mine}?role=assigned")) == []
    assert items(bob, "/models/ada/thing/community/1") == ["comment"]
    assert refusal(bob.get("/models/ada/secret/community")) == (404, "REPO-ERR-3")


@pytest.mark.any_database
def test_switches_and_templates(context, client, people, make_repository):
    ada, bob, _eve = people.values()
    thing = make_repository(ada.user, "thing")
    place = "/models/ada/thing/community"
    assert data(bob.get(f"{place}/templates")) == {"issue": None, "pull": None}
    edits = [
        FileEdit(".github/ISSUE_TEMPLATE.md", content=b"Theirs"),
        FileEdit(".csg/ISSUE_TEMPLATE.md", content=b"What happened?"),
        FileEdit(".github/PULL_REQUEST_TEMPLATE.md", content=b"\xff\xfe"),
    ]
    actor = Actor.of_user(ada.user, via="session")
    commit_files(context, actor=actor, repository_id=thing.id, message="Ask", branch="main", edits=edits)
    asked = {"issue": {"path": ".csg/ISSUE_TEMPLATE.md", "content": "What happened?"}, "pull": None}
    assert data(bob.get(f"{place}/templates")) == asked
    with unit_of_work(context) as work:
        update_settings(work, actor=actor, repository_id=thing.id, gate="manual")
    assert data(bob.get(f"{place}/templates"))["issue"] is None  # content is not for everybody
    assert data(ada.get(f"{place}/templates")) == asked

    data(bob.post(place, {"title": "One"}))
    data(bob.put(f"{place}/1", {"status": "closed"}))
    settings = f"{place}/settings"
    assert data(bob.get(settings)) == {"issues": True, "pulls": True}
    assert refusal(bob.put(settings, {"issues": False})) == DENIED
    assert data(ada.put(settings, {"issues": False})) == {"issues": False, "pulls": True}
    for refused in (
        bob.post(place, {"title": "Two"}),
        bob.post("/models/ada/thing/discussions", {"title": "Two"}),
        bob.put(f"{place}/1", {"status": "open"}),
    ):
        assert refusal(refused) == (403, "issues_disabled")
    assert (numbers(bob.get(place)), data(bob.get(place))["settings"]["issues"]) == ([1], False)
    data(ada.put(settings, {"issues": True, "pulls": False}))
    assert refusal(bob.post("/models/ada/thing/pulls", {"title": "P"})) == (403, "pull_requests_disabled")
    data(bob.put(f"{place}/1", {"status": "open"}))


@pytest.mark.any_database
def test_what_is_written_is_completed_and_many_labels_are_found_by_words(people, make_repository):
    ada, bob, eve = people.values()
    make_repository(ada.user, "thing")
    make_repository(ada.user, "secret", private=True)
    place = "/models/ada/thing/community"
    assert names(data(bob.get(f"{place}/people?q=B"))) == ["bob"]
    assert {"ada", "bob", "eve"} <= set(names(data(eve.get(f"{place}/people"))))
    assert data(bob.get(f"{place}/people?q=%25")) == data(bob.get(f"{place}/people?q=%00")) == []
    assert names(data(ada.get("/models/ada/secret/community/people?q=b"))) == []
    assert bob.get("/models/ada/secret/community/people").status_code == 404
    for title in ["One", "Two", "It 100% fails", *["More"] * 8]:
        data(bob.post(place, {"title": title}))
    assert [one["number"] for one in data(eve.get(f"{place}/references?q=1"))] == [11, 10, 1]
    assert [one["title"] for one in data(eve.get(f"{place}/references?q=100%25"))] == ["It 100% fails"]
    assert data(eve.get(f"{place}/references?q=2147483649")) == []
    for number in range(3):
        data(ada.post(f"{place}/labels", {"name": f"area {number}"}))
    found = ada.get(f"{place}/labels?q=area&per=2&page=2").json
    assert (names(found["data"]), found["total"]) == (["area 2"], 3)
