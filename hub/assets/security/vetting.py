"""Secrets in what is about to be committed from a browser: refused with their places, before anybody can have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.assets.security.files import Finding
from hub.assets.security.secrets import MAX_TEXT_BYTES, find_secrets
from hub.base.context import Context
from hub.base.errors import NotFound, Unprocessable
from hub.base.offload import offload
from hub.git.tree import read_blob
from hub.repos.lookup import repository_path
from hub.repos.models import Repository
from hub.repos.vetting import SECRETS, VETTERS

if TYPE_CHECKING:
    from hub.repos.files import FileEdit

MAX_SECRETS = 50
_BLOB_ID_CHARS = 40


def install(context: Context) -> None:
    """Register the vetter; done once, by ``hub.assets.install``."""
    context[VETTERS].add(SECRETS, refuse_secrets)


def refuse_secrets(context: Context, repository: Repository, edits: Sequence[FileEdit]) -> None:
    """No text that looks as if it held a secret. What the file that is replaced had already is not told of again.

    Raises Unprocessable (``secrets_found``, with the ``secrets``: path, line, text that does not give them away).
    """
    written = [edit for edit in edits if edit.action == "put" and edit.content]
    if found := offload(_find, repository_path(context.settings, repository), written):
        raise Unprocessable(
            f"{found[0]['path']!r} looks as if it held a secret. Who may push it may use it: take it out.",
            code="secrets_found",
            secrets=found,
        )


def _find(path: Path, edits: Sequence[FileEdit]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for edit in edits:
        findings = find_secrets(text) if b"\0" not in (text := _beginning(edit.content)) else []
        if findings:
            findings = _without(findings, _findings_before(path, edit.expected_oid or ""))
        found += [{"path": edit.path, "line": finding.line, "text": finding.text} for finding in findings]
        if len(found) >= MAX_SECRETS:
            break
    return found[:MAX_SECRETS]


def _beginning(content: bytes | Path) -> bytes:
    if isinstance(content, bytes):
        return content[:MAX_TEXT_BYTES]
    with content.open("rb") as stream:
        return stream.read(MAX_TEXT_BYTES)


def _findings_before(path: Path, oid: str) -> list[Finding]:
    if len(oid) != _BLOB_ID_CHARS:
        return []
    try:
        return find_secrets(read_blob(path, oid, limit_bytes=MAX_TEXT_BYTES).data)
    except NotFound:
        return []


def _without(findings: Sequence[Finding], before: Sequence[Finding]) -> list[Finding]:
    """The findings that are more than there were: a line may have moved, and a second key is a new one."""
    left = Counter(finding.text for finding in before)
    more = []
    for finding in findings:
        if left[finding.text] > 0:
            left[finding.text] -= 1
        else:
            more.append(finding)
    return more
