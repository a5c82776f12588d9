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
    answer. A GET from the first byte on counts as a download of the repository. Raises RangeNotSatisfiable.
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
    if request.method == "GET" and response.status_code != 304 and _is_from_start():
        context[DOWNLOADS].count(repository_id, path=file.entry.path, client=client_of(current_actor()))
    return response


def client_of(actor: Actor) -> str:
    """Who downloads, for counting: the account, or else the address, which is kept nowhere."""
    return f"user {actor.user_id}" if actor.user_id is not None else f"address {client_address()}"


def _is_from_start() -> bool:
    ranges = request.range.ranges if request.range is not None and request.range.units == "bytes" else []
    return len(ranges) != 1 or ranges[0][0] == 0
