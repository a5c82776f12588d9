"""Archives, unpacked again."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile

import pytest

from hub.base.errors import Invalid, NotFound
from hub.git.archive import archive
from tests.hub.git.conftest import Sandbox, child_commands


def test_an_archive_holds_the_files_below_its_prefix(sandbox: Sandbox) -> None:
    sandbox.commit({"README.md": b"hi\n", "dir/data": b"\0\1"})
    packed = b"".join(archive(sandbox.path, "main", "tar.gz", "model-main/"))
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        names = [member.name for member in tar.getmembers() if member.isfile()]
        content = tar.extractfile("model-main/dir/data")
        assert (names, content and content.read()) == (["model-main/README.md", "model-main/dir/data"], b"\0\1")
    with zipfile.ZipFile(io.BytesIO(b"".join(archive(sandbox.path, "main", "zip")))) as zipped:
        assert zipped.read("README.md") == b"hi\n"
    assert b"ustar" in b"".join(archive(sandbox.path, "main", "tar"))


def test_an_archive_that_is_left_ends_git_and_its_packer(sandbox: Sandbox) -> None:
    sandbox.commit({"large": os.urandom(3_000_000)})
    stream = archive(sandbox.path, "main", "tar.gz")
    assert next(stream)
    assert b"archive" in child_commands()
    stream.close()  # type: ignore[attr-defined]
    assert b"archive" not in child_commands()


def test_what_is_no_archive_is_refused_at_once(sandbox: Sandbox) -> None:
    sandbox.commit({"a": b"1"})
    with pytest.raises(Invalid):
        archive(sandbox.path, "main", "rar")  # type: ignore[arg-type]
    for prefix in ("../up", "a\0b"):
        with pytest.raises(Invalid):
            archive(sandbox.path, "main", "zip", prefix)
    for revision in ("none", "--output=/tmp/x"):
        with pytest.raises(NotFound):
            archive(sandbox.path, revision, "zip")
