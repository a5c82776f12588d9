"""How repositories, files and commits look to huggingface_hub. Source: CSGHub contract, sections 3.2 and 3.3."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from flask import Response

from hub.assets.security.reports import FileSecurity
from hub.assets.service import Label
from hub.git.types import Commit, EntryKind, TreeEntry
from hub.repos.entries import Snapshot


def time_text(moment: datetime) -> str:
    """``2026-01-02T03:04:05.678Z``: clients parse no other form."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def send_json(value: Any, headers: dict[str, str] | None = None) -> Response:
    """The value as it is: lists of tens of thousands of files are not walked once more by a schema."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode(errors="replace"), mimetype="application/json", headers=headers)


def label_text(label: Label) -> str:
    """A label as the CSGHub SDK reads it."""
    return f"license:{label.name}" if label.category == "license" else label.name


def sibling_views(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The files of a snapshot that has them, with sizes where those were read."""
    if snapshot.entries is None:
        return [{"rfilename": path} for path in snapshot.paths or ()]
    siblings = []
    for entry in snapshot.entries:
        view: dict[str, Any] = {"rfilename": entry.path, "blobId": entry.oid, "size": entry.size_bytes or 0}
        if entry.lfs is not None:
            # Here the content's id is called by its hash; in trees it is "oid".
            view["lfs"] = {
                "sha256": entry.lfs.oid,
                "size": entry.lfs.size_bytes,
                "pointerSize": entry.lfs.pointer_size_bytes,
            }
        siblings.append(view)
    return siblings


def entry_view(
    entry: TreeEntry, last_commit: Commit | None = None, piece_id: str = "", security: FileSecurity | None = None
) -> dict[str, Any]:
    """A file or directory of a tree. piece_id: under which its content can be fetched in pieces; "": it cannot."""
    is_file = entry.kind in (EntryKind.FILE, EntryKind.LINK)
    view: dict[str, Any] = {
        "type": "file" if is_file else "directory",
        "path": entry.path,
        "oid": entry.oid,
        "size": entry.size_bytes or 0,
    }
    if entry.lfs is not None:
        view["lfs"] = {
            "oid": entry.lfs.oid,
            "size": entry.lfs.size_bytes,
            "pointerSize": entry.lfs.pointer_size_bytes,
        }
    if piece_id:
        view["xetHash"] = piece_id
    if last_commit is not None:
        view["lastCommit"] = {
            "id": last_commit.id,
            "title": last_commit.title,
            "date": time_text(last_commit.committer.when),
        }
    if security is not None:
        view["securityFileStatus"] = _security_view(security)
    return view


def _security_view(security: FileSecurity) -> dict[str, Any]:
    """All three members or none: the client wants them together. Source: Hugging Face contract, section 6."""
    scan = None
    if security.imports:
        safeties = [safety for _, _, safety in security.imports]
        worst = next((word for word in ("dangerous", "suspicious") if word in safeties), "innocuous")
        imports = [{"module": module, "name": name, "safety": safety} for module, name, safety in security.imports]
        scan = {"status": worst, "highestSafetyLevel": worst, "imports": imports}
    return {"status": security.state.value, "avScan": None, "pickleImportScan": scan}


def commit_view(commit: Commit) -> dict[str, Any]:
    """A commit of a history."""
    return {
        "id": commit.id,
        "title": commit.title,
        "message": commit.body,
        "date": time_text(commit.committer.when),
        "authors": [{"user": commit.author.name}],
    }
