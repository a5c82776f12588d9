"""A hub's first hour: from an empty volume, in a browser, to the first push."""

from __future__ import annotations

import re
import subprocess

import pytest
from playwright.sync_api import expect

from tests.support.browser import NARROW, visit
from tests.support.processes import free_ports


def push_by(commands: str, token: str, folder) -> subprocess.CompletedProcess[str]:
    """Run the commands that the page gives; git gets the token as the page says."""
    helper = folder / "askpass"
    helper.write_text(f"#!/bin/sh\necho {token}\n")
    helper.chmod(0o755)
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "GIT_ASKPASS": str(helper),
        **{f"GIT_{who}_{what}": f"ada@{what.lower()}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    return subprocess.run(
        ["sh", "-ec", commands], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def new_hub(start_hub):
    return start_hub()


def test_an_empty_volume_is_set_up_and_takes_its_first_push(browser, new_hub, tmp_path):
    with visit(browser, new_hub.url) as window:
        page = window.open("/", page="W1")
        assert page.url.endswith("/setup/language")
        page.get_by_test_id("setup.next").click()
        expect(page.locator("[data-check=git]")).to_have_attribute("data-status", "ok")
        assert window.find_barriers() == []
        page.get_by_test_id("setup.next").click()
        expect(page.get_by_test_id("setup.browser")).to_have_attribute("data-status", "ok")
        expect(page.get_by_test_id("setup.in_force")).to_be_visible()
        # An address that leads nowhere is seen by the browser and by the hub, and is not what the hub has.
        [nowhere] = free_ports(1)
        for fault in ("left the hub", "ERR_CONNECTION_REFUSED"):
            window.expect_fault(fault)
        page.get_by_test_id("setup.address").fill(f"http://127.0.0.1:{nowhere}")
        page.get_by_test_id("setup.try").click()
        expect(page.get_by_test_id("setup.browser")).to_have_attribute("data-status", "fail")
        expect(page.get_by_test_id("setup.server")).to_contain_text("Nothing answers")
        expect(page.get_by_test_id("setup.line")).to_contain_text(f'base_url = "http://127.0.0.1:{nowhere}"')
        page.get_by_test_id("setup.address").fill(new_hub.url)
        page.get_by_test_id("setup.try").click()
        expect(page.get_by_test_id("setup.in_force")).to_be_visible()
        page.get_by_test_id("setup.next").click()
        # Two have come as far as this; the one who is first is the administrator.
        with visit(browser, new_hub.url, size=NARROW, theme="dark") as other:
            late = other.open("/setup/administrator", page="W1")
            assert other.find_barriers() == []
            fill_in_administrator(page, "ada")
            expect(page).to_have_url(re.compile("/setup/edition"))
            other.expect_fault("409")
            fill_in_administrator(late, "eve")
            expect(late.get_by_role("alert")).to_contain_text("set_up_done")
            assert other.unexpected() == []
        for _ in range(3):
            page.get_by_test_id("setup.next").click()
        page.get_by_test_id("setup.make").click()
        expect(page.get_by_test_id("setup.samples")).to_have_attribute("data-job", "succeeded")
        page.get_by_test_id("setup.next").click()
        expect(page.get_by_test_id("setup.config")).to_contain_text("base_url")
        assert window.find_barriers() == []
        page.get_by_test_id("setup.repository").click()
        expect(page.get_by_test_id("toast")).to_be_visible()
        page.get_by_test_id("setup.token").click()
        expect(page.get_by_test_id("setup.token.value")).to_have_text(re.compile(r"^\w{32}$"))
        token = page.get_by_test_id("setup.token.value").inner_text()
        done = push_by(page.get_by_test_id("setup.commands").locator("code").inner_text(), token, tmp_path)
        assert done.returncode == 0, done.stderr
        assert new_hub.api.get("/api/v1/models/ada/first-model/raw/hello.txt").status == 200
        assert new_hub.api.get("/api/v1/models/ada/iris-classifier/raw/config.json").status == 200
        page.get_by_test_id("setup.open").click()
        expect(page.locator("h1")).to_contain_text("first-model")
        assert window.unexpected() == []
    assert new_hub.api.get("/setup").status == 404


def fill_in_administrator(page, name):
    page.get_by_test_id("setup.username").fill(name)
    page.get_by_test_id("setup.email").fill(f"{name}@example.org")
    page.get_by_test_id("setup.password").fill("correct-horse-battery")
    page.get_by_test_id("setup.create").click()
