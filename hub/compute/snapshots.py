"""Repositories as directories: the files of one commit, read-only, for workloads of this machine to read.

A snapshot lies under a name that is made of what is in it, so that workloads of the same commit share one. It is made
beside its place and put there whole by a rename. What a repository calls its files never leads out of it: names that
would are left out, and so are links to what is not in it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import posixpath
import shutil
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from hub.accounts.policy import SYSTEM
from hub.base.context import Context
from hub.base.errors import HubError, Invalid, TooLarge, Unavailable
from hub.base.log import get_logger
from hub.base.names import normalise_path
from hub.base.settings import Settings
from hub.compute.spec import Mount
from hub.db.uow import reading
from hub.git.tree import open_blob_range, walk_tree
from hub.git.types import EntryKind
from hub.repos.lfs.contents import LFSContent, get_content
from hub.repos.lookup import get_readable, repository_path

log = get_logger(__name__)

MAX_FILES = 100_000
_MAX_LINK_BYTES = 4096
_PAGE = 1000
_CHUNK = 1024 * 1024
_NEW, _OLD, _LOCK = ".new-", ".old-", ".lock-"
# What a dead process has left half made is removed after so long.
_LEFT_S = 86_400
_FICLONE = 0x40049409  # linux/fs.h: both files share their blocks until one is changed
# The repository holds names that contradict each other: a file and a directory of one name, one name twice.
_CONTRADICTIONS = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)

Progress = Callable[[int, int], None]


def snapshots_path(settings: Settings) -> Path:
    """Where all snapshots lie."""
    return settings.home / "compute" / "snapshots"


def digest_of(mount: Mount) -> str:
    """The name of a mount's snapshot: the same for the same files of the same repository, and for nothing else."""
    said = [mount.repository_id or [mount.kind, mount.path.lower()], mount.commit_id, sorted(set(mount.allow))]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:40]


@dataclass
class Snapshot:
    """One that is there. left_out: what of the repository is not in it, and why, as lines; only when it was just made.

    is_new: it was made now. size_bytes: of what was written for it, contents that are shared left out.
    """

    path: Path
    is_new: bool = False
    files: int = 0
    size_bytes: int = 0
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _File:
    path: str
    oid: str
    size_bytes: int
    is_executable: bool
    is_link: bool
    content: LFSContent | None = None


def make_snapshot(context: Context, mount: Mount, *, progress: Progress = lambda done, total: None) -> Snapshot:
    """The snapshot of a mount, made unless it is there. It takes as long as copying its files does.

    progress: told bytes done and in all. Two at once make it once: the second waits.
    Raises NotFound (the repository, the commit), Unavailable (``disk_full``, storage), TooLarge
    (``snapshot_too_large``: more than 100,000 files).
    """
    root = snapshots_path(context.settings)
    root.mkdir(parents=True, exist_ok=True)
    target = root / digest_of(mount)
    with _locked(root, target.name):
        if target.is_dir():
            os.utime(target)
            return Snapshot(target)
        draft = root / f"{_NEW}{uuid.uuid4().hex}"
        draft.mkdir(mode=0o700)
        try:
            snapshot = _Maker(context, mount, draft, progress).make()
            os.rename(draft, target)
        except BaseException:
            remove_tree(draft)
            raise
    snapshot.path = target
    return snapshot


@contextmanager
def _locked(root: Path, name: str) -> Iterator[None]:
    """Alone with the snapshot of that name, among all processes."""
    path = root / f"{_LOCK}{name}"
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                break
        os.close(descriptor)  # whoever had it has removed it
    try:
        yield
    finally:
        os.close(descriptor)


class _Maker:
    """Makes one snapshot in a directory of its own."""

    def __init__(self, context: Context, mount: Mount, draft: Path, progress: Progress) -> None:
        self._context, self._mount, self._draft, self._progress = context, mount, draft, progress
        with reading(context) as work:
            repository = get_readable(
                work,
                actor=SYSTEM,
                kind=mount.kind,
                path=mount.path,
                repository_id=mount.repository_id or None,
            )
        self._repository_id = repository.id
        self._git = repository_path(context.settings, repository)
        self._snapshot = Snapshot(draft, is_new=True)
        self._done = self._total = 0

    def make(self) -> Snapshot:
        files = self._select()
        self._total = sum(file.size_bytes for file in files)
        self._require_room(files)
        links: list[str] = []
        for file in files:
            try:
                self._place(file)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise _disk_full() from None
                if error.errno not in _CONTRADICTIONS:
                    raise
                self._leave_out(file.path, "its name contradicts another")
                continue
            if file.is_link:
                links.append(file.path)
            self._snapshot.files += 1
        self._drop_foreign(links)
        for directory, _, _ in os.walk(self._draft, topdown=False):
            os.chmod(directory, 0o500)
        return self._snapshot

    def _leave_out(self, path: str, reason: str) -> None:
        self._snapshot.left_out.append(f"{path[:200]!r}: {reason}")

    def _select(self) -> list[_File]:
        files: list[_File] = []
        cursor: str | None = None
        while True:
            page = walk_tree(self._git, self._mount.commit_id, limit=_PAGE, cursor=cursor)
            for entry in page.entries:
                if entry.kind is EntryKind.DIRECTORY or not is_allowed(entry.path, self._mount.allow):
                    continue
                if entry.kind is EntryKind.SUBMODULE:
                    self._leave_out(entry.path, "it is a submodule")
                elif not _is_plain(entry.path):
                    self._leave_out(entry.path, "its name is none that a file may have")
                else:
                    content = self._find_content(entry.lfs.oid) if entry.lfs else None
                    files.append(
                        _File(
                            entry.path,
                            entry.oid,
                            entry.size_bytes or 0,
                            is_executable=bool(entry.mode & 0o100),
                            is_link=entry.kind is EntryKind.LINK,
                            content=content,
                        )
                    )
                if len(files) > MAX_FILES:
                    raise TooLarge(f"There are more than {MAX_FILES:,} files.", code="snapshot_too_large")
            cursor = page.next_cursor
            if cursor is None:
                return files

    def _find_content(self, oid: str) -> LFSContent:
        return get_content(self._context, actor=SYSTEM, repository_id=self._repository_id, oid=oid)

    def _require_room(self, files: Sequence[_File]) -> None:
        """What is shared with the object store takes no room."""
        device = os.stat(self._draft).st_dev
        copied = sum(file.size_bytes for file in files if not _is_on(file, device))
        free = shutil.disk_usage(self._draft).free
        if copied + self._context.settings.min_free_disk_bytes > free:
            raise _disk_full()

    def _place(self, file: _File) -> None:
        path = self._draft / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.is_link:
            target = b"".join(open_blob_range(self._git, file.oid, 0, min(file.size_bytes, _MAX_LINK_BYTES)))
            os.symlink(target, path) if target and b"\0" not in target else self._leave_out(file.path, "an empty link")
            return
        if file.content is not None and _share(file.content.local_path, path):
            self._tell(file.size_bytes)
            return
        chunks = (
            file.content.open_range(0, file.size_bytes)
            if file.content is not None
            else open_blob_range(self._git, file.oid, 0, file.size_bytes)
        )
        self._write(path, chunks, file)

    def _write(self, path: Path, chunks: Iterable[bytes], file: _File) -> None:
        mode = 0o555 if file.is_executable else 0o444
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        digest, size = hashlib.sha256(), 0
        with os.fdopen(descriptor, "wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                self._tell(len(chunk))
            stream.flush()
            os.fsync(stream.fileno())
        if size != file.size_bytes or (file.content is not None and digest.hexdigest() != file.content.oid):
            raise Unavailable("A file came from the storage other than it was stored.", code="storage_unavailable")
        self._snapshot.size_bytes += size

    def _tell(self, size_bytes: int) -> None:
        self._done += size_bytes
        self._progress(self._done, self._total)

    def _drop_foreign(self, links: Sequence[str]) -> None:
        """Remove the links that lead out, or nowhere, however many they are in a row."""
        root = os.path.realpath(self._draft)
        kept = [path for path in links if os.path.islink(self._draft / path)]
        while True:
            foreign = [path for path in kept if not _stays(root, self._draft / path)]
            if not foreign:
                return
            for path in foreign:
                os.unlink(self._draft / path)
                self._leave_out(path, "a link that leads out of the repository, or nowhere")
            kept = [path for path in kept if path not in set(foreign)]


def _stays(root: str, link: Path) -> bool:
    if os.path.isabs(os.readlink(link)):
        return False
    try:
        target = os.path.realpath(link, strict=True)
    except OSError:
        return False
    return posixpath.commonpath([root, target]) == root and target != root


def is_allowed(path: str, allow: Sequence[str]) -> bool:
    """Whether a file is wanted: as ``huggingface_hub`` reads its ``allow_patterns``."""
    return not allow or any(fnmatchcase(path, f"{one}*" if one.endswith("/") else one) for one in allow)


def _is_plain(path: str) -> bool:
    try:
        return normalise_path(path) == path and "\ufffd" not in path
    except Invalid:
        return False


def _is_on(file: _File, device: int) -> bool:
    path = file.content.local_path if file.content is not None else None
    with suppress(OSError):
        return path is not None and os.stat(path).st_dev == device
    return False


def _share(source: Path | None, target: Path) -> bool:
    """The content at another place without its bytes being copied; False where that cannot be.

    Where the file system can, the blocks are shared until one of both is changed. Else it is one file with two names:
    nobody may write to it, which the object store does not either.
    """
    if source is None:
        return False
    try:
        with source.open("rb") as content:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
            with os.fdopen(descriptor, "wb") as copy:
                fcntl.ioctl(copy.fileno(), _FICLONE, content.fileno())
        return True
    except FileNotFoundError:
        return False  # gone meanwhile, or kept elsewhere
    except FileExistsError:
        raise
    except OSError:
        target.unlink(missing_ok=True)
    try:
        os.link(source, target)
        os.chmod(target, stat.S_IMODE(os.stat(target).st_mode) & ~0o222)
    except OSError as error:
        if error.errno == errno.EEXIST:
            raise
        target.unlink(missing_ok=True)
        return False
    return True


def _disk_full() -> Unavailable:
    return Unavailable("The disk has no room for the files.", code="disk_full")


def remove_tree(path: Path) -> None:
    """Delete a directory of read-only directories. It follows no link; what is gone already is no error."""
    for directory, _, _ in os.walk(path):
        with suppress(OSError):
            os.chmod(directory, 0o700)
    shutil.rmtree(path, ignore_errors=True)


def sweep_snapshots(context: Context, used: set[str]) -> list[str]:
    """Remove the snapshots that nobody uses and has used for a while, and what dead processes left; which.

    used: the digests of those that workloads need.
    """
    root, now = snapshots_path(context.settings), context.clock.now().timestamp()
    ttl_s = context.settings.compute_snapshot_ttl_s
    removed: list[str] = []
    if not root.is_dir():
        return removed
    for entry in os.scandir(root):
        with suppress(FileNotFoundError):
            age_s = now - entry.stat(follow_symlinks=False).st_mtime
            if entry.name.startswith((_NEW, _OLD)):
                if age_s > _LEFT_S:
                    remove_tree(Path(entry.path))
            elif _is_old(entry.name, used, age_s, ttl_s) and _remove(root, entry.name, now - ttl_s):
                removed.append(entry.name)
    return removed


def _is_old(name: str, used: set[str], age_s: float, ttl_s: int) -> bool:
    return not name.startswith(_LOCK) and name not in used and age_s > ttl_s


def _remove(root: Path, name: str, before: float) -> bool:
    with _locked(root, name):
        target = root / name
        if not target.is_dir() or target.stat().st_mtime > before:
            return False  # somebody has taken it meanwhile
        doomed = root / f"{_OLD}{uuid.uuid4().hex}"
        os.rename(target, doomed)
        with suppress(FileNotFoundError):
            os.unlink(root / f"{_LOCK}{name}")
    remove_tree(doomed)
    return True


def why(error: HubError) -> str:
    """The reason of a snapshot that could not be made, as workloads have it."""
    return error.code if error.code in ("disk_full", "snapshot_too_large") else "snapshot_failed"
