"""Errors as huggingface_hub reads them: by two headers first, then by the body's member ``error``.

Sources: CSGHub contract, section 1.6; Hugging Face contract, section 1.6.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from hub.http.errors import render_platform_json
from hub.http.platform import PLATFORM_CODES

# From these the client knows which of its exceptions to raise.
_HUB_CODES = {
    "repository_not_found": "RepoNotFound",
    "kind_not_found": "RepoNotFound",
    "revision_not_found": "RevisionNotFound",
    "branch_not_found": "RevisionNotFound",
    "entry_not_found": "EntryNotFound",
    "lfs_object_not_found": "EntryNotFound",
    "gated_repository": "GatedRepo",
}
# By this very text the client tells a bad token from a repository that is not there.
_BAD_CREDENTIAL = "Invalid credentials in Authorization header"
_MAX_HEADER_CHARS = 500
_IN_BODY = ("url", "slug")


def render_hub_error(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    """The platform's envelope with ``error`` in it, and the headers ``X-Error-Code`` and ``X-Error-Message``.

    details: ``commit_id`` becomes ``X-Repo-Commit``, by which a client remembers that a commit lacks a file; ``url``
    (of a collection: ``slug``) becomes a member of the body, by which one that found a name taken goes on with what is
    there.
    """
    rest = {name: value for name, value in details.items() if name not in ("commit_id", *_IN_BODY)}
    platform_code = PLATFORM_CODES.get(code, code)
    response = render_platform_json(status, platform_code, message, rest | {"reason": code})
    body = {**json.loads(response.get_data()), "error": message}
    body |= {name: details[name] for name in _IN_BODY if name in details}
    response.set_data(json.dumps(body))
    told = _BAD_CREDENTIAL if code == "AUTH-ERR-5" else message
    response.headers["X-Error-Message"] = _as_header(told)
    if code in _HUB_CODES:
        response.headers["X-Error-Code"] = _HUB_CODES[code]
    if "commit_id" in details:
        response.headers["X-Repo-Commit"] = details["commit_id"]
    return response


def _as_header(text: str) -> str:
    """The text in one line of ASCII: a header takes no other, and names of files may hold anything."""
    return text[:_MAX_HEADER_CHARS].replace("\r", " ").replace("\n", " ").encode("ascii", "backslashreplace").decode()
