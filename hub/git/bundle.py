"""A whole repository as one file that git clones from. Runs the git program."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from hub.base.errors import Conflict
from hub.git.command import GitError, open_git, terminate
from hub.git.repository import find_revision, list_refs
from hub.git.types import decode_text

_TELL_EVERY_S = 1.0


def write_bundle(path: Path, file: IO[bytes], *, tell: Callable[[int], None]) -> None:
    """Write all branches and tags with their history into an open file. Large files are in it as their pointers.

    tell: called every second with how many bytes there are; what it raises ends git.
    Raises Conflict (``repository_empty``), GitError.
    """
    if not any(list_refs(path, prefix=prefix) for prefix in ("refs/heads/", "refs/tags/")):
        raise Conflict("There is nothing in this repository yet.", code="repository_empty")
    # By it a clone knows which branch to check out.
    head = ["HEAD"] if find_revision(path, "HEAD") is not None else []
    with tempfile.TemporaryFile() as errors:
        process = open_git(
            path, "bundle", "create", "-q", "-", *head, "--branches", "--tags", stdout=file, stderr=errors
        )
        try:
            while True:
                try:
                    process.wait(timeout=_TELL_EVERY_S)
                    break
                except subprocess.TimeoutExpired:
                    tell(_size_of(file))
        finally:
            terminate(process)
        if process.returncode != 0:
            errors.seek(0)
            raise GitError(
                "Git could not make the bundle.",
                returncode=process.returncode,
                stderr=decode_text(errors.read(2000)).strip(),
            )
    tell(_size_of(file))


def _size_of(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size
