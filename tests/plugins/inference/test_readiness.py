"""Deployments that are called: in the moment of falling asleep, by how many, and at which of their instances."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import Client

from hub.accounts.models import User
from hub.base.context import Context
from hub.compute.machines import MACHINES
from hub.compute.models import Workload
from hub.compute.service.reconciling import refresh
from hub.compute.states import Code
from hub.db.uow import reading
from hub.plugin.outgoing import get_own_channels
from plugins.inference.gateway import readiness as readiness_module
from plugins.inference.gateway.app import create_gateway
from tests.plugins.inference import test_deployments as ground
from tests.plugins.inference.conftest import completion
from tests.support.processes import wait_until
from tests.support.wire import WireServer, serving

# A model of Ada's, what it is deployed on, and a driver that runs nothing.
client, deploy, hub = ground.client, ground.deploy, ground.hub
run_jobs, sign, sku, tiny = ground.run_jobs, ground.sign, ground.sku, ground.tiny

pytestmark = [pytest.mark.any_database, pytest.mark.settings(compute="fake")]


class Driven:
    """What the driver says of a workload from now on, and what it was told."""

    def __init__(self, hub: Context, monkeypatch: pytest.MonkeyPatch) -> None:
        driver = hub[MACHINES].driver
        self._hub, self._ask = hub, driver.statuses
        self.said: dict[str, Any] = {}
        self.woken: list[str] = []
        self.calls: list[Mapping[str, int]] = []
        self.at_wake: dict[str, Any] = {}
        monkeypatch.setattr(driver, "statuses", self._statuses)
        monkeypatch.setattr(driver, "wake", self._wake)
        monkeypatch.setattr(driver, "touch", self._touch)

    def say(self, **said: Any) -> None:
        """Say so, and have it written down."""
        self.said = said
        with reading(self._hub) as work:
            ids = list(work.session.scalars(select(Workload.id)))
        refresh(self._hub, ids)

    def _statuses(self, names: Any) -> Any:
        return {name: replace(one, **self.said) for name, one in self._ask(names).items()}

    def _wake(self, svc_name: str) -> None:
        self.woken.append(svc_name)
        self.said = dict(self.at_wake)

    def _touch(self, _svc_name: str, *, calls: Mapping[str, int] | None = None) -> None:
        if calls is not None:
            self.calls.append(calls)


@pytest.fixture
def driven(hub: Context, deploy: Any, run_jobs: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driven]:
    """A deployment that may have three instances, and sleeps."""
    monkeypatch.setattr(readiness_module, "_ELASTIC_TOUCH_S", 0.05)
    monkeypatch.setattr("hub.compute.service.polling.FRESH_S", 0.0)
    assert deploy(min_replica=0, max_replica=3).status_code == 200
    run_jobs()
    yield Driven(hub, monkeypatch)
    wait_until(lambda: not _watching(), what="nobody to keep it awake")
    get_own_channels(hub).close()


@pytest.fixture
def play() -> Iterator[Callable[..., WireServer]]:
    """``play(talk)``: an engine that says this, as bytes or by a function."""
    with ExitStack() as stack:

        def start(say: Any) -> WireServer:
            def talk(connection: Any, request: bytes) -> bool | None:
                if callable(say):
                    found: bool | None = say(connection, request)
                    return found
                connection.sendall(say)
                return None

            return stack.enter_context(serving(talk))

        yield start


@pytest.fixture
def ask(hub: Context, make_key: Any) -> Callable[[], Any]:
    """``ask()``: the answer to a chat with the deployment."""
    caller, key = Client(create_gateway(hub)), make_key()
    body = {"model": "tiny:1", "messages": [{"role": "user", "content": "hello"}]}
    return lambda: caller.post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"})


def test_a_call_in_the_moment_of_falling_asleep_is_sent_again_when_it_is_awake(
    driven: Driven, play: Any, ask: Any, calls: Any
) -> None:
    good = play(completion("awake again"))

    def fall_asleep(_connection: Any, _request: bytes) -> bool:
        driven.said = {"code": Code.SLEEPING, "endpoint": "", "instances": (), "actual": 0}
        return False

    dying = play(fall_asleep)
    driven.at_wake = {"code": Code.RUNNING, "endpoint": good.url("")}
    # More often than an upstream may fail before it is left alone.
    for number in range(4):
        driven.say(code=Code.RUNNING, endpoint=dying.url(""))
        answer = ask()
        assert answer.status_code == 200, answer.text
        assert answer.json["choices"][0]["message"]["content"] == "awake again"
        assert len(driven.woken) == number + 1
        driven.say(code=Code.SLEEPING, endpoint="", instances=(), actual=0)
        wait_until(lambda: not _watching(), what="nobody to keep it awake")
    assert [call.status for call in calls()] == [200] * 4


def _watching() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("awake-")]


def test_a_call_whose_instance_has_gone_for_good_goes_to_those_that_are_left(
    driven: Driven, play: Any, ask: Any
) -> None:
    good = play(completion("the other one"))

    def retire(_connection: Any, _request: bytes) -> bool:
        driven.said = {"code": Code.RUNNING, "endpoint": good.url("")}
        return False

    driven.say(code=Code.RUNNING, endpoint=play(retire).url(""))
    answer = ask()
    assert (answer.status_code, driven.woken) == (200, []), answer.text
    assert answer.json["choices"][0]["message"]["content"] == "the other one"


def test_what_was_stopped_is_called_as_soon_as_it_is_started_again(
    driven: Driven, play: Any, ask: Any, client: Any, sign: Any, ada: User
) -> None:
    def change(word: str) -> None:
        assert client.put(f"{ground.PLACE}/run/1/{word}", headers=sign(ada, "admin")).status_code == 200

    change("stop")
    refused = ask()
    assert (refused.status_code, refused.json["error"]["code"]) == (503, "model_not_running")
    change("start")
    driven.said = {"code": Code.RUNNING, "endpoint": play(completion("here again")).url(""), "task_id": 2}
    answer = ask()
    assert answer.status_code == 200, answer.text


def test_what_ends_for_another_reason_is_not_asked_again(driven: Driven, play: Any, ask: Any) -> None:
    asked = []

    def break_down(_connection: Any, request: bytes) -> bool:
        asked.append(request)
        driven.said = {"code": Code.DEPLOYING, "reason": "Signal:SIGSEGV", "endpoint": ""}
        return False

    driven.say(code=Code.RUNNING, endpoint=play(break_down).url(""))
    assert ask().status_code == 502
    assert len(asked) == 1


def test_the_driver_hears_how_many_calls_are_under_way_and_each_goes_to_the_least_busy(
    driven: Driven, play: Any, ask: Any
) -> None:
    release = threading.Event()
    asked: Counter[str] = Counter()

    def hold(name: str) -> Callable[..., None]:
        def talk(connection: Any, _request: bytes) -> None:
            asked[name] += 1
            release.wait(120)
            connection.sendall(completion(name))

        return talk

    places = {name: play(hold(name)).url("") for name in ("one", "two", "three")}
    driven.say(code=Code.RUNNING, endpoint=",".join(places.values()))
    answers: list[Any] = []
    callers = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(6)]
    try:
        # One after the other, as each is to see where those before it went.
        for number, caller in enumerate(callers, 1):
            caller.start()
            wait_until(lambda number=number: sum(asked.values()) >= number, what=f"{number} calls to arrive")  # type: ignore[misc]
        assert asked == {"one": 2, "two": 2, "three": 2}
        wait_until(lambda: dict.fromkeys(places.values(), 2) in driven.calls, what="the driver to hear of them")
    finally:
        release.set()
        for caller in callers:
            caller.join(120)
    assert [answer.status_code for answer in answers] == [200] * 6
