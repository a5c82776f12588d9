import json

import pytest

from hub.base.errors import Invalid, NotFound
from hub.jobs.run import run_due
from tests.support.cli import make_runner
from tests.support.receiver import Receiver

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]

SECRET = "correct-horse-battery"


def test_webhooks_are_made_listed_told_again_and_deleted(context, settings, make_user, make_repository):
    hub = make_runner(context, settings, "webhook")
    ada = make_user("ada")
    make_user("root", admin=True)
    make_repository(ada, "thing")
    run_due(context)
    with Receiver(200) as receiver:
        options = ("--user", "ada", "--namespace", "ada", "--topic", "push", "--topic", "repository.created")
        created = hub("create", receiver.url, *options, "--secret-stdin", "--json", input=f"{SECRET}\n")
        uuid = json.loads(created)["uuid"]
        assert SECRET not in created
        hub("create", "http://127.0.0.1:9/", "--user", "ada", "--repository", "models/ada/thing", "--name", "CI")
        hub("create", "http://127.0.0.1:9/", "--user", "root")
        assert [hook["topics"] for hook in json.loads(hub("list", "--namespace", "ada", "--json"))] == [
            ["push", "repository.created"]
        ]
        assert "CI" in hub("list", "--repository", "models/ada/thing")
        assert json.loads(hub("list", "--json"))[0]["created_by"] == "root"
        hub("create", "http://10.0.0.1/", "--user", "ada", "--namespace", "ada", refused=Invalid)
        hub("create", "http://127.0.0.1:9/", "--user", "ada", "--repository", "ada/thing", status=2)
        hub("list", "--namespace", "nobody", refused=NotFound)

        make_repository(ada, "other")
        run_due(context)
        first, second = json.loads(hub("deliveries", uuid, "--json"))
        assert {first["topic"], second["topic"]} == {"push", "repository.created"}
        again = json.loads(hub("redeliver", uuid, first["uuid"], "--json"))
        run_due(context)
        assert f"{again['uuid']}  {first['topic']}" in hub("deliveries", uuid)
        told = [request.headers["X-Hub-Delivery"] for request in receiver.received]
        assert sorted(told) == sorted([first["uuid"], second["uuid"], again["uuid"]])
        assert all(request.is_signed_with(SECRET) for request in receiver.received)
    hub("delete", uuid)
    hub("deliveries", uuid, refused=NotFound)
