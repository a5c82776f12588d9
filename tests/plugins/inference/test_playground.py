"""The playground's pages: which mode they show, and waking what does not answer."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from hub.accounts.models import User
from hub.base.context import Context
from hub.compute.models import Desired, Workload
from hub.compute.states import Code
from hub.db.uow import reading, unit_of_work
from tests.plugins.inference import test_pages as ground
from tests.plugins.inference.conftest import completion

# A model of Ada's, what it is deployed on, a driver that runs nothing, and browsers of people who are signed in.
bob, client, deploy, hub, look = ground.bob, ground.client, ground.deploy, ground.hub, ground.look
run_jobs, sign, signed_in, sku, tiny = ground.run_jobs, ground.sign, ground.signed_in, ground.sku, ground.tiny

pytestmark = [pytest.mark.any_database, pytest.mark.settings(compute="fake", outgoing_allowed_hosts="127.0.0.1")]

JSON = {"Accept": "application/json"}


def test_a_model_that_does_not_answer_is_woken_by_whoever_may_call_it(
    hub: Context, client: FlaskClient, ada: User, bob: User, deploy: Any, run_jobs: Any, signed_in: Any
) -> None:
    assert deploy(min_replica=1).status_code == 200
    run_jobs()
    address = "/playground/readiness?model=tiny:1"
    assert client.get(address, headers=JSON).status_code == 401
    signed_in(ada)
    assert client.get(address, headers=JSON).json["status"] == "Running"
    assert client.get(address, headers=JSON).json["is_ready"] is True
    # What sleeps is anybody's to wake who may call it; what was stopped is its owners' to start.
    with unit_of_work(hub) as work:
        work.session.execute(update(Workload).values(code=Code.STOPPED, desired="stopped"))
    assert client.post(address, headers=JSON).status_code == 403
    headers = JSON | {"X-CSRF-Token": signed_in(bob)}
    for ask in (client.get, client.post):
        assert ask(address, headers=headers).status_code == 404
    with unit_of_work(hub) as work:
        work.session.execute(update(Workload).values(is_private=False))
    assert client.get(address, headers=JSON).json["is_ready"] is False
    assert client.post(address, headers=headers).status_code == 403
    headers = JSON | {"X-CSRF-Token": signed_in(ada)}
    assert client.post(address, headers=headers).json["has_failed"] is False
    with reading(hub) as work:
        assert work.session.scalars(select(Workload.desired)).all() == [Desired.RUNNING]
    assert client.get("/playground/readiness?model=none", headers=JSON).status_code == 404


def test_what_a_model_does_is_what_is_tried_with_it(look: Any, ada: User, serve: Any) -> None:
    serve(completion(), "embed", task="feature-extraction")
    serve(completion(), "write")
    assert 'data-mode="chat"' in look("/playground", ada).text
    assert 'data-mode="embedding"' in look("/playground?model=embed", ada).text
    page = look("/playground?mode=completion&model=write", ada).text
    assert 'data-mode="completion"' in page
    # What no model does is offered to nobody, and says so to who asks for it.
    assert 'data-testid="playground.mode-speech"' not in page
    assert 'data-state="empty"' in look("/playground?mode=speech", ada).text
    assert 'data-mode="chat"' in look("/playground?mode=nonsense", ada).text


def test_where_nothing_chats_something_else_is_tried(look: Any, ada: User, serve: Any) -> None:
    serve(completion(), "embed", task="feature-extraction")
    assert 'data-mode="embedding"' in look("/playground", ada).text
