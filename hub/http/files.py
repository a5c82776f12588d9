"""A repository's file as an HTTP answer: its bytes, a range of them, or the way to the object store; and the count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import Response, redirect, request

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.http.actor import client_address, current_actor
from hub.http.ranges import Content, disposition, send_content
from hub.repos.contents import OpenedFile
from hub.repos.downloads import DOWNLOADS

_MEDIA = "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; sandbox"
# A viewer of PDF is no part of a page, and does not start in a sandbox; scripts of the file get nowhere near the hub.
_PDF = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
# What browsers may show, by the ending of the name. All else is bytes to them; nothing runs as a page of the hub.
_SHOWN: Mapping[str, tuple[str, str]] = {
    "png": ("image/png", _MEDIA),
    "jpg": ("image/jpeg", _MEDIA),
    "jpeg": ("image/jpeg", _MEDIA),
    "gif": ("image/gif", _MEDIA),
    "webp": ("image/webp", _MEDIA),
    "avif": ("image/avif", _MEDIA),
    "bmp": ("image/bmp", _MEDIA),
    "ico": ("image/x-icon", _MEDIA),
    "svg": ("image/svg+xml", _MEDIA),
    "mp3": ("audio/mpeg", _MEDIA),
    "wav": ("audio/wav", _MEDIA),
    "ogg": ("audio/ogg", _MEDIA),
    "oga": ("audio/ogg", _MEDIA),
    "opus": ("audio/ogg", _MEDIA),
    "flac": ("audio/flac", _MEDIA),
    "m4a": ("audio/mp4", _MEDIA),
    "mp4": ("video/mp4", _MEDIA),
    "m4v": ("video/mp4", _MEDIA),
    "mov": ("video/quicktime", _MEDIA),
    "webm": ("video/webm", _MEDIA),
    "ogv": ("video/ogg", _MEDIA),
    "pdf": ("application/pdf", _PDF),
}


def shown_headers(name: str) -> dict[str, str]:
    """The headers by which a browser shows a file of this name, safely; none where it should not."""
    media_type, policy = _SHOWN.get(name.rpartition(".")[2].lower(), ("", ""))
    return {"Content-Type": media_type, "Content-Security-Policy": policy} if media_type else {}


def send_file(
    context: Context,
    file: OpenedFile,
    *,
    repository_id: int,
    redirects_head: bool = True,
    filename: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """200, 206, 304, or 302 to an object store that sends the bytes itself. Source: CSGHub contract, section 3.4.

    filename: what the client shall call it; "" for its own name. redirects_head: whether a HEAD is redirected as well.
    Clients that read what a file is from the HEAD's own headers want it answered here. headers: further ones, of every
    answer. A GET from the first byte on counts as a download of the repository,
    but for what a browser shows within a page. Raises RangeNotSatisfiable.
    """
    filename = filename or file.entry.name
    told = {"X-Repo-Commit": file.commit_id, "Content-Disposition": disposition(filename), **(headers or {})}
    response = None
    if file.lfs is not None:
        told |= {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(file.size_bytes)}
        if request.method == "GET" or redirects_head:
            url = file.lfs.direct_url(
                expires_s=context.settings.lfs_url_ttl_s, filename=filename, method=request.method
            )
            if url is not None:
                response = cast(Response, redirect(url, 302))
                response.headers.update({**told, "ETag": f'"{file.etag}"'})
    if response is None:
        content = Content(file.size_bytes, file.etag, file.open_range, file.local_path, file.modified_at)
        response = send_content(content, headers=told)
    if response.status_code != 304 and begins_download() and not _is_part_of_page():
        oid = file.lfs.oid if file.lfs is not None else ""
        context[DOWNLOADS].count(repository_id, path=file.entry.path, oid=oid, client=client_of(current_actor()))
    return response


def client_of(actor: Actor) -> str:
    """Who downloads, for counting: the account, or else the address, which is kept nowhere."""
    return f"user {actor.user_id}" if actor.user_id is not None else f"address {client_address()}"


def _is_part_of_page() -> bool:
    """Whether a browser shows it within a page: a picture in a card is looked at, and not downloaded."""
    return request.headers.get("Sec-Fetch-Dest", "") in ("image", "video", "audio")


def begins_download() -> bool:
    """Whether the request is for a file's bytes from the first one on: in however many ranges, it is one download."""
    if request.method != "GET":
        return False
    ranges = request.range.ranges if request.range is not None and request.range.units == "bytes" else []
    return len(ranges) != 1 or ranges[0][0] == 0
