"""The changed files of a commit, a comparison or a pull request, as pages show them: ``parts/diff.html`` draws it.

A page gives what lists the files, and answers for its parts, which the browser asks for as somebody reads on:

    diff = Diff(repo, lambda asked: list_commit_files(context, repo.shown, commit.id, actor=actor, asked=asked))
    if wants_part():
        return diff.answer_part()
    return render_repository_page("…/commit.html", repo, diff=diff.open(), …)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from flask import Response, request
from markupsafe import Markup

from hub.base.offload import offload
from hub.base.paging import PageArgs
from hub.git.types import LINK_MODE, SUBMODULE_MODE, DiffStatus
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos.differences import FILES_PER_PAGE, Asked, ChangedFile, FilesPage, list_changes
from hub.web.difflines import HunkView, draw_hunks
from hub.web.pages import render_page, with_query
from hub.web.repository import RepositoryPage

# Lines that come with the page itself; those of the files below are fetched as one scrolls to them.
FIRST_LINES = 800
VIEW_COOKIE = "diff_view"

# Where a remark on a line stands: the file's path, the side ("old" or "new"), the line's number on it.
Spot = tuple[str, str, int]
# The remarks on the lines of some files, asked for once for all that an answer shows.
Remarks = Callable[[Sequence[str]], Mapping[Spot, Markup]]


@dataclass(frozen=True)
class Side:
    """One of the two contents of a file. size_bytes: of the content, also where it lies in LFS.

    url: of its bytes; page_url: of its page.
    """

    revision: str
    path: str
    mode: int
    size_bytes: int
    url: str
    page_url: str


@dataclass(frozen=True)
class FileView:
    """A changed file. id: of its element. hunks: None until somebody asks for its lines.

    reason: why it has no lines by itself: "lines", "size" (until asked for), "binary", "lfs", "too_large"; "" else.
    leftover: remarks on lines that are not among those shown.
    """

    id: str
    file: ChangedFile
    old: Side | None
    new: Side | None
    url: str
    hunks: Sequence[HunkView] | None = None
    line_count: int = 0
    leftover: Sequence[Markup] = ()

    @property
    def path(self) -> str:
        return self.file.change.path

    @property
    def status(self) -> str:
        return self.file.change.status.value

    @property
    def reason(self) -> str:
        return self.file.collapsed

    @property
    def was(self) -> str:
        """The path that it was renamed or copied from, else ""."""
        change = self.file.change
        return change.old_path if change.status in (DiffStatus.RENAMED, DiffStatus.COPIED) else ""

    @property
    def is_cut(self) -> bool:
        """Whether there are more lines than are ever given."""
        return bool(self.file.lines and self.file.lines.is_truncated)

    @property
    def stamp(self) -> str:
        """What "viewed" is remembered by: another content is not viewed yet."""
        return self.file.change.new_oid[:12]

    @property
    def special(self) -> str:
        """ "link" or "submodule", where it is one; else ""."""
        modes = {self.file.change.old_mode, self.file.change.new_mode}
        return "submodule" if SUBMODULE_MODE in modes else "link" if LINK_MODE in modes else ""

    @property
    def mode_change(self) -> tuple[str, str] | None:
        """The two modes in octal, where there are two and they differ."""
        old, new = self.file.change.old_mode, self.file.change.new_mode
        return (f"{old:06o}", f"{new:06o}") if old and new and old != new else None


@dataclass(frozen=True)
class DiffView:
    """A page of changed files. key: what this diff is remembered by in the browser."""

    files: Sequence[FileView]
    found: FilesPage
    page: int
    view: str
    ignores_whitespace: bool
    can_comment: bool
    key: str

    @property
    def pages(self) -> int:
        listed = min(self.found.total, 10_000)
        return max(1, -(-listed // FILES_PER_PAGE))

    @property
    def listed(self) -> int:
        """The number of the last file on this page, counted from the first of all."""
        return (self.page - 1) * FILES_PER_PAGE + len(self.files)


@dataclass
class TreeFolder:
    """A folder in the tree of changed files. name: with those above it that hold nothing else."""

    name: str
    folders: dict[str, TreeFolder] = field(default_factory=dict)
    files: list[TreeFile] = field(default_factory=list)


@dataclass(frozen=True)
class TreeFile:
    """A file in the tree. page: which of the diff's it is on."""

    id: str
    name: str
    path: str
    status: str
    page: int


@dataclass(frozen=True)
class Diff:
    """What a request asks of a diff.

    list: gives a page of its files. remarks: what stands below lines. can_comment: whether lines have a button to
    write a remark, which carries ``data-path``, ``data-side`` and ``data-line``.
    """

    repo: RepositoryPage
    list: Callable[[Asked], FilesPage]
    remarks: Remarks | None = None
    can_comment: bool = False

    @cached_property
    def view(self) -> str:
        """ "unified" or "split": as the address says, else as last time."""
        wanted = request.args.get("view") or request.cookies.get(VIEW_COOKIE)
        return "split" if wanted == "split" else "unified"

    @property
    def ignores_whitespace(self) -> bool:
        return request.args.get("w") == "1"

    def open(self) -> DiffView:
        """The page of files that the address asks for, the first of them with their lines."""
        args = page_args(default=FILES_PER_PAGE)
        asked = self._asked(PageArgs(args.page, FILES_PER_PAGE))
        if path := request.args.get("file"):
            found = self.list(replace(asked, path=path))
        else:
            found = self.list(replace(asked, hunks=True, max_lines=FIRST_LINES))
        return DiffView(
            files=self._views(found),
            found=found,
            page=args.page,
            view=self.view,
            ignores_whitespace=self.ignores_whitespace,
            can_comment=self.can_comment,
            key=f"{self.repo.kind.name}/{self.repo.path}",
        )

    def answer_part(self) -> Response:
        """What the browser fetches later: "tree", a "file"'s lines, or the next page of "files"."""
        part = request.args.get("part", "")
        if part == "tree":
            found = self.list(self._asked(PageArgs(1, 1)))
            return render_page("parts/diff_tree.html", root=self._tree(found))
        view = self.open()
        if part == "file":
            return render_page("parts/diff_lines.html", diff=view, file=view.files[0])
        return render_page("parts/diff_files.html", diff=view)

    def _asked(self, page: PageArgs) -> Asked:
        return Asked(page, ignore_whitespace=self.ignores_whitespace)

    def _tree(self, found: FilesPage) -> TreeFolder:
        changes = list_changes(
            current_context(),
            self.repo.shown,
            old=found.old,
            new=found.new,
            ignore_whitespace=self.ignores_whitespace,
        )
        return build_tree((change.path, change.status.value) for change in changes)

    def _views(self, found: FilesPage) -> Sequence[FileView]:
        views = [self._view(file, found) for file in found.files]
        shown = [view.path for view in views if view.file.lines is not None]
        remarks = self.remarks(shown) if self.remarks is not None and shown else {}
        by_path: dict[str, dict[tuple[str, int], Markup]] = {}
        for (path, side, line), words in remarks.items():
            by_path.setdefault(path, {})[side, line] = words
        is_asked = "file" in request.args
        return [self._with_lines(view, by_path.get(view.path, {}), is_asked=is_asked) for view in views]

    def _with_lines(self, view: FileView, remarks: Mapping[tuple[str, int], Markup], *, is_asked: bool) -> FileView:
        lines = view.file.lines
        # Where the page's lines ended within a file, the whole of it is fetched later.
        if lines is None or (lines.is_truncated and not is_asked):
            return view
        change = view.file.change
        hunks = offload(draw_hunks, lines.hunks, old_path=change.old_path, new_path=change.new_path, view=self.view)
        left = dict(remarks)
        placed = [hunk.with_remarks(left) for hunk in hunks]
        count = sum(len(hunk.lines) for hunk in lines.hunks)
        return replace(view, hunks=placed, line_count=count, leftover=list(left.values()))

    def _view(self, file: ChangedFile, found: FilesPage) -> FileView:
        change, measure = file.change, file.measure
        old = new = None
        if change.old_path and found.old:
            size_bytes = measure.old_lfs.size_bytes if measure.old_lfs else measure.old_size
            old = self._side(found.old, change.old_path, change.old_mode, size_bytes)
        if change.new_path:
            size_bytes = measure.new_lfs.size_bytes if measure.new_lfs else measure.new_size
            new = self._side(found.new, change.new_path, change.new_mode, size_bytes)
        url = with_query(file=change.path, part="file")
        return FileView(file_id(change.path), file, old, new, url)

    def _side(self, revision: str, path: str, mode: int, size_bytes: int) -> Side:
        urls = [self.repo.url(page, path, revision=revision) for page in ("resolve", "blob")]
        return Side(revision, path, mode, size_bytes, *urls)


def file_id(path: str) -> str:
    """The id of a changed file's element, which links lead to."""
    return f"diff-{hashlib.sha256(path.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def build_tree(changes: Iterable[tuple[str, str]]) -> TreeFolder:
    """The folders that changed files, (path, status) in the order of the diff, lie in."""
    root = TreeFolder("")
    for at, (path, status) in enumerate(changes):
        folder = root
        *above, name = path.split("/")
        for part in above:
            folder = folder.folders.setdefault(part, TreeFolder(part))
        folder.files.append(TreeFile(file_id(path), name, path, status, at // FILES_PER_PAGE + 1))
    return _join(root)


def _join(folder: TreeFolder) -> TreeFolder:
    """Folders that hold one folder and nothing else become one with it."""
    for name, inner in folder.folders.items():
        while len(inner.folders) == 1 and not inner.files:
            [only] = inner.folders.values()
            inner = TreeFolder(f"{inner.name}/{only.name}", only.folders, only.files)
        folder.folders[name] = _join(inner)
    return folder
