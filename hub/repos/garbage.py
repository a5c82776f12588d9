"""Everything that nothing refers to any more, removed in one go: by a job every day, and by ``hub gc``."""

from __future__ import annotations

from dataclasses import dataclass

from hub.base.context import Context
from hub.git.packcache import PackCache
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, prune, register
from hub.repos import derived
from hub.repos.lfs.garbage import collect_garbage as collect_lfs_garbage
from hub.repos.lfs.garbage import preview_garbage as preview_lfs_garbage
from hub.repos.service import collect_garbage as collect_repositories
from hub.repos.uploads import clear_leftovers


@dataclass(frozen=True)
class Collected:
    """What one run removed, or would remove. lfs_size_bytes: of LFS objects and leftovers of their uploads."""

    repositories: int
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
        jobs = 0
    else:
        lfs = collect_lfs_garbage(context, now=now)
        jobs = prune(context)
        clear_leftovers(context)
        derived.prune(context)
        settings = context.settings
        PackCache(settings.cache_path / "packs", settings.pack_cache_size_bytes).shrink()
    return Collected(repositories, lfs.objects, lfs.uploads, lfs.staged, lfs.size_bytes, jobs)


def install(context: Context) -> None:
    """Register the daily job; done once, by ``build_context``."""
    register(context, JobSpec("repos.collect_garbage", "hub.repos.garbage:collect", timeout_s=6 * 3600))
    register_schedule(context, Schedule("repos.collect_garbage", "10 3 * * *", "repos.collect_garbage"))


def collect(run: JobRun) -> None:
    """Remove what nothing refers to; see ``collect_everything``."""
    done = collect_everything(run.context)
    run.log(
        f"Removed {done.repositories} repositories, {done.lfs_objects} LFS objects, {done.lfs_uploads} uploads, "
        f"{done.lfs_leftovers} leftovers ({done.lfs_size_bytes} bytes), {done.jobs} jobs."
    )
