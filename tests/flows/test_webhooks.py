"""A push by git reaches a receiver that works out the signature itself, through every process of a real hub."""

from __future__ import annotations

import pytest

from tests.support.receiver import Receiver

pytestmark = pytest.mark.slow

SECRET = "correct-horse-battery"


def test_a_push_is_told_even_when_the_hub_dies_before_it_has_told_it(start_hub, make_checkout):
    # Without a worker what is to be told waits: the push is committed and nobody has heard of it.
    hub = start_hub(outgoing_allowed_hosts="127.0.0.1", ssh_port=0, job_workers=0)
    ada = hub.new_account()
    checkout = make_checkout(ada, private=True)

    def push(name):
        checkout.user.commit(checkout.work_tree, {name: "hello"})
        checkout.user.push(checkout.work_tree, "HEAD:main")
        return checkout.user.head(checkout.work_tree)

    with Receiver() as receiver:
        body = {"url": receiver.url, "secret": SECRET, "topics": ["push"]}
        address = f"/api/v1/webhooks/{ada.api.post(f'/api/v1/{checkout.path}/webhooks', body).data['uuid']}"
        first = push("first.txt")
        hub.kill()
        assert receiver.received == []
        hub.environment["HUB_JOB_WORKERS"] = "1"
        hub.start()
        receiver.wait(1)
        second = push("second.txt")
        told = receiver.wait(2)

        assert [one.json["data"]["changes"][0]["new"] for one in told] == [first, second]
        assert told[1].json["data"]["changes"] == [
            {"ref": "refs/heads/main", "kind": "updated", "old": first, "new": second}
        ]
        assert told[0].json["repository"]["path"] == checkout.path.removeprefix("models/")
        assert told[0].json["sender"] == {"username": ada.name}
        assert all(one.headers["X-Hub-Event"] == "push" and one.is_signed_with(SECRET) for one in told)
        log = ada.api.get(f"{address}/deliveries").data
        assert [entry["topic"] for entry in log] == ["push", "push"]
    assert SECRET not in hub.log_path.read_text()
