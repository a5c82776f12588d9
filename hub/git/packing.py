"""Many contents written at once: into one pack with one sync to the disk, where each loose object takes its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from hub.base.offload import offload
from hub.git.command import GitError, open_git, terminate
from hub.git.types import decode_text

# Of fewer, git makes loose objects all the same. Source: git's default of fastimport.unpackLimit.
MIN_CONTENTS = 100
_STDERR_BYTES = 2000


def pack_contents(path: Path, contents: Sequence[bytes | Path]) -> list[str]:
    """The blob ids of these contents (bytes, or files on this disk), which the repository holds from now on.

    No ref leads to them yet. Runs git: called directly, never through ``offload``. Raises GitError.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        marks = Path(folder) / "marks"
        offload(_write, given, contents)
        given.seek(0)
        arguments = ("fast-import", "--quiet", "--done", "--depth=0", f"--export-marks={marks}")
        process = open_git(path, *arguments, stdin=given, stderr=errors)
        try:
            process.communicate()
        finally:
            terminate(process)
        if process.returncode != 0:
            errors.seek(0)
            stderr = decode_text(errors.read(_STDERR_BYTES)).strip()
            raise GitError("Git could not store the files.", returncode=process.returncode, stderr=stderr)
        found = dict(line.split() for line in marks.read_text().splitlines())
    return [found[f":{number}"] for number in range(1, len(contents) + 1)]


def _write(stream: IO[bytes], contents: Sequence[bytes | Path]) -> None:
    """The contents as git's fast-import reads them. Source: git's documentation of it."""
    for number, content in enumerate(contents, start=1):
        size_bytes = len(content) if isinstance(content, bytes) else content.stat().st_size
        stream.write(b"blob\nmark :%d\ndata %d\n" % (number, size_bytes))
        if isinstance(content, bytes):
            stream.write(content)
        else:
            with content.open("rb") as file:
                shutil.copyfileobj(file, stream)
        stream.write(b"\n")
    stream.write(b"done\n")
    stream.flush()
