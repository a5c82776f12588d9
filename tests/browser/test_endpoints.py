"""Deployments in a browser: from a model's button until it answers in the playground; and why one does not."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support import demo_files
from tests.support.browser import NARROW, visit
from tests.support.compute import LocalCompute
from tests.support.engines import programs_setting
from tests.support.git import GitUser
from tests.support.hub import Account, HubServer
from tests.support.processes import free_range
from tests.support.servers import scratch_directory

pytestmark = pytest.mark.slow

# Loading a model takes some seconds on a machine that does much else.
_LOADING_MS = 90_000
_SHOWN = ("logs", "analysis", "versions", "settings")
_GGUF = "model.gguf"
_TOKENS = re.compile(r"(\d+) \+ (\d+) tokens")


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    """A hub with llama.cpp; whatever it starts ends with it."""
    settings = {
        "ssh_port": 0,
        "compute_ports": free_range(20),
        "inference_engine_programs": programs_setting("llama.cpp"),
    }
    with scratch_directory("endpoints") as folder:
        server = HubServer(folder / "home", settings)
        try:
            yield server.start()
        finally:
            server.stop()
            LocalCompute(server.home).close()


@pytest.fixture(scope="module")
def ada(hub: HubServer) -> Account:
    return hub.create_user("ada")


def _push(ada: Account, name: str, home: Path, weights: Path) -> None:
    """A model of Ada's with these weights."""
    person, place = GitUser(home), home / "work"
    person.clone(ada.address(ada.create_repository(name)), place)
    shutil.copyfile(weights, place / _GGUF)
    person.git("lfs", "track", "*.gguf", cwd=place)
    person.git("add", "--all", cwd=place)
    person.git("commit", "--quiet", "--message", "Weights", cwd=place)
    person.push(place, "main")


def test_a_model_is_deployed_with_its_button_and_answers_in_the_playground(
    browser, hub: HubServer, ada: Account, tmp_path: Path, model_file: Path
):
    _push(ada, "small", tmp_path / "person", model_file)
    with visit(browser, hub.url, account=ada) as visitor:
        page = visitor.open("/models/ada/small")
        page.get_by_test_id("repository.deploy").click()
        expect(page.get_by_test_id("deploy.file")).to_contain_text(_GGUF)
        page.get_by_test_id("deploy.name").fill("chat")
        assert visitor.find_barriers() == []
        page.get_by_test_id("deploy.submit").click()
        # It stands in the page as soon as it is so, without anybody loading it anew.
        expect(page.get_by_test_id("endpoint.status")).to_have_text("running", timeout=_LOADING_MS)
        assert visitor.find_barriers() == []
        place = page.url
        page.get_by_test_id("endpoint.playground").click()
        page.get_by_test_id("playground.max-tokens").fill("8")
        page.get_by_test_id("playground.draft").fill("Name a colour.")
        page.keyboard.press("Enter")
        # At its usual temperature a model may say less than it is allowed to.
        stats = page.get_by_test_id("playground.stats")
        expect(stats).to_contain_text(_TOKENS, timeout=_LOADING_MS)
        shown = tuple(map(int, _TOKENS.search(stats.inner_text()).groups()))
        assert hub.rows("SELECT prompt_tokens, completion_tokens FROM inference_calls") == [shown]
        for tab in _SHOWN:
            page.goto(f"{place}/{tab}")
            if tab == "logs":
                expect(page.get_by_test_id("endpoint.log")).to_contain_text("model loaded")
            if tab == "analysis":
                expect(page.get_by_test_id("endpoint.calls")).to_have_text("1")
            if tab == "versions":
                expect(page.get_by_test_id("versions.percent-of")).to_have_text("100 %")
            assert visitor.find_barriers() == [], tab
        # Whoever asks it while it is stopped is told, and wakes it from there.
        visitor.expect_fault("503")
        page.goto(place)
        page.get_by_test_id("endpoint.playground").click()
        page.get_by_test_id("playground.max-tokens").fill("8")
        address = f"/api/v1/models/ada/small/run/{place.rpartition('/')[2]}"
        assert ada.api.put(f"{address}/stop").status == 200
        page.get_by_test_id("playground.draft").fill("Name a colour.")
        page.keyboard.press("Enter")
        page.get_by_test_id("playground.wake").click()
        expect(stats).to_contain_text(_TOKENS, timeout=_LOADING_MS)
        page.goto(place)
        page.get_by_test_id("endpoint.stop").click()
        expect(page.get_by_test_id("endpoint.status")).to_have_text("stopped", timeout=_LOADING_MS)
    assert visitor.unexpected() == []


def test_why_a_deployment_fails_is_told_on_a_phone_as_well(browser, hub: HubServer, ada: Account, tmp_path: Path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(demo_files.gguf(0.001))
    _push(ada, "broken", tmp_path / "person", broken)
    with visit(browser, hub.url, account=ada, size=NARROW, theme="dark") as visitor:
        page = visitor.open("/endpoints/new?model_id=ada/broken", page="R1", state="ready")
        page.get_by_test_id("deploy.submit").click()
        page.wait_for_url(re.compile(r"/endpoints/ada/broken/\d+$"))
        cause = page.get_by_test_id("endpoint.cause")
        expect(cause).to_contain_text("The engine cannot read the model's files", timeout=_LOADING_MS)
        expect(page.get_by_test_id("endpoint.cause-log")).not_to_be_empty()
        assert visitor.find_barriers() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.goto(f"{page.url}/settings")
        page.get_by_test_id("endpoint.delete").click()
        page.get_by_test_id("confirm.word").fill("broken")
        page.get_by_test_id("confirm.yes").click()
        page.wait_for_url(re.compile(r"/endpoints$"))
        expect(page.get_by_text("ada/broken")).to_have_count(0)
    assert visitor.unexpected() == []
