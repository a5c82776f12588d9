"""How much a namespace may store, and whether the disks have room."""

from __future__ import annotations

import shutil

from sqlalchemy import func, select

from hub.accounts.models import Namespace
from hub.base.context import Context
from hub.base.errors import QuotaExceeded, Unavailable
from hub.db.uow import UnitOfWork
from hub.objects.disk import existing_ancestor
from hub.objects.store import STORE
from hub.repos.models import Repository

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def used_bytes(work: UnitOfWork, namespace_id: int) -> int:
    """What a namespace's repositories hold in Git and LFS together, deleted ones that can come back included.

    An object that several repositories link counts once for each of them.
    """
    total = func.coalesce(func.sum(Repository.git_size_bytes + Repository.lfs_size_bytes), 0)
    return int(work.session.scalar(select(total).where(Repository.namespace_id == namespace_id)) or 0)


def quota_bytes(work: UnitOfWork, namespace_id: int) -> int | None:
    """The namespace's quota, else the hub's; None: no limit."""
    own = work.session.scalar(select(Namespace.quota_bytes).where(Namespace.id == namespace_id))
    return (work.settings.quota_bytes if own is None else own) or None


def check_room(work: UnitOfWork, owner: Repository | Namespace, extra_bytes: int) -> None:
    """Return when the namespace may store so many bytes more in Git and the repositories' disk takes them.

    Raises QuotaExceeded; Unavailable (``disk_full``).
    """
    check_quota(work, owner, extra_bytes)
    require_free_disk(work.context, extra_bytes)


def check_object_room(work: UnitOfWork, owner: Repository | Namespace, extra_bytes: int) -> None:
    """As ``check_room``, for bytes that go to the object store."""
    check_quota(work, owner, extra_bytes)
    require_free_store(work.context, extra_bytes)


def check_quota(work: UnitOfWork, owner: Repository | Namespace, extra_bytes: int) -> None:
    """Return when so many bytes more stay within the namespace's quota; nothing more always does.

    Raises QuotaExceeded.
    """
    if extra_bytes <= 0:
        return
    limit = quota_bytes(work, owner.namespace_id)
    if limit is None:
        return
    used = used_bytes(work, owner.namespace_id)
    if used + extra_bytes > limit:
        raise QuotaExceeded(
            f"The storage quota of {_readable(limit)} has no room for another {_readable(extra_bytes)}: "
            f"{_readable(used)} are in use. Delete something, or ask an administrator for more.",
            quota_bytes=limit,
            used_bytes=used,
        )


def require_free_disk(context: Context, extra_bytes: int) -> None:
    """Return when the repositories' disk takes so many bytes more. Raises Unavailable (``disk_full``)."""
    free = shutil.disk_usage(existing_ancestor(context.settings.repositories_path)).free
    _require_free(context, free, extra_bytes)


def require_free_store(context: Context, extra_bytes: int) -> None:
    """Return when the object store takes so many bytes more, or cannot tell. Raises Unavailable (``disk_full``)."""
    free = context[STORE].free_bytes()
    if free is not None:
        _require_free(context, free, extra_bytes)


def _require_free(context: Context, free_bytes: int, extra_bytes: int) -> None:
    if free_bytes - extra_bytes < context.settings.min_free_disk_bytes:
        raise Unavailable("The hub's storage is full; nothing was stored.", code="disk_full")


def _readable(size_bytes: int) -> str:
    """For people: ``1.5 GiB``."""
    step = min(max(size_bytes.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{size_bytes / 1024**step:.1f} {_UNITS[step]}" if step else f"{size_bytes} {_UNITS[0]}"
