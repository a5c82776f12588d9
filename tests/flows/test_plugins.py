"""A stranger's plugin comes with pip and goes with pip; the licence switches it on and off while the hub runs."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hub.licensing.editions import load_editions
from tests.support import stranger
from tests.support.git import GitUser
from tests.support.hub import Account, HubServer
from tests.support.processes import wait_until
from tests.support.servers import S3, PostgreSQL, Redis

HTML = {"Accept": "text/html,application/xhtml+xml"}
# "Within seconds": a look every two, then a start of the web worker on a busy machine.
SWITCH_LIMIT_S = 60


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The stranger's plugin, installed for the tests of this file."""
    stranger.install(tmp_path_factory.mktemp("sample"))
    yield
    stranger.uninstall()


@pytest.fixture(scope="module")
def hub(sample: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """A hub that asks for the plugin, without a licence at first; each test says which it needs."""
    settings = {"plugins": "sample", "sample_secret_word": "sesame", "monitoring_token": "scrape-me"}
    with HubServer(tmp_path_factory.mktemp("hub"), settings) as server:
        yield server


@pytest.fixture(scope="module")
def people(hub: HubServer) -> tuple[Account, Account]:
    """Two accounts: the evaluation licence has five seats."""
    return hub.new_account(), hub.new_account()


@pytest.fixture
def ada(hub: HubServer, people: tuple[Account, Account]) -> Account:
    """The first of them; the hub has the evaluation licence by now."""
    license_hub(hub)
    return people[0]


def license_hub(hub: HubServer) -> None:
    """Import the evaluation licence over REST, and wait until this hub's web server follows."""
    text = stranger.EVALUATION_LICENSE.read_text()
    answer = hub.administrator.api.put("/api/v1/licenses/import", {"data": text})
    assert answer.status == 200, answer.body
    wait_until(lambda: serves_sample(hub), timeout_s=SWITCH_LIMIT_S, what="the plugin to be there")


def unlicense_hub(hub: HubServer) -> None:
    """Remove the licence, and wait until this hub's web server follows."""
    hub.cli("license", "remove", "--yes")
    wait_until(lambda: not serves_sample(hub), timeout_s=SWITCH_LIMIT_S, what="the plugin to be gone")


def serves_sample(hub: HubServer) -> bool:
    return hub.api.get("/api/v1/sample").status == 200


def state_of(hub: HubServer, name: str = "sample") -> str:
    [found] = [plugin for plugin in hub.cli_json("plugin", "list") if plugin["name"] == name]
    return str(found["state"])


def test_without_a_licence_the_plugin_is_locked_and_the_forge_works(hub: HubServer, people):
    if serves_sample(hub):
        unlicense_hub(hub)
    answer = hub.api.get("/api/v1/sample")
    assert (answer.status, answer.json["code"]) == (403, "LICENSE-ERR-0")
    answer = hub.api.post("/api/v1/sample/stop", {})
    assert (answer.status, answer.json["code"]) == (403, "LICENSE-ERR-0")
    page = hub.api.get("/sample", headers=HTML)
    assert page.status == 404
    assert b"Not in this edition" in page.body
    assert b">Notes<" not in hub.api.get("/", headers=HTML).body
    assert "/api/v1/sample" not in hub.api.get("/api/openapi.json").json["paths"]
    assert state_of(hub) == "locked"
    account = people[0]
    path = account.create_repository("unnoted")
    assert account.api.get(f"/api/v1/{path}/notes").json["code"] == "LICENSE-ERR-0"
    assert hub.api.get(f"/api/v1/{path}").status == 200


def test_with_a_licence_everything_that_it_brings_appears(hub: HubServer, ada: Account, people):
    [found] = [
        plugin for plugin in hub.administrator.api.get("/api/v1/admin/plugins").data if plugin["name"] == "sample"
    ]
    assert (found["state"], found["version"], found["migrations"]) == ("enabled", "1.2.0", "current")
    assert found["distribution"] == stranger.DISTRIBUTION
    # The navigation, a page, a panel, a route below every repository, the description of the API.
    home = hub.api.get("/", headers=HTML).body
    assert b'<a href="/sample">Notes</a>' in home
    assert b'id="sample-latest"' in home
    assert b"notes are kept" in hub.api.get("/sample", headers=HTML).body
    for path in ("/sample-ticks", "/samples/ticks"):
        assert len(hub.api.get(path).body.splitlines()) == 5
    assert hub.api.get("/api/v1/sample").data == {"greeting": "Good day, stranger."}
    assert hub.api.get("/api/v1/datasets/notes").data == {"greeting": "Notes on datasets."}
    assert "/api/v1/sample" in hub.api.get("/api/openapi.json").json["paths"]
    # The listener has written the first note; a permission decides who writes the next.
    path = ada.create_repository("noted")
    assert [note["text"] for note in ada.api.get(f"/api/v1/{path}/notes").data] == ["This repository was created."]
    assert ada.api.post(f"/api/v1/{path}/notes", {"text": "Mine."}).status == 201
    assert people[1].api.post(f"/api/v1/{path}/notes", {"text": "Not mine."}).status == 403
    # Figures, health, settings, a command, drivers.
    scraped = hub.api.get("/-/metrics", headers={"Authorization": "Bearer scrape-me"}).body.decode()
    [(notes,)] = hub.rows("SELECT count(*) FROM sample_notes")
    assert f"\nhub_sample_notes {float(notes)}\n" in scraped
    assert hub.api.get("/-/ready").json["checks"]["sample"]["status"] == "ok"
    shown = {row["name"]: row for row in hub.cli_json("config", "show")}
    assert shown["plugin.sample.secret_word"]["value"] == "********"
    assert shown["plugin.sample.secret_word"]["origin"] == "environment"
    assert shown["plugin.sample.keep_s"]["unit"] == "seconds"
    assert '"notes"' in hub.cli("notes", "count").stdout
    assert "sample" in hub.cli("--help").stdout
    drivers = {(row["group"], row["driver"]) for row in hub.cli_json("plugin", "drivers")}
    assert {("hub.storage", "shelf"), ("hub.sample.greeters", "polite")} <= drivers


def test_its_kind_of_asset_is_pushed_and_cloned_over_http_and_ssh(ada: Account, git_user: GitUser, tmp_path: Path):
    path = ada.create_repository("diary", collection="notebooks")
    assert path.startswith("notebooks/")
    work_tree = tmp_path / "work"
    git_user.clone(ada.address(path), work_tree)
    (work_tree / "page.md").write_text("Dear diary.\n")
    git_user.git("add", "page.md", cwd=work_tree)
    git_user.git("commit", "-m", "A page", cwd=work_tree)
    git_user.git("push", cwd=work_tree)
    assert ada.api.get(f"/api/v1/{path}/resolve/page.md").body == b"Dear diary.\n"
    # Its card, its step and its pages are its own: labels of a category that only it has, and a note from a file.
    (work_tree / "README.md").write_text("---\nsubject: [badgers]\ncells: many\n---\n# Diary\n")
    (work_tree / "NOTES.txt").write_text("Read after each push.\n")
    git_user.git("add", ".", cwd=work_tree)
    git_user.git("commit", "-m", "A card", cwd=work_tree)
    git_user.git("push", cwd=work_tree)
    head = git_user.git("rev-parse", "HEAD", cwd=work_tree).output.strip()

    def is_indexed() -> bool:
        found = ada.api.get(f"/api/v1/{path}/index").data
        return (found["commit"], found["state"]) == (head, "done")

    wait_until(is_indexed, timeout_s=SWITCH_LIMIT_S, what="the notebook to be indexed")
    assert "sample.notes" in {step["name"] for step in ada.api.get(f"/api/v1/{path}/index").data["steps"]}
    assert "Read after each push." in {note["text"] for note in ada.api.get(f"/api/v1/{path}/notes").data}
    labels = [(label["category"], label["name"]) for label in ada.api.get(f"/api/v1/{path}").data["tags"]]
    assert labels == [("subject", "badgers")]
    assert [problem["key"] for problem in ada.api.get(f"/api/v1/{path}/card").data["problems"]] == ["cells"]
    [kind] = [kind for kind in ada.api.get("/api/v1/kinds").data if kind["name"] == "notebook"]
    assert (kind["tabs"][-1]["title"], kind["actions"]) == ("Cells", ["fork", "sample.print"])
    ada.add_ssh_key(git_user.create_ssh_key())
    # The SSH server takes the kind up by itself, a moment after the web server.
    wait_until(
        lambda: git_user.git("ls-remote", ada.hub.ssh_address(path), check=False).ok,
        timeout_s=SWITCH_LIMIT_S,
        what="the SSH server to know the kind",
    )


def test_its_checks_refuse_a_push_and_a_deletion(ada: Account, git_user: GitUser, tmp_path: Path):
    path = ada.create_repository("checked")
    work_tree = tmp_path / "work"
    git_user.clone(ada.address(path), work_tree)
    refused = git_user.git("push", "origin", "HEAD:refs/heads/open-sesame", cwd=work_tree, check=False)
    assert not refused.ok
    assert "a word that must not be said" in refused.error
    assert git_user.git("push", "origin", "HEAD:refs/heads/open-barley", cwd=work_tree).ok
    assert ada.api.post(f"/api/v1/{path}/notes", {"text": "Stay.", "pinned": True}).status == 201
    answer = ada.api.delete(f"/api/v1/{path}")
    assert (answer.status, answer.json["code"]) == (409, "sample_pinned")
    assert ada.api.get(f"/api/v1/{path}").status == 200


def test_the_scheduler_and_the_worker_take_up_its_schedule_and_its_job(hub: HubServer, ada: Account):
    def last_run() -> list[object]:
        return hub.rows("SELECT last_run_at FROM schedule_runs WHERE name = 'sample.expire_notes'")

    wait_until(last_run, timeout_s=SWITCH_LIMIT_S, what="the scheduler to know the schedule")
    hub.execute(
        "UPDATE schedule_runs SET last_run_at = '2026-01-01 00:00:00.000000' WHERE name = 'sample.expire_notes'"
    )
    wait_until(
        lambda: hub.rows("SELECT 1 FROM jobs WHERE name = 'sample.expire_notes' AND state = 'succeeded'"),
        timeout_s=SWITCH_LIMIT_S,
        what="the job to have run",
    )


def test_a_download_that_runs_while_the_licence_comes_and_goes_is_whole(hub: HubServer, ada: Account, noise):
    content = noise(48 * 1024 * 1024)
    account, path = ada, ada.create_repository("weights")
    digest = hashlib.sha256(content).hexdigest()
    upload_object(account, path, digest, content)
    host, port = hub.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=60)) as connection:
        # A client that takes little at a time: most of the file is still to come when the licence goes.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        address = download_address(account, path, digest, len(content))
        connection.sendall(f"GET {address} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n".encode())
        stream = connection.makefile("rb")
        assert stream.readline().split()[1] == b"200"
        while stream.readline().strip():
            pass
        received = hashlib.sha256(stream.read(100_000))
        unlicense_hub(hub)
        license_hub(hub)
        count = 100_000
        while piece := stream.read(1 << 20):
            received.update(piece)
            count += len(piece)
    assert (count, received.hexdigest()) == (len(content), digest)


def upload_object(account: Account, path: str, oid: str, content: bytes) -> None:
    """Upload an LFS object as git-lfs does."""
    action = batch(account, path, "upload", oid, len(content))["upload"]
    answer = account.api.put(action["href"], body=content, headers=action.get("header", {}))
    assert answer.status == 200, answer.body


def download_address(account: Account, path: str, oid: str, size: int) -> str:
    """The path and query by which an LFS object is downloaded."""
    href = batch(account, path, "download", oid, size)["download"]["href"]
    return str(href.removeprefix(account.hub.url))


def batch(account: Account, path: str, operation: str, oid: str, size: int):
    body = {"operation": operation, "transfers": ["basic"], "objects": [{"oid": oid, "size": size}]}
    headers = {"Accept": "application/vnd.git-lfs+json", "Content-Type": "application/vnd.git-lfs+json"}
    answer = account.api.post(f"/{path}.git/info/lfs/objects/batch", body, headers=headers)
    assert answer.status == 200, answer.body
    return answer.json["objects"][0]["actions"]


def test_no_request_fails_while_the_set_of_plugins_changes(hub: HubServer):
    license_hub(hub)
    statuses: set[int] = set()
    hub.cli("license", "remove", "--yes")

    def look() -> bool:
        statuses.add(hub.api.get("/api/v1/models").status)
        return not serves_sample(hub)

    wait_until(look, timeout_s=SWITCH_LIMIT_S, what="the plugin to be gone")
    assert statuses == {200}


def test_a_switch_that_would_end_badly_is_not_made(sample: None, start_hub):
    """What was mistyped for the next start must not take the forge down when the licence goes."""
    server: HubServer = start_hub(plugins="sample")
    license_hub(server)
    settings = server.home / "hub.toml"
    settings.write_text("[plugin.sample]\nkeep_as = 5\n")
    server.execute("UPDATE licenses SET status = 'inactive'")
    wait_until(
        lambda: server.log_path.read_text().count("plugins_cannot_change") >= 3,
        timeout_s=SWITCH_LIMIT_S,
        what="web, worker and SSH to refuse the switch",
    )
    assert "[plugin.sample] keep_as: the plugin 'sample' has no setting 'keep_as'" in server.log_path.read_text()
    assert serves_sample(server)
    assert server.answers("/-/ready")
    settings.unlink()
    wait_until(lambda: not serves_sample(server), timeout_s=SWITCH_LIMIT_S, what="the hub to follow after all")


def test_every_replica_follows_whoever_imports_the_licence(
    sample: None, postgresql: PostgreSQL, redis_server: Redis, s3_server: S3, tmp_path: Path
):
    shared = {
        "database_url": postgresql.url(postgresql.create_database()),
        "redis_url": redis_server.url(4),
        "storage_url": s3_server.storage_url(s3_server.create_bucket()),
        "repositories_dir": tmp_path / "repositories",
        "secret_key": "the-same-for-all-replicas-of-this-hub",
        "plugins": "sample",
        "ssh_port": 0,
    }
    with HubServer(tmp_path / "one", shared) as one, HubServer(tmp_path / "two", shared) as two:
        assert not serves_sample(two)
        license_hub(one)
        wait_until(lambda: serves_sample(two), timeout_s=SWITCH_LIMIT_S, what="the other replica to follow")
        unlicense_hub(two)
        wait_until(lambda: not serves_sample(one), timeout_s=SWITCH_LIMIT_S, what="the first replica to follow")


def test_a_driver_of_the_plugins_stores_objects(sample: None, start_hub, tmp_path: Path):
    server: HubServer = start_hub(storage_url=f"shelf://{tmp_path / 'shelf'}", ssh_port=0)
    account = server.new_account()
    path = account.create_repository()
    content = b"on the shelf" * 1000
    digest = hashlib.sha256(content).hexdigest()
    upload_object(account, path, digest, content)
    assert server.api.get(download_address(account, path, digest, len(content))).body == content
    assert any(file.is_file() for file in (tmp_path / "shelf").rglob("*"))


def test_a_setting_that_the_plugin_does_not_have_stops_the_start(sample: None, tmp_path: Path):
    server = HubServer(tmp_path / "home", {"plugins": "sample", "sample_secret_wrod": "sesame"})
    refused = server.cli("serve", check=False)
    assert refused.returncode == 1
    assert "HUB_SAMPLE_SECRET_WROD: the plugin 'sample' has no setting 'secret_wrod'" in refused.stderr


def test_what_pip_takes_away_is_gone_and_its_tables_wait(tmp_path: Path, sample: None, start_hub):
    server: HubServer = start_hub(plugins="sample", ssh_port=0)
    license_hub(server)
    account = server.new_account()
    path = account.create_repository("diary", collection="notebooks")
    server.stop()
    stranger.uninstall()
    try:
        server.start()
        assert state_of(server) == "broken"
        answer = server.api.get("/api/v1/sample")
        assert answer.status == 404
        assert server.api.get("/sample", headers=HTML).status == 404
        assert server.api.get(f"/api/v1/{path}").status == 404
        assert server.api.get(f"/{path}.git/info/refs?service=git-upload-pack").status == 404
        assert server.api.get("/-/metrics").status == 401
        assert b">Notes<" not in server.api.get("/", headers=HTML).body
        assert "sample" not in server.cli("--help").stdout
        asked = server.cli("sample", "count", check=False)
        assert asked.returncode == 1
        assert "it is not installed in this environment" in asked.stderr
        drivers = [row for row in server.cli_json("plugin", "drivers") if row["group"] != "hub.inference.engines"]
        assert {row["driver"] for row in drivers} == {"fake", "file", "local", "s3"}
        # The forge goes on, the database can still be upgraded, and what was stored waits.
        assert account.create_repository("other")
        assert server.cli("db", "upgrade").returncode == 0
        assert server.rows("SELECT text FROM sample_notes") == [("This repository was created.",)]
    finally:
        stranger.install(tmp_path)
    server.stop()
    server.start()
    assert account.api.get(f"/api/v1/{path}/notes").data[0]["text"] == "This repository was created."


def test_a_plugin_that_is_disabled_keeps_its_tables_until_it_is_removed(sample: None, tmp_path: Path):
    server = HubServer(tmp_path / "home", {"plugins": "sample"})
    server.cli("db", "upgrade")
    assert server.rows("SELECT count(*) FROM sample_notes") == [(0,)]
    refused = server.cli("plugin", "remove", "sample", "--confirm", "sample", check=False)
    assert refused.returncode == 1
    assert "in use" in refused.stderr
    server.environment["HUB_PLUGINS_DISABLED"] = "sample"
    assert state_of(server) == "disabled"
    server.cli("db", "upgrade")
    assert server.rows("SELECT count(*) FROM sample_notes") == [(0,)]
    refused = server.cli("plugin", "remove", "sample", input="samples\n", check=False)
    assert refused.returncode == 1
    assert "nothing was removed" in refused.stderr
    server.cli("plugin", "remove", "sample", input="sample\n")
    tables = server.rows("SELECT name FROM sqlite_master WHERE name LIKE 'sample%' OR name LIKE '%version_sample'")
    assert tables == []
    server.cli("db", "upgrade")
    assert state_of(server) == "disabled"


def test_the_bundled_plugins_are_those_that_editions_name():
    """What a distribution brings and no edition has would never run, and nobody would see why."""
    named = {name for edition in load_editions().values() for name in edition.plugins}
    assert named == {"inference", "monitoring", "xnet"}
