"""A revision as one file to download. Runs the git program: called directly, never through ``offload``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from hub.base.errors import Invalid
from hub.git.command import GitError, open_git, terminate
from hub.git.reader import commit_of, open_repository
from hub.git.types import decode_text

ArchiveFormat = Literal["tar", "tar.gz", "zip"]
FORMATS: tuple[ArchiveFormat, ...] = ("tar", "tar.gz", "zip")

_CHUNK_BYTES = 64 * 1024


def archive(path: Path, revision: str, format: ArchiveFormat, prefix: str = "") -> Iterator[bytes]:
    """A revision's files in pieces, while git packs them. LFS content is in it as its pointers.

    prefix: a directory that everything is put into, such as ``model-main``; no slash at its end is needed.
    A generator that is closed before its end ends git and the packer that git runs.
    Raises NotFound (code ``revision_not_found``) and Invalid (code ``format_invalid``, ``prefix_invalid``) at once.
    """
    if format not in FORMATS:
        raise Invalid(f"An archive is one of {', '.join(FORMATS)}.", code="format_invalid")
    directory = prefix.strip("/")
    if "\0" in directory or ".." in directory.split("/"):
        raise Invalid("The archive's prefix is no directory.", code="prefix_invalid")
    with open_repository(path) as repository:
        commit_id = str(commit_of(repository, revision).id)
    arguments = [f"--format={format}", f"--prefix={directory}/" if directory else "--prefix=", commit_id]
    return _stream(path, arguments)


def _stream(path: Path, arguments: list[str]) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as errors:
        process = open_git(path, "archive", *arguments, stderr=errors)
        assert process.stdout is not None
        try:
            while piece := process.stdout.read(_CHUNK_BYTES):
                yield piece
            process.wait()
        finally:
            terminate(process)
        if process.returncode != 0:
            errors.seek(0)
            raise GitError(
                "Git could not make the archive.",
                returncode=process.returncode,
                stderr=decode_text(errors.read(2000)).strip(),
            )
