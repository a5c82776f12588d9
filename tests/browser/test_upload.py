"""The uploader: folders and a large file through a cut of the network and a reload, conflicts, proposals."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from playwright.sync_api import Page, Route, expect

from tests.support.browser import NARROW, visit

MIB = 1024 * 1024
PART = 8 * MIB
PARTS = 8


def open_uploader(window, path: str, folder: str = "") -> Page:
    page = window.open(f"/{path}/main/upload" + (f"?path={folder}" if folder else ""), page="F4")
    page.locator("[data-uploader][data-ready]").wait_for()
    return page


def make_tree(root: Path, count: int) -> Path:
    """Small texts in folders."""
    for number in range(count):
        file = root / f"shelf {number % 7}" / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"file {number}\n" * 20)
    return root


class Parts:
    """The parts on their way; holds them back from the given one on, until they are let go."""

    def __init__(self, page: Page) -> None:
        self.sent: list[int] = []
        self.held: list[Route] = []
        self.hold_after: int | None = None
        page.route("**/parts/*", self._take)

    def _take(self, route: Route) -> None:
        if self.hold_after is not None and len(self.sent) >= self.hold_after:
            self.held.append(route)
            return
        self.sent.append(int(re.search(r"/parts/(\d+)", route.request.url)[1]))
        route.continue_()

    def release(self) -> None:
        """Let go what was held back; nothing more is."""
        self.hold_after = None
        for route in self.held:
            route.continue_()
        self.held.clear()


def test_folders_and_a_large_file_arrive_whole_through_a_cut_and_a_reload(open_window, person, tmp_path, git_user):
    path = person.create_repository("uploaded")
    window = open_window(person)
    for fault in ("ERR_INTERNET_DISCONNECTED", "ERR_FAILED", "Failed to fetch"):
        window.expect_fault(fault)
    folder = make_tree(tmp_path / "shelves", 300)
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(PARTS * PART - 1234))

    page = open_uploader(window, path, "data")
    page.on("dialog", lambda dialog: dialog.accept())
    parts = Parts(page)
    parts.hold_after = 3
    page.get_by_test_id("upload.folder").set_input_files(folder)
    page.get_by_test_id("upload.files").set_input_files(large)
    expect(page.get_by_test_id("upload.sum")).to_contain_text("301 files")
    assert window.find_barriers() == []
    row = page.get_by_test_id("upload.file").filter(has_text="large.bin")
    expect(row).to_have_attribute("data-state", "ready")
    expect(row).to_contain_text("will be stored in LFS")
    page.get_by_test_id("edit.title").fill("Shelves and a large file")
    page.get_by_test_id("upload.start").click()

    # The network goes while parts are on their way, and comes back: the upload goes on by itself.
    expect(row).to_contain_text(re.compile(r"\d+ %"))
    page.wait_for_function("() => Number(document.querySelector('[role=progressbar]').ariaValueNow) > 10")
    window.context.set_offline(True)
    expect(page.get_by_test_id("upload.told")).to_contain_text("The network is gone")
    parts.release()
    expect(row).to_contain_text("waits for the network")
    parts.hold_after = 6
    window.context.set_offline(False)
    expect(page.get_by_test_id("upload.told")).not_to_contain_text("The network is gone")
    page.wait_for_function("() => Number(document.querySelector('[role=progressbar]').ariaValueNow) > 40")
    assert re.match(r"\d+ % · ", page.title())

    # The page is loaded anew: with the same files chosen, it goes on with what the store lacks.
    page.reload()
    expect(page.get_by_test_id("upload.left")).to_contain_text("301 files")
    parts = Parts(page)
    page.get_by_test_id("upload.folder").set_input_files(folder)
    page.get_by_test_id("upload.files").set_input_files(large)
    expect(row).to_have_attribute("data-state", "ready")
    expect(page.get_by_test_id("edit.title")).to_have_value("Shelves and a large file")
    page.get_by_test_id("upload.start").click()
    page.wait_for_url("**/files/main/data")
    assert 0 < len(parts.sent) < PARTS

    # Who clones has every byte; all of it came in one commit.
    git_user.clone(person.address(path), tmp_path / "clone")
    clone = tmp_path / "clone"
    for file in [large, *folder.rglob("*.txt")]:
        copy = clone / "data" / file.relative_to(tmp_path)
        assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(file.read_bytes()).digest(), file
    log = git_user.git("log", "--format=%s", cwd=clone).output
    assert log.splitlines()[0] == "Shelves and a large file"
    assert len(log.splitlines()) == 2


def test_what_is_there_already_is_replaced_kept_beside_or_left(open_window, person, tmp_path):
    path = person.create_repository("conflicts")
    api = f"/api/v1/{path}"
    change = {"message": "Before", "files": [{"path": name, "content": "theirs\n"} for name in ("a.txt", "same.txt")]}
    assert person.api.post(f"{api}/changes", change).status == 200
    window = open_window(person, size=NARROW, theme="dark")
    page = open_uploader(window, path)
    for name, text in (("a.txt", "mine\n"), ("same.txt", "theirs\n"), ("new.txt", "new\n")):
        (tmp_path / name).write_text(text)
    page.get_by_test_id("upload.files").set_input_files([tmp_path / name for name in ("a.txt", "same.txt", "new.txt")])
    rows = page.get_by_test_id("upload.file")
    expect(rows.filter(has_text="same.txt")).to_contain_text("is there already")
    expect(rows.filter(has_text="a.txt").first).to_contain_text("replaces another")
    page.get_by_test_id("upload.keep-both").check()
    assert window.find_barriers() == []
    page.get_by_test_id("upload.start").click()
    page.wait_for_url("**/files/main")
    read = lambda name: person.api.get(f"{api}/raw/{name}").json["data"]  # noqa: E731
    assert (read("a.txt"), read("a%20(2).txt"), read("new.txt")) == ("theirs\n", "mine\n", "new\n")

    # Somebody else changes the very file after it was looked up: that is asked, and nothing is lost.
    window.expect_fault("412")
    page = open_uploader(window, path)
    page.get_by_test_id("upload.files").set_input_files(tmp_path / "a.txt")
    expect(rows).to_contain_text("replaces another")
    body = {"message": "Meanwhile", "files": [{"path": "a.txt", "content": "later\n"}]}
    assert person.api.post(f"{api}/changes", body).status == 200
    page.get_by_test_id("upload.start").click()
    expect(page.get_by_test_id("form.fault")).to_contain_text("Somebody else changed files")
    assert read("a.txt") == "later\n"
    page.get_by_test_id("upload.overlap-mine").click()
    page.wait_for_url("**/files/main")
    assert read("a.txt") == "mine\n"


def test_files_dropped_on_the_list_by_who_may_not_write_become_a_pull_request(open_window, person, single_hub):
    path = person.create_repository("proposed")
    window = open_window(single_hub.new_account())
    page = window.open(f"/{path}/files/main")
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["dropped\\n"], "dropped.txt"));
            document.querySelector(".files")
                .dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.get_by_test_id("upload.file")).to_contain_text("dropped.txt")
    assert window.find_barriers() == []
    page.get_by_test_id("edit.title").locator("visible=true").fill("Something dropped")
    with page.expect_response("**/uploads/commit/**") as answered:
        page.get_by_test_id("upload.start").click()
    assert answered.value.ok
    page.wait_for_url("**/community/1")
    assert person.api.get(f"/api/v1/{path}/raw/dropped.txt?ref=refs/pr/1").json["data"] == "dropped\n"


def test_a_secret_is_told_of_and_may_be_sent_by_the_owner_all_the_same(open_window, person, tmp_path):
    path = person.create_repository("secretive")
    window = open_window(person)
    window.expect_fault("422")
    page = open_uploader(window, path)
    (tmp_path / "config.py").write_text("TOKEN = 'ghp_" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5'\n")
    page.get_by_test_id("upload.files").set_input_files(tmp_path / "config.py")
    page.get_by_test_id("upload.start").click()
    expect(page.get_by_test_id("form.fault")).to_contain_text("config.py:1")
    page.get_by_test_id("upload.secrets").click()
    page.wait_for_url("**/files/main")


def test_a_large_file_goes_straight_to_an_object_store_in_parts(browser, scaled_hub, s3_server, tmp_path):
    assert scaled_hub.administrator, "without one every page leads to the set-up"
    account = scaled_hub.new_account()
    path = account.create_repository("direct")
    content = os.urandom(2 * PART + 5)
    (tmp_path / "large.bin").write_bytes(content)
    with visit(browser, scaled_hub.url, account=account) as window:
        window.expect_fault(f"left the hub: http://127.0.0.1:{s3_server.port}/")
        page = open_uploader(window, path)
        sent: list[str] = []
        page.on("requestfinished", lambda request: sent.append(request.url) if request.method == "PUT" else None)
        page.get_by_test_id("upload.files").set_input_files(tmp_path / "large.bin")
        page.get_by_test_id("upload.start").click()
        page.wait_for_url("**/files/main")
        assert window.unexpected() == []
    assert len({re.search(r"partNumber=(\d+)", address)[1] for address in sent}) == 3
    assert {urlsplit(address).port for address in sent} == {s3_server.port}
    answer = account.api.get(f"/api/v1/{path}/resolve/large.bin")
    with urlopen(answer.headers["Location"]) as stream:
        assert stream.read() == content
