"""What a repository takes: its large files and who names them, tidied up and counted at once; checks; the export."""

import hashlib
import subprocess

import pytest

from hub.accounts.policy import SYSTEM
from hub.git.pointer import format_pointer
from hub.jobs.run import run_due
from hub.objects.store import STORE
from hub.repos import refs
from hub.repos.lfs.holdings import object_key
from hub.repos.lfs.service import receive_object
from hub.repos.lookup import repository_path
from tests.support.api import Caller, data, refusal
from tests.support.jobs import run_now
from tests.support.pushes import Workbench

PATH = "/models/ada/thing"
OLD, NEW, STRAY = b"old weights" * 100, b"new weights" * 200, b"nobody names me" * 50


def oid_of(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def ada(client, make_user, make_token):
    user = make_user("ada")
    caller = Caller(client, make_token(user, "write"))
    caller.user = user
    return caller


@pytest.fixture
def thing(context, ada, make_repository):
    """A repository whose main branch names NEW, and its history OLD, too; it holds STRAY besides."""
    repository = make_repository(ada.user, "thing", private=True)
    for content in (OLD, NEW, STRAY):
        receive_object(
            context,
            actor=SYSTEM,
            repository_id=repository.id,
            oid=oid_of(content),
            size_bytes=len(content),
            chunks=[content],
        )
    return repository


def test_large_files_are_looked_up_let_go_and_counted_at_once(context, ada, thing, clock):
    bench = Workbench(context, thing)
    for content in (OLD, NEW):
        commit = bench.commit({"sub/weights.bin": format_pointer(oid_of(content), len(content))})
        refs.receive(context, actor=SYSTEM, repository=thing, changes=[bench.update(commit)], via="api")
    before = data(ada.get(f"{PATH}/storage"))
    assert (before["lfs_size_bytes"], before["survey"]["data"]) == (len(OLD) + len(NEW) + len(STRAY), None)
    job = data(ada.post(f"{PATH}/storage/survey"), 202)
    assert data(ada.post(f"{PATH}/storage/survey"), 202)["id"] == job["id"]
    run_due(context)
    survey = data(ada.get(f"{PATH}/storage"))["survey"]
    assert (survey["data"]["objects"], survey["data"]["unnamed"], survey["job"]["state"]) == (3, 1, "succeeded")
    listed = {
        one["oid"]: (one["path"], one["refs"], one["size_bytes"]) for one in data(ada.get(f"{PATH}/storage/files"))
    }
    assert listed == {
        oid_of(NEW): ("sub/weights.bin", 1, len(NEW)),
        oid_of(OLD): ("sub/weights.bin", 0, len(OLD)),
        oid_of(STRAY): (None, 0, len(STRAY)),
    }
    assert [one["oid"] for one in data(ada.get(f"{PATH}/storage/files?unnamed=true"))] == [oid_of(STRAY)]
    # What came in a moment ago is about to be named by a push that is under way.
    data(ada.post(f"{PATH}/storage/collect"), 202)
    run_due(context)
    assert data(ada.get(f"{PATH}/storage"))["collect"]["data"]["objects"] == 0
    clock.advance(2 * 86400)
    data(ada.post(f"{PATH}/storage/collect"), 202)
    run_due(context)
    after = data(ada.get(f"{PATH}/storage"))
    assert after["collect"]["data"]["objects"] == 1
    assert after["lfs_size_bytes"] == len(OLD) + len(NEW)
    # Chosen ones go by themselves; the answer counts already.
    gone = data(ada.delete(f"{PATH}/storage/files", {"oids": [oid_of(OLD)]}))
    assert (gone["removed"], gone["lfs_size_bytes"], gone["used_bytes"]) == (
        1,
        len(NEW),
        gone["git_size_bytes"] + len(NEW),
    )


def test_a_check_finds_what_is_not_as_it_should_be(context, ada, thing):
    def check(**body):
        data(ada.post(f"{PATH}/check", body), 202)
        run_due(context)
        return data(ada.get(f"{PATH}/check"))["data"]

    whole = check(with_content=True)
    assert (whole["git_findings"], whole["object_findings"], whole["objects"]) == (0, 0, 3)
    context[STORE].put(object_key(oid_of(OLD)), [b"x" * len(OLD)])
    context[STORE].delete(object_key(oid_of(STRAY)))
    assert {(one["oid"], one["fault"]) for one in check()["bad_objects"]} == {(oid_of(STRAY), "missing")}
    found = check(with_content=True)
    assert {(one["oid"], one["fault"]) for one in found["bad_objects"]} == {
        (oid_of(STRAY), "missing"),
        (oid_of(OLD), "content"),
    }


def test_what_git_finds_is_told(context, ada, thing):
    for file in (repository_path(context.settings, thing) / "objects").rglob("*"):
        if file.is_file() and len(file.parent.name) == 2:
            file.chmod(0o644)
            file.write_bytes(b"damaged")
            break
    data(ada.post(f"{PATH}/check"), 202)
    run_due(context)
    report = data(ada.get(f"{PATH}/check"))["data"]
    assert report["git_findings"] > 0
    assert report["git"][0]


def test_an_export_is_a_bundle_that_git_clones(context, ada, client, thing, tmp_path):
    assert refusal(ada.get(f"{PATH}/export/bundle")) == (404, "export_not_found")
    data(ada.post(f"{PATH}/export"), 202)
    run_due(context)
    told = data(ada.get(f"{PATH}/export"))
    assert told["job"]["state"] == "succeeded"
    assert set(told["data"]) == {"size_bytes"}
    with client.get(f"/api/v1{PATH}/export/bundle", headers=ada.headers) as answer:
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="thing.bundle"')
        (tmp_path / "thing.bundle").write_bytes(answer.data)
    subprocess.run(["git", "clone", "-q", tmp_path / "thing.bundle", tmp_path / "clone"], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path / "clone", check=True, capture_output=True)
    assert head.stdout.decode().strip() == Workbench(context, thing).head
    run_now(context, "repos.drop_exports")
    with client.get(f"/api/v1{PATH}/export/bundle", headers=ada.headers) as again:
        assert again.status_code == 200


def test_only_who_administers_asks(client, ada, thing, make_user, make_token):
    stranger = Caller(client, make_token(make_user("eve"), "write"))
    for path in ("storage", "storage/files", "check", "export", "export/bundle"):
        assert stranger.get(f"{PATH}/{path}").status_code == 404
