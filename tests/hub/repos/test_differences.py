"""Changed files a page at a time: what is listed, what is collapsed, and that hostile diffs stay bounded."""

import pytest

from hub.accounts.policy import Actor
from hub.base.errors import NotFound
from hub.base.paging import PageArgs
from hub.git import changes, diff
from hub.git.changes import find_changes
from hub.git.types import FileChange, RefChange, Signature
from hub.git.write import build_commit, update_refs
from hub.repos import differences
from hub.repos.differences import Asked, list_compared_files
from hub.repos.lookup import repository_path

pytestmark = pytest.mark.any_database

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 70000\n"


@pytest.fixture
def place(context, make_user, make_repository):
    ada = make_user("ada")
    thing = make_repository(ada, "thing")
    path = repository_path(context.settings, thing)
    who = Signature("Ada", "ada@example.org", context.clock.now())
    tips = {}

    def commit(branch, parent, files):
        steps = [
            FileChange("delete", name) if content is None else FileChange("put", name, content)
            for name, content in files.items()
        ]
        made = build_commit(path, parent=parent, changes=steps, author=who, committer=who, message="x")
        update_refs(path, [RefChange(f"refs/heads/{branch}", tips.get(branch, "0" * 40), made)])
        tips[branch] = made
        return made

    def ask(base, head, page=1, per=100, **more):
        return list_compared_files(
            context,
            thing,
            actor=Actor.of_user(ada, via="session"),
            base=base,
            head=head,
            asked=Asked(PageArgs(page, per), **more),
        )

    return path, commit, ask


def test_a_comparison_is_listed_and_its_lines_come_when_asked_for(place):
    _, commit, ask = place
    text = b"".join(b"line %d\n" % number for number in range(400))
    before = {
        "a.txt": b"one\ntwo\n",
        "gone.txt": b"gone\n",
        "moved.txt": text,
        "space.txt": b"a b\n",
        "weights.bin": POINTER % (b"a" * 64),
        "photo.png": b"\x89PNG\0",
    }
    base = commit("start", None, before)
    after = {
        "a.txt": b"one\n2\n",
        "gone.txt": None,
        "moved.txt": None,
        "there/moved.txt": text + b"more\n",
        "space.txt": b"a  b\n",
        "weights.bin": POINTER % (b"b" * 64),
        "photo.png": b"\x89PNG\0\0",
        "long.txt": b"x\n" * 1001,
        "wide.txt": b"y" * (200 * 1024 + 1),
        "huge.txt": b"z\n" * (1024 * 1024 + 1),
    }
    head = commit("work", base, after)
    # What the other side did since is none of it.
    commit("start", base, {"a.txt": b"other\n"})
    found = ask("start", "work")
    assert (found.old, found.new, found.total, found.is_truncated) == (base, head, 9, False)
    told = {file.change.path: file for file in found.files}
    assert [*told] == sorted(told)
    assert {name: (file.change.status.value, file.collapsed) for name, file in told.items()} == {
        "a.txt": ("modified", ""),
        "gone.txt": ("deleted", ""),
        "there/moved.txt": ("renamed", ""),
        "space.txt": ("modified", ""),
        "weights.bin": ("modified", "lfs"),
        "photo.png": ("modified", "binary"),
        "long.txt": ("added", "lines"),
        "wide.txt": ("added", "size"),
        "huge.txt": ("added", "too_large"),
    }
    assert told["there/moved.txt"].change.old_path == "moved.txt"
    measure = told["weights.bin"].measure
    assert (measure.old_lfs.oid, measure.new_lfs.oid, measure.new_lfs.size_bytes) == ("a" * 64, "b" * 64, 70000)
    assert told["photo.png"].is_image
    assert all(file.lines is None for file in told.values())
    # As git counts: with the lines of pointers, and of what is too large to be shown.
    assert (found.additions, found.deletions) == (1 + 1 + 1 + 1 + 1001 + 1 + 1024 * 1024 + 1, 1 + 1 + 1 + 1)

    # Pages; the lines of what is small come with a page, of what is collapsed by its path.
    first = ask("start", "work", per=4, hunks=True)
    assert [(file.change.path, file.lines is not None) for file in first.files] == [
        ("a.txt", True),
        ("gone.txt", True),
        ("huge.txt", False),
        ("long.txt", False),
    ]
    assert [(line.origin, line.text) for hunk in first.files[0].lines.hunks for line in hunk.lines] == [
        (" ", "one"),
        ("-", "two"),
        ("+", "2"),
    ]
    assert [file.change.path for file in ask("start", "work", page=3, per=4).files] == ["wide.txt"]
    [long] = ask("start", "work", path="long.txt").files
    assert {(line.origin, line.text) for hunk in long.lines.hunks for line in hunk.lines} == {("+", "x")}
    [gone] = ask("start", "work", path="gone.txt").files
    assert [(line.origin, line.text) for hunk in gone.lines.hunks for line in hunk.lines] == [("-", "gone")]
    assert (sum(len(hunk.lines) for hunk in long.lines.hunks), long.lines.is_truncated) == (1001, False)
    [moved] = ask("start", "work", path="moved.txt").files
    assert moved.change.new_path == "there/moved.txt"
    [huge] = ask("start", "work", path="huge.txt").files
    assert huge.lines is None
    with pytest.raises(NotFound):
        ask("start", "work", path="none")
    [space] = ask("start", "work", path="space.txt", ignore_whitespace=True).files
    assert (space.measure.additions, space.lines.hunks) == (0, [])


def test_hostile_diffs_stay_bounded(place, monkeypatch):
    path, commit, ask = place
    monkeypatch.setattr(diff, "_MAX_EXACT_FILES", 100)
    monkeypatch.setattr(changes, "MAX_LISTED", 50)
    monkeypatch.setattr(changes, "MAX_COUNTED", 20)
    monkeypatch.setattr(differences, "MAX_LINES", 30)
    base = commit("start", None, {f"old/{number}.txt": b"%d\n" % (number // 2) for number in range(210)})
    moved = {f"old/{number}.txt": None for number in range(210)}
    moved |= {f"new/{number}.txt": b"%d\n" % (number // 2) for number in range(210)}
    commit("work", base, moved)
    found = ask("start", "work", per=10, hunks=True)
    # 420 files that come and go are 210 renames, found without comparing each with each.
    assert (found.total, found.additions, found.is_truncated) == (210, None, True)
    assert {file.change.status.value for file in found.files} == {"renamed"}
    assert ask("start", "work", page=6, per=10).files == []
    monkeypatch.setattr(changes, "MAX_PAIRED", 100)
    assert find_changes(path, base, "work").total == 420
    # Of many lines no more are given than a page can show.
    commit("lines", base, {f"x/{number}.txt": b"x\n" * 12 for number in range(10)})
    shown = [file.lines for file in ask("start", "lines", hunks=True).files]
    assert sum(len(hunk.lines) for lines in shown if lines for hunk in lines.hunks) == 30
    assert shown[-1] is None
