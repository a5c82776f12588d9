"""Uploads in parts on a disk: every part is written where it belongs in one file, so nothing is copied at the end.

An upload is a directory ``staging/upload-<id>``: ``content`` takes the bytes, ``part-<n>`` says that part n is there,
``closed`` that no more bytes may be written because the content is being checked.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from hub.base.errors import Conflict, Invalid, NotFound, Unprocessable
from hub.base.offload import offload
from hub.objects.disk import explain_disk_errors, make_directories, publish_file, write_all_at
from hub.objects.store import PartInfo
from hub.objects.stream import Verifier, hash_mismatch, take_in

_PREFIX = "upload-"
# As in S3.
MAX_PARTS = 10_000


class PartUploads:
    """The uploads in parts below one staging directory. Except ``receive``, its methods are for native threads."""

    def __init__(self, staging: Path) -> None:
        self._staging = staging

    @staticmethod
    def id_of(entry: Path) -> str | None:
        """The upload that an entry of the staging directory belongs to, or None."""
        return entry.name.removeprefix(_PREFIX) if entry.name.startswith(_PREFIX) else None

    def create(self, part_size_bytes: int) -> str:
        """Begin an upload; return its id."""
        upload_id = uuid4().hex
        with explain_disk_errors():
            make_directories(self._staging)
            draft = self._staging / f"draft-{upload_id}"
            draft.mkdir()
            (draft / "content").touch(0o640)
            (draft / "upload.json").write_text(json.dumps({"part_size_bytes": part_size_bytes}))
            draft.rename(self._staging / f"{_PREFIX}{upload_id}")
        return upload_id

    def receive(self, upload_id: str, number: int, chunks: Iterable[bytes], *, size_bytes: int) -> str:
        """Write one part in its place; return its etag."""
        if not 1 <= number <= MAX_PARTS:
            raise Invalid(f"Part numbers go from 1 to {MAX_PARTS}.", code="part_invalid")
        directory = self._directory(upload_id)
        part_size_bytes = self._part_size_bytes(directory)
        if size_bytes > part_size_bytes:
            raise Unprocessable(f"A part has at most {part_size_bytes} bytes.", code="size_mismatch")
        start = (number - 1) * part_size_bytes
        marker = directory / f"part-{number}"
        # From here on the part is not what it was, even if this attempt fails.
        marker.unlink(missing_ok=True)
        descriptor = self._open_content(directory)
        try:
            take_in(
                chunks,
                Verifier(size_bytes),
                lambda chunk, offset: _write_while_open(directory, descriptor, chunk, start + offset),
            )
        finally:
            os.close(descriptor)
        return offload(_mark_received, marker, size_bytes)

    def list_parts(self, upload_id: str) -> Sequence[PartInfo]:
        """The parts received so far, by number."""
        directory = self._directory(upload_id)
        with explain_disk_errors():
            parts = [_read_marker(marker) for marker in directory.glob("part-*")]
        return sorted((part for part in parts if part is not None), key=lambda part: part.number)

    def complete(
        self, upload_id: str, parts: Sequence[tuple[int, str]], target: Path, *, size_bytes: int, sha256: str
    ) -> os.stat_result:
        """Check the whole and give it its final name; return what is known of the file."""
        directory = self._directory(upload_id)
        part_size_bytes = self._part_size_bytes(directory)
        received = {part.number: part for part in self.list_parts(upload_id)}
        expected = range(1, -(-size_bytes // part_size_bytes) + 1)
        if [number for number, _ in parts] != [*expected] or any(
            number not in received or received[number].etag != etag.strip('"') for number, etag in parts
        ):
            raise Unprocessable(
                f"The upload needs its {len(expected)} parts, in order and with the etags they were answered with.",
                code="parts_mismatch",
            )
        if any(
            received[number].size_bytes != _size_of_part(number, size_bytes, part_size_bytes) for number in expected
        ):
            raise Unprocessable("The parts do not have the sizes that make up the content.", code="parts_mismatch")
        try:
            with explain_disk_errors():
                return self._check_and_publish(directory, target, size_bytes, sha256)
        except FileNotFoundError:
            # Two completions at once: the other one was faster. Its content passed the same check.
            try:
                return target.stat()
            except FileNotFoundError:
                raise _upload_not_found() from None

    def _check_and_publish(self, directory: Path, target: Path, size_bytes: int, sha256: str) -> os.stat_result:
        with (directory / "content").open("r+b", buffering=0) as content:
            fcntl.flock(content, fcntl.LOCK_EX)
            (directory / "closed").touch()
            fcntl.flock(content, fcntl.LOCK_UN)
            os.truncate(content.fileno(), size_bytes)
            if hashlib.file_digest(content, "sha256").hexdigest() != sha256:
                shutil.rmtree(directory, ignore_errors=True)
                raise hash_mismatch()
            os.fdatasync(content.fileno())
            status = os.fstat(content.fileno())
        publish_file(directory / "content", target)
        shutil.rmtree(directory, ignore_errors=True)
        return status

    def abort(self, upload_id: str) -> None:
        """Forget an upload; one that is not there is no error."""
        with suppress(NotFound):
            shutil.rmtree(self._directory(upload_id), ignore_errors=True)

    def _directory(self, upload_id: str) -> Path:
        directory = self._staging / f"{_PREFIX}{upload_id}"
        if not upload_id.isalnum() or not directory.is_dir():
            raise _upload_not_found()
        return directory

    def _part_size_bytes(self, directory: Path) -> int:
        try:
            return int(json.loads((directory / "upload.json").read_text())["part_size_bytes"])
        except FileNotFoundError:
            raise _upload_not_found() from None

    def _open_content(self, directory: Path) -> int:
        try:
            return os.open(directory / "content", os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise _upload_not_found() from None


def _upload_not_found() -> NotFound:
    return NotFound("There is no such upload; ask for a new one.", code="upload_not_found")


def _size_of_part(number: int, size_bytes: int, part_size_bytes: int) -> int:
    return min(part_size_bytes, size_bytes - (number - 1) * part_size_bytes)


def _write_while_open(directory: Path, descriptor: int, chunk: bytes, offset: int) -> None:
    # Whoever closes the upload holds the lock alone for a moment; after that, no byte changes any more, although
    # a forgotten request may still be sending some. "closed" is looked at first: it goes after the content went.
    with explain_disk_errors():
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        try:
            if (directory / "closed").exists() or not (directory / "content").exists():
                raise Conflict("The upload is already being put together.", code="upload_closed")
            write_all_at(descriptor, chunk, offset)
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _mark_received(marker: Path, size_bytes: int) -> str:
    etag = uuid4().hex
    draft = marker.with_name(f"draft-{etag}")
    try:
        with explain_disk_errors():
            draft.write_text(json.dumps({"size_bytes": size_bytes, "etag": etag}))
            draft.rename(marker)
    except FileNotFoundError:
        raise _upload_not_found() from None
    return etag


def _read_marker(marker: Path) -> PartInfo | None:
    try:
        text = json.loads(marker.read_text())
    except FileNotFoundError:  # a repeated part is on its way
        return None
    return PartInfo(int(marker.name.removeprefix("part-")), text["etag"], text["size_bytes"])
