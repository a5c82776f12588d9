"""What repositories, commits and files look like on the wire. Shapes: CSGHub contract, sections 5.3 and 5.4."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hub.accounts.policy import Actor
from hub.api.record_members import record_members
from hub.api.scopes import word_of_scope
from hub.api.shapes import shape_of
from hub.assets.service import Label, labels_shown, liked_by, weights_of
from hub.base.context import Context
from hub.db.uow import UnitOfWork
from hub.git.types import BlameHunk, Branch, Commit, Comparison, DiffStat, FileDiff, Signature, Tag, TreeEntry
from hub.http.pictures import picture_url
from hub.jobs.models import Job
from hub.repos.addresses import CloneAddresses
from hub.repos.comparison import CommitView, unified_text
from hub.repos.details import open_details
from hub.repos.kinds import get_kind
from hub.repos.models import Push
from hub.repos.rows import Shown
from hub.repos.service import Access, access_of

API = "/api/v1"
# Groups of the category of engines that serve no model.
_OTHER_RUNTIMES = ("finetune", "evaluation")


def repository_views(work: UnitOfWork, actor: Actor, repositories: Sequence[Shown]) -> list[dict[str, Any]]:
    """Repositories as a viewer sees them, labels and likes included; their ``created_by`` must be loaded.

    Four queries at most, however many there are, and one more for each kind whose files say something of them.
    """
    ids = [repository.id for repository in repositories]
    access = access_of(work, actor=actor, repositories=repositories)
    labels, liked = labels_shown(work, repositories), liked_by(work, actor=actor, repository_ids=ids)
    # Many carry the same ones.
    distinct = {label.id: label for carried in labels.values() for label in carried}
    label_views = {id: label_view(label) for id, label in distinct.items()}
    addresses = CloneAddresses(work.context)
    members = record_members(work, repositories)
    return [
        _repository_view(
            work.context,
            repository,
            addresses,
            access[repository.id],
            labels=[label_views[label.id] for label in labels.get(repository.id, [])],
            is_liked=repository.id in liked,
        )
        | members.get(repository.id, {})
        for repository in repositories
    ]


def add_weights(work: UnitOfWork, views: Sequence[dict[str, Any]], repositories: Sequence[Shown]) -> None:
    """Say in each view what makes its repository stand where it does in lists of what is trending. One query.

    The points of administrators, and all points together. Source: CSGHub contract, section 5.3.
    """
    weights = weights_of(work, [repository.id for repository in repositories])
    for view, repository in zip(views, repositories, strict=True):
        weight = weights.get(repository.id, 0)
        view["recom_op_weight"] = weight
        view["scores"] = [
            {"weight_name": "op", "score": weight},
            {"weight_name": "total", "score": repository.trending_score},
        ]


def brief_repository_view(repository: Shown) -> dict[str, Any]:
    """What one row says of a repository, without asking another table."""
    shape = shape_of(repository.kind)
    view = {
        "id": repository.id,
        "repository_id": repository.id,
        "type": repository.kind,
        "name": repository.name,
        "nickname": repository.nickname or repository.name,
        "description": repository.description,
        "path": repository.path,
        shape.likes: repository.like_count,
        "private": repository.is_private,
        "gated": repository.gate,
        "archived": repository.is_frozen,
        "license": repository.license,
        "default_branch": repository.default_branch,
        "source": repository.source,
        "sync_status": repository.sync_status,
        "mirror_task_status": "",  # nobody copies from other hubs
        "hf_path": repository.hf_path,
        "ms_path": repository.ms_path,
        "csg_path": repository.csg_path,
        "repo_size": repository.git_size_bytes + repository.lfs_size_bytes,
        "created_at": repository.created_at,
        "updated_at": repository.updated_at,
    }
    return view | {"downloads": repository.download_count} if shape.has_downloads else view


def _repository_view(
    context: Context,
    repository: Shown,
    addresses: CloneAddresses,
    access: Access,
    *,
    labels: list[dict[str, Any]],
    is_liked: bool,
) -> dict[str, Any]:
    shape, creator, namespace = shape_of(repository.kind), repository.created_by, repository.namespace
    fields = get_kind(context, repository.kind).details
    details = open_details(context, fields, repository.details, with_secrets=access.can_manage)
    if shape.omits_empty:
        details = {name: value for name, value in details.items() if value}
    view: dict[str, Any] = {
        **shape.neutral,
        **details,
        **brief_repository_view(repository),
        "tags": labels,
        "user": {"username": creator.name, "nickname": creator.nickname, "avatar": picture_url(creator.avatar)}
        if creator
        else {},
        "namespace": {
            "Path": namespace.path,
            "Type": namespace.kind,
            "NSType": namespace.kind,
            "Avatar": "",
            "UUID": namespace.uuid,
            "path": namespace.path,
            "type": namespace.kind,
            "uuid": namespace.uuid,
        },
        "repository": clone_addresses_view(addresses, repository),
        "git_size": repository.git_size_bytes,
        "lfs_size": repository.lfs_size_bytes,
        "forked": repository.forked_from_id is not None,
        "user_likes": is_liked,
        "scores": [],  # add_weights tells them
        "can_write": access.can_write,
        "can_manage": access.can_manage,
        "pushed_at": repository.pushed_at,
    }
    if "enable_inference" in shape.neutral:
        view["enable_inference"] = any(
            label["category"] == "runtime_framework" and label["group"] not in _OTHER_RUNTIMES for label in labels
        )
    if shape.has_url:
        view["url"] = repository.path
    if shape.names_creator:
        view["username"] = creator.name if creator else ""
    if access.can_manage:
        view["sensitive_check_status"] = "Skip"  # nobody checks
    return view


def clone_addresses_view(addresses: CloneAddresses, repository: Shown) -> dict[str, str]:
    """Where Git finds a repository."""
    http, ssh = addresses.of(repository)
    return {"http_clone_url": http, "ssh_clone_url": ssh}


def repository_path_view(repository: Shown, labels: Sequence[Label]) -> dict[str, Any]:
    """A repository as lists by path tell it. Source: CSGHub contract, section 4.1."""
    return {
        "path": repository.path,
        "name": repository.name,
        "nickname": repository.nickname or repository.name,
        "description": repository.description,
        "downloads": repository.download_count,
        "private": repository.is_private,
        "tags": [label_view(label) for label in labels],
        "updated_at": repository.updated_at,
    }


def repository_extra_view(addresses: CloneAddresses, repository: Shown, labels: Sequence[Label]) -> dict[str, Any]:
    """What brief lists of repositories leave out. Source: CSGHub contract, section 4.1."""
    view: dict[str, Any] = {
        "repo_id": repository.id,
        "size": repository.git_size_bytes + repository.lfs_size_bytes,
        "tags": [label_view(label) for label in labels],
        "repository": clone_addresses_view(addresses, repository),
    }
    report_url = repository.details.get("report_url")
    return view | {"report_url": report_url} if report_url else view


def label_view(label: Label) -> dict[str, Any]:
    """A label, ``RepoTag`` in the platform's words. Source: CSGHub contract, section 5.3."""
    return {
        "id": label.id,
        "name": label.name,
        "category": label.category,
        "group": label.group,
        "built_in": label.is_builtin,
        "scope": word_of_scope(label.scope),
        "show_name": label.show_name or label.name,
        "i18n_key": label.i18n_key,
        "created_at": label.created_at,
        "updated_at": label.updated_at,
    }


def push_view(push: Push, username: str) -> dict[str, Any]:
    """A push record."""
    return {
        "id": push.uuid,
        "username": username,
        "via": push.via,
        "changes": push.changes,
        "created_at": push.created_at,
    }


def job_view(job: Job, *, with_log: bool = False) -> dict[str, Any]:
    """A job and how far it is; its log when asked."""
    view: dict[str, Any] = {
        "id": job.uuid,
        "name": job.name,
        "queue": job.queue,
        "state": job.state.value,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "progress": {"done": job.progress_done, "total": job.progress_total, "unit": job.progress_unit},
        "error": job.error,
        "created_at": job.created_at,
        "run_after": job.run_after,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }
    return view | {"log": job.log} if with_log else view


def branch_view(branch: Branch | Tag) -> dict[str, Any]:
    """A branch, or what a tag has in common with it."""
    return {"name": branch.name, "message": branch.target.message, "commit": {"id": branch.target.id}}


def tag_view(tag: Tag) -> dict[str, Any]:
    """One of Git's tags."""
    tagger = tag.tagger
    return branch_view(tag) | {
        "annotated": tag.tag_id is not None,
        "tag_message": tag.message,
        "tagger": {"name": tagger.name, "email": tagger.email, "date": _moment(tagger)} if tagger else None,
    }


def commit_view(commit: Commit) -> dict[str, Any]:
    """A commit."""
    return {
        "id": commit.id,
        "message": commit.message,
        "author_name": commit.author.name,
        "author_email": commit.author.email,
        "authored_date": _moment(commit.author),
        "committer_name": commit.committer.name,
        "committer_email": commit.committer.email,
        "committer_date": _moment(commit.committer),
        "created_at": _moment(commit.committer),
    }


def _moment(signature: Signature) -> str:
    return signature.when.isoformat()


def file_change_view(file: FileDiff) -> dict[str, Any]:
    """One changed file, without its lines."""
    return {
        "path": file.new_path or file.old_path,
        "old_path": file.old_path,
        "status": file.status.value,
        "additions": file.additions,
        "deletions": file.deletions,
        "binary": file.is_binary,
        "lfs": bool(file.old_lfs or file.new_lfs),
        "truncated": file.is_truncated,
    }


def commit_diff_view(view: CommitView) -> dict[str, Any]:
    """A commit with what it changed."""
    return commit_view(view.commit) | {
        "files": [file.new_path or file.old_path for file in view.diff.files],
        "parents": [{"sha": parent} for parent in view.commit.parent_ids],
        "diff": _patch(view.diff.files),
        "stats": _stats_view(view.diff.stat),
        "changes": [file_change_view(file) for file in view.diff.files],
        "truncated": view.diff.is_truncated,
    }


def comparison_view(comparison: Comparison) -> dict[str, Any]:
    """What a head holds that a base does not."""
    return {
        "base": comparison.base,
        "head": comparison.head,
        "merge_base": comparison.merge_base,
        "ahead": comparison.ahead,
        "behind": comparison.behind,
        "commits": [commit_view(commit) for commit in comparison.commits],
        "changes": [file_change_view(file) for file in comparison.diff.files],
        "diff": _patch(comparison.diff.files),
        "stats": _stats_view(comparison.diff.stat),
        "truncated": comparison.diff.is_truncated,
    }


def _patch(files: Sequence[FileDiff]) -> str:
    return base64.b64encode(unified_text(files).encode(errors="replace")).decode()


def _stats_view(stat: DiffStat) -> dict[str, Any]:
    return {
        "total": stat.additions + stat.deletions,
        "additions": stat.additions,
        "deletions": stat.deletions,
    }


def blame_view(hunk: BlameHunk, commits: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Some lines and the commit that brought them. commits: the views of all commits of the blame, by id."""
    return {
        "first_line": hunk.first_line,
        "line_count": hunk.line_count,
        "commit": commits[hunk.commit.id],
        "original_path": hunk.original_path,
        "original_first_line": hunk.original_first_line,
    }


# The platform sends every member of a file, whatever it is. Source: CSGHub contract, section 5.4.
_NO_COMMIT = dict.fromkeys(
    (
        *("id", "message", "author_name", "author_email", "authored_date"),
        *("committer_name", "committer_email", "committer_date", "created_at"),
    ),
    "",
)
_NEUTRAL_FILE = {
    "lfs_sha256": "",
    "lfs_pointer_size": 0,
    "lfs_relative_path": "",
    "commit": _NO_COMMIT,
    "last_commit_sha": "",
    "content": "",
    "preview_code": 0,
    "xnet_enabled": False,
}


class FileViews:
    """The views of many entries of one repository at one commit. A page of 500 takes about a millisecond."""

    def __init__(self, context: Context, repository: Shown, commit_id: str) -> None:
        kind = get_kind(context, repository.kind)
        collection = kind.api_collection or kind.collection
        base = f"{context.settings.effective_base_url}{API}/{collection}/{repository.path}/resolve/"
        self._base, self._query = base, f"?ref={commit_id}"
        self._commits: dict[str, dict[str, Any]] = {}

    def view(self, entry: TreeEntry, last_commit: Commit | None = None) -> dict[str, Any]:
        """One entry, with its last commit where that is known."""
        view: dict[str, Any] = {
            **_NEUTRAL_FILE,
            "name": entry.name,
            "type": entry.kind.value,
            "size": entry.size_bytes or 0,
            "path": entry.path,
            "mode": f"{entry.mode:06o}",
            "sha": entry.oid,
            "url": f"{self._base}{quote(entry.path)}{self._query}",
            "lfs": entry.lfs is not None,
        }
        if entry.lfs is not None:
            oid = entry.lfs.oid
            view["lfs_sha256"] = oid
            view["lfs_pointer_size"] = entry.lfs.pointer_size_bytes
            view["lfs_relative_path"] = f"{oid[:2]}/{oid[2:4]}/{oid[4:]}"
        if last_commit is not None:
            # The entries of a directory share a few commits.
            if last_commit.id not in self._commits:
                self._commits[last_commit.id] = commit_view(last_commit)
            view["commit"] = self._commits[last_commit.id]
            view["last_commit_sha"] = last_commit.id
        return view
