"""Objects in a bucket of an S3 server.

The minio client signs and speaks; its methods for uploads in parts are private, so the dependency is held below the
next major version. Bodies that stream go over its connection pool by presigned addresses, because its own methods
want them in memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.datatypes import Object, Part
from minio.error import InvalidResponseError, S3Error, ServerError

from hub.base.errors import HubError, NotFound, PreconditionFailed, TooLarge, Unavailable, Unprocessable
from hub.base.log import get_logger
from hub.base.settings import MIB, Settings, SettingsError
from hub.objects.s3_pages import allow_pages_of
from hub.objects.s3_ranges import sign_range
from hub.objects.store import STAGING, ObjectInfo, ObjectStore, PartInfo, Swept, validate_key
from hub.objects.stream import CHUNK_BYTES, Source, Verifier, hash_mismatch, pass_through

log = get_logger(__name__)

# Contents up to here are sent in one request, out of memory.
_SINGLE_BYTES = 8 * MIB
_PART_BYTES = 64 * MIB
# Limits of S3: parts of an upload, and the life of a presigned address.
_MAX_PARTS = 10_000
_MAX_EXPIRY_S = 604_800
_TIMEOUT = urllib3.Timeout(connect=5, read=300)
_POOL_SIZE = 32

_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "ResourceNotFound"})
_BAD_PARTS = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML"})
_FULL = frozenset({"InsufficientStorage", "XMinioStorageFull", "QuotaExceeded"})


@dataclass(frozen=True)
class S3Address:
    """What ``storage_url`` says of an S3 server."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str
    region: str
    is_secure: bool

    @classmethod
    def parse(cls, url: str) -> S3Address:
        """``s3://KEY:SECRET@HOST:PORT/BUCKET?region=&secure=``; HTTPS and us-east-1 unless it says otherwise.

        Raises SettingsError.
        """
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        bucket = parts.path.strip("/")
        if not (parts.hostname and parts.username and parts.password and bucket) or "/" in bucket:
            raise SettingsError("setting storage_url: write s3://KEY:SECRET@HOST:PORT/BUCKET?region=&secure=")
        endpoint = parts.netloc.rpartition("@")[2]
        is_secure = query.get("secure", ["true"])[0].lower() not in ("false", "0", "no", "off")
        region = query.get("region", ["us-east-1"])[0]
        return cls(endpoint, bucket, unquote(parts.username), unquote(parts.password), region, is_secure)

    def client(self, pool: urllib3.PoolManager, *, public_url: str = "") -> Minio:
        """A client of this server. public_url: the address to sign for when clients reach it by another one."""
        endpoint, is_secure = self.endpoint, self.is_secure
        if public_url:
            public = urlsplit(public_url)
            if public.scheme not in ("http", "https") or not public.hostname:
                raise SettingsError("setting storage_public_url: write http:// or https:// and a host")
            endpoint, is_secure = public.netloc, public.scheme == "https"
        return Minio(
            endpoint,
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=is_secure,
            region=self.region,
            http_client=pool,
        )


class S3Store(ObjectStore):
    """A bucket. It is made on the first write when it is not there."""

    min_part_size_bytes = 5 * MIB

    def __init__(self, address: S3Address, *, is_direct: bool = True, public_url: str = "") -> None:
        self.is_direct = is_direct
        self._account = address
        self._bucket = address.bucket
        self._pool = urllib3.PoolManager(
            timeout=_TIMEOUT,
            maxsize=_POOL_SIZE,
            # One more try for what can be repeated; a server that is down must be told of at once.
            retries=urllib3.Retry(connect=1, read=1, redirect=0, status=0, other=0, backoff_factor=0.1),
        )
        self._client = address.client(self._pool)
        self._public = address.client(self._pool, public_url=public_url)
        self._has_bucket = False
        # Origin to what the server said of it.
        self._allowed: dict[str, bool] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> S3Store:
        return cls(
            S3Address.parse(settings.effective_storage_url),
            is_direct=settings.storage_direct,
            public_url=settings.storage_public_url,
        )

    def check(self) -> None:
        self._has_bucket = False
        self._ensure_bucket()

    def _ensure_bucket(self) -> None:
        if self._has_bucket:
            return
        with explain_s3_errors():
            if not self._client.bucket_exists(self._bucket):
                try:
                    self._client.make_bucket(self._bucket)
                except S3Error as error:
                    if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                        raise
        self._has_bucket = True

    def put(
        self, key: str, chunks: Iterable[bytes], *, size_bytes: int | None = None, sha256: str | None = None
    ) -> ObjectInfo:
        validate_key(key)
        self._ensure_bucket()
        source = Source(pass_through(chunks, Verifier(size_bytes, sha256)))
        # The beginning is enough to tell whether one request does; an object of several becomes visible at the last.
        head = b"".join(source.take(_SINGLE_BYTES))
        if len(head) < _SINGLE_BYTES or size_bytes == _SINGLE_BYTES:
            source.drain()
            self._send(self._address("PUT", key), [head], len(head))
        else:
            self._put_in_parts(key, head, source, size_bytes)
        info = self.find(key)
        if info is None:
            raise Unavailable("The hub's storage has lost what it took.", code="storage_unavailable")
        return info

    def _put_in_parts(self, key: str, head: bytes, source: Source, size_bytes: int | None) -> None:
        with explain_s3_errors():
            upload_id = self._client._create_multipart_upload(self._bucket, key, {})
        try:
            etags = []
            for number, (body, length) in enumerate(_split(head, source, size_bytes), 1):
                if number > _MAX_PARTS:
                    raise TooLarge("The content is too large for its storage.")
                etags.append((number, self._send(self._part_address(key, upload_id, number), body, length)))
            source.drain()
            self._join_parts(key, upload_id, etags)
        except BaseException:
            # Whatever it was that went wrong is what the caller must hear of.
            with contextlib.suppress(HubError):
                self.abort_multipart(key, upload_id)
            raise

    def find(self, key: str) -> ObjectInfo | None:
        with explain_s3_errors():
            try:
                found = self._client.stat_object(self._bucket, validate_key(key))
            except S3Error as error:
                if error.code in _MISSING:
                    return None
                raise
            return _info(key, found)

    def open_range(self, key: str, start: int, length: int) -> Iterator[bytes]:
        # To the client's library a length of 0 is all there is.
        if length > 0:
            yield from self._stream(self._get(key, start, length))

    def _open_whole(self, key: str) -> tuple[ObjectInfo, Iterator[bytes]]:
        response = self._get(key, 0, 0)
        headers = response.headers
        modified_at = datetime.strptime(headers["last-modified"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        info = ObjectInfo(key, int(headers["content-length"]), headers["etag"].strip('"'), modified_at)
        return info, self._stream(response)

    def _get(self, key: str, start: int, length: int) -> urllib3.BaseHTTPResponse:
        with explain_s3_errors():
            try:
                response: urllib3.BaseHTTPResponse = self._client.get_object(
                    self._bucket, validate_key(key), offset=start, length=length
                )
            except S3Error as error:
                if error.code in _MISSING:
                    raise NotFound("There is no such object.", code="object_not_found") from error
                raise
            return response

    def _stream(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        try:
            with explain_s3_errors():
                yield from response.stream(CHUNK_BYTES)
        except BaseException:
            # Bytes are left on the connection: it cannot serve another request.
            response.close()
            raise
        finally:
            response.release_conn()

    def delete(self, key: str) -> None:
        with explain_s3_errors():
            self._client.remove_object(self._bucket, validate_key(key))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        with explain_s3_errors():
            try:
                for found in self._client.list_objects(self._bucket, prefix=prefix, recursive=True):
                    yield _info(found.object_name or "", found)
            except S3Error as error:
                if error.code != "NoSuchBucket":
                    raise

    def copy(self, source: str, target: str, *, if_etag: str | None = None) -> ObjectInfo:
        origin = CopySource(self._bucket, validate_key(source), match_etag=if_etag)
        with explain_s3_errors():
            try:
                self._client.copy_object(self._bucket, validate_key(target), origin)
            except S3Error as error:
                if error.code in _MISSING:
                    raise NotFound("There is no such object.", code="object_not_found") from error
                if error.code == "PreconditionFailed":
                    raise PreconditionFailed("The object has changed meanwhile.", code="object_changed") from error
                raise
        info = self.find(target)
        if info is None:
            raise Unavailable("The hub's storage has lost what it took.", code="storage_unavailable")
        return info

    def create_multipart(self, key: str, *, part_size_bytes: int) -> str:
        self._ensure_bucket()
        with explain_s3_errors():
            return str(self._client._create_multipart_upload(self._bucket, validate_key(key), {}))

    def put_part(self, key: str, upload_id: str, number: int, chunks: Iterable[bytes], *, size_bytes: int) -> str:
        body = pass_through(chunks, Verifier(size_bytes))
        return self._send(self._part_address(key, upload_id, number), body, size_bytes)

    def list_parts(self, key: str, upload_id: str) -> Sequence[PartInfo]:
        parts: list[PartInfo] = []
        marker: str | None = None
        with explain_s3_errors():
            while True:
                try:
                    page = self._client._list_parts(
                        self._bucket, validate_key(key), upload_id, part_number_marker=marker
                    )
                except S3Error as error:
                    if error.code in ("NoSuchUpload", *_MISSING):
                        raise _upload_not_found() from error
                    raise
                parts += [PartInfo(part.part_number, part.etag.strip('"'), part.size or 0) for part in page.parts]
                if not page.is_truncated:
                    return parts
                marker = str(page.next_part_number_marker)

    def complete_multipart(
        self, key: str, upload_id: str, parts: Sequence[tuple[int, str]], *, size_bytes: int, sha256: str
    ) -> ObjectInfo:
        # Some servers list a part that was sent twice twice, with both its etags.
        received = {(part.number, part.etag): part.size_bytes for part in self.list_parts(key, upload_id)}
        is_whole = [number for number, _ in parts] == [*range(1, len(parts) + 1)] and received.keys() >= set(parts)
        if not parts or not is_whole or sum(received[part] for part in parts) != size_bytes:
            raise _parts_mismatch()
        self._join_parts(key, upload_id, parts)
        info, found_sha256 = self.digest(key)
        if info.size_bytes != size_bytes or found_sha256 != sha256:
            self.delete(key)
            raise hash_mismatch()
        return info

    def _join_parts(self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]) -> None:
        with explain_s3_errors():
            try:
                self._client._complete_multipart_upload(
                    self._bucket, key, upload_id, [Part(number, etag) for number, etag in parts]
                )
            except S3Error as error:
                if error.code == "NoSuchUpload":
                    raise _upload_not_found() from error
                if error.code in _BAD_PARTS:
                    raise _parts_mismatch() from error
                raise

    def abort_multipart(self, key: str, upload_id: str) -> None:
        with explain_s3_errors():
            try:
                self._client._abort_multipart_upload(self._bucket, validate_key(key), upload_id)
            except S3Error as error:
                if error.code not in ("NoSuchUpload", *_MISSING):
                    raise

    def sweep_staging(self, *, older_than: datetime, keep_uploads: Collection[str] = ()) -> Swept:
        count = size_bytes = 0
        for info in self.list(STAGING):
            if info.modified_at < older_than:
                self.delete(info.key)
                count, size_bytes = count + 1, size_bytes + info.size_bytes
        for key, upload_id in self._uploads_before(older_than):
            if upload_id not in keep_uploads:
                self.abort_multipart(key, upload_id)
                count += 1
        return Swept(count, size_bytes)

    def _uploads_before(self, moment: datetime) -> Sequence[tuple[str, str]]:
        """(key, id) of the uploads that began before the moment, those of ``put`` included."""
        uploads: list[tuple[str, str]] = []
        key_marker = id_marker = None
        with explain_s3_errors():
            while True:
                try:
                    page = self._client._list_multipart_uploads(
                        self._bucket, key_marker=key_marker, upload_id_marker=id_marker
                    )
                except S3Error as error:
                    if error.code == "NoSuchBucket":
                        return uploads
                    raise
                uploads += [
                    (upload.object_name, upload.upload_id or "")
                    for upload in page.uploads
                    if upload.initiated_time is not None and upload.initiated_time < moment
                ]
                if not page.is_truncated:
                    return uploads
                key_marker, id_marker = page.next_key_marker, page.next_upload_id_marker

    def allows_pages_of(self, origin: str) -> bool:
        if origin not in self._allowed:
            self._ensure_bucket()
            with explain_s3_errors():
                address = self._address("PUT", f"{STAGING}cors")
                self._allowed[origin] = allow_pages_of(origin, self._client, self._pool, self._bucket, address)
        return self._allowed[origin]

    def presign_get(self, key: str, *, expires_s: int, filename: str | None = None, method: str = "GET") -> str:
        query = {}
        if filename is not None:
            plain = "".join(char if 32 <= ord(char) < 127 and char not in '"\\%' else "_" for char in filename)
            query["response-content-disposition"] = f'attachment; filename="{plain}"'
        return self._address(method, key, expires_s=expires_s, query=query, client=self._public)

    def presign_range(self, key: str, first: int, last: int, *, expires_s: int) -> str | None:
        return sign_range(
            self._address("GET", key, client=self._public),
            access_key=self._account.access_key,
            secret_key=self._account.secret_key,
            region=self._account.region,
            first=first,
            last=last,
            expires_s=min(expires_s, _MAX_EXPIRY_S),
        )

    def presign_put(self, key: str, *, expires_s: int) -> str:
        self._ensure_bucket()
        return self._address("PUT", key, expires_s=expires_s, client=self._public)

    def presign_part(self, key: str, upload_id: str, number: int, *, expires_s: int) -> str:
        return self._part_address(key, upload_id, number, expires_s=expires_s, client=self._public)

    def _part_address(self, key: str, upload_id: str, number: int, **options: Any) -> str:
        return self._address("PUT", key, query={"partNumber": str(number), "uploadId": upload_id}, **options)

    def _address(
        self,
        method: str,
        key: str,
        *,
        expires_s: int = 3600,
        query: Mapping[str, str] | None = None,
        client: Minio | None = None,
    ) -> str:
        expires = timedelta(seconds=min(expires_s, _MAX_EXPIRY_S))
        url: str = (client or self._client).get_presigned_url(
            method, self._bucket, validate_key(key), expires=expires, extra_query_params=dict(query or {})
        )
        return url

    def _send(self, address: str, body: Iterable[bytes], length: int) -> str:
        """Stream a body to a presigned address; return its etag."""
        with explain_s3_errors():
            response = self._pool.urlopen(
                "PUT", address, body=body, headers={"Content-Length": str(length)}, retries=False, redirect=False
            )
        if response.status == 404:
            raise _upload_not_found()
        if response.status in (413, 507):
            raise _full()
        if response.status != 200:
            log.warning("s3_refused", status=response.status, answer=response.data[:500].decode(errors="replace"))
            raise _unavailable()
        return response.headers.get("etag", "").strip('"')


def _info(key: str, found: Object) -> ObjectInfo:
    assert found.last_modified is not None
    return ObjectInfo(key, found.size or 0, (found.etag or "").strip('"'), found.last_modified)


def _split(head: bytes, source: Source, size_bytes: int | None) -> Iterator[tuple[Iterable[bytes], int]]:
    """(body, length) of each part. Where the size is not known, a part is read before it is sent."""
    if size_bytes is None:
        part = head
        while part:
            yield [part], len(part)
            part = b"".join(source.take(_SINGLE_BYTES))
        return
    part_bytes = max(_PART_BYTES, -(-size_bytes // _MAX_PARTS))
    left = size_bytes
    first: Iterable[bytes] = [head]
    while left > 0:
        length = min(part_bytes, left)
        rest = length - (len(head) if left == size_bytes else 0)
        yield _chain(first, source.take(rest)), length
        left, first = left - length, ()


def _chain(first: Iterable[bytes], second: Iterable[bytes]) -> Iterator[bytes]:
    yield from first
    yield from second


@contextmanager
def explain_s3_errors() -> Iterator[None]:
    """Turn what the client's library raises into Unavailable, ``disk_full`` where that is the reason."""
    try:
        yield
    except S3Error as error:
        if error.code in _FULL:
            raise _full() from error
        log.warning("s3_refused", code=error.code, resource=error.resource)
        raise _unavailable() from error
    except (ServerError, InvalidResponseError, urllib3.exceptions.HTTPError) as error:
        log.warning("s3_failed", error=type(error).__name__)
        raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable("The hub's storage does not answer; try again later.", code="storage_unavailable")


def _full() -> Unavailable:
    return Unavailable("The hub's storage is full; nothing was stored.", code="disk_full")


def _upload_not_found() -> NotFound:
    return NotFound("There is no such upload; ask for a new one.", code="upload_not_found")


def _parts_mismatch() -> Unprocessable:
    return Unprocessable(
        "The upload needs all its parts, in order and with the etags they were answered with.", code="parts_mismatch"
    )
