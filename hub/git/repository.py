"""Repositories as a whole: made, forked, their refs and revisions, their size and upkeep.

Reading goes through libgit2 and may be offloaded. ``set_head`` and ``maintain`` run the git program.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pygit2
from pygit2.enums import ReferenceType, RepositoryInitFlag

from hub.base.errors import Conflict, NotFound, Unavailable
from hub.base.log import get_logger
from hub.base.names import branch_ref, tag_ref
from hub.base.paging import Page
from hub.git.command import run_git
from hub.git.reader import commit_of, describe_commit, describe_signature, find_commit, open_repository
from hub.git.types import HIDDEN_REFS, Branch, Commit, Tag, decode_text

log = get_logger(__name__)

# Objects that nothing leads to any more stay this long: a push that is under way may build on them.
# Source: git's own default of gc.pruneExpire.
_PRUNE_GRACE = "2.weeks.ago"
_MAINTAIN_TIMEOUT_S = 6 * 3600.0
_QUARANTINE_PREFIX = "tmp_objdir-"
_FORK_ATTEMPTS = 5
_FORKED_REFS = (b"refs/heads/", b"refs/tags/")


def init_repository(path: Path, default_branch: str = "main") -> None:
    """Make an empty bare repository whose HEAD names a branch that has no commit yet.

    Nothing is set in its own configuration: see ``command.server_config``.
    Raises Conflict (code ``repository_exists``), Invalid (a branch name that cannot be).
    """
    ref = branch_ref(default_branch)
    flags = RepositoryInitFlag.BARE | RepositoryInitFlag.MKPATH | RepositoryInitFlag.NO_REINIT
    try:
        pygit2.init_repository(str(path), flags=flags, initial_head=ref).free()
    except ValueError:
        raise Conflict("There is a repository already.", code="repository_exists") from None


def fork_repository(source: Path, target: Path) -> None:
    """Make a new repository with the branches and tags of another, and its default branch.

    The objects are hard links to the source's files (copies across file systems): no time and no space, and the
    source may be deleted or repacked at any moment after, which sharing by alternates would not survive. Hidden
    refs and content that the source is about to forget (cruft packs) stay behind; no remote is set.
    It touches disk only and may be offloaded.
    Raises NotFound (code ``repository_missing``), Conflict (code ``repository_exists``).
    """
    # The refs first: objects are only added after this, and those the refs need are not taken away.
    with open_repository(source) as repository:
        refs = [(name, oid) for name, oid in _iterate_refs(repository, b"refs/") if name.startswith(_FORKED_REFS)]
    init_repository(target, get_default_branch(source))
    for _ in range(_FORK_ATTEMPTS):
        if _link_objects(source / "objects", target / "objects"):
            break
    else:
        raise Unavailable("The repository is being repacked; try again later.", code="repository_busy")
    with open_repository(target) as repository:
        if any(pygit2.Oid(hex=oid) not in repository for _, oid in refs):
            raise Unavailable("The repository changed while it was copied; try again.", code="repository_busy")
    with open(target / "packed-refs", "wb") as stream:
        stream.writelines(b"%s %s\n" % (oid.encode(), name) for name, oid in refs)
        stream.flush()
        os.fsync(stream.fileno())


def _link_objects(source: Path, target: Path) -> bool:
    """Link what the source holds now; False when a file vanished meanwhile and all must be looked at again.

    Loose objects go first: upkeep moves content from loose files into packs, not the other way, so what is missed
    there is met in a pack later.
    """
    loose = [path for path in source.iterdir() if re.fullmatch(r"[0-9a-f]{2}", path.name)]
    for directory in [*loose, source / "pack"]:
        try:
            names = os.listdir(directory)
        except FileNotFoundError:  # emptied and removed by upkeep, or never there
            names = []
        cruft = {name.removesuffix(".mtimes") for name in names if name.endswith(".mtimes")}
        (target / directory.name).mkdir(exist_ok=True)
        for name in names:
            stem, _, suffix = name.partition(".")
            is_pack_part = name.startswith("pack-") and suffix in ("pack", "idx", "rev", "bitmap")
            if directory.name == "pack" and (stem in cruft or not is_pack_part):
                continue
            if name.startswith("tmp_"):
                continue
            try:
                _link_file(directory / name, target / directory.name / name)
            except FileNotFoundError:
                return False
    return True


def _link_file(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without hard links
        draft = target.with_name(f"tmp_{target.name}")
        shutil.copyfile(source, draft)
        draft.rename(target)


def is_empty(path: Path) -> bool:
    """Whether the repository has no branch and no tag."""
    return not any(ref.startswith(("refs/heads/", "refs/tags/")) for ref in list_refs(path))


def get_default_branch(path: Path) -> str:
    """The short name of the branch that HEAD names, whether or not it has commits."""
    with open_repository(path) as repository:
        target = repository.references["HEAD"].target
    return str(target).removeprefix("refs/heads/") if isinstance(target, str) else "main"


def set_head(path: Path, branch: str) -> None:
    """Make a branch the default one; it need not exist. Runs git. Raises Invalid (code ``ref_invalid``)."""
    run_git(path, "symbolic-ref", "HEAD", branch_ref(branch))


def find_revision(path: Path, revision: str) -> str | None:
    """As ``resolve_revision``; None when there is no such revision."""
    with open_repository(path) as repository:
        commit = find_commit(repository, revision)
        return str(commit.id) if commit is not None else None


def resolve_revision(path: Path, revision: str) -> str:
    """The commit id that a revision names: a whole id, else a branch, else a tag, else an id of at least 5 digits.

    ``refs/...`` in full and ``HEAD`` are taken too. What git would compute (``main~2``) is never computed.
    Raises NotFound (code ``revision_not_found``).
    """
    with open_repository(path) as repository:
        return str(commit_of(repository, revision).id)


def get_commit(path: Path, revision: str) -> Commit:
    """The commit that a revision names. Raises NotFound (code ``revision_not_found``)."""
    with open_repository(path) as repository:
        return describe_commit(commit_of(repository, revision))


def find_commits(path: Path, commit_ids: Iterable[str]) -> list[Commit]:
    """Those of the commits, by full id, that the repository holds, in the order asked for."""
    with open_repository(path) as repository:
        found: list[Any] = [repository.get(pygit2.Oid(hex=commit_id)) for commit_id in commit_ids]
        return [describe_commit(commit) for commit in found if isinstance(commit, pygit2.Commit)]


def list_refs(path: Path, *, prefix: str = "refs/") -> dict[str, str]:
    """Every ref with this prefix, hidden ones too, and the object it holds, sorted by name."""
    with open_repository(path) as repository:
        return {decode_text(name): oid for name, oid in _iterate_refs(repository, prefix.encode())}


def refs_digest(path: Path) -> str:
    """A hash of what a client can see of the refs: HEAD and every ref that is not hidden, with their objects."""
    digest = hashlib.sha256()
    with open_repository(path) as repository:
        digest.update(str(repository.references["HEAD"].target).encode())
        for name, oid in _iterate_refs(repository, b"refs/"):
            if not name.startswith(HIDDEN_REFS.encode()):
                digest.update(b"\n%s %s" % (oid.encode(), name))
    return digest.hexdigest()


def _iterate_refs(repository: pygit2.Repository, prefix: bytes) -> Iterator[tuple[bytes, str]]:
    for reference in sorted(repository.listall_reference_objects(), key=lambda reference: reference.raw_name):
        if not reference.raw_name.startswith(prefix):
            continue
        if reference.type == ReferenceType.SYMBOLIC:
            with contextlib.suppress(KeyError, pygit2.GitError):  # it may lead nowhere
                yield reference.raw_name, str(reference.resolve().target)
        else:
            yield reference.raw_name, str(reference.target)


def list_branches(path: Path, *, offset: int = 0, limit: int = 100) -> Page[Branch]:
    """Some branches, the default one first and the others by name."""
    with open_repository(path) as repository:
        refs = _branch_refs(repository, repository.listall_references())
        found = [_describe_branch(repository, ref) for ref in refs[offset : offset + limit]]
        return Page([branch for branch in found if branch is not None], len(refs))


def list_ref_names(path: Path, *, limit: int = 100) -> list[str]:
    """The names of some branches, then of some tags, in the order of their lists; nothing of them is read."""
    with open_repository(path) as repository:
        refs = repository.listall_references()
        branches, tags = _branch_refs(repository, refs), _tag_refs(refs)
        names = [ref.removeprefix("refs/heads/") for ref in branches[:limit]]
        return names + [ref.removeprefix("refs/tags/") for ref in tags[:limit]]


def _branch_refs(repository: pygit2.Repository, refs: Iterable[str]) -> list[str]:
    head = str(repository.references["HEAD"].target)
    return sorted((ref for ref in refs if ref.startswith("refs/heads/")), key=lambda ref: (ref != head, ref))


def _tag_refs(refs: Iterable[str]) -> list[str]:
    return sorted((ref for ref in refs if ref.startswith("refs/tags/")), reverse=True)


def find_branch(path: Path, name: str) -> Branch | None:
    """The branch of that name, or None."""
    with open_repository(path) as repository:
        return _describe_branch(repository, branch_ref(name))


def get_branch(path: Path, name: str) -> Branch:
    """The branch of that name. Raises NotFound (code ``ref_not_found``)."""
    branch = find_branch(path, name)
    if branch is None:
        raise NotFound(f"There is no branch {name[:80]!r}.", code="ref_not_found")
    return branch


def _describe_branch(repository: pygit2.Repository, ref: str) -> Branch | None:
    try:
        commit = repository.references[ref].peel(pygit2.Commit)
    except (KeyError, pygit2.GitError):
        return None
    return Branch(ref.removeprefix("refs/heads/"), ref, describe_commit(commit))


def list_tags(path: Path, *, offset: int = 0, limit: int = 100) -> Page[Tag]:
    """Some tags, by name in reverse, so that later versions come before earlier ones."""
    with open_repository(path) as repository:
        refs = _tag_refs(repository.listall_references())
        found = [_describe_tag(repository, ref) for ref in refs[offset : offset + limit]]
        return Page([tag for tag in found if tag is not None], len(refs))


def find_tag(path: Path, name: str) -> Tag | None:
    """The tag of that name, or None."""
    with open_repository(path) as repository:
        return _describe_tag(repository, tag_ref(name))


def get_tag(path: Path, name: str) -> Tag:
    """The tag of that name. Raises NotFound (code ``ref_not_found``)."""
    tag = find_tag(path, name)
    if tag is None:
        raise NotFound(f"There is no tag {name[:80]!r}.", code="ref_not_found")
    return tag


def _describe_tag(repository: pygit2.Repository, ref: str) -> Tag | None:
    """None also for a tag that leads to no commit: git allows it, and nothing of the hub could show it."""
    name = ref.removeprefix("refs/tags/")
    try:
        reference = repository.references[ref]
        commit = describe_commit(reference.peel(pygit2.Commit))
        tag = repository.get(reference.target)
    except (KeyError, ValueError, pygit2.GitError):
        return None
    if not isinstance(tag, pygit2.Tag):
        return Tag(name, ref, commit)
    tagger = describe_signature(tag.tagger) if tag.tagger is not None else None
    return Tag(name, ref, commit, str(tag.id), tagger, decode_text(tag.raw_message))


def repository_size_bytes(path: Path) -> int:
    """The disk space of the repository's objects, without pushes under way. Files shared with forks count in full."""
    total = 0
    try:
        with os.scandir(path / "objects") as directories:
            for directory in directories:
                if not directory.is_dir(follow_symlinks=False) or directory.name.startswith(_QUARANTINE_PREFIX):
                    continue
                with contextlib.suppress(FileNotFoundError), os.scandir(directory) as files:
                    for file in files:
                        with contextlib.suppress(FileNotFoundError):
                            total += file.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        raise NotFound("The repository's files are not there.", code="repository_missing") from None
    return total


def maintain(path: Path, *, full: bool = False) -> bool:
    """Put the repository in good order for its readers; False when this is under way already.

    Packs of similar size are joined, refs packed, the commit graph (with the paths that each commit touched)
    rewritten, leftovers of killed processes removed. full: everything goes into one pack with a bitmap, and what
    nothing leads to goes into a cruft pack, which loses it after two weeks.
    Pushes and clones may run beside it. Runs git, perhaps for hours. Raises GitError.
    """
    clear_leftovers(path)
    with open(path / "hub-maintenance.flock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        started = time.monotonic()
        _git(path, "pack-refs", "--all")
        if full:
            _git(
                path,
                "repack",
                "-q",
                "-n",
                "-d",
                "--cruft",
                f"--cruft-expiration={_PRUNE_GRACE}",
                "--write-bitmap-index",
            )
            _git(path, "prune", f"--expire={_PRUNE_GRACE}")
        else:
            # A bitmap must cover all in one pack, so joining some packs cannot write one.
            _git(path, "repack", "-q", "-n", "-d", "--geometric=2", "--no-write-bitmap-index")
        _git(path, "commit-graph", "write", "--reachable", "--changed-paths", "--no-progress")
        log.info("repository_maintained", repository=path.name, full=full, took_s=round(time.monotonic() - started, 2))
    return True


def _git(path: Path, *args: str) -> None:
    run_git(path, *args, timeout_s=_MAINTAIN_TIMEOUT_S)


def clear_leftovers(path: Path, *, older_than_s: float = 3600) -> int:
    """Remove what killed git processes left: lock files, drafts, objects of pushes that never ended; how many.

    Git holds locks for milliseconds and writes to a push's objects as long as it lives, so an age of an hour tells
    the dead from the living.
    """
    return _remove_old(path, _leftovers(path), older_than_s)


def clear_ref_locks(path: Path, *, older_than_s: float = 60) -> int:
    """Remove the ref locks that killed git processes left; how many.

    One lock file left by a crash would refuse every later push to its branch. Refs are locked for milliseconds, so
    a minute is plenty.
    """
    return _remove_old(path, chain(path.glob("*.lock"), (path / "refs").rglob("*.lock")), older_than_s)


def _remove_old(path: Path, candidates: Iterator[Path], older_than_s: float) -> int:
    before = time.time() - older_than_s
    removed = 0
    for candidate in candidates:
        try:
            if _changed_at(candidate) > before:
                continue
            if candidate.is_dir():
                shutil.rmtree(candidate)
            else:
                candidate.unlink()
            removed += 1
        except FileNotFoundError:
            continue
    if removed:
        log.info("leftovers_removed", repository=path.name, count=removed)
    return removed


def _leftovers(path: Path) -> Iterator[Path]:
    yield from path.glob("*.lock")
    yield from (path / "refs").rglob("*.lock")
    yield from (path / "objects").glob("tmp_*")
    yield from (path / "objects" / "pack").glob("tmp_*")
    yield from (path / "objects" / "pack").glob(".tmp-*")
    yield from (path / "objects" / "info").glob("*.lock")
    yield from (path / "objects").glob("??/tmp_*")


def _changed_at(path: Path) -> float:
    """When anything in it changed last, as a time stamp."""
    latest = path.lstat().st_mtime
    if path.is_dir():
        for child in path.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                latest = max(latest, child.lstat().st_mtime)
    return latest
