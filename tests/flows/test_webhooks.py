"""A push by git reaches a receiver that works out the signature itself, through every process of a real hub."""

from __future__ import annotations

import pytest

from tests.support.hub import pause
from tests.support.receiver import Receiver

pytestmark = pytest.mark.slow

SECRET = "correct-horse-battery"


def test_a_push_is_told_even_when_the_hub_dies_before_it_has_told_it(start_hub, make_checkout):
    hub = start_hub(outgoing_allowed_hosts="127.0.0.1", ssh_port=0)
    ada = hub.new_account()
    checkout = make_checkout(ada, private=True)

    def push(name):
        checkout.user.commit(checkout.work_tree, {name: "hello"})
        checkout.user.push(checkout.work_tree, "HEAD:main")
        return checkout.user.head(checkout.work_tree)

    with Receiver() as receiver:
        body = {"url": receiver.url, "secret": SECRET, "topics": ["push"]}
        address = f"/api/v1/webhooks/{ada.api.post(f'/api/v1/{checkout.path}/webhooks', body).data['uuid']}"
        assert ada.api.post(f"{address}/ping", {}).status == 200
        receiver.wait(1)
        first = push("first.txt")
        receiver.wait(2)

        for process in hub.program("worker"):
            pause(process)
        second = push("second.txt")
        hub.kill()
        assert len(receiver.received) == 2
        hub.start()
        ping, *told = receiver.wait(3)

        assert ping.headers["X-Hub-Event"] == "ping"
        assert [one.json["data"]["changes"][0]["new"] for one in told] == [first, second]
        assert told[1].json["data"]["changes"] == [
            {"ref": "refs/heads/main", "kind": "updated", "old": first, "new": second}
        ]
        assert told[0].json["repository"]["path"] == checkout.path.removeprefix("models/")
        assert told[0].json["sender"] == {"username": ada.name}
        assert all(one.is_signed_with(SECRET) for one in receiver.received)
        [last, *_] = ada.api.get(f"{address}/deliveries").data
        assert last["topic"] == "push"
    assert SECRET not in hub.log_path.read_text()
