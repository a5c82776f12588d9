"""The administrators' console in a browser, on a hub in this process: it accepts the licences of the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from hub.accounts.passwords import hash_password
from hub.accounts.policy import SYSTEM
from hub.accounts.service import create_user
from hub.base.context import Context
from hub.base.settings import Settings
from hub.db.uow import unit_of_work
from hub.jobs.run import JobRun, run_due
from hub.jobs.service import JobSpec, enqueue, register
from tests.support.browser import NARROW, Visitor, visit
from tests.support.hub import PASSWORD, Account
from tests.support.licenses import make_license
from tests.support.processes import free_port

pytestmark = pytest.mark.any_database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The address is known before the server runs: pages of other origins may not write."""
    port = free_port()
    return Settings(home=tmp_path / "home", log_level="warning", port=port, base_url=f"http://127.0.0.1:{port}")


@pytest.fixture
def window(browser: Browser, context: Context, client: FlaskClient) -> Iterator[Visitor]:
    """An administrator's, at a hub that other threads of this process serve."""
    password = hash_password(context, PASSWORD, name="root-1", email="root@example.org")
    with unit_of_work(context) as work:
        create_user(work, actor=SYSTEM, name="root-1", email="root@example.org", password=password, is_admin=True)
    server = make_server("127.0.0.1", context.settings.port, client.application, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    account = Account("root-1", "", _Address(context.settings.base_url), PASSWORD)  # type: ignore[arg-type]
    try:
        with visit(browser, context.settings.base_url, account=account) as visitor:
            yield visitor
            faults = visitor.unexpected()
        assert faults == []
    finally:
        server.shutdown()
        thread.join()


class _Address:
    """As much of a test's hub as an account wants."""

    def __init__(self, url: str) -> None:
        self.url = url


def look(window: Visitor, path: str, page: str) -> None:
    """Open a page; nothing stands in anybody's way there."""
    window.open(f"/admin_panel/{path}", page=page)
    assert window.find_barriers() == []


def test_a_user_is_made_and_switched_off(window: Visitor) -> None:
    page = window.open("/admin_panel/users", page="A-users", state="ready")
    page.get_by_test_id("users.new").click()
    page.get_by_test_id("users.new.name").fill("ada")
    page.get_by_test_id("users.new.email").fill("ada@example.org")
    page.get_by_test_id("users.new.password").fill(PASSWORD)
    page.get_by_test_id("users.create").click()
    expect(page).to_have_url(re.compile("/admin_panel/users/ada$"))
    page.get_by_test_id("user.password_link").click()
    expect(page.get_by_test_id("user.password_link.value")).to_have_text(re.compile("/login/reset[?]token="))
    page.get_by_test_id("user.quota").click()
    page.get_by_test_id("quota.gib").fill("1.5")
    page.get_by_test_id("quota.save").click()
    expect(page.get_by_text("0 B of 1.5 GiB")).to_be_visible()
    assert window.find_barriers() == []
    page.get_by_test_id("user.disable").click()
    page.get_by_test_id("confirm.yes").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("switched off")
    page.get_by_test_id("admin.nav.users").click()
    page.get_by_test_id("users.state").select_option("off")
    expect(page).to_have_url(re.compile(r"/users\?state=off$"))
    expect(page.get_by_test_id("users.row")).to_have_count(1)
    page.get_by_test_id("users.enable").click()
    expect(page.get_by_test_id("empty")).to_be_visible()


def test_a_failed_job_is_tried_again(window: Visitor, context: Context) -> None:
    runs: list[int] = []

    def stumble(run: JobRun) -> None:
        runs.append(1)
        run.log(f"Run {len(runs)}.")
        if len(runs) == 1:
            raise ValueError("The first run breaks.")

    register(context, JobSpec("test.stumble", stumble, max_attempts=1))
    with unit_of_work(context) as work:
        enqueue(work, "test.stumble")
    run_due(context)
    page = window.open("/admin_panel/jobs?state=failed", page="A-jobs", state="ready")
    page.get_by_test_id("jobs.open").click()
    expect(page.get_by_test_id("job.error")).to_contain_text("The first run breaks.")
    assert window.find_barriers() == []
    page.get_by_test_id("job.retry").click()
    expect(page.get_by_test_id("job.cancel")).to_be_visible()
    run_due(context)
    # The page asks again by itself.
    expect(page.get_by_test_id("job.log")).to_contain_text("Run 2.")
    expect(page.get_by_text("succeeded")).to_be_visible()


def test_a_licence_changes_the_edition(window: Visitor) -> None:
    page = window.open("/admin_panel/license", page="A-license")
    now = page.get_by_test_id("license.now")
    expect(now).to_contain_text("Community Edition")
    page.get_by_test_id("license.file").set_input_files(
        {"name": "acme.license", "mimeType": "text/plain", "buffer": make_license(company="Acme", max_user=77).encode()}
    )
    page.get_by_test_id("license.check").click()
    preview = page.get_by_test_id("license.preview")
    expect(preview).to_contain_text("Enterprise Edition")
    expect(preview).to_contain_text("77")
    expect(now).to_contain_text("Community Edition")
    assert window.find_barriers() == []
    page.get_by_test_id("license.import").click()
    expect(now).to_contain_text("Enterprise Edition")
    page.get_by_test_id("admin.nav.dashboard").click()
    expect(page.get_by_test_id("dashboard.edition")).to_have_text("Enterprise Edition")
    expect(page.get_by_test_id("dashboard.figures")).to_be_visible()
    page.get_by_test_id("admin.nav.license").click()
    page.get_by_test_id("license.remove").click()
    page.get_by_test_id("confirm.yes").click()
    expect(now).to_contain_text("Community Edition")


def test_the_console_bars_nobody(window: Visitor) -> None:
    paths = {"dashboard": "A-dashboard", "settings": "A-settings", "tags": "A-tags", "broadcasts": "A-broadcasts"}
    for theme, size in (("light", None), ("dark", NARROW)):
        window.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        if size:
            window.page.set_viewport_size(size)  # type: ignore[arg-type]
        for path, page in paths.items():
            look(window, path, page)
            width = window.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert width <= 0, path
