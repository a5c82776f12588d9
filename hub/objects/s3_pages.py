"""Whether scripts of the hub's pages may send to an S3 bucket: asked as a browser asks, and allowed where it can be."""

from __future__ import annotations

import base64
import hashlib
from xml.sax.saxutils import escape

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError

from hub.base.log import get_logger

log = get_logger(__name__)

_END = "</CORSConfiguration>"
_ERRORS = (S3Error, InvalidResponseError, ServerError)


def allow_pages_of(origin: str, client: Minio, pool: urllib3.PoolManager, bucket: str, address: str) -> bool:
    """Whether pages of an origin may PUT to a presigned address of the bucket, after a rule was added if it took one.

    Raises what the client's library raises where the server does not answer.
    """
    is_allowed = _answers(origin, pool, address)
    if not is_allowed and add_rule(origin, client, bucket):
        is_allowed = _answers(origin, pool, address)
    log.info("s3_pages_asked", origin=origin, is_allowed=is_allowed)
    return is_allowed


def _answers(origin: str, pool: urllib3.PoolManager, address: str) -> bool:
    headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    response = pool.request("OPTIONS", address, headers=headers, redirect=False)
    return response.status < 300 and response.headers.get("Access-Control-Allow-Origin", "") in ("*", origin)


def add_rule(origin: str, client: Minio, bucket: str) -> bool:
    """Add a rule for an origin to those of the bucket; False where the server has no such rules, or refuses it."""
    rule = (
        f"<CORSRule><AllowedOrigin>{escape(origin)}</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>"
        "<AllowedMethod>GET</AllowedMethod><AllowedHeader>*</AllowedHeader><MaxAgeSeconds>3600</MaxAgeSeconds></CORSRule>"
    )
    try:
        found = _read_rules(client, bucket)
        # What is sent takes the place of all rules: those that cannot be read must not be lost by it.
        if _END not in found:
            return False
        body = found.replace(_END, rule + _END).encode()
        digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        client._execute("PUT", bucket, body=body, headers={"Content-MD5": digest}, query_params={"cors": ""})
    except _ERRORS as error:
        log.info("s3_pages_refused", origin=origin, error=type(error).__name__)
        return False
    return True


def _read_rules(client: Minio, bucket: str) -> str:
    try:
        return client._execute("GET", bucket, query_params={"cors": ""}).data.decode()
    except S3Error as error:
        if error.code != "NoSuchCORSConfiguration":
            raise
        return f"<CORSConfiguration>{_END}"
