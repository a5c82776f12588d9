"""Before and while files come in: how each is to be sent, and where it lies until it is committed."""

from __future__ import annotations

import codecs
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.names import fold_name, normalise_path
from hub.base.offload import offload
from hub.db.uow import reading
from hub.git.repository import find_revision
from hub.git.tree import find_entries, find_entry, read_blob
from hub.git.types import EntryKind
from hub.repos.attributes import ATTRIBUTES_PATH, MAX_FILE_BYTES, LFSRules
from hub.repos.ignore import IGNORE_PATH, IgnoreRules
from hub.repos.lookup import get_for, repository_path

# What a process that was killed left behind is older than any request.
LEFTOVER_AGE_S = 24 * 3600


@dataclass(frozen=True)
class UploadPlan:
    """How a file is to be sent. path: as it was asked for.

    present_oid: the blob, or the SHA-256 of LFS content, that is at the path now; "" when there is none.
    """

    path: str
    is_lfs: bool
    is_ignored: bool
    present_oid: str
    is_directory: bool


def plan_uploads(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    revision: str,
    files: Sequence[tuple[str, int]],
    binary: Collection[str] = (),
    for_proposal: bool = False,
) -> list[UploadPlan]:
    """For each (path, size in bytes) how the file is to be sent to that revision.

    LFS is for files over ``max_blob_size_bytes`` and for those whose name a pattern of ``.gitattributes`` matches,
    upper and lower case alike (CSGHub contract, section 3.6), never for empty ones. binary: the paths of those that
    are no text, which are for LFS, too, unless ``.gitattributes`` says otherwise. A revision that does not exist
    holds nothing.
    Raises NotFound, NotSignedIn, Denied: whoever asks must be allowed to write, or (for_proposal) to open a pull
    request; Invalid (``path_invalid``).
    """
    action = Action.REPOSITORY_PROPOSE if for_proposal else Action.REPOSITORY_WRITE
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
    wanted = [(path, normalise_path(path), size_bytes) for path, size_bytes in files]
    return offload(
        _plan,
        repository_path(context.settings, repository),
        revision or repository.default_branch,
        wanted,
        context.settings.max_blob_size_bytes,
        frozenset(binary),
    )


def looks_binary(sample: bytes, *, size_bytes: int) -> bool:
    """Whether a file that begins so is no text: it holds a NUL, or is not in UTF-8. size_bytes: of the whole file."""
    if b"\0" in sample:
        return True
    try:
        # A sample may end within a character.
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=len(sample) >= size_bytes)
    except UnicodeDecodeError:
        return True
    return False


def _plan(
    path: Path,
    revision: str,
    wanted: Sequence[tuple[str, str, int]],
    max_blob_size_bytes: int,
    binary: Collection[str],
) -> list[UploadPlan]:
    commit_id = find_revision(path, revision)
    lfs_rules = LFSRules.parse(_read(path, commit_id, ATTRIBUTES_PATH), is_folded=True)
    ignore_rules = IgnoreRules.parse(_read(path, commit_id, IGNORE_PATH))
    names = [name for _, name, _ in wanted]
    entries = find_entries(path, commit_id, names)[1] if commit_id else [None] * len(names)
    plans = []
    for (given, name, size_bytes), entry in zip(wanted, entries, strict=True):
        is_directory = entry is not None and entry.kind is EntryKind.DIRECTORY
        present = "" if entry is None or is_directory else entry.lfs.oid if entry.lfs else entry.oid
        # git-lfs keeps no pointer to nothing, and clients cannot send an object without a byte in parts.
        said = lfs_rules.find(fold_name(name))
        is_lfs = size_bytes > max_blob_size_bytes or (given in binary if said is None else said)
        # Git has to read this one itself.
        is_lfs = is_lfs and size_bytes > 0 and name.rpartition("/")[2] != ATTRIBUTES_PATH
        plans.append(UploadPlan(given, is_lfs, ignore_rules.ignores(name), present, is_directory))
    return plans


def _read(path: Path, commit_id: str | None, name: str) -> bytes:
    entry = find_entry(path, commit_id, name) if commit_id else None
    if entry is None or entry.kind is not EntryKind.FILE:
        return b""
    return read_blob(path, entry.oid, limit_bytes=MAX_FILE_BYTES).data


@contextmanager
def folder(context: Context) -> Iterator[Path]:
    """An empty folder on the hub's own disk for files that are coming in; it goes with the block."""
    root = _root(context)
    root.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=root))
    try:
        yield path
    finally:
        offload(shutil.rmtree, path, ignore_errors=True)


def clear_leftovers(context: Context, *, age_s: float = LEFTOVER_AGE_S) -> int:
    """Remove folders that killed processes left behind; how many they were."""
    oldest = time.time() - age_s
    left = [path for path in _root(context).glob("*") if path.lstat().st_mtime < oldest]
    for path in left:
        offload(shutil.rmtree, path, ignore_errors=True)
    return len(left)


def _root(context: Context) -> Path:
    return context.settings.home / "incoming"
