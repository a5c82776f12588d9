"""Everything that nothing refers to any more, removed in one go: by a job every day, and by ``hub gc``."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from hub.base.context import Context
from hub.db.uow import reading
from hub.git.packcache import PackCache
from hub.git.repository import clear_leftovers as clear_git_leftovers
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, prune, register
from hub.repos import derived
from hub.repos.lfs.garbage import collect_garbage as collect_lfs_garbage
from hub.repos.lfs.garbage import preview_garbage as preview_lfs_garbage
from hub.repos.lookup import is_live, repository_path
from hub.repos.models import Repository
from hub.repos.service import collect_garbage as collect_repositories
from hub.repos.uploads import clear_leftovers


@dataclass(frozen=True)
class Collected:
    """What one run removed, or would remove. lfs_size_bytes: of LFS objects and leftovers of their uploads.

    git_leftovers: locks and objects of pushes that were killed; not counted by a dry run.
    """

    repositories: int
    git_leftovers: int
    lfs_objects: int
    lfs_uploads: int
    lfs_leftovers: int
    lfs_size_bytes: int
    jobs: int


def collect_everything(context: Context, *, dry_run: bool = False) -> Collected:
    """Remove purged repositories, unlinked LFS objects, leftovers of uploads, old jobs, and caches over their limits.

    Everything has a grace of a day against what is still being written; it may run beside itself and beside pushes.
    dry_run: remove nothing and say what would go, as far as the database and the directories tell.
    """
    now = context.clock.now()
    # Repositories first: their going unlinks LFS objects.
    repositories = collect_repositories(context, dry_run=dry_run)
    if dry_run:
        lfs = preview_lfs_garbage(context, now=now)
        git_leftovers = jobs = 0
    else:
        git_leftovers = _clear_git_leftovers(context)
        lfs = collect_lfs_garbage(context, now=now)
        jobs = prune(context)
        clear_leftovers(context)
        derived.prune(context)
        settings = context.settings
        PackCache(settings.cache_path / "packs", settings.pack_cache_size_bytes).shrink()
    return Collected(repositories, git_leftovers, lfs.objects, lfs.uploads, lfs.staged, lfs.size_bytes, jobs)


def _clear_git_leftovers(context: Context) -> int:
    """Remove what killed git processes left in any repository: maintenance looks at those with recent pushes only."""
    with reading(context) as work:
        repositories = work.session.scalars(select(Repository).where(is_live()).order_by(Repository.id)).all()
    return sum(clear_git_leftovers(repository_path(context.settings, repository)) for repository in repositories)


def install(context: Context) -> None:
    """Register the daily job; done once, by ``build_context``."""
    register(context, JobSpec("repos.collect_garbage", "hub.repos.garbage:collect", timeout_s=6 * 3600))
    register_schedule(context, Schedule("repos.collect_garbage", "10 3 * * *", "repos.collect_garbage"))


def collect(run: JobRun) -> None:
    """Remove what nothing refers to; see ``collect_everything``."""
    done = collect_everything(run.context)
    run.log(
        f"Removed {done.repositories} repositories, {done.git_leftovers} leftovers of pushes, {done.lfs_objects} LFS "
        f"objects, {done.lfs_uploads} uploads, {done.lfs_leftovers} of their leftovers ({done.lfs_size_bytes} bytes), "
        f"{done.jobs} jobs."
    )
