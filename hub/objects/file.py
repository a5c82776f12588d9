"""Objects as plain files below one directory."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from hub.base.errors import NotFound, PreconditionFailed, Unavailable
from hub.base.offload import offload
from hub.base.settings import Settings, SettingsError
from hub.objects.disk import existing_ancestor, explain_disk_errors, make_directories, publish_file, write_all
from hub.objects.parts import PartUploads
from hub.objects.store import STAGING, ObjectInfo, ObjectStore, PartInfo, Swept, validate_key
from hub.objects.stream import CHUNK_BYTES, Verifier, take_in


class FileStore(ObjectStore):
    """A directory tree whose paths are the keys.

    A write goes to a file below ``staging/``, is synced and then renamed: kill -9 leaves a leftover there and nothing
    else. A deletion is a rename into ``staging/``, too, so that it takes no longer for a large object.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.staging = root / STAGING
        self._uploads = PartUploads(self.staging)

    @classmethod
    def from_settings(cls, settings: Settings) -> FileStore:
        parts = urlsplit(settings.effective_storage_url)
        path = Path(unquote(parts.path))
        if parts.netloc or not path.is_absolute():
            raise SettingsError(
                "setting storage_url: write file:// and an absolute path, as in file:///srv/hub/objects"
            )
        return cls(path)

    def check(self) -> None:
        try:
            with explain_disk_errors():
                make_directories(self.staging)
                probe = self.staging / f"check-{uuid4().hex}"
                probe.touch()
                probe.unlink()
        except FileNotFoundError as error:
            raise Unavailable("The hub's storage does not answer.", code="storage_unavailable") from error

    def put(
        self, key: str, chunks: Iterable[bytes], *, size_bytes: int | None = None, sha256: str | None = None
    ) -> ObjectInfo:
        target = self._path(key)
        staged = self.staging / f"put-{uuid4().hex}"
        descriptor = offload(self._open_staged, staged)
        try:
            try:
                take_in(chunks, Verifier(size_bytes, sha256), lambda chunk, _: _append(descriptor, chunk))
                with explain_disk_errors():
                    offload(os.fdatasync, descriptor)
            finally:
                os.close(descriptor)
            return offload(self._publish, staged, target, key)
        except BaseException:
            offload(staged.unlink, missing_ok=True)
            raise

    def _open_staged(self, staged: Path) -> int:
        with explain_disk_errors():
            make_directories(self.staging)
            return os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)

    def _publish(self, staged: Path, target: Path, key: str) -> ObjectInfo:
        with explain_disk_errors():
            # Looked at before it can be seen: somebody may delete it at once.
            info = _info(key, staged.stat())
            publish_file(staged, target)
            return info

    def find(self, key: str) -> ObjectInfo | None:
        with explain_disk_errors(), suppress(FileNotFoundError, NotADirectoryError):
            return _info(key, self._path(key).stat())
        return None

    def open_range(self, key: str, start: int, length: int) -> Iterator[bytes]:
        _, chunks = self._open(key, start, length)
        yield from chunks

    def _open(self, key: str, start: int, length: int | None) -> tuple[ObjectInfo, Iterator[bytes]]:
        try:
            with explain_disk_errors():
                descriptor = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise object_not_found() from None
        info = _info(key, os.fstat(descriptor))
        return info, _read(descriptor, start, info.size_bytes - start if length is None else length)

    def _open_whole(self, key: str) -> tuple[ObjectInfo, Iterator[bytes]]:
        return self._open(key, 0, None)

    def digest(self, key: str) -> tuple[ObjectInfo, str]:
        return offload(self._digest, key)

    def _digest(self, key: str) -> tuple[ObjectInfo, str]:
        try:
            with explain_disk_errors(), self._path(key).open("rb", buffering=0) as stream:
                return _info(key, os.fstat(stream.fileno())), hashlib.file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError:
            raise object_not_found() from None

    def delete(self, key: str) -> None:
        with explain_disk_errors(), suppress(FileNotFoundError):
            if key.startswith(STAGING):
                offload(self._path(key).unlink)
                return
            discarded = self.staging / f"deleted-{uuid4().hex}"
            make_directories(self.staging)
            self._path(key).rename(discarded)
            offload(discarded.unlink)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        base, _, _ = prefix.rpartition("/")
        for path in _walk(self.root / base):
            key = path.relative_to(self.root).as_posix()
            if key.startswith(prefix):
                with suppress(FileNotFoundError):  # gone since the directory was read
                    yield _info(key, path.stat())

    def copy(self, source: str, target: str, *, if_etag: str | None = None) -> ObjectInfo:
        info, chunks = self._open_whole(source)
        if if_etag is not None and info.etag != if_etag:
            raise source_changed()
        return self.put(target, chunks)

    def move(self, source: str, target: str, *, if_etag: str | None = None) -> ObjectInfo:
        return offload(self._move, source, target, if_etag)

    def _move(self, source: str, target: str, if_etag: str | None) -> ObjectInfo:
        path = self._path(source)
        try:
            if if_etag is not None and _info(source, path.stat()).etag != if_etag:
                raise source_changed()
            return self._publish(path, self._path(target), target)
        except FileNotFoundError:
            raise object_not_found() from None

    def create_multipart(self, key: str, *, part_size_bytes: int) -> str:
        validate_key(key)
        return offload(self._uploads.create, part_size_bytes)

    def put_part(self, key: str, upload_id: str, number: int, chunks: Iterable[bytes], *, size_bytes: int) -> str:
        return self._uploads.receive(upload_id, number, chunks, size_bytes=size_bytes)

    def list_parts(self, key: str, upload_id: str) -> Sequence[PartInfo]:
        return offload(self._uploads.list_parts, upload_id)

    def complete_multipart(
        self, key: str, upload_id: str, parts: Sequence[tuple[int, str]], *, size_bytes: int, sha256: str
    ) -> ObjectInfo:
        target = self._path(key)
        return _info(
            key, offload(self._uploads.complete, upload_id, parts, target, size_bytes=size_bytes, sha256=sha256)
        )

    def abort_multipart(self, key: str, upload_id: str) -> None:
        offload(self._uploads.abort, upload_id)

    def sweep_staging(self, *, older_than: datetime, keep_uploads: Collection[str] = ()) -> Swept:
        return offload(self._sweep, older_than.timestamp(), frozenset(keep_uploads))

    def _sweep(self, older_than: float, keep_uploads: frozenset[str]) -> Swept:
        if not self.staging.is_dir():
            return Swept()
        count = size_bytes = 0
        for entry in list_directory(self.staging):
            newest, entry_bytes = _age_and_size(entry)
            if newest >= older_than or PartUploads.id_of(entry) in keep_uploads:
                continue
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
            count, size_bytes = count + 1, size_bytes + entry_bytes
        return Swept(count, size_bytes)

    def local_path(self, key: str) -> Path:
        return self._path(key)

    def free_bytes(self) -> int:
        return shutil.disk_usage(existing_ancestor(self.root)).free

    def _path(self, key: str) -> Path:
        return self.root / validate_key(key)


def object_not_found() -> NotFound:
    """The store has no object under the key."""
    return NotFound("There is no such object.", code="object_not_found")


def source_changed() -> PreconditionFailed:
    """The object was replaced since its etag was read."""
    return PreconditionFailed("The object has changed meanwhile.", code="object_changed")


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
    return ObjectInfo(key, status.st_size, f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}", modified_at)


def _append(descriptor: int, chunk: bytes) -> None:
    with explain_disk_errors():
        write_all(descriptor, chunk)


def _read(descriptor: int, start: int, length: int) -> Iterator[bytes]:
    try:
        while length > 0:
            with explain_disk_errors():
                chunk = offload(os.pread, descriptor, min(CHUNK_BYTES, length), start)
            if not chunk:
                return
            start, length = start + len(chunk), length - len(chunk)
            yield chunk
    finally:
        os.close(descriptor)


def list_directory(path: Path) -> Sequence[Path]:
    """The entries of a directory by name; none when it is not there."""
    try:
        return sorted(path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return ()


def _walk(directory: Path) -> Iterator[Path]:
    for entry in list_directory(directory):
        if entry.is_dir():
            yield from _walk(entry)
        else:
            yield entry


def _age_and_size(entry: Path) -> tuple[float, int]:
    """When anything in it was last written, and how much it holds."""
    newest, size_bytes = 0.0, 0
    for path in [entry, *(_walk(entry) if entry.is_dir() else ())]:
        with suppress(FileNotFoundError):
            status = path.stat()
            newest = max(newest, status.st_mtime)
            size_bytes += status.st_blocks * 512 if path.is_file() else 0
    return newest, size_bytes
