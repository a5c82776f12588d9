"""What every object store can do: large contents under keys, streamed, whole or not there at all.

Keys are relative paths of plain words (``lfs/ab/cd/abcd…``). ``staging/`` is for what is not yet complete: its content
may be swept away once it is old.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from hub.base.context import Key
from hub.base.drivers import DriverGroup, load_driver
from hub.base.errors import Invalid
from hub.base.offload import offload
from hub.base.settings import Settings, SettingsError

STAGING = "staging/"

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\Z")
MAX_KEY_LENGTH = 255


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object. etag: changes whenever the content does; opaque otherwise."""

    key: str
    size_bytes: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True)
class PartInfo:
    """One received part of a multipart upload. number counts from 1."""

    number: int
    etag: str
    size_bytes: int


@dataclass(frozen=True)
class Swept:
    """What a sweep of the staging area removed."""

    count: int = 0
    size_bytes: int = 0


class ObjectStore(ABC):
    """A driver of the group ``hub.storage``.

    Every method that fails because the store does not answer raises Unavailable (``storage_unavailable``), and
    because it is full, Unavailable with code ``disk_full``. Objects never change in place: writing a key again
    replaces the object as a whole, and readers that have begun see the old one to its end.
    """

    is_direct: bool = False
    """Whether clients transfer straight from and to the store, by presigned addresses."""

    min_part_size_bytes: int = 1
    """The smallest part of an upload in parts, the last one excepted."""

    @classmethod
    @abstractmethod
    def from_settings(cls, settings: Settings) -> ObjectStore:
        """A store as the settings describe it. Raises SettingsError; opens no connection."""

    @abstractmethod
    def check(self) -> None:
        """One round trip that also makes the directory or bucket where it is missing. Raises Unavailable."""

    @abstractmethod
    def put(
        self, key: str, chunks: Iterable[bytes], *, size_bytes: int | None = None, sha256: str | None = None
    ) -> ObjectInfo:
        """Store the chunks under a key, visible only once whole, durable, and as announced.

        Raises Unprocessable (``size_mismatch``, ``hash_mismatch``); nothing is stored then, nor when the chunks raise.
        """

    @abstractmethod
    def find(self, key: str) -> ObjectInfo | None:
        """The object under a key, or None."""

    @abstractmethod
    def open_range(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """Exactly these bytes, in chunks. Raises NotFound (``object_not_found``) on the first chunk, not before."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    def delete_many(self, keys: Iterable[str]) -> None:
        """Remove several objects."""
        for key in keys:
            self.delete(key)

    @abstractmethod
    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """The objects whose keys begin with the prefix, in no order that all stores would agree on."""

    @abstractmethod
    def copy(self, source: str, target: str, *, if_etag: str | None = None) -> ObjectInfo:
        """Copy an object inside the store.

        if_etag: only while the source has this etag. Raises NotFound (``object_not_found``), PreconditionFailed.
        """

    def move(self, source: str, target: str, *, if_etag: str | None = None) -> ObjectInfo:
        """As ``copy``, and the source is gone afterwards."""
        info = self.copy(source, target, if_etag=if_etag)
        self.delete(source)
        return info

    def digest(self, key: str) -> tuple[ObjectInfo, str]:
        """The object and the SHA-256 of its bytes, in hex: both of one and the same content.

        Raises NotFound (``object_not_found``).
        """
        info, chunks = self._open_whole(key)
        digest = hashlib.sha256()
        for chunk in chunks:
            offload(digest.update, chunk)
        return info, digest.hexdigest()

    @abstractmethod
    def _open_whole(self, key: str) -> tuple[ObjectInfo, Iterator[bytes]]:
        """The object and all its bytes, of one and the same content."""

    # Uploads in parts, which may come in any order, several at a time, and be repeated.

    @abstractmethod
    def create_multipart(self, key: str, *, part_size_bytes: int) -> str:
        """Begin an upload whose parts all have this size, the last one excepted; return its id."""

    @abstractmethod
    def put_part(self, key: str, upload_id: str, number: int, chunks: Iterable[bytes], *, size_bytes: int) -> str:
        """Store one part and return its etag.

        Raises NotFound (``upload_not_found``), Unprocessable (``size_mismatch``), Conflict when the upload is being
        completed.
        """

    @abstractmethod
    def list_parts(self, key: str, upload_id: str) -> Sequence[PartInfo]:
        """The parts received so far, by number; of a repeated one perhaps every version.

        Raises NotFound (``upload_not_found``).
        """

    @abstractmethod
    def complete_multipart(
        self, key: str, upload_id: str, parts: Sequence[tuple[int, str]], *, size_bytes: int, sha256: str
    ) -> ObjectInfo:
        """Put the parts (number, etag) together under the key, once the whole is as announced.

        With S3 the object is visible under its key while it is checked: use a key below ``staging/``.
        Raises NotFound (``upload_not_found``); Unprocessable ``parts_mismatch`` (parts missing or changed: the upload
        goes on), ``size_mismatch`` and ``hash_mismatch`` (the upload is over).
        """

    @abstractmethod
    def abort_multipart(self, key: str, upload_id: str) -> None:
        """Forget an upload and its parts; one that is not there is no error."""

    @abstractmethod
    def sweep_staging(self, *, older_than: datetime, keep_uploads: Collection[str] = ()) -> Swept:
        """Remove from ``staging/`` what was last written before the moment, uploads in parts included.

        keep_uploads: ids of uploads that stay, however old.
        """

    # What only some stores have.

    def local_path(self, key: str) -> Path | None:
        """The plain file that holds the object, for servers that can send files; None where there is none."""
        return None

    def free_bytes(self) -> int | None:
        """How much more the store can take; None when it cannot tell."""
        return None

    def allows_pages_of(self, origin: str) -> bool:
        """Whether scripts of pages of that origin ("https://hub.example.com") may PUT to presigned addresses.

        A store that can be told to allow it is told. Raises Unavailable.
        """
        return False

    def presign_get(self, key: str, *, expires_s: int, filename: str | None = None, method: str = "GET") -> str:
        """An address by which anyone may read the object for a while; the answer names the file so."""
        raise self._not_direct()

    def presign_range(self, key: str, first: int, last: int, *, expires_s: int) -> str | None:
        """An address by which anyone may GET these bytes for a while, both ends included, and nothing else.

        The request's ``Range`` must say just that. None where the store cannot limit an address so.
        """
        return None

    def presign_put(self, key: str, *, expires_s: int) -> str:
        """An address by which anyone may write the object for a while."""
        raise self._not_direct()

    def presign_part(self, key: str, upload_id: str, number: int, *, expires_s: int) -> str:
        """An address by which anyone may send one part for a while; its query holds ``uploadId``."""
        raise self._not_direct()

    def _not_direct(self) -> Invalid:
        return Invalid("This object store takes no direct transfers.", code="not_direct")


STORE: Key[ObjectStore] = Key("objects.store")

# A group is named by its abstract class; mypy thinks of making one.
STORAGE_DRIVERS: DriverGroup[ObjectStore] = DriverGroup("hub.storage", ObjectStore, "storage driver")  # type: ignore[type-abstract]


def create_store(settings: Settings) -> ObjectStore:
    """The store that ``storage_url`` names, by the driver of its scheme. Raises SettingsError."""
    scheme = urlsplit(settings.effective_storage_url).scheme
    try:
        driver = load_driver(STORAGE_DRIVERS, scheme)
    except SettingsError as error:
        raise SettingsError(f"setting storage_url: {error}") from error
    return driver.from_settings(settings)


def validate_key(key: str) -> str:
    """The key itself when it is a relative path of plain words. Raises Invalid (``key_invalid``)."""
    if len(key) > MAX_KEY_LENGTH or not _KEY.match(key) or ".." in key:
        raise Invalid("This is not a key of the object store.", code="key_invalid")
    return key
