"""What is read of a repository, held against git and against the bytes that went in."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.accounts.models import User
from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound, TooLarge
from hub.git.archive import ArchiveFormat
from hub.repos import archives, comparison, contents, derived, lastcommits, uploads
from hub.repos.files import FileEdit, commit_files
from hub.repos.lfs.contents import receive_object
from hub.repos.models import Repository
from hub.repos.service import create_repository, repository_path

# Reading takes nothing from the database that differs between its kinds.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def ada(make_user: Callable[..., User], actor_of: Callable[[User], Actor]) -> Actor:
    return actor_of(make_user("ada"))


@pytest.fixture
def thing(context: Context, ada: Actor) -> Repository:
    repository = create_repository(context, actor=ada, namespace="ada", name="thing", kind="model")
    for message, edits in (
        ("Add data", [FileEdit("data/a.txt", content=b"one\ntwo\n"), FileEdit("data/deep/b.txt", content=b"1\n")]),
        ("Add weights", [FileEdit("model.bin", content=b"weights" * 100)]),
        ("Change a", [FileEdit("data/a.txt", content=b"one\n2\nthree")]),
    ):
        commit_files(context, actor=ada, repository_id=repository.id, message=message, edits=edits)
    return repository


def git(context: Context, repository: Repository, *args: str) -> str:
    path = repository_path(context.settings, repository)
    return subprocess.run(["git", "-C", path, *args], capture_output=True, text=True, check=True).stdout


def test_a_directory_is_read_in_pages_with_real_sizes(context: Context, thing: Repository) -> None:
    first = contents.read_directory(context, thing, limit=2)
    assert [entry.name for entry in first.page.entries] == ["data", ".gitattributes"]
    second = contents.read_directory(context, thing, limit=2, cursor=first.page.next_cursor)
    assert [(entry.name, entry.size_bytes) for entry in second.page.entries][1] == ("model.bin", 700)
    assert (second.page.offset, second.page.next_cursor) == (2, None)
    assert first.commit_id == git(context, thing, "rev-parse", "main").strip()
    with pytest.raises(NotFound):
        contents.read_directory(context, thing, path="nowhere")
    with pytest.raises(Invalid):
        contents.read_directory(context, thing, path="../x")


def test_content_is_the_real_one_and_text_is_what_git_holds(context: Context, thing: Repository, ada: Actor) -> None:
    large = contents.open_file(context, thing, actor=ada, path="model.bin")
    assert (large.size_bytes, b"".join(large.open_range(7, 7))) == (700, b"weights")
    assert large.local_path is not None
    small = contents.open_file(context, thing, actor=ada, path="/data/a.txt")
    assert b"".join(small.open_range(4, 3)) == b"2\nt"
    assert small.etag == git(context, thing, "rev-parse", "main:data/a.txt").strip()
    assert contents.read_text(context, thing, actor=ada, path="model.bin").startswith("version https://git-lfs")
    with pytest.raises(Invalid):
        contents.open_file(context, thing, actor=ada, path="data")


@pytest.mark.settings(max_blob_size_bytes=4000)
def test_text_that_is_too_long_is_not_sent(context: Context, thing: Repository, ada: Actor) -> None:
    lines = [FileEdit(".gitattributes", content=b"#" * 4001)]
    with pytest.raises(TooLarge):
        commit_files(context, actor=ada, repository_id=thing.id, message="m", edits=lines)
    read = contents.read_file(context, thing, actor=ada, path="README.md", limit_bytes=3)
    assert (read.blob.data, read.blob.is_whole) == (b"# t", False)


def test_last_commits_are_worked_out_once_and_then_kept(
    context: Context, thing: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_id = contents.resolve(context, thing)
    ask = {"commit_id": commit_id, "path": "", "offset": 0, "limit": 4}
    assert lastcommits.find_last_commits(context, thing, **ask) is None  # type: ignore[arg-type]
    found = lastcommits.read_last_commits(context, thing)
    titles = {entry.name: entry.commit.title for entry in found if entry.commit}
    assert titles == {
        "data": "Change a",
        ".gitattributes": "initial commit",
        "README.md": "initial commit",
        "model.bin": "Add weights",
    }
    monkeypatch.setattr(lastcommits, "last_commits", None)  # a second walk would fail
    kept = lastcommits.find_last_commits(context, thing, **ask)  # type: ignore[arg-type]
    assert kept is not None
    assert {name: commit.title for name, commit in kept.items()} == titles
    assert [entry.name for entry in lastcommits.read_last_commits(context, thing, offset=1, limit=2)] == [
        ".gitattributes",
        "README.md",
    ]
    assert lastcommits.read_last_commits(context, thing, offset=400, limit=2) == []


def test_kept_answers_are_forgotten_when_old_or_broken(context: Context) -> None:
    derived.keep(context, "a", "b", answer={"x": 1})
    derived.keep(context, "a", "c", answer=[])
    assert derived.find(context, "a", "b") == {"x": 1}
    assert derived.find(context, "ab") is None
    old, broken = derived._path(context, ("a", "b")), derived._path(context, ("a", "c"))
    broken.write_text("{")
    assert derived.find(context, "a", "c") is None
    os.utime(old, (0, 0))
    assert derived.prune(context) == 1
    assert derived.find(context, "a", "b") is None
    derived.keep(context, "a", "d", answer="x" * 100)
    assert derived.prune(context, max_size_bytes=102) == 1, "the oldest goes first"
    assert derived.find(context, "a", "d") == "x" * 100


def test_history_is_paged_and_counted(context: Context, thing: Repository) -> None:
    page = contents.read_history(context, thing, limit=2)
    assert ([commit.title for commit in page.commits], page.total) == (["Change a", "Add weights"], 4)
    rest = contents.read_history(context, thing, offset=2, limit=5)
    assert (len(rest.commits), rest.total) == (2, 4)
    beyond = contents.read_history(context, thing, offset=50, limit=5)
    assert (len(beyond.commits), beyond.total) == (0, 4)
    touched = contents.read_history(context, thing, path="data/a.txt")
    assert [commit.title for commit in touched.commits] == ["Change a", "Add data"]


def test_a_commit_shows_its_changes_as_a_patch_that_git_takes(
    context: Context, thing: Repository, ada: Actor, tmp_path: Path
) -> None:
    view = comparison.read_commit(context, thing, "main", actor=ada)
    assert view.commit.title == "Change a"
    patch = comparison.unified_text(view.diff.files)
    assert "-two\n+2\n+three\n\\ No newline at end of file\n" in patch
    assert [line for line in patch.splitlines() if line.startswith("@@")] == ["@@ -1,2 +1,3 @@"]
    git(context, thing, "worktree", "add", "-f", str(tmp_path / "tree"), "main~1")
    subprocess.run(["git", "apply", "-"], cwd=tmp_path / "tree", input=patch, text=True, check=True)
    assert (tmp_path / "tree/data/a.txt").read_bytes() == b"one\n2\nthree"


def test_changed_paths_are_sorted_by_what_happened(context: Context, thing: Repository, ada: Actor) -> None:
    first = git(context, thing, "rev-list", "--max-parents=0", "main").strip()
    commit_files(
        context,
        actor=ada,
        repository_id=thing.id,
        message="m",
        edits=[FileEdit("README.md", "delete"), FileEdit(".gitattributes", content=b"# none\n")],
    )
    changed = comparison.read_changed_paths(context, thing, left=first)
    assert sorted(changed.added) == ["data/a.txt", "data/deep/b.txt", "model.bin"]
    assert (changed.removed, changed.modified) == (["README.md"], [".gitattributes"])


def test_two_branches_are_compared_from_where_they_parted(context: Context, thing: Repository, ada: Actor) -> None:
    edit = FileEdit("side.txt", content=b"1\n")
    commit_files(
        context, actor=ada, repository_id=thing.id, message="Aside", edits=[edit], branch="main", new_branch="side"
    )
    commit_files(context, actor=ada, repository_id=thing.id, message="On", edits=[FileEdit("on.txt", content=b"1")])
    compared = comparison.compare(context, thing, actor=ada, base="main", head="side")
    assert (compared.ahead, compared.behind) == (1, 1)
    assert [file.new_path for file in compared.diff.files] == ["side.txt"]


def test_blame_names_the_commit_of_each_line(context: Context, thing: Repository, ada: Actor) -> None:
    hunks = comparison.blame_file(context, thing, actor=ada, path="data/a.txt")
    assert [(hunk.first_line, hunk.line_count, hunk.commit.title) for hunk in hunks] == [
        (1, 1, "Add data"),
        (2, 2, "Change a"),
    ]


@pytest.mark.parametrize("format", ["tar", "tar.gz", "zip"])
def test_an_archive_holds_the_files_below_one_folder_with_their_real_content(
    context: Context, thing: Repository, ada: Actor, tmp_path: Path, format: ArchiveFormat
) -> None:
    commit_id, body = archives.archive_revision(context, thing, actor=ada, revision="main", format=format)
    file = tmp_path / "archive"
    file.write_bytes(b"".join(body))
    assert commit_id == contents.resolve(context, thing)
    shutil.unpack_archive(file, tmp_path / "out", {"tar.gz": "gztar"}.get(format, format))
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", repository_path(context.settings, thing), clone], check=True)
    shutil.rmtree(clone / ".git")
    packed = {path.relative_to(clone): path.read_bytes() for path in clone.rglob("*") if path.is_file()}
    large = packed.pop(Path("model.bin"))
    assert large.startswith(b"version https://git-lfs")
    folder = tmp_path / "out" / "thing-main"
    assert (folder / "model.bin").read_bytes() == b"weights" * 100
    assert {path: (folder / path).read_bytes() for path in packed} == packed


def test_an_archive_keeps_links_and_what_may_be_run_and_has_missing_content_as_its_pointer(
    context: Context, ada: Actor, tmp_path: Path
) -> None:
    repository = create_repository(context, actor=ada, namespace="ada", name="packed", kind="model")
    path = repository_path(context.settings, repository)
    work = tmp_path / "work"
    subprocess.run(["git", "clone", "-q", path, work], check=True, capture_output=True)
    (work / "run.sh").write_text("#!/bin/sh\n")
    (work / "run.sh").chmod(0o755)
    (work / ("long" * 60)).write_bytes(b"")
    (work / "link").symlink_to("run.sh")
    (work / "gone.bin").write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5\n")
    head = ["git", "-C", work, "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*head, "add", "."], check=True)
    subprocess.run([*head, "commit", "-qm", "Files"], check=True)
    subprocess.run([*head, "push", "-q", "origin", "HEAD:main"], check=True, capture_output=True)
    content = b"elsewhere"
    receive_object(
        context,
        actor=ada,
        repository_id=repository.id,
        oid=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        chunks=[content],
    )
    _, body = archives.archive_revision(context, repository, actor=ada, revision="main", format="tar.gz")
    with tarfile.open(fileobj=io.BytesIO(b"".join(body))) as archive:
        found = {member.name.removeprefix("packed-main/"): member for member in archive}
        assert (found["link"].issym(), found["link"].linkname) == (True, "run.sh")
        assert found["run.sh"].mode == 0o755
        assert found["long" * 60].size == 0
        pointer = archive.extractfile(found["gone.bin"])
        assert pointer is not None
        assert pointer.read().startswith(b"version https://git-lfs")


def test_a_revision_weighs_its_real_content(context: Context, thing: Repository) -> None:
    shown = git(context, thing, "ls-tree", "-r", "-l", "main").splitlines()
    in_git = sum(int(line.split()[3]) for line in shown if not line.endswith("model.bin"))
    assert contents.measure_files(context, thing) == in_git + 700


def test_everything_is_listed_page_by_page(context: Context, thing: Repository) -> None:
    names: list[str] = []
    cursor = None
    while True:
        page = contents.read_all_files(context, thing, limit=3, cursor=cursor).page
        names += [entry.path for entry in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(names) == sorted(git(context, thing, "ls-tree", "-r", "-t", "--name-only", "main").split())


# Before an upload.


def test_an_upload_is_planned_by_size_pattern_and_what_is_there(
    context: Context, thing: Repository, ada: Actor
) -> None:
    ignore = FileEdit(".gitignore", content=b"*.tmp\ncache/\n")
    commit_files(context, actor=ada, repository_id=thing.id, message="m", edits=[ignore])
    asked = [("Big.BIN", 1), ("x.txt", 1), ("x.txt", 11 * 1024 * 1024), ("a.tmp", 1), ("cache/x", 1), ("data", 1)]
    asked += [("model.bin", 1), ("data/a.txt", 1)]
    plans = uploads.plan_uploads(context, actor=ada, repository_id=thing.id, revision="main", files=asked)
    assert [plan.is_lfs for plan in plans] == [True, False, True, False, False, False, True, False]
    assert [plan.is_ignored for plan in plans] == [False, False, False, True, True, False, False, False]
    assert [plan.is_directory for plan in plans] == [False] * 5 + [True, False, False]
    assert plans[6].present_oid == contents.open_file(context, thing, actor=ada, path="model.bin").etag
    assert len(plans[7].present_oid) == 40
    assert plans[0].present_oid == ""
    absent = uploads.plan_uploads(context, actor=ada, repository_id=thing.id, revision="no", files=[("a.bin", 1)])
    assert not absent[0].is_lfs


def test_folders_of_uploads_go_with_their_request_or_a_day_later(context: Context) -> None:
    with uploads.folder(context) as folder:
        (folder / "0").write_bytes(b"x")
        assert uploads.clear_leftovers(context) == 0
    assert not folder.exists()
    folder.mkdir()
    os.utime(folder, (time.time() - 2 * 24 * 3600,) * 2)
    assert uploads.clear_leftovers(context) == 1
