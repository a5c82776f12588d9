"""The room's figures. Names: deployment contract, section 19."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from hub.base.context import Context
from hub.base.metrics import Metric, Sample, add_metric
from hub.db.uow import reading
from hub.repos.lookup import is_live
from hub.repos.models import Repository


def install(context: Context) -> None:
    """Add them; done once, by ``build_context``."""
    add_metric(context, Metric("hub_repos", "Repositories by kind.", count_repositories, labels=("type",)))
    add_metric(
        context,
        Metric("hub_storage_bytes", "Storage of repositories, as their quotas count it.", sum_sizes, labels=("class",)),
    )


def count_repositories(context: Context) -> Iterator[Sample]:
    """How many live repositories there are of each kind that has any."""
    with reading(context) as work:
        rows = work.session.execute(
            select(Repository.kind, func.count()).where(is_live()).group_by(Repository.kind)
        ).all()
    return (Sample(count, {"type": kind}) for kind, count in rows)


def sum_sizes(context: Context) -> Iterator[Sample]:
    """Bytes in Git and in LFS."""
    with reading(context) as work:
        git, lfs = work.session.execute(
            select(func.sum(Repository.git_size_bytes), func.sum(Repository.lfs_size_bytes)).where(is_live())
        ).one()
    return (Sample(int(size or 0), {"class": name}) for name, size in (("git", git), ("lfs", lfs)))
