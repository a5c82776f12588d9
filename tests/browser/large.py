"""What takes too long for the suite: 2,000 and 12,000 files, and 2 GiB through a cut of ten seconds and a reload.

``make browser-large`` runs it; it prints what it measured.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.test_upload import MIB, make_tree, open_uploader

pytestmark = pytest.mark.timeout(1800)

GIB = 1024 * MIB
CUT_MS = 10_000
LIMIT_MS = 900_000


def make_sparse(path: Path, size_bytes: int) -> None:
    """A file with a few random blocks, so that it takes no room and no two parts are alike."""
    with path.open("wb") as stream:
        for start in range(0, size_bytes, 64 * MIB):
            stream.seek(start)
            stream.write(os.urandom(4096))
        stream.truncate(size_bytes)


def digest_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tell(what: str, started: float) -> None:
    print(f"{what}: {time.monotonic() - started:.1f} s", flush=True)


def test_two_thousand_files_in_folders(open_window, person, tmp_path, git_user):
    path = person.create_repository("many")
    folder = make_tree(tmp_path / "many", 2000)
    page = open_uploader(open_window(person), path)
    started = time.monotonic()
    page.get_by_test_id("upload.folder").set_input_files(folder)
    expect(page.get_by_test_id("upload.sum")).to_contain_text("2,000 files")
    page.get_by_test_id("upload.start").click()
    page.wait_for_url("**/files/main", timeout=LIMIT_MS)
    tell("2,000 files, chosen to committed", started)
    clone = tmp_path / "clone"
    git_user.clone(person.address(path), clone)
    for file in folder.rglob("*.txt"):
        assert (clone / file.relative_to(tmp_path)).read_bytes() == file.read_bytes()


def test_two_gibibytes_through_a_cut_of_ten_seconds_and_a_reload(open_window, person, tmp_path, git_user):
    path = person.create_repository("huge")
    large = tmp_path / "large.bin"
    make_sparse(large, 2 * GIB)
    window = open_window(person)
    window.expect_fault("ERR_INTERNET_DISCONNECTED")
    page = open_uploader(window, path)
    page.on("dialog", lambda dialog: dialog.accept())
    seen: list[int] = []

    def percent() -> int:
        seen.append(int(page.get_by_test_id("upload.progress").get_attribute("aria-valuenow")))
        return seen[-1]

    def wait_for(least: int) -> None:
        while percent() < least:
            page.wait_for_timeout(200)

    started = time.monotonic()
    page.get_by_test_id("upload.files").set_input_files(large)
    row = page.get_by_test_id("upload.file")
    expect(row).to_have_attribute("data-state", "ready", timeout=LIMIT_MS)
    tell("2 GiB hashed", started)
    started = time.monotonic()
    page.get_by_test_id("upload.start").click()
    wait_for(30)
    window.context.set_offline(True)
    page.wait_for_timeout(CUT_MS)
    held = percent()
    window.context.set_offline(False)
    wait_for(held + 10)
    assert seen == sorted(seen)
    tell("through a cut of 10 s", started)

    sent: list[str] = []
    page.reload()
    page.on("requestfinished", lambda request: sent.append(request.url) if "/parts/" in request.url else None)
    expect(page.get_by_test_id("upload.left")).to_be_visible()
    page.get_by_test_id("upload.files").set_input_files(large)
    expect(row).to_have_attribute("data-state", "ready")  # its hash is remembered
    page.get_by_test_id("upload.start").click()
    page.wait_for_url("**/files/main", timeout=LIMIT_MS)
    tell("2 GiB from start to commit, the cut and a reload within", started)
    assert len(sent) < 2 * GIB // (8 * MIB) * 0.7
    print(f"parts sent after the reload: {len(sent)} of {2 * GIB // (8 * MIB)}", flush=True)
    clone = tmp_path / "clone"
    git_user.clone(person.address(path), clone)
    assert digest_of(clone / "large.bin") == digest_of(large)


def test_ten_thousand_small_files_and_two_thousand_more(open_window, person, tmp_path, git_user):
    """Complaint K4: many small files in one commit, which can be cloned, and the rest in a second one, told before."""
    path = person.create_repository("thousands")
    folder = make_tree(tmp_path / "thousands", 12_000)
    page = open_uploader(open_window(person), path)
    started = time.monotonic()
    page.get_by_test_id("upload.folder").set_input_files(folder)
    expect(page.get_by_test_id("upload.sum")).to_contain_text("12,000 files", timeout=LIMIT_MS)
    expect(page.get_by_test_id("upload.portions")).to_contain_text("2 commits")
    tell("12,000 files chosen", started)
    page.get_by_test_id("upload.start").click()
    page.wait_for_url("**/files/main", timeout=LIMIT_MS)
    tell("12,000 files, chosen to committed", started)
    started = time.monotonic()
    clone = tmp_path / "clone"
    git_user.clone(person.address(path), clone)
    tell("12,000 files cloned", started)
    assert sum(1 for _ in clone.rglob("*.txt")) == 12_000
    messages = [commit["message"] for commit in person.api.get(f"/api/v1/{path}/commits").json["data"]["commits"]]
    assert [("(2/2)" in message, "(1/2)" in message) for message in messages[:2]] == [(True, False), (False, True)]
