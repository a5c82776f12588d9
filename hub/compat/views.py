"""How repositories, files and commits look to huggingface_hub. Source: CSGHub contract, sections 3.2 and 3.3."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Response

from hub.assets.service import Label
from hub.compat.addresses import dialect
from hub.git.types import Commit, EntryKind, TreeEntry
from hub.repos.entries import Snapshot
from hub.repos.rows import Shown

# Clients read either spelling, and take what they do not know as it comes: with both, a date would stay a text.
_DATES = {"hf": ("createdAt", "lastModified")}
_OTHER_DATES = ("created_at", "last_modified")


def time_text(moment: datetime) -> str:
    """``2026-01-02T03:04:05.678Z``: clients parse no other form."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def send_json(value: Any, headers: dict[str, str] | None = None) -> Response:
    """The value as it is: lists of tens of thousands of files are not walked once more by a schema."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode(errors="replace"), mimetype="application/json", headers=headers)


def info_view(repository: Shown, labels: Sequence[Label], snapshot: Snapshot | None = None) -> dict[str, Any]:
    """A repository; with a snapshot, one revision of it and its files."""
    modified_at = snapshot.commit.committer.when if snapshot else repository.pushed_at or repository.updated_at
    created, modified = _DATES.get(dialect(), _OTHER_DATES)
    view: dict[str, Any] = {
        "_id": repository.uuid.replace("-", ""),
        "id": repository.path,
        "author": repository.namespace.path,
        "private": repository.is_private,
        "disabled": False,
        "gated": False,
        "downloads": repository.download_count,
        "likes": repository.like_count,
        "tags": [_label_text(label) for label in labels],
        created: time_text(repository.created_at),
        modified: time_text(modified_at),
    }
    view |= _kind_members(repository, labels)
    if snapshot is not None:
        view["sha"] = snapshot.commit.id
        if snapshot.paths is not None:
            view["siblings"] = _siblings(snapshot)
    return view


def _label_text(label: Label) -> str:
    return f"license:{label.name}" if label.category == "license" else label.name


def _kind_members(repository: Shown, labels: Sequence[Label]) -> dict[str, Any]:
    """What only models, datasets or spaces have."""
    if repository.kind == "space":
        sdk = repository.details.get("sdk")
        return {"sdk": sdk} if sdk else {}
    if repository.kind == "dataset":
        return {"description": repository.description}
    if repository.kind != "model":
        return {}
    view = {"modelId": repository.path}
    for member, category in (("pipeline_tag", "task"), ("library_name", "framework")):
        name = next((label.name for label in labels if label.category == category), None)
        if name is not None:
            view[member] = name
    return view


def _siblings(snapshot: Snapshot) -> list[dict[str, Any]]:
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


def entry_view(entry: TreeEntry, last_commit: Commit | None = None, piece_id: str = "") -> dict[str, Any]:
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
    return view


def commit_view(commit: Commit) -> dict[str, Any]:
    """A commit of a history."""
    return {
        "id": commit.id,
        "title": commit.title,
        "message": commit.body,
        "date": time_text(commit.committer.when),
        "authors": [{"user": commit.author.name}],
    }
