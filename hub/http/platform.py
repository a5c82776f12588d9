"""Errors in the platform's codes, as its clients read them. Source: CSGHub contract, section 1.6."""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.http.errors import render_platform_json

# The platform's codes for what services call by a word. Codes that have none here are answered as they are.
PLATFORM_CODES = {
    "not_signed_in": "AUTH-ERR-0",
    "user_not_found": "AUTH-ERR-1",
    "denied": "AUTH-ERR-2",
    "scope_insufficient": "AUTH-ERR-2",
    "quota_exceeded": "AUTH-ERR-12",
    "bad_request": "REQ-ERR-0",
    "not_found": "REQ-ERR-0",
    "method_not_allowed": "REQ-ERR-0",
    "role_changed": "REQ-ERR-0",
    "organization_not_empty": "REQ-ERR-0",
    "json_invalid": "REQ-ERR-1",
    "invalid": "REQ-ERR-6",
    "path_invalid": "REQ-ERR-6",
    "ref_invalid": "REQ-ERR-6",
    "cursor_invalid": "REQ-ERR-6",
    "link_invalid": "REQ-ERR-6",
    "ssh_key_invalid": "REQ-ERR-6",
    "token_app_invalid": "REQ-ERR-6",
    "token_expiry_invalid": "REQ-ERR-6",
    "lfs_oid_invalid": "REQ-ERR-6",
    "unprocessable_entity": "REQ-ERR-6",
    "unprocessable_content": "REQ-ERR-6",
    "nothing_to_commit": "REQ-ERR-2",
    "request_entity_too_large": "REQ-ERR-3",
    "content_too_large": "REQ-ERR-3",
    "too_large": "REQ-ERR-3",
    "file_too_large": "REQ-ERR-3",  # never GIT-ERR-20, which the SDK takes for success
    "unsupported_media_type": "REQ-ERR-9",
    "rate_limited": "REQ-ERR-10",
    "name_invalid": "REPO-ERR-1",
    "namespace_not_found": "REPO-ERR-2",
    "repository_not_found": "REPO-ERR-3",
    "kind_not_found": "REPO-ERR-3",
    "revision_not_found": "GIT-ERR-6",
    "table_not_found": "DAT-ERR-0",
    "not_a_dataset": "DAT-ERR-0",
    "table_unreadable": "DAT-ERR-1",
    "table_pending": "DAT-ERR-2",
    "branch_not_found": "GIT-ERR-11",
    "entry_not_found": "GIT-ERR-15",
    "branch_exists": "GIT-ERR-13",
    "ref_changed": "GIT-ERR-22",
    "file_changed": "GIT-ERR-22",
    "git_failed": "GIT-ERR-34",
    "internal": "SYS-ERR-0",
    "token_not_found": "SYS-ERR-3",
    "ssh_key_not_found": "SYS-ERR-3",
    "relation_not_found": "SYS-ERR-3",
    "broadcast_not_found": "SYS-ERR-3",
    "token_exists": "SYS-ERR-4",
    "ssh_key_exists": "SYS-ERR-4",
    "member_exists": "SYS-ERR-4",
    "lfs_object_missing": "SYS-ERR-5",
    "lfs_object_not_found": "SYS-ERR-5",
}
# Where the contract wants another status than the class of the error has.
_STATUS_OF_CODE = dict.fromkeys(
    ("REPO-ERR-0", "SPACE-ERR-1", "USER-ERR-14", "USER-ERR-15", "USER-ERR-16", "USER-ERR-17"), 400
)


def render_api_error(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    """An error as the platform's clients read it; ``context.reason`` keeps the word that the service used."""
    platform_code = PLATFORM_CODES.get(code, code)
    if platform_code != code:
        details = {**details, "reason": code}
    return render_platform_json(_STATUS_OF_CODE.get(platform_code, status), platform_code, message, details)
