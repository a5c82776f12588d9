"""The commands and code that pages offer to copy are run as they are printed, but for the installing."""

from __future__ import annotations

import base64
import re
import subprocess
from html import unescape
from pathlib import Path

import pytest

from tests.support.git import GitUser
from tests.support.hub import Account
from tests.support.huggingface import HuggingFace
from tests.support.sdk import SDK

pytestmark = pytest.mark.slow

FILES = {"README.md": b"# A thing\n\nIt is there.\n", "config.json": b"{}\n", "sub/weights.bin": b"\0" * 5000}


def snippets_on(account: Account, address: str, name: str, *, signed: bool = True) -> list[str]:
    """The texts to copy of one of a page's ways."""
    headers = {"Accept": "text/html"}
    client = account.api if signed else account.hub.api
    page = client.get(address, headers=headers)
    assert page.status == 200, page.body
    [way] = re.findall(rf'data-testid="ways\.{name}".*?</section>', page.body.decode(), re.DOTALL)
    return [unescape(text) for text in re.findall(r'data-copy="([^"]*)"', way)]


def run(lines: str, place: Path, environment: dict[str, str]) -> None:
    """Run lines of a shell as they are, without those that install."""
    script = "\n".join(line for line in lines.split("\n") if not line.startswith("pip install"))
    done = subprocess.run(["bash", "-ec", script], cwd=place, env=environment, capture_output=True, timeout=120)
    assert done.returncode == 0, f"{script}\n{done.stdout.decode()}\n{done.stderr.decode()}"


def files_in(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in FILES if (path / name).is_file()}


@pytest.fixture(scope="module")
def thing(account: Account) -> str:
    """A public model with a small and a large file; its name."""
    account.create_repository("thing")
    sent = [{"path": path, "content": base64.b64encode(content).decode()} for path, content in FILES.items()]
    body = {"message": "More", "files": sent}
    answer = account.api.post(f"/api/v1/models/{account.name}/thing/commit/main", body)
    assert answer.status == 200, answer.body
    return f"{account.name}/thing"


def test_every_way_to_download_brings_the_files(
    account: Account, thing: str, git_user: GitUser, tmp_path: Path
) -> None:
    page = f"/models/{thing}?part=download"
    sdk = SDK(git_user, account.hub.url, default_client=True).variables()
    huggingface = HuggingFace(tmp_path / "person", account.hub.url).variables()
    places = {name: tmp_path / name for name in ("git", "later", "cli", "sdk", "hf", "curl", "some")}
    for place in places.values():
        place.mkdir()
    whole, later = snippets_on(account, page, "https", signed=False)
    run(whole, places["git"], git_user.environment)
    run(later, places["later"], git_user.environment)
    [cli], [code] = snippets_on(account, page, "cli"), snippets_on(account, page, "sdk")
    run(cli, places["cli"], {name: value for name, value in sdk.items() if name != "CSGHUB_DOMAIN"})
    (places["sdk"] / "get.py").write_text(code)
    run("python get.py", places["sdk"], dict(sdk))
    command, code = snippets_on(account, page, "huggingface")
    run(command, places["hf"], {name: value for name, value in huggingface.items() if name != "HF_ENDPOINT"})
    for name in ("git", "later", "cli", "sdk", "hf"):
        assert files_in(places[name] / "thing") == FILES, name
    (places["hf"] / "get.py").write_text(f"{code}\nassert open(path + '/config.json').read()")
    run("python get.py", places["hf"], {name: value for name, value in huggingface.items() if name != "HF_ENDPOINT"})
    [curl] = snippets_on(account, page, "curl")
    run(curl, places["curl"], git_user.environment)
    assert (places["curl"] / "config.json").read_bytes() == FILES["config.json"]
    # A pattern brings only what it names.
    [sparse] = snippets_on(account, f"{page}&pattern=*.bin", "https")
    run(sparse, places["some"], git_user.environment)
    assert set(files_in(places["some"] / "thing")) == {"sub/weights.bin"}


def test_an_empty_private_repository_is_filled_as_its_page_says(
    account: Account, git_user: GitUser, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for path, content in FILES.items():
        (folder / path).write_bytes(content)
    for way, environment in (
        ("cli", SDK(git_user, account.hub.url, default_client=True).variables()),
        ("huggingface", HuggingFace(tmp_path / "person", account.hub.url).variables()),
        ("git", git_user.environment),
    ):
        name = f"empty-{way}"
        account.create_repository(name, private=True)
        first, *_others = snippets_on(account, f"/models/{account.name}/{name}", way)
        lines = first.replace("YOUR_TOKEN", account.token)
        if way == "git":
            host = account.hub.url.removeprefix("http://")
            lines = lines.replace(host, f"{account.name}:{account.token}@{host}")
            lines = lines.replace("# copy your files into this folder", "cp -r ../folder/. .")
        run(
            lines,
            tmp_path,
            {
                key: value
                for key, value in environment.items()
                if key not in ("CSGHUB_DOMAIN", "HF_ENDPOINT", "HF_HUB_DISABLE_XET")
            },
        )
        tree = account.api.get(f"/hf/api/models/{account.name}/{name}/tree/main?recursive=true").json
        assert {entry["path"] for entry in tree if entry["type"] == "file"} >= set(FILES), way
