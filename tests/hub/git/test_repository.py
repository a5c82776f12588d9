"""Repositories as a whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from hub.base.errors import Conflict, HubError, Invalid, NotFound
from hub.git.repository import (
    clear_leftovers,
    find_branch,
    find_revision,
    find_tag,
    fork_repository,
    get_branch,
    get_commit,
    get_default_branch,
    get_tag,
    init_repository,
    is_empty,
    list_branches,
    list_ref_names,
    list_refs,
    list_tags,
    maintain,
    refs_digest,
    repository_size_bytes,
    resolve_revision,
    set_head,
)
from hub.git.tree import read_blob, walk_tree
from hub.git.types import HIDDEN_REFS
from tests.hub.git.conftest import Sandbox


def test_a_new_repository_is_empty_and_sound(sandbox: Sandbox) -> None:
    sandbox.git("fsck", "--strict")
    assert is_empty(sandbox.path)
    assert get_default_branch(sandbox.path) == "main"
    assert find_revision(sandbox.path, "HEAD") is None
    assert list_branches(sandbox.path).total == list_tags(sandbox.path).total == 0
    assert list_refs(sandbox.path) == {}


def test_a_repository_is_not_made_twice_nor_with_an_impossible_branch(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        init_repository(sandbox.path)
    with pytest.raises(Invalid):
        init_repository(tmp_path / "other.git", "a..b")


def test_a_directory_that_is_no_repository_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "no.git").mkdir()
    for path in (tmp_path / "no.git", tmp_path / "none.git"):
        with pytest.raises(NotFound) as caught:
            list_refs(path)
        assert caught.value.code == "repository_missing"


def test_a_repository_inside_another_one_is_not_mistaken_for_it(sandbox: Sandbox) -> None:
    (sandbox.path / "inner").mkdir()
    with pytest.raises(NotFound):
        list_refs(sandbox.path / "inner")


def test_a_revision_is_a_whole_id_before_a_branch_before_a_tag_before_a_short_id(sandbox: Sandbox) -> None:
    first, second, third = (sandbox.commit({"a": b"%d" % number}) for number in range(3))
    sandbox.move("refs/heads/name", first)
    sandbox.move("refs/tags/name", second)
    sandbox.move(f"refs/tags/{third}", second)
    sandbox.move(f"refs/heads/{third[:7]}", first)
    found = {word: resolve_revision(sandbox.path, word) for word in ("name", third, third[:7], third[:8], "HEAD")}
    assert found == {"name": first, third: third, third[:7]: first, third[:8]: third, "HEAD": third}
    assert resolve_revision(sandbox.path, "refs/tags/name") == second
    assert resolve_revision(sandbox.path, "refs/heads/name") == first


@pytest.mark.parametrize(
    "revision",
    [
        "", "-main", "--all", "main~", "main^", "main^{tree}", "@", "@{0}", "main@{0}", ":a", "main:a", "ma*n", "main ",
        "a..b", "main\0", "refs/hub/secret", "none", "123456", "deadbeef", "f" * 40, "../main", "x" * 300, "FETCH_HEAD",
        "config", "refs/heads", "objects/../main", "m\u00e4in", "\ud800",
    ],
)  # fmt: skip
def test_what_git_would_compute_or_hide_is_no_revision(sandbox: Sandbox, revision: str) -> None:
    sandbox.move("refs/hub/secret", sandbox.commit({"a": b"1"}))
    with pytest.raises(NotFound) as caught:
        resolve_revision(sandbox.path, revision)
    assert caught.value.code == "revision_not_found"


def test_a_tag_of_a_file_leads_to_no_commit_and_is_not_shown(sandbox: Sandbox) -> None:
    sandbox.commit({"a": b"1"})
    sandbox.move("refs/tags/blob", sandbox.plant_blob(b"1"))
    assert find_revision(sandbox.path, "blob") is None
    assert find_revision(sandbox.path, sandbox.plant_blob(b"1")) is None
    assert find_tag(sandbox.path, "blob") is None
    assert list_tags(sandbox.path).items == []


def test_branches_come_default_first_and_tags_latest_first(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": b"1"}, message="First")
    for name in ("a", "z/deep"):
        sandbox.move(f"refs/heads/{name}", first)
    for name in ("v1", "v2"):
        sandbox.move(f"refs/tags/{name}", first)
    page = list_branches(sandbox.path, offset=0, limit=2)
    assert ([branch.name for branch in page.items], page.total) == (["main", "a"], 3)
    assert [branch.name for branch in list_branches(sandbox.path, offset=2).items] == ["z/deep"]
    assert [tag.name for tag in list_tags(sandbox.path).items] == ["v2", "v1"]
    branches = [branch.name for branch in list_branches(sandbox.path).items]
    assert list_ref_names(sandbox.path) == [*branches, "v2", "v1"]
    assert list_ref_names(sandbox.path, limit=1) == [branches[0], "v2"]
    assert get_branch(sandbox.path, "z/deep").target == get_commit(sandbox.path, first)
    assert get_branch(sandbox.path, "refs/heads/main").name == "main"
    for lookup in (get_branch, get_tag):
        with pytest.raises(NotFound) as caught:
            lookup(sandbox.path, "none")
        assert caught.value.code == "ref_not_found"
    assert find_branch(sandbox.path, "none") is None


def test_an_annotated_tag_has_a_message_and_a_tagger(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": b"1"})
    sandbox.git(
        "-c", "user.name=Tess", "-c", "user.email=t@x", "tag", "-a", "-m", "Version one", "v1", first
    )  # fmt: skip
    tag = get_tag(sandbox.path, "v1")
    assert tag.tagger is not None
    assert (tag.target.id, tag.tagger.name, tag.message) == (first, "Tess", "Version one\n")
    assert tag.tag_id == sandbox.git("rev-parse", "refs/tags/v1").strip()
    assert resolve_revision(sandbox.path, "v1") == first


def test_texts_that_are_no_utf8_are_read_by_the_encoding_they_name(sandbox: Sandbox) -> None:
    tree = sandbox.plant_tree()
    head = f"tree {tree}\nauthor Andr\u00e9 <a@b> 1 +0000\ncommitter C <c@d> 99999999999999 -0330\n"
    for encoding, expected in (("latin-1", "Andr\u00e9"), ("no-such", "Andr\N{REPLACEMENT CHARACTER}")):
        raw = (head + f"encoding {encoding}\n\nCaf\u00e9\n").encode("latin-1")
        oid = sandbox.git("hash-object", "-w", "--literally", "-t", "commit", "--stdin", input=raw).strip()
        commit = get_commit(sandbox.path, oid)
        assert commit.author.name == expected
        assert commit.title == expected.replace("Andr", "Caf")
        assert commit.committer.when.year == 1970  # a moment that no calendar holds


def test_the_default_branch_may_be_set_before_it_exists(sandbox: Sandbox) -> None:
    set_head(sandbox.path, "trunk")
    assert get_default_branch(sandbox.path) == "trunk"
    with pytest.raises(Invalid):
        set_head(sandbox.path, "-d")


def test_the_digest_changes_with_what_clients_see_and_only_then(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": b"1"})
    digests = [refs_digest(sandbox.path)]
    sandbox.move("refs/hub/hidden", first)
    sandbox.git("pack-refs", "--all")
    assert refs_digest(sandbox.path) == digests[0]
    sandbox.move("refs/tags/v1", first)
    digests.append(refs_digest(sandbox.path))
    set_head(sandbox.path, "other")
    digests.append(refs_digest(sandbox.path))
    assert len(set(digests)) == 3


def _fill(sandbox: Sandbox, commits: int = 5) -> str:
    for number in range(commits):
        tip = sandbox.commit({f"dir/file-{number}": os.urandom(2000), "same": b"%d" % number})
    return tip


@pytest.mark.parametrize("packed", [False, True])
def test_a_fork_stands_alone_when_its_source_is_gone(sandbox: Sandbox, tmp_path: Path, packed: bool) -> None:
    tip = _fill(sandbox)
    sandbox.git("-c", "user.name=T", "-c", "user.email=t@x", "tag", "-a", "-m", "one", "v1", tip)
    sandbox.move(f"{HIDDEN_REFS}keep", tip)
    set_head(sandbox.path, "trunk")
    sandbox.move("refs/heads/trunk", tip)
    if packed:
        maintain(sandbox.path, full=True)
    target = tmp_path / "deep" / "fork.git"
    before = refs_digest(sandbox.path)
    fork_repository(sandbox.path, target)
    shutil.rmtree(sandbox.path)
    fork = Sandbox(target)
    fork.git("fsck", "--strict")
    assert refs_digest(target) == before
    assert list(list_refs(target)) == ["refs/heads/main", "refs/heads/trunk", "refs/tags/v1"]
    assert "remote" not in (target / "config").read_text()
    assert not (target / "objects" / "info" / "alternates").exists()
    assert fork.commit({"more": b"1"}) == resolve_revision(target, "main")


def test_a_fork_leaves_behind_what_the_source_is_about_to_forget(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = sandbox.commit({"secret": b"s3cret"}, branch="leak")
    _fill(sandbox)
    sandbox.git("update-ref", "-d", "refs/heads/leak")
    maintain(sandbox.path, full=True)
    assert find_revision(sandbox.path, secret) == secret  # within the grace
    fork_repository(sandbox.path, tmp_path / "fork.git")
    assert find_revision(tmp_path / "fork.git", secret) is None


def test_a_fork_of_an_empty_repository_is_empty(sandbox: Sandbox, tmp_path: Path) -> None:
    fork_repository(sandbox.path, tmp_path / "fork.git")
    assert is_empty(tmp_path / "fork.git")
    with pytest.raises(Conflict):
        fork_repository(sandbox.path, tmp_path / "fork.git")
    with pytest.raises(NotFound):
        fork_repository(tmp_path / "none.git", tmp_path / "other.git")


def test_forks_are_whole_while_the_source_is_written_and_repacked(sandbox: Sandbox, tmp_path: Path) -> None:
    _fill(sandbox)
    problems: list[HubError] = []
    is_done = threading.Event()

    def disturb() -> None:
        for _ in range(4):
            _fill(sandbox, 2)
            maintain(sandbox.path, full=True)
        is_done.set()

    writer = threading.Thread(target=disturb)
    writer.start()
    number = 0
    while not is_done.is_set():
        number += 1
        try:
            fork_repository(sandbox.path, tmp_path / f"fork-{number}.git")
        except HubError as error:
            problems.append(error)
    writer.join()
    assert not problems
    for fork in tmp_path.glob("fork-*.git"):
        Sandbox(fork).git("fsck", "--connectivity-only")


def test_upkeep_leaves_a_sound_repository_with_packs_bitmap_and_graph(sandbox: Sandbox) -> None:
    tip = _fill(sandbox, 8)
    loose_size = repository_size_bytes(sandbox.path)
    assert maintain(sandbox.path)
    assert not list(sandbox.path.glob("objects/??/*"))
    assert maintain(sandbox.path, full=True)
    assert len(list(sandbox.path.glob("objects/pack/*.bitmap"))) == 1
    assert (sandbox.path / "objects" / "info" / "commit-graph").exists()
    assert (sandbox.path / "packed-refs").exists()
    sandbox.git("fsck", "--strict")
    assert resolve_revision(sandbox.path, "main") == tip
    assert repository_size_bytes(sandbox.path) > 16_000
    assert repository_size_bytes(sandbox.path) != loose_size
    assert maintain(sandbox.path)  # after a full one, and on what is in order
    sandbox.git("fsck", "--strict")


def test_upkeep_of_an_empty_repository_is_harmless(sandbox: Sandbox) -> None:
    assert maintain(sandbox.path)
    assert maintain(sandbox.path, full=True)
    assert is_empty(sandbox.path)


def test_upkeep_keeps_what_nothing_leads_to_for_two_weeks(sandbox: Sandbox) -> None:
    young, old = (sandbox.plant_blob(data) for data in (b"young", b"old"))
    file = sandbox.path / "objects" / old[:2] / old[2:]
    os.utime(file, (1_700_000_000, 1_700_000_000))
    _fill(sandbox)
    maintain(sandbox.path, full=True)
    assert sandbox.git("cat-file", "-t", young).strip() == "blob"
    with pytest.raises(subprocess.CalledProcessError):
        sandbox.git("cat-file", "-t", old)


def test_pushes_and_clones_go_on_while_the_repository_is_repacked(sandbox: Sandbox, tmp_path: Path) -> None:
    _fill(sandbox)
    is_done = threading.Event()
    failures: list[str] = []

    def clone() -> None:
        number = 0
        while not is_done.is_set():
            number += 1
            target = tmp_path / f"clone-{threading.get_ident()}-{number}"
            command = ["git", "-c", "safe.directory=*", "clone", "-q", f"file://{sandbox.path}", str(target)]
            finished = subprocess.run(command, capture_output=True)
            if finished.returncode:
                failures.append(finished.stderr.decode())

    cloner = threading.Thread(target=clone)
    cloner.start()
    for number in range(6):
        _fill(sandbox, 2)
        maintain(sandbox.path, full=number % 2 == 0)
    is_done.set()
    cloner.join()
    assert not failures
    sandbox.git("fsck", "--strict")


def test_what_killed_processes_left_is_removed_once_it_is_old(sandbox: Sandbox) -> None:
    first = sandbox.commit({"a": b"1"})
    quarantine = sandbox.path / "objects" / "tmp_objdir-incoming-Xy12"
    (quarantine / "pack").mkdir(parents=True)
    (quarantine / "pack" / "tmp_pack_abc").write_bytes(b"x" * 100_000)
    locks = [
        sandbox.path / "refs" / "heads" / "main.lock",
        sandbox.path / "HEAD.lock",
        sandbox.path / "packed-refs.lock",
        sandbox.path / "objects" / "pack" / "tmp_idx_1",
    ]
    for lock in locks:
        lock.parent.mkdir(exist_ok=True)
        lock.write_bytes(b"")
    assert repository_size_bytes(sandbox.path) < 50_000  # a push under way does not count
    assert clear_leftovers(sandbox.path, older_than_s=3600) == 0
    assert clear_leftovers(sandbox.path, older_than_s=-1) == 5
    assert not quarantine.exists()
    assert not any(lock.exists() for lock in locks)
    assert sandbox.commit({"a": b"2"}) != first


def test_readers_see_a_whole_repository_while_it_is_repacked(sandbox: Sandbox) -> None:
    _fill(sandbox)
    is_done = threading.Event()
    failures: list[BaseException] = []
    pages = 0

    def read() -> None:
        nonlocal pages
        while not is_done.is_set():
            try:
                for entry in walk_tree(sandbox.path, "main").entries:
                    if entry.kind == "file":
                        read_blob(sandbox.path, entry.oid)
                pages += 1
            except HubError as error:
                failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(6):
        _fill(sandbox, 2)
        maintain(sandbox.path, full=number % 2 == 0)
    is_done.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert pages > 0
