"""Addresses of S3 that give away a part of an object and nothing else of it.

The ``Range`` header is signed with the address: a request with another one, or with none, is refused. The minio
client signs the host alone. Source: AWS, "Authenticating requests: using query parameters (Signature Version 4)".
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


def sign_range(
    url: str, *, access_key: str, secret_key: str, region: str, first: int, last: int, expires_s: int
) -> str:
    """The address by which anyone may GET the bytes ``first`` to ``last`` (inclusive), by that very range.

    url: the object's address; what its query holds is left out.
    """
    parts = urlsplit(url)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    query = urlencode(
        {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{access_key}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": expires_s,
            "X-Amz-SignedHeaders": "host;range",
        },
        quote_via=quote,
        safe="-_.~",
    )
    headers = (f"host:{parts.netloc}", f"range:bytes={first}-{last}", "", "host;range")
    request = "\n".join(("GET", parts.path, query, *headers, "UNSIGNED-PAYLOAD"))
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"{parts.scheme}://{parts.netloc}{parts.path}?{query}&X-Amz-Signature={signature}"
