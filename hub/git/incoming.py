"""What a push brings, looked at before it is let in. Everything here runs the git program.

While a push waits for its checks its objects lie in quarantine: ``env`` then carries the variables that git gave to
the pre-receive hook (GIT_OBJECT_DIRECTORY, GIT_ALTERNATE_OBJECT_DIRECTORIES, GIT_QUARANTINE_PATH).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from hub.base.errors import Unprocessable
from hub.git.command import GitError, open_git, run_git, stream_git, terminate
from hub.git.pointer import MAX_POINTER_SIZE_BYTES
from hub.git.types import ZERO_OID, NewObject, decode_text

QUARANTINE_VARIABLES = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")

_CONNECTIVITY_TIMEOUT_S = 3600.0


def new_objects(
    path: Path,
    new_ids: Sequence[str],
    *,
    not_ids: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[NewObject]:
    """Every object that the new ids lead to and the repository did not have behind its refs.

    not_ids: what counts as had; None: every ref of the repository, hidden ones too. Zero ids are left out of both.
    Streamed: a million objects take no memory here. A caller that leaves early ends the processes behind it.
    Raises Unprocessable (code ``object_missing``) when something that should be there is not.
    """
    tips = [oid for oid in new_ids if oid != ZERO_OID]
    if not tips:
        return
    had = [f"^{oid}" for oid in not_ids or () if oid != ZERO_OID]
    behind_refs = ["--not", "--all"] if not_ids is None else []
    with ExitStack() as stack:
        given = stack.enter_context(tempfile.TemporaryFile())
        errors = stack.enter_context(tempfile.TemporaryFile())
        given.write("\n".join([*tips, *had, ""]).encode())
        given.seek(0)
        # A plain pipe between the two: the streams of a cooperative process are non-blocking, which git's own
        # reading of lines takes for the end. And as files: gevent puts ``os.close`` off until its loop turns, and the
        # second process would wait for the end of its input just as long.
        read_end, write_end = os.pipe()
        with os.fdopen(read_end, "rb", buffering=0) as receiving, os.fdopen(write_end, "wb", buffering=0) as sending:
            walk = open_git(
                path,
                "rev-list",
                "--objects",
                "--stdin",
                *behind_refs,
                stdin=given,
                stdout=sending,
                stderr=errors,
                env=env,
            )
            stack.callback(terminate, walk)
            look = open_git(
                path,
                "cat-file",
                "--buffer",
                "--batch-check=%(objectname) %(objecttype) %(objectsize) %(rest)",
                stdin=receiving,
                env=env,
            )
            stack.callback(terminate, look)
        assert look.stdout is not None
        for line in look.stdout:
            yield _parse_object(line)
        if walk.wait() != 0:
            errors.seek(0)
            stderr = decode_text(errors.read(2000)).strip()
            if "missing" in stderr or "bad object" in stderr or "not found" in stderr:
                raise Unprocessable("An object that the push needs is missing.", code="object_missing")
            raise GitError("Git could not list the push's objects.", returncode=walk.returncode, stderr=stderr)
        if look.wait() != 0:
            raise GitError("Git could not read the push's objects.", returncode=look.returncode)


def _parse_object(line: bytes) -> NewObject:
    oid, kind, *rest = line.rstrip(b"\n").split(b" ", 3)
    if len(rest) != 2:
        raise Unprocessable(f"The object {decode_text(oid)} that the push needs is missing.", code="object_missing")
    return NewObject(oid.decode(), kind.decode(), int(rest[0]), decode_text(rest[1]))


def read_small_blobs(
    path: Path,
    oids: Iterable[str],
    *,
    max_bytes: int = MAX_POINTER_SIZE_BYTES,
    env: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, bytes]]:
    """The contents of these blobs, streamed in order; those over ``max_bytes`` or absent are left out.

    Ask for those that are known to be small: a larger one is read through to its end.
    """
    lines = (oid.encode() for oid in oids)
    with stream_git(path, "cat-file", "--batch", "--buffer", lines=lines, env=env) as stream:
        while header := stream.readline():
            oid, kind, *rest = header.rstrip(b"\n").split(b" ")
            if not rest:
                continue
            size_bytes = left = int(rest[0])
            if kind == b"blob" and size_bytes <= max_bytes:
                yield oid.decode(), stream.read(size_bytes)
                left = 0
            left += 1  # the line break behind each content
            while left:
                piece = stream.read(min(left, 65536))
                if not piece:
                    raise GitError("Git stopped in the middle of an object.")
                left -= len(piece)


def is_ancestor(path: Path, old: str, new: str, *, env: Mapping[str, str] | None = None) -> bool:
    """Whether a commit can be reached from another, so that moving a ref from old to new loses nothing.

    A tag object or a missing commit counts as not.
    """
    try:
        run_git(path, "merge-base", "--is-ancestor", old, new, env=env)
    except GitError:
        return False
    return True


def check_connectivity(path: Path, new_ids: Sequence[str], *, env: Mapping[str, str] | None = None) -> bool:
    """Whether everything that the new ids lead to is there, behind what the refs have already."""
    tips = [oid for oid in new_ids if oid != ZERO_OID]
    if not tips:
        return True
    given = "\n".join([*tips, ""]).encode()
    arguments = ("rev-list", "--objects", "--quiet", "--stdin", "--not", "--all")
    try:
        run_git(path, *arguments, input=given, env=env, timeout_s=_CONNECTIVITY_TIMEOUT_S)
    except GitError:
        return False
    return True
