"""Webhooks of the Hub's form: set up by anybody over what they may see, told in version 3 of its words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from hub.accounts import service as accounts
from hub.accounts.models import User
from hub.accounts.policy import SYSTEM
from hub.base.context import Context
from hub.community.models import Webhook, WebhookDelivery
from hub.db.uow import reading, unit_of_work
from hub.jobs.run import run_due
from hub.repos.models import Repository
from tests.hub.compat.conftest import Call, refusal
from tests.support.receiver import Receiver

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]

BASE = "/hf/api/settings/webhooks"
SECRET = "correct-horse-battery"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def make(call: Call, receiver: Receiver) -> Callable[..., dict[str, Any]]:
    def create(as_: str, *watched: tuple[str, str], **body: Any) -> dict[str, Any]:
        things = [{"type": type, "name": name} for type, name in watched]
        answer = call("POST", BASE, as_, json={"url": receiver.url, "watched": things, **body})
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.get_json()["webhook"]
        return made

    return create


def test_a_webhook_is_its_makers_alone(
    context: Context, call: Call, thing: Repository, make: Callable[..., dict[str, Any]]
) -> None:
    made = make("bob", ("model", "ada/thing"), ("user", "ada"), secret=SECRET, domains=["discussions"])
    at = f"{BASE}/{made['id']}"
    assert made["secret"] == SECRET
    assert made["domains"] == ["discussion"]
    shown = call("GET", at, "bob").get_json()["webhook"]
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert call("GET", BASE, "bob").get_json() == [shown]
    assert call("GET", BASE).get_json() == []
    for method, path in (("GET", at), ("POST", at), ("DELETE", at), ("POST", f"{at}/disable")):
        assert refusal(call(method, path, **({} if method == "GET" else {"json": {}})))[0] == 404
    # The REST API shows what was sent, and lets nobody change what it hears of.
    assert call("GET", f"/api/v1/webhooks/{made['id']}/deliveries", "bob").status_code == 200
    assert call("PUT", f"/api/v1/webhooks/{made['id']}", "bob", json={"topics": ["push"]}).status_code == 400

    changed = call("POST", at, "bob", json={"watched": [], "domains": ["repo"]}).get_json()["webhook"]
    assert (changed["domains"], changed["watched"]) == (["repo"], made["watched"])
    assert call("POST", f"{at}/disable", "bob").get_json()["webhook"]["disabled"] is True
    assert call("POST", f"{at}/enable", "bob").get_json()["webhook"]["disabled"] is False
    assert call("DELETE", at, "bob").status_code == 200
    assert refusal(call("GET", at, "bob"))[0] == 404
    # It goes with its maker.
    make("bob", ("user", "ada"))
    with unit_of_work(context) as work:
        accounts.delete_user(work, actor=SYSTEM, name="bob")
    with reading(context) as work:
        assert work.session.scalars(select(Webhook)).all() == []


def test_what_cannot_be_watched_is_refused(
    call: Call,
    thing: Repository,
    receiver: Receiver,
    people: dict[str, User],
    make_repository: Callable[..., Repository],
) -> None:
    make_repository(people["ada"], "hidden", private=True)
    good = {"url": receiver.url, "watched": [{"type": "model", "name": "ada/thing"}]}
    for wrong, status in (
        ({"watched": []}, 400),
        ({"watched": [{"type": "model", "name": "ada/hidden"}]}, 404),
        ({"watched": [{"type": "org", "name": "ada"}]}, 404),
        ({"watched": [{"type": "bucket", "name": "x"}]}, 400),
        ({"domains": ["all"]}, 400),
        ({"domains": []}, 400),
        ({"url": None}, 400),
        ({"url": "http://169.254.169.254/"}, 400),
        ({"jobSourceId": "x"}, 400),
        ({"secret": "a\0"}, 400),
    ):
        assert refusal(call("POST", BASE, "bob", json=good | wrong))[0] == status, wrong
    assert refusal(call("POST", BASE, None, json=good))[0] == 401


def test_events_are_told_in_version_3_and_only_what_the_maker_may_see(
    context: Context,
    call: Call,
    thing: Repository,
    receiver: Receiver,
    make: Callable[..., dict[str, Any]],
    write: Callable[..., str],
    people: dict[str, User],
    make_repository: Callable[..., Repository],
) -> None:
    own = call("POST", "/api/v1/models/ada/thing/webhooks", json={"url": receiver.url, "topics": ["push"]})
    assert own.status_code == 200
    both = make("bob", ("model", "ada/thing"), ("user", "ada"), secret=SECRET)
    make("bob", ("user", "bob"))
    hidden = make_repository(people["ada"], "hidden", private=True)
    head = write(thing, {"x.txt": b"1"})
    write(hidden, {"x.txt": b"1"})
    discussion = call("POST", "/api/v1/models/ada/thing/discussions", json={"title": "Why?"}).get_json()["data"]
    call("POST", f"/api/v1/discussions/{discussion['id']}/comments", json={"content": "So."})
    call("POST", "/hf/api/repos/move", json={"fromRepo": "ada/thing", "toRepo": "ada/other", "type": "model"})
    run_due(context)

    plain = [one for one in receiver.received if "X-Webhook-Secret" not in one.headers]
    assert [one.json["topic"] for one in plain] == ["push"]
    told = [one.json for one in receiver.received if one.headers.get("X-Webhook-Secret") == SECRET]
    said = [(one["event"]["action"], one["event"]["scope"]) for one in told]
    assert sorted(said) == [
        ("create", "discussion"),
        ("create", "discussion.comment"),
        ("move", "repo"),
        ("update", "repo.content"),
    ]
    by_scope = {one["event"]["scope"]: one for one in told}
    push, move, comment = by_scope["repo.content"], by_scope["repo"], by_scope["discussion.comment"]
    assert push["webhook"] == {"id": both["id"], "version": 3}
    assert push["repo"]["head_sha"] == push["updatedRefs"][0]["newSha"] == head
    assert (push["repo"]["type"], push["repo"]["private"]) == ("model", False)
    assert push["repo"]["url"]["api"].endswith("/api/models/ada/thing")
    assert (move["repo"]["name"], move["movedTo"]["name"]) == ("ada/thing", "ada/other")
    assert (comment["comment"]["content"], comment["comment"]["hidden"]) == ("So.", False)
    assert (comment["discussion"]["num"], comment["discussion"]["status"]) == (1, "open")
    assert comment["discussion"]["isPullRequest"] is False
    # What is hidden from bob is not even written down for him.
    with reading(context) as work:
        assert not [one for one in work.session.scalars(select(WebhookDelivery.payload)) if "ada/hidden" in one]
