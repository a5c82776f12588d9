"""huggingface_hub, unmodified, on a running hub: three lines of it, with Xet and without, below /hf and at the root.

Contract: hf-hub-api.md, sections 2 and 15.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.git import GitUser
from tests.support.http import basic
from tests.support.hub import Account, HubServer
from tests.support.huggingface import HuggingFace
from tests.support.lfs import oid_of
from tests.support.proxy import cutting_proxy
from tests.support.servers import scratch_directory

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
# Which pins, whether with Xet, and where the hub is asked: the oldest line knows no hub below a path.
SETUPS = {
    "2-xet-below": ("huggingface", True, "/hf"),
    "2-lfs-at-root": ("huggingface", False, ""),
    "1-xet-below": ("huggingface-1", True, "/hf"),
    "0-xet-at-root": ("huggingface-0", True, ""),
}
WEIGHTS_BYTES = 20 * MIB + 12_345


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    """A hub where files of more than four mebibytes go up in parts where they go by LFS."""
    with (
        scratch_directory("huggingface") as directory,
        HubServer(directory / "home", {"lfs_part_size_bytes": 4 * MIB, "ssh_port": 0}) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def account(hub: HubServer) -> Account:
    return hub.new_account()


@pytest.fixture(scope="module", params=SETUPS)
def client(
    request: pytest.FixtureRequest, hub: HubServer, account: Account, tmp_path_factory: pytest.TempPathFactory
) -> HuggingFace:
    line, xet, place = SETUPS[request.param]
    home = tmp_path_factory.mktemp(request.param)
    return HuggingFace(home, hub.url + place, account.token, line=line, xet=xet)


@pytest.fixture
def name(request: pytest.FixtureRequest, account: Account) -> str:
    """A repository's name of its own, ``ada/thing``."""
    word = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))
    return f"{account.name}/{word[:80].strip('-')}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What is uploaded: a card, a nested text, an empty binary, weights in several parts."""
    return {
        "README.md": b"---\nlicense: mit\n---\n# A thing\n",
        "data/a b.txt": b"hello\n",
        "empty.bin": b"",
        "weights.bin": secrets.token_bytes(WEIGHTS_BYTES),
    }


def write(path: Path, files: dict[str, bytes]) -> Path:
    for file, content in files.items():
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_bytes(content)
    return path


def files_in(path: Path) -> dict[str, bytes]:
    """The files of a folder by name, without what clients and the hub add."""
    found = (file for file in path.rglob("*") if file.is_file())
    return {
        name: file.read_bytes()
        for file in found
        if not (name := file.relative_to(path).as_posix()).startswith((".git", ".cache"))
    }


def commits_of(account: Account, name: str, kind: str = "models", revision: str = "main") -> list[dict[str, Any]]:
    return account.api.get(f"/hf/api/{kind}/{name}/commits/{revision}").json


SNAPSHOT = """
from huggingface_hub import snapshot_download
answer(snapshot_download(given["name"], **given.get("options", {})))
"""

MISSING = """
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
try:
    hf_hub_download(given["name"], "none.bin")
except EntryNotFoundError as error:
    answer(type(error).__name__)
"""


def test_one_signs_in_by_a_code_on_a_page(hub, tmp_path):
    alice = hub.new_account()
    person = HuggingFace(tmp_path / "home", hub.url + "/hf")
    # Without a terminal the client asks no question and begins at once.
    process = person.start("hf", "auth", "login")
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if b"enter the code:" in line:
                break
        code = line.decode().rpartition(":")[2].strip()
        headers = {"Authorization": basic(alice.name, alice.password)}
        answer = hub.api.post("/api/v1/token/git/hf-laptop", {"user_code": code}, headers=headers)
        assert answer.status == 200, answer.body
        _, told = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, told
    assert alice.name in person.hf("auth", "whoami").output
    assert "hf-laptop" in person.hf("auth", "list").output


def test_a_folder_goes_up_once_and_comes_down_whole(client, account, hub, name, folder, tmp_path):
    source = write(tmp_path / "source", folder)
    # As a person does it: the token is kept by the client, not in the environment.
    person = client.with_(home=tmp_path / "home", token="")
    person.hf("auth", "login", "--token", account.token)
    assert account.name in person.hf("auth", "whoami").output
    person.hf("upload", name, source, ".")
    commits = commits_of(account, name)
    person.hf("upload", name, source, ".")
    assert [commit["id"] for commit in commits_of(account, name)] == [commit["id"] for commit in commits]
    assert len(commits) == 2  # the repository's first, then one for all files
    entries = {entry["path"]: entry for entry in account.api.get(f"/hf/api/models/{name}/tree/main").json}
    assert entries["weights.bin"]["lfs"]["oid"] == oid_of(folder["weights.bin"])
    if client.xet:
        assert re.fullmatch("[0-9a-f]{64}", entries["weights.bin"]["xetHash"])

    with cutting_proxy(hub.port, marker=b"", after_bytes=0, cuts=0) as proxy:
        watched = person.with_(url=proxy.url + client.url.removeprefix(hub.url))
        path = Path(watched.python(SNAPSHOT, name=name))
        assert files_in(path) == folder
        proxy.heads.clear()
        assert watched.python(SNAPSHOT, name=name) == str(path)
        prefix = client.url.removeprefix(hub.url)
        assert proxy.lines == [f"GET {prefix}/api/models/{name}/revision/main"]
    person.hf("download", name, "data/a b.txt", "weights.bin", "--local-dir", tmp_path / "out")
    assert files_in(tmp_path / "out") == {key: folder[key] for key in ("data/a b.txt", "weights.bin")}

    # What is not there is remembered with the commit.
    assert person.python(MISSING, name=name) in ("RemoteEntryNotFoundError", "EntryNotFoundError")
    assert (path.parents[1] / ".no_exist" / path.name / "none.bin").exists()


LIFE = """
from huggingface_hub import HfApi, CommitOperationAdd, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError

api, name = HfApi(), given["name"]
first, second = (api.create_repo(name, exist_ok=True) for _ in range(2))
there = [api.repo_exists(name), api.repo_exists(name + "-none")]

# A branch with a slash, and a pull request's ref, in every place that takes a revision.
api.create_branch(name, branch="a/b")
api.upload_file(path_or_fileobj=b"one", path_in_repo="one.txt", repo_id=name, revision="a/b")
on_branch = [
    api.model_info(name, revision="a/b").sha == api.list_repo_commits(name, revision="a/b")[0].commit_id,
    sorted(api.list_repo_files(name, revision="a/b")),
    open(hf_hub_download(name, "one.txt", revision="a/b")).read(),
]
pull = api.create_pull_request(name, title="Two", description="Of two", token=None)
ref = f"refs/pr/{pull.num}"
api.upload_file(path_or_fileobj=b"two", path_in_repo="two.txt", repo_id=name, revision=ref)
on_pull = [
    pull.status,
    api.model_info(name, revision=ref).sha == api.list_repo_commits(name, revision=ref)[0].commit_id,
    "two.txt" in api.list_repo_files(name, revision=ref),
    open(hf_hub_download(name, "two.txt", revision=ref)).read(),
    [found.ref for found in api.list_repo_refs(name, include_pull_requests=True).pull_requests],
]
api.change_discussion_status(name, pull.num, "closed")

made = api.upload_file(path_or_fileobj=given["large"].encode() * 6_000_000, path_in_repo="three.bin", repo_id=name,
                       create_pr=True, commit_message="Three")
before = api.model_info(name).sha
api.comment_discussion(name, made.pr_num, "Fine.")
api.merge_pull_request(name, made.pr_num)
details = api.get_discussion_details(name, made.pr_num)
merged = [
    details.status, details.title, details.merge_commit_oid == api.model_info(name).sha != before,
    [event.type for event in details.events if event.type == "comment" and event.content == "Fine."],
    "three.bin" in api.list_repo_files(name),
    [(found.num, found.status, found.is_pull_request) for found in api.get_repo_discussions(name)],
]

# A parent that has moved.
try:
    api.create_commit(name, [CommitOperationAdd("four.txt", b"four")], commit_message="Four", parent_commit=before)
    stale = "committed"
except HfHubHTTPError as error:
    stale = [error.response.status_code, "four.txt" in api.list_repo_files(name)]
answer({"urls": [str(first), str(second), first.repo_id], "there": there, "branch": on_branch, "pull": on_pull,
        "merged": merged, "stale": stale})
"""


def test_a_repository_has_branches_and_pull_requests(client, name):
    told = client.python(LIFE, name=name, large="x")
    assert told["urls"][0] == told["urls"][1]
    assert told["urls"][2] == name
    assert told["there"] == [True, False]
    assert told["branch"] == [True, [".gitattributes", "README.md", "one.txt"], "one"]
    assert told["pull"] == ["draft", True, True, "two", ["refs/pr/1"]]
    assert told["merged"] == [
        "merged",
        "Three",
        True,
        ["comment"],
        True,
        [[2, "merged", True], [1, "closed", True]],
    ]
    assert told["stale"] == [412, False]


FILES = """
import io
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download

name, place = given["name"], given["name"] + "/weights.bin"
HfApi().create_repo(name, private=True, exist_ok=True)
content = open(given["source"], "rb").read()
HfApi().upload_file(path_or_fileobj=given["source"], path_in_repo="weights.bin", repo_id=name)
files = HfFileSystem(skip_instance_cache=True)
found = []
with files.open(place, "rb", block_size=1 << 20) as stream:
    for start, length in given["ranges"]:
        stream.seek(start)
        found.append(stream.read(length) == content[start : start + length])
with files.open(name + "/notes/a.txt", "w") as stream:
    stream.write("hello")
files.cp_file(place, name + "/copy.bin")
files.rm(name + "/.gitattributes")
files.rm(name + "/README.md")
files.invalidate_cache()
answer({
    "ranges": found,
    "cat": files.cat_file(place, start=1000, end=1010) == content[1000:1010],
    "text": files.read_text(name + "/notes/a.txt"),
    "glob": sorted(path.removeprefix(name) for path in files.glob(name + "/**/*")),
    "copy": open(hf_hub_download(name, "copy.bin"), "rb").read() == content,
    "size": files.info(place)["size"],
})
"""


def test_the_file_system_reads_and_writes_in_the_middle(client, name, folder, tmp_path):
    source = write(tmp_path, {"weights.bin": folder["weights.bin"]}) / "weights.bin"
    ranges = [(0, 10), (7 * MIB + 13, 3 * MIB), (WEIGHTS_BYTES - 5, 100), (WEIGHTS_BYTES + 5, 10)]
    told = client.python(FILES, name=name, source=source, ranges=ranges)
    assert told == {
        "ranges": [True] * len(ranges),
        "cat": True,
        "text": "hello",
        "glob": ["/copy.bin", "/notes", "/notes/a.txt", "/weights.bin"],
        "copy": True,
        "size": WEIGHTS_BYTES,
    }


# With details the hub tells fifty entries a page.
PAGES = """
from huggingface_hub import HfApi
api = HfApi()
found = api.list_repo_tree(given["name"], recursive=True, expand=True, repo_type="dataset")
listed = api.list_datasets(author=given["name"].split("/")[0], search=given["name"].split("/")[1], limit=5)
answer([sorted(entry.path for entry in found if hasattr(entry, "blob_id")), [info.id for info in listed]])
"""


def test_a_large_folder_goes_up_by_several_threads(client, name, tmp_path):
    """In the newest line `hf upload` does it itself, in several commits."""
    files = {f"part{number % 7}/{number}.txt": f"{number}\n".encode() for number in range(60)}
    files |= {"README.md": b"# Many\n", "weights.bin": secrets.token_bytes(6 * MIB)}
    source = write(tmp_path / "source", files)
    if client.line == "huggingface":
        client.hf("upload", name, source, ".", "--repo-type", "dataset")
    else:
        client.hf("upload-large-folder", name, source, "--repo-type", "dataset", "--num-workers", "3")
    path = client.python(SNAPSHOT, name=name, options={"repo_type": "dataset"})
    assert files_in(Path(path)) == files
    listed, found = client.python(PAGES, name=name)
    assert set(listed) == {*files, ".gitattributes"}
    assert found == [name]


def test_git_and_the_other_client_see_what_one_uploaded(client, account, name, folder, git_user: GitUser, tmp_path):
    source = write(tmp_path / "source", folder)
    client.hf("upload", name, source, ".")
    git_user.clone(account.address(f"models/{name}"), tmp_path / "clone")
    assert files_in(tmp_path / "clone") == folder
    # Back again: what git pushes comes down by either way.
    pushed = secrets.token_bytes(3 * MIB)
    git_user.commit(tmp_path / "clone", {"pushed.bin": pushed})
    git_user.push(tmp_path / "clone", "main")
    other = client.with_(home=tmp_path / "other", xet=not client.xet)
    path = other.python(SNAPSHOT, name=name)
    assert files_in(Path(path)) == folder | {"pushed.bin": pushed}
