"""Pull requests by people who may not write, with huggingface_hub and git, unmodified. Contract: hf-hub-api.md, 9."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git import GitUser
from tests.support.hub import HubServer
from tests.support.huggingface import HuggingFace
from tests.support.servers import scratch_directory

pytestmark = pytest.mark.slow

# By the stranger: one pull request of one file, one of a folder with weights, and what is said about them.
PROPOSE = """
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

api, name = HfApi(), given["name"]
one = api.upload_file(path_or_fileobj=b"better", path_in_repo="card.txt", repo_id=name, create_pr=True,
                      commit_message="Better", commit_description="See.")
two = api.upload_folder(folder_path=given["folder"], repo_id=name, create_pr=True, commit_message="Weights")
empty = api.create_pull_request(name, title="Nothing yet")
said = api.comment_discussion(name, one.pr_num, "Pleaze.")
edited = api.edit_discussion_comment(name, one.pr_num, said.id, "Please.")
api.rename_discussion(name, one.pr_num, "Much better")
picture = api.upload_attachment(given["picture"])
refused = []
for step in (lambda: api.merge_pull_request(name, one.pr_num),
             lambda: api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=name)):
    try:
        step()
    except HfHubHTTPError as error:
        refused.append(error.response.status_code)
answer([one.pr_num, one.pr_url, two.pr_num, empty.num, empty.status, edited.content, edited.edited, refused,
        picture])
"""

# By the owner.
DECIDE = """
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError

api, name, (one, two, empty) = HfApi(), given["name"], given["numbers"]
before = api.get_discussion_details(name, one)
comment = next(event for event in before.events if event.type == "comment" and event.content == "Please.")
hidden = api.hide_discussion_comment(name, one, comment.id)
api.change_discussion_status(name, empty, "closed", comment="Empty.")
for number in (one, two):
    api.merge_pull_request(name, number, comment="Thanks.")
after = api.get_discussion_details(name, two)
files = sorted(api.list_repo_files(name))
weights = open(hf_hub_download(name, "weights.bin"), "rb").read()
history = api.list_repo_commits(name)
api.super_squash_history(name, commit_message="All")
answer([
    before.title, before.author, before.diff, before.conflicting_files, before.target_branch,
    [event.type for event in before.events], hidden.hidden,
    after.status, after.merge_commit_oid == history[0].commit_id, len(history),
    files, weights.hex(),
    [(found.num, found.status) for found in api.get_repo_discussions(name)],
    [commit.title for commit in api.list_repo_commits(name)], sorted(api.list_repo_files(name)) == files,
])
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    with scratch_directory("pulls") as directory, HubServer(directory / "home", {"ssh_port": 0}) as server:
        yield server


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_a_stranger_proposes_and_the_owner_decides(
    hub: HubServer, git_user: GitUser, tmp_path: Path, xet: bool
) -> None:
    owner, stranger = hub.new_account(), hub.new_account()
    path = owner.create_repository("thing", private=False)
    name = path.removeprefix("models/")
    folder = tmp_path / "folder"
    folder.mkdir()
    weights = secrets.token_bytes(300_000)
    (folder / "weights.bin").write_bytes(weights)
    (folder / "notes.txt").write_text("Of weights.\n")
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    clients = [
        HuggingFace(tmp_path / account.name, f"{hub.url}/hf", account.token, xet=xet) for account in (owner, stranger)
    ]
    [one, url, two, empty, status, content, edited, refused, shown] = clients[1].python(
        PROPOSE, name=name, folder=folder, picture=picture
    )
    assert (one, two, empty, status) == (1, 2, 3, "draft")
    assert url == f"{hub.url}/hf/{name}/discussions/1"
    assert (content, edited, refused) == ("Please.", True, [403, 403])

    assert hub.api.get(shown.removeprefix(hub.url)).body == picture.read_bytes()

    # Git fetches what is proposed; its author pushes more to it, and nothing elsewhere.
    work = tmp_path / "work"
    git_user.clone(stranger.address(path), work)
    git_user.git("fetch", "--quiet", "origin", "refs/pr/1", cwd=work)
    git_user.git("checkout", "--quiet", "--detach", "FETCH_HEAD", cwd=work)
    assert (work / "card.txt").read_text() == "better"
    large = {".gitattributes": "*.dat filter=lfs diff=lfs merge=lfs -text\n", "more.dat": weights[:1000]}
    git_user.commit(work, {"card.txt": b"better still", **large}, "More")
    git_user.git("push", "--quiet", "origin", "HEAD:refs/pr/1", cwd=work)
    for refused, words in {
        "HEAD:refs/heads/main": "does not allow",
        "HEAD:refs/pr/99": "no pull request 99",
        ":refs/pr/1": "stays",
        "HEAD:refs/pr/2 HEAD:refs/heads/mine": "does not allow",
    }.items():
        pushed = git_user.git("push", "--quiet", "origin", *refused.split(), cwd=work, check=False)
        assert not pushed.ok
        assert words in pushed.error, refused

    told = clients[0].python(DECIDE, name=name, numbers=[one, two, empty])
    [
        title,
        author,
        diff,
        conflicts,
        base,
        types,
        hidden,
        status,
        is_tip,
        history,
        files,
        held,
        found,
        commits,
        same,
    ] = told
    assert (title, author, conflicts, base) == ("Much better", stranger.name, [], "refs/heads/main")
    assert "+better still" in diff
    assert types == ["comment", "commit", "comment", "title-change", "commit"]
    assert (hidden, status, is_tip) == (True, "merged", True)
    # The repository's first commit, three of the pull requests, and the merge of the second.
    assert history == 5
    assert {"card.txt", "notes.txt", "weights.bin", "more.dat"} <= {*files}
    assert bytes.fromhex(held) == weights
    assert found == [[3, "closed"], [2, "merged"], [1, "merged"]]
    assert (commits, same) == (["All"], True)
