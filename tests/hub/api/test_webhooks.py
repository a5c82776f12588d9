"""The REST routes of webhooks: who may use them, what they answer, and that no answer or log holds a secret."""

import logging
import uuid

import pytest

from hub.accounts.models import Member, Role
from hub.db.uow import unit_of_work
from hub.jobs.run import run_due
from tests.hub.api.test_accounts import Caller, data, refusal
from tests.support.receiver import Receiver

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]

SECRET = "correct-horse-battery"
UNSIGNED = (401, "AUTH-ERR-0")
DENIED = (403, "AUTH-ERR-2")


@pytest.fixture
def people(context, client, make_user, make_token, make_organization):
    """A caller each: ada administers acme, bob reads there, eve is a stranger, root administers the hub."""
    acme, callers = make_organization("acme"), {}
    for name in ("ada", "bob", "eve", "root"):
        user = make_user(name, admin=name == "root")
        callers[name] = Caller(client, make_token(user, "admin"))
        callers[name].user = user
    with unit_of_work(context) as work:
        for name, role in (("ada", Role.ADMIN), ("bob", Role.READ)):
            user = callers[name].user
            work.session.add(Member(organization_id=acme.id, user_id=user.id, role=role, created_at=work.now()))
    callers["acme"] = acme
    return callers


def test_a_webhook_from_its_making_to_its_end(context, people, make_repository, caplog):
    caplog.set_level(logging.DEBUG)
    ada, acme = people["ada"], people["acme"]
    thing = make_repository(acme, "thing", private=True)
    answers = []

    def seen(response):
        answers.append(response.get_data(as_text=True))
        return data(response)

    with Receiver(500) as receiver:
        body = {"url": receiver.url, "secret": SECRET, "topics": ["repository.updated"], "name": "CI"}
        made = seen(ada.post("/models/acme/thing/webhooks", body))
        assert made | {"uuid": "", "created_at": "", "updated_at": ""} == {
            "uuid": "",
            "name": "CI",
            "url": receiver.url,
            "topics": ["repository.updated"],
            "active": True,
            "has_secret": True,
            "failure_count": 0,
            "repository": {"id": thing.id, "type": "model", "path": "acme/thing"},
            "namespace": None,
            "created_by": "ada",
            "created_at": "",
            "updated_at": "",
        }
        address = f"/webhooks/{made['uuid']}"
        assert seen(ada.get(address)) == made
        listed = ada.get("/models/acme/thing/webhooks?per=1").json
        assert (listed["total"], listed["data"]) == (1, [made])

        seen(ada.put("/models/acme/thing", {"description": "new"}))
        run_due(context)
        [first] = seen(ada.get(f"{address}/deliveries"))
        assert (first["topic"], first["state"], first["attempt"], first["status"]) == (
            "repository.updated",
            "pending",
            1,
            500,
        )
        again = seen(ada.post(f"{address}/deliveries/{first['uuid']}/redeliver"))
        assert (again["event_id"], again["is_redelivery"], again["state"]) == (first["event_id"], True, "pending")
        pinged = seen(ada.post(f"{address}/ping"))
        run_due(context)
        assert [request.headers["X-Hub-Event"] for request in receiver.received] == ["repository.updated"] * 2 + [
            "ping"
        ]
        assert all(request.is_signed_with(SECRET) for request in receiver.received)
        assert receiver.received[-1].json["data"]["webhook"]["uuid"] == made["uuid"]
        shown = seen(ada.get(f"{address}/deliveries/{again['uuid']}"))
        assert shown["payload"] == receiver.received[1].body.decode()
        assert (shown["response_body"], shown["response_headers"]["X-Answer"]) == ("thank you", "yes")
        page = ada.get(f"{address}/deliveries?per=1").json
        assert (page["total"], page["data"][0]["uuid"]) == (3, pinged["uuid"])

        # What is not named stays; an empty secret ends the signing; a webhook that is off is told nothing but pings.
        changed = seen(ada.put(address, {"name": "CD", "topics": [], "active": False}))
        assert (changed["name"], changed["topics"], changed["active"], changed["has_secret"]) == ("CD", [], False, True)
        assert changed["url"] == receiver.url
        assert seen(ada.put(address, {"secret": ""}))["has_secret"] is False
        seen(ada.post(f"{address}/ping"))
        run_due(context)
        assert "X-Hub-Signature-256" not in receiver.received[-1].headers

    told = "".join(answers) + caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert SECRET not in told
    assert "sealed" not in told
    assert receiver.received[0].headers["X-Hub-Signature-256"] not in told
    data(ada.delete(address))
    assert refusal(ada.get(address)) == (404, "webhook_not_found")
    assert (
        "data" not in ada.get("/models/acme/thing/webhooks").json
        or not ada.get("/models/acme/thing/webhooks").json["data"]
    )


def test_who_may(people, client, make_repository, context):
    ada, bob, eve, root, acme = people.values()
    nobody = Caller(client)
    make_repository(acme, "open")
    make_repository(acme, "shut", private=True)
    url = {"url": "https://hooks.example.invalid/"}
    # The route, who may, and what those who may not are told: bob, eve, nobody.
    table = {
        "/models/acme/open/webhooks": (ada, DENIED, DENIED, UNSIGNED),
        "/models/acme/shut/webhooks": (ada, DENIED, (404, "REPO-ERR-3"), (404, "REPO-ERR-3")),
        "/organization/acme/webhooks": (ada, DENIED, DENIED, UNSIGNED),
        "/user/ada/webhooks": (ada, DENIED, DENIED, UNSIGNED),
        "/admin/webhooks": (root, DENIED, DENIED, UNSIGNED),
    }
    for route, (owner, *refused) in table.items():
        for caller, expected in zip((bob, eve, nobody), refused, strict=True):
            assert refusal(caller.get(route)) == expected, route
            assert refusal(caller.post(route, url)) == expected, route
        address = f"/webhooks/{data(owner.post(route, url))['uuid']}"
        assert len(data(owner.get(route))) == 1
        assert len(data(root.get(route))) == 1
        for caller, expected in (
            (bob, (404, "webhook_not_found")),
            (eve, (404, "webhook_not_found")),
            (nobody, UNSIGNED),
        ):
            for act in (
                lambda caller, at: caller.get(at),
                lambda caller, at: caller.put(at, {"name": "x"}),
                lambda caller, at: caller.delete(at),
                lambda caller, at: caller.post(f"{at}/ping"),
                lambda caller, at: caller.get(f"{at}/deliveries"),
                lambda caller, at: caller.get(f"{at}/deliveries/{uuid.uuid4()}"),
                lambda caller, at: caller.post(f"{at}/deliveries/{uuid.uuid4()}/redeliver"),
            ):
                assert refusal(act(caller, address)) == expected, route
        assert data(root.put(address, {"name": "x"}))["created_by"] == "root"


def test_what_is_refused(people, make_repository, client, make_token):
    ada, acme = people["ada"], people["acme"]
    make_repository(acme, "thing")
    route = "/models/acme/thing/webhooks"
    for url in (
        "http://10.0.0.1/",
        "http://2130706433/",
        "http://ada:x@example.org/",
        "http://169.254.169.254/",
        "gopher://x",
    ):
        assert refusal(ada.post(route, {"url": url})) == (400, "outgoing_refused")
    good = data(ada.post(route, {"url": "http://127.0.0.1:9/"}))
    address = f"/webhooks/{good['uuid']}"
    assert refusal(ada.put(address, {"url": "http://10.0.0.1/"})) == (400, "outgoing_refused")
    assert refusal(ada.post(route, {"url": "https://hooks.example.invalid/", "topics": ["pull"]})) == (
        400,
        "topic_unknown",
    )
    assert refusal(ada.post(route, {"url": "https://hooks.example.invalid/", "name": "\0"})) == (400, "text_invalid")
    for body in (
        {},
        {"url": ""},
        {"url": "x" * 3000},
        {"url": "https://x.example.invalid/", "topics": "push"},
        {"url": 1},
    ):
        assert ada.post(route, body).status_code == 400
    assert ada.get(f"{address}/deliveries?page=0").status_code == 400
    assert refusal(ada.get(f"{address}/deliveries/{uuid.uuid4()}")) == (404, "delivery_not_found")
    assert ada.get("/webhooks/no-uuid").status_code == 404
    reader = Caller(client, make_token(ada.user, "read"))
    assert refusal(reader.post(route, {"url": "http://127.0.0.1:9/"})) == DENIED
    topics = {topic["name"] for topic in data(Caller(client).get("/webhooks/topics"))}
    assert {"push", "repository.created", "discussion.created", "comment.created", "member.added"} <= topics


def test_a_list_of_webhooks_asks_the_database_as_often_however_many_there_are(people, count_queries):
    ada, counts = people["ada"], []
    for _ in range(2):
        for _ in range(2):
            data(ada.post("/organization/acme/webhooks", {"url": "https://hooks.example.invalid/"}))
        with count_queries() as queries:
            data(ada.get("/organization/acme/webhooks"))
        counts.append(len(queries))
    assert counts[0] == counts[1]
