"""The REST routes of discussions, as clients of the platform see them."""

import pytest

from hub.accounts.models import Role
from hub.accounts.policy import SYSTEM
from hub.accounts.service import set_grant
from hub.db.uow import unit_of_work
from hub.repos.service import archive_repository, delete_repository
from tests.hub.api.test_accounts import Caller, data, refusal

pytestmark = pytest.mark.any_database

NOBODY = (401, "AUTH-ERR-0")
DENIED = (403, "AUTH-ERR-2")
HIDDEN = (404, "discussion_not_found")


@pytest.fixture
def people(client, make_user, make_token):
    """A caller each: ada owns, bob reads, eve is a stranger with a token for reading, root administers the hub."""
    users = {name: make_user(name, admin=name == "root") for name in ("ada", "bob", "eve", "root")}
    scopes = {"eve": "read"}
    callers = {name: Caller(client, make_token(user, scopes.get(name, "admin"))) for name, user in users.items()}
    for name, caller in callers.items():
        caller.user = users[name]
    return callers


@pytest.fixture
def nobody(client):
    return Caller(client)


def test_a_discussion_from_its_opening_to_its_end(people, nobody, make_repository):
    ada, bob, eve, root = people.values()
    make_repository(ada.user, "thing")
    thing = "/models/ada/thing/discussions"
    assert nobody.get(thing).json == {"msg": "OK", "data": {"discussions": []}}
    assert refusal(nobody.post(thing, {"title": "Hello"})) == NOBODY
    assert refusal(eve.post(thing, {"title": "Hello"})) == DENIED
    opened = data(bob.post(thing, {"title": " Which licence? "}))
    author = {"id": bob.user.id, "name": "bob", "avatar": ""}
    assert (opened["title"], opened["user"], opened["comment_count"]) == ("Which licence?", author, 0)
    data(ada.post(thing, {"title": "News"}))
    page = nobody.get(f"{thing}?per=1&page=2").json
    assert (page["total"], [one["title"] for one in page["data"]["discussions"]]) == (2, ["Which licence?"])

    address = f"/discussions/{opened['id']}"
    first = data(ada.post(f"{address}/comments", {"content": "MIT.\n\n    as ever"}))
    second = data(bob.post(f"{address}/comments", {"content": "Thanks"}))
    assert refusal(nobody.post(f"{address}/comments", {"content": "x"})) == NOBODY
    assert refusal(eve.post(f"{address}/comments", {"content": "x"})) == DENIED
    shown = data(nobody.get(f"{address}?per=1"))
    assert (shown["comment_count"], shown["user"]) == (2, author)
    assert shown["comments"] | {"data": None} == {"data": None, "total": 2, "page": 1, "per": 1}
    assert [comment["content"] for comment in shown["comments"]["data"]] == ["Thanks"]
    listed = nobody.get(f"{address}/comments").json
    assert (listed["total"], [comment["id"] for comment in listed["data"]]) == (2, [second["id"], first["id"]])
    assert listed["data"][1]["content"] == "MIT.\n\n    as ever"

    # Authors edit their words, nobody else does; who may write gives a title, who administers deletes.
    assert refusal(eve.put(address, {"title": "Mine"})) == DENIED
    assert data(ada.put(address, {"title": "Which of them?"}))["title"] == "Which of them?"
    assert refusal(bob.put(f"{address}/comments/{first['id']}", {"content": "x"})) == DENIED
    assert refusal(nobody.put(address, {"title": "Mine"})) == NOBODY
    assert data(bob.put(address, {"title": "Which license?"}))["title"] == "Which license?"
    assert data(ada.put(f"{address}/comments/{first['id']}", {"content": "Apache"}))["content"] == "Apache"
    assert refusal(bob.delete(f"{address}/comments/{first['id']}")) == DENIED
    assert refusal(eve.delete(f"{address}/comments/{first['id']}")) == DENIED
    data(ada.delete(f"{address}/comments/{second['id']}"))
    assert refusal(ada.delete(f"{address}/comments/{second['id']}")) == (404, "comment_not_found")
    data(root.delete(f"{address}/comments/{first['id']}"))
    assert data(nobody.get(address))["comment_count"] == 0
    assert refusal(nobody.delete(address)) == NOBODY
    data(ada.delete(address))
    assert refusal(bob.get(address)) == HIDDEN
    assert refusal(bob.post(f"{address}/comments", {"content": "x"})) == HIDDEN


def test_what_is_said_about_a_private_repository_is_as_if_it_were_not(people, nobody, make_repository, context):
    ada, bob, _eve, _root = people.values()
    repository = make_repository(ada.user, "secret", private=True)
    discussions = "/models/ada/secret/discussions"
    address = f"/discussions/{data(ada.post(discussions, {'title': 'Hush'}))['id']}"
    comment = f"{address}/comments/{data(ada.post(f'{address}/comments', {'content': 'x'}))['id']}"
    missing = "/discussions/999999"
    for caller in (nobody, bob):
        assert caller.get(discussions).status_code == 404
        assert caller.post(discussions, {"title": "x"}).status_code == 404
        for method, path, body in (
            ("GET", "", None),
            ("PUT", "", {"title": "x"}),
            ("DELETE", "", None),
            ("GET", "/comments", None),
            ("POST", "/comments", {"content": "x"}),
            ("PUT", comment.removeprefix(address), {"content": "x"}),
            ("DELETE", comment.removeprefix(address), None),
        ):
            hidden, absent = caller.call(method, address + path, body), caller.call(method, missing + path, body)
            assert refusal(hidden) == refusal(absent) == HIDDEN
            assert hidden.json["msg"] == absent.json["msg"]
    with unit_of_work(context) as work:
        set_grant(work, actor=SYSTEM, resource=repository, user=bob.user, role=Role.READ)
    data(bob.post(f"{address}/comments", {"content": "I may read it now"}))
    # What is archived can be read and not changed, by nobody.
    with unit_of_work(context) as work:
        archive_repository(work, actor=SYSTEM, repository_id=repository.id)
    assert data(bob.get(address))["comment_count"] == 2
    assert refusal(bob.post(discussions, {"title": "x"})) == (403, "archived")
    assert refusal(bob.post(f"{address}/comments", {"content": "x"})) == (403, "archived")
    assert refusal(ada.put(comment, {"content": "x"})) == (403, "archived")
    assert refusal(ada.delete(address)) == (403, "archived")
    with unit_of_work(context) as work:
        delete_repository(work, actor=SYSTEM, repository_id=repository.id)
    assert refusal(ada.get(address)) == HIDDEN


def test_odd_numbers_and_texts_are_refused(people, make_repository):
    ada = people["ada"]
    make_repository(ada.user, "thing")
    thing = "/models/ada/thing/discussions"
    address = f"/discussions/{data(ada.post(thing, {'title': 'x'}))['id']}"
    other = f"/discussions/{data(ada.post(thing, {'title': 'y'}))['id']}"
    comment = data(ada.post(f"{address}/comments", {"content": "x"}))["id"]
    for number in ("0", "-1", "x", "9" * 19, "9" * 300, "%00", "1.5"):
        assert ada.get(f"/discussions/{number}").status_code == 404
        assert ada.delete(f"{address}/comments/{number}").status_code in (404, 405)
    assert refusal(ada.put(f"{other}/comments/{comment}", {"content": "y"})) == (404, "comment_not_found")
    for odd in ("", " \n", "a\0b", "\ud800", "x" * 65_537, "\x1b[31m", 5, None):
        for method, path, member in (
            ("POST", thing, "title"),
            ("PUT", address, "title"),
            ("POST", f"{address}/comments", "content"),
            ("PUT", f"{address}/comments/{comment}", "content"),
        ):
            status, code = refusal(ada.call(method, path, {member: odd}))
            assert (status == 400, code) == (True, "REQ-ERR-6"), (method, path, odd)
    assert refusal(ada.post(thing, {"title": "two\nlines"}))[0] == 400
    assert refusal(ada.post(thing, {"title": "x" * 256}))[0] == 400
    for query in ("per=101", "page=0"):
        assert refusal(ada.get(f"{thing}?{query}")) == refusal(ada.get(f"{address}?{query}")) == (400, "REQ-ERR-6")
