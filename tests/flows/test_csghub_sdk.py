"""The CSGHub SDK and its command, unmodified, on a running hub. Contract: csghub-api.md, section 2.

What it has no command for (login, whoami, lists) is asked by REST with the headers that it sends.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git import GitUser
from tests.support.hub import Account, HubServer
from tests.support.lfs import oid_of
from tests.support.proxy import cutting_proxy
from tests.support.sdk import SDK
from tests.support.servers import scratch_directory

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
# What the SDK calls the kinds, and what the API does.
COLLECTIONS = {
    "model": "models",
    "dataset": "datasets",
    "space": "spaces",
    "code": "codes",
    "mcp": "mcps",
    "skill": "skills",
}
# Those for which the SDK takes huggingface_hub unless it is told not to.
OF_DEFAULT_CLIENT = ("model", "dataset", "space")
NO_XET = {"HF_HUB_DISABLE_XET": "1"}


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    """A hub where files of more than a mebibyte go up in parts, and none may have more than twelve."""
    settings = {"lfs_part_size_bytes": MIB, "max_lfs_object_size_bytes": 12 * MIB, "ssh_port": 0}
    with scratch_directory("sdk") as directory, HubServer(directory / "home", settings) as server:
        yield server


@pytest.fixture(scope="module")
def account(hub: HubServer) -> Account:
    return hub.create_user("ada")


@pytest.fixture(scope="module")
def stranger(hub: HubServer) -> Account:
    return hub.create_user("bob")


@pytest.fixture
def sdk(git_user: GitUser, hub: HubServer, account: Account) -> SDK:
    """ada's SDK, with its native client."""
    return SDK(git_user, hub.url, account.token)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is uploaded: a card, a file in a folder, an empty one, weights of three parts."""
    path = tmp_path_factory.mktemp("folder")
    write(
        path,
        {
            "README.md": b"---\nlicense: mit\n---\n# A thing\n",
            "config.json": b"{}\n",
            "data/a b.txt": b"hello\n",
            "empty.bin": b"",
            "weights.bin": secrets.token_bytes(2 * MIB + 12_345),
        },
    )
    return path


def write(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def files_in(path: Path) -> dict[str, bytes]:
    """The files of a folder by name, without those that clients keep for themselves."""
    return {
        name: file.read_bytes()
        for file in path.rglob("*")
        if file.is_file()
        and not (name := file.relative_to(path).as_posix()).startswith((".git", ".cache", ".m", ".huggingface"))
    }


def names_on(hub_account: Account, path: str, ref: str = "main") -> dict[str, dict]:
    """What a revision of ``models/ada/thing`` holds, by path."""
    answer = hub_account.api.get(f"/hf/api/{path}/tree/{ref}?recursive=true")
    assert answer.status == 200, answer.body
    return {entry["path"]: entry for entry in answer.json if entry["type"] == "file"}


UPLOAD_AND_DOWNLOAD = """
from pycsghub.repository import Repository
from pycsghub.snapshot_download import snapshot_download
from pycsghub.file_download import file_download
from pathlib import Path

for kind in given["kinds"]:
    name = f"ada/{kind}-thing"
    Repository(repo_id=name, upload_path=given["folder"], repo_type=kind, work_dir=given["work"] + kind,
               token=given["token"], nickname="Thing", description="A thing").upload()
    snapshot_download(name, repo_type=kind, local_dir=given["out"] + "/" + kind, cache_dir=given["cache"])
    file_download(name, file_name="data/a b.txt", repo_type=kind, local_dir=given["out"] + "/one-" + kind,
                  cache_dir=given["cache"] + "1")
"""

# The native client's dry run fails with the huggingface_hub that pip chooses; the default client's works.
DRY_RUN = """
from pycsghub.api_client import get_csghub_api

api = get_csghub_api("model", token=given["token"], endpoint=given["url"])
infos = api.snapshot_download(repo_id="ada/model-thing", dry_run=True, allow_patterns=["*.bin", "*.json"])
answer({info.filename: info.file_size for info in infos if info.will_download})
"""


@pytest.fixture(scope="module")
def things(hub: HubServer, account: Account, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private thing of each kind, made and filled by the SDK over git; where it then downloaded them to."""
    path = tmp_path_factory.mktemp("things")
    sdk = SDK(GitUser(path / "person"), hub.url, account.token)
    sdk.python(
        UPLOAD_AND_DOWNLOAD,
        kinds=list(COLLECTIONS),
        folder=folder,
        work=path / "work",
        out=path / "out",
        cache=path / "cache",
        token=account.token,
    )
    return path / "out"


def test_a_folder_goes_up_by_git_and_comes_down_for_every_kind(things, account, hub, folder):
    for kind, collection in COLLECTIONS.items():
        assert files_in(things / kind) == files_in(folder), kind
        assert files_in(things / f"one-{kind}") == {"data/a b.txt": b"hello\n"}
        shown = account.api.get(f"/api/v1/{collection}/ada/{kind}-thing").data
        assert (shown["private"], shown["default_branch"]) == (True, "main")
        weights = names_on(account, f"{collection}/ada/{kind}-thing")["weights.bin"]
        assert weights["lfs"]["oid"] == oid_of((folder / "weights.bin").read_bytes())
        assert hub.api.get(f"/api/v1/{collection}/ada/{kind}-thing").status == 404


def test_the_command_downloads_what_was_asked_for(sdk, things, account, folder, tmp_path):
    whole = files_in(folder)
    for default_client in (True, False):
        client, out = sdk.with_(default_client=default_client), tmp_path / str(default_client)
        client.cli("download", "ada/model-thing", "--local-dir", out / "some", "--allow-patterns", "*.bin",
                   "--ignore-patterns", "empty*")  # fmt: skip
        assert set(files_in(out / "some")) == {"weights.bin"}
        client.cli("download", "ada/model-thing", "config.json", "--local-dir", out / "one")
        assert files_in(out / "one") == {"config.json": whole["config.json"]}
    for kind in OF_DEFAULT_CLIENT:
        client.with_(default_client=True).cli("download", f"ada/{kind}-thing", "-t", kind, "-ld", tmp_path / kind)
        assert files_in(tmp_path / kind) == whole
    # What is public needs no token.
    account.create_repository("open")
    for default_client in (True, False):
        anyone, out = sdk.with_(token="", default_client=default_client), tmp_path / f"open-{default_client}"
        anyone.cli("download", "ada/open", "--local-dir", out)
        assert set(files_in(out)) == {"README.md"}
    # The source that looks for mirrors first finds local things, too.
    client.cli("download", "ada/code-thing", "-t", "code", "--source", "hf", "-ld", tmp_path / "code")
    assert files_in(tmp_path / "code") == whole
    told = sdk.with_(default_client=True).python(DRY_RUN, token=sdk.token, url=sdk.url)
    assert told == {name: len(whole[name]) for name in ("config.json", "empty.bin", "weights.bin")}


ERRORS = """
import logging
from pycsghub.api_client import get_csghub_api
from huggingface_hub import HfApi

def told(token, default_client, name, **options):
    import os
    os.environ["CSGHUB_DISABLE_XNET"] = "false" if default_client else "true"
    api = get_csghub_api("model", token=token, endpoint=given["url"])
    try:
        if "filename" in options:
            api.hf_hub_download(name, repo_type="model", token=token, **options)
        else:
            api.snapshot_download(repo_id=name, repo_type="model", token=token, **options)
    except Exception as error:
        return [type(error).__name__, str(error)]
    return ["", ""]

answer([told(*case[:3], **case[3]) for case in given["cases"]])
"""


def test_what_is_refused_is_told_in_the_sdks_own_errors(sdk, things, account, stranger, hub):
    secret, missing = "ada/model-thing", "ada/none"
    cases = {
        # token, default client, repository, options: the error's class and words of its message
        ("0" * 32, True, secret): ("HfHubHTTPError", "401"),
        ("0" * 32, False, secret): ("HTTPError", "401"),
        (stranger.token, True, secret): ("RepositoryNotFoundError", "Repository Not Found"),
        (stranger.token, False, secret): ("HTTPError", "404"),
        (account.token, True, missing): ("RepositoryNotFoundError", "There is no such repository"),
        (account.token, False, missing): ("HTTPError", "404"),
        (account.token, True, secret, "revision"): ("RevisionNotFoundError", "There is no revision 'none'"),
        (account.token, False, secret, "revision"): ("HTTPError", "404"),
        (account.token, True, secret, "filename"): ("RemoteEntryNotFoundError", "There is no file 'none'"),
        (account.token, False, secret, "filename"): ("InvalidParameter", "file none not in repo ada/model-thing"),
    }
    asked = [(*case[:3], dict.fromkeys(case[3:], "none")) for case in cases]
    told = sdk.with_(token="").python(ERRORS, cases=asked, url=hub.url)
    for case, (expected, (name, message)) in zip(cases, zip(cases.values(), told, strict=True), strict=True):
        assert name == expected[0], (case, name, message)
        assert expected[1] in message, (case, message)
    # The command says so, too, and fails; without a token what is private is not there.
    anonymous = sdk.with_(token="", default_client=True).cli("download", secret, check=False)
    assert anonymous.status == 1
    assert "Repository Not Found" in anonymous.error


def test_the_default_client_uploads_without_xet(sdk, account, folder, tmp_path):
    client = sdk.with_(default_client=True, environment=NO_XET)
    client.cli("upload", "ada/defaults", folder, "--private")
    assert account.api.get("/api/v1/models/ada/defaults").data["private"] is True
    found = names_on(account, "models/ada/defaults")
    assert set(found) == set(files_in(folder)) | {".gitattributes"}
    assert found["weights.bin"]["lfs"]["oid"] == oid_of((folder / "weights.bin").read_bytes())
    # The same once more makes no commit; another branch is made.
    head = account.api.get("/hf/api/models/ada/defaults").json["sha"]
    client.cli("upload", "ada/defaults", folder)
    assert account.api.get("/hf/api/models/ada/defaults").json["sha"] == head
    client.cli("upload", "ada/defaults", folder / "config.json", "more/config.json", "-r", "dev/x",
               "--commit-message", "More", "--commit-description", "of it")  # fmt: skip
    assert "more/config.json" in names_on(account, "models/ada/defaults", "dev%2Fx")
    [last, *_] = account.api.get("/hf/api/models/ada/defaults/commits/dev%2Fx").json
    assert (last["title"], last["message"]) == ("More", "of it")
    client.cli("upload", "ada/corpus", folder / "data", ".", "-t", "dataset", "--delete", "README.md")
    assert set(names_on(account, "datasets/ada/corpus")) == {".gitattributes", "a b.txt"}
    client.cli("upload", "ada/defaults", folder / "config.json", "pr.json", "--create-pr")
    assert "pr.json" in names_on(account, "models/ada/defaults", "refs%2Fpr%2F1")
    assert "pr.json" not in names_on(account, "models/ada/defaults")


def test_the_default_client_uploads_and_downloads_by_xet(sdk, account, folder, tmp_path):
    """As the SDK comes, with nothing set: huggingface_hub with hf_xet."""
    client = sdk.with_(default_client=True)
    client.cli("upload", "ada/chunked", folder)
    found = names_on(account, "models/ada/chunked")
    assert set(found) == set(files_in(folder)) | {".gitattributes"}
    assert found["weights.bin"]["lfs"]["oid"] == oid_of((folder / "weights.bin").read_bytes())
    assert len(found["weights.bin"]["xetHash"]) == 64
    client.cli("download", "ada/chunked", "--local-dir", tmp_path / "default")
    sdk.cli("download", "ada/chunked", "--local-dir", tmp_path / "native")
    assert files_in(tmp_path / "default") == files_in(tmp_path / "native") == files_in(folder)


def test_one_file_goes_up_by_http_and_a_large_one_is_refused(sdk, account, folder, tmp_path):
    # The SDK appends the file's name to the path in the repository.
    sdk.cli("upload", "ada/single", folder / "weights.bin", "sub")
    assert names_on(account, "models/ada/single")["sub/weights.bin"]["size"] == 2 * MIB + 12_345
    sdk.cli("upload", "ada/single", folder / "config.json", "sub", "-r", "dev")
    assert "sub/config.json" in names_on(account, "models/ada/single", "dev")
    large = tmp_path / "large.bin"
    with large.open("wb") as stream:
        stream.truncate(14 * MIB)
    refused = sdk.cli("upload", "ada/single", large, "sub", check=False)
    assert refused.status == 1
    assert "413" in refused.error
    assert "REQ-ERR-3" in refused.error
    # With this code the SDK would take the refusal for success.
    assert "GIT-ERR-20" not in refused.error
    assert "sub/large.bin" not in names_on(account, "models/ada/single")


def test_the_command_uploads_a_folder_by_git(sdk, account, folder, tmp_path):
    # The command works in a fixed place, by the repository's name.
    name = f"sdk-{secrets.token_hex(8)}"
    try:
        sdk.cli("upload", f"ada/{name}", folder, "sub", "-t", "skill")
    finally:
        shutil.rmtree(Path("/tmp/csg") / name, ignore_errors=True)
    assert {f"sub/{path}" for path in files_in(folder)} <= set(names_on(account, f"skills/ada/{name}"))


@pytest.mark.parametrize("kind", ["space", "mcp"])
def test_a_large_folder_goes_up_in_parts(sdk, account, folder, tmp_path, kind):
    """A space is made with the resource that the hub offers without a credential; LFS of an MCP server has its own
    word in the address."""
    path = shutil.copytree(folder, tmp_path / "large")
    sdk.cli("upload-large-folder", f"ada/large-{kind}", path, "-t", kind, "-n", "2")
    at = f"{COLLECTIONS[kind]}/ada/large-{kind}"
    found = names_on(account, at)
    assert {name: found[name]["size"] for name in files_in(folder)} == {
        name: len(content) for name, content in files_in(folder).items()
    }
    assert found["weights.bin"]["lfs"]["oid"] == oid_of((folder / "weights.bin").read_bytes())
    if kind == "mcp":
        # The hub has the object, the path does not point to it: the SDK wants to send it again, and may.
        (path / "weights.bin").rename(path / "again.bin")
        sdk.cli("upload-large-folder", f"ada/large-{kind}", path, "-t", kind, "-n", "2")
        assert names_on(account, at)["again.bin"]["lfs"]["oid"] == found["weights.bin"]["lfs"]["oid"]


def test_a_push_of_large_files_goes_through_the_sdks_transfer(sdk, account, git_user, hub, tmp_path):
    path = account.create_repository("pushed")
    work_tree = tmp_path / "work"
    git_user.clone(account.address(path), work_tree)
    sdk.cli("lfs-enable-largefiles", work_tree)
    # Eleven parts, so that their order as numbers is not that of their names as texts.
    content = secrets.token_bytes(10 * MIB + 77)
    git_user.commit(work_tree, {"weights.bin": content})
    programs = {"PATH": sdk.variables()["PATH"], "GIT_TRACE": "1"}
    pushed = git_user.push(work_tree, "main", environment=programs)
    assert "csghub-cli" in pushed.error
    git_user.clone(f"{hub.url}/{path}.git", tmp_path / "clone")
    assert (tmp_path / "clone" / "weights.bin").read_bytes() == content


DOWNLOAD = """
from pycsghub.snapshot_download import snapshot_download
snapshot_download("ada/model-thing", local_dir=given["out"], cache_dir=given["cache"], endpoint=given["url"],
                  allow_patterns=["weights.bin"])
"""


def test_a_download_that_is_cut_goes_on_where_it_was(sdk, things, hub, folder, tmp_path):
    with cutting_proxy(hub.port, marker=b"/resolve/", after_bytes=MIB + 5000, cuts=2) as proxy:
        sdk.python(DOWNLOAD, out=tmp_path / "out", cache=tmp_path / "cache", url=proxy.url)
    assert files_in(tmp_path / "out") == {"weights.bin": (folder / "weights.bin").read_bytes()}
    ranges = [head.lower().partition(b"range: ")[2].split(b"\r\n")[0] for head in proxy.heads if b"/resolve/" in head]
    assert len(ranges) >= 2
    assert ranges[0] == b""
    assert any(wanted.startswith(b"bytes=") and wanted != b"bytes=0-" for wanted in ranges[1:]), ranges


def test_the_object_store_sends_large_files_itself(scaled_hub, git_user, folder, tmp_path):
    """On S3 a HEAD is answered by the hub and a GET is sent on, to where the hub's credential must not go."""
    account = scaled_hub.new_account()
    sdk = SDK(git_user, scaled_hub.url, account.token)
    name = f"{account.name}/stored"
    sdk.with_(default_client=True, environment=NO_XET).cli("upload", name, folder, "--private")
    address, whole = f"/hf/{name}/resolve/main/weights.bin", files_in(folder)
    head = account.api.request("HEAD", address)
    assert (head.status, int(head.headers["Content-Length"])) == (200, len(whole["weights.bin"]))
    sent_on = account.api.get(address)
    assert sent_on.status == 302
    assert not sent_on.headers["Location"].startswith(scaled_hub.url)
    for default_client in (True, False):
        out = tmp_path / str(default_client)
        sdk.with_(default_client=default_client).cli("download", name, "--local-dir", out)
        assert files_in(out) == whole


REST = """
import requests
from pycsghub.utils import build_csg_headers
from huggingface_hub import HfApi

def get(path, **query):
    headers = build_csg_headers(token=given["token"], headers={"Content-Type": "application/json"})
    response = requests.get(given["url"] + path, headers=headers, params=query)
    response.raise_for_status()
    return response.json()

answer({
    "whoami": HfApi(endpoint=given["url"] + "/hf", token=given["token"]).whoami()["name"],
    "user": get("/api/v1/user/ada")["data"]["username"],
    "models": [item["path"] for item in get("/api/v1/models", per=100)["data"]],
    "datasets": [item["path"] for item in get("/api/v1/datasets", search="dataset-thing")["data"]],
    "spaces": [item["path"] for item in get("/api/v1/spaces", per=100)["data"]],
    "hub models": [info.id for info in HfApi(endpoint=given["url"] + "/hf", token=given["token"]).list_models()],
})
"""


def test_login_and_lists_are_there_by_rest(sdk, things, account, hub):
    told = sdk.python(REST, url=hub.url, token=account.token)
    assert (told["whoami"], told["user"]) == ("ada", "ada")
    assert "ada/model-thing" in told["models"]
    assert "ada/model-thing" in told["hub models"]
    assert told["datasets"] == ["ada/dataset-thing"]
    assert "ada/space-thing" in told["spaces"]
    shown = sdk.cli("env").output
    assert f"ENDPOINT: {hub.url}" in shown
    assert account.token not in shown
    assert json.loads(json.dumps(told)) == told
