"""``hub gc``, ``hub reconcile``, ``hub jobs`` and ``hub schedules``: upkeep by hand of what jobs do by themselves."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import click

from hub.base.paging import PageArgs
from hub.cli.main import load_context, print_json, print_table
from hub.db.uow import reading, unit_of_work
from hub.jobs import schedule, service
from hub.jobs.models import Job, JobState

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.option("--dry-run", is_flag=True, help="Remove nothing; say what would go.")
@json_option
def gc(dry_run: bool, as_json: bool) -> None:
    """Remove what nothing refers to: deleted repositories, LFS objects, leftovers of uploads, old jobs.

    What is younger than a day stays, because it may still be on its way. Runs every day by itself, too.
    """
    from hub.repos.garbage import collect_everything

    done = collect_everything(load_context(), dry_run=dry_run)
    if as_json:
        print_json({**dataclasses.asdict(done), "dry_run": dry_run})
        return
    verb = "Would remove" if dry_run else "Removed"
    click.echo(
        f"{verb}: {done.repositories} repositories, {done.git_leftovers} leftovers of pushes, "
        f"{done.lfs_objects} LFS objects, {done.lfs_uploads} unfinished uploads and {done.lfs_leftovers} of their "
        f"leftovers ({done.lfs_size_bytes:,} bytes in all), {done.jobs} old jobs."
    )


@click.command()
@json_option
def reconcile(as_json: bool) -> None:
    """Finish what a crash cut off: repositories in the making, and pushes between their refs and their record.

    Also records what moved in a repository without the hub (after a restore, or by hand). Harmless to repeat.
    """
    from hub.repos import refs
    from hub.repos.service import reconcile_creating

    context = load_context()
    created = reconcile_creating(context)
    done = refs.reconcile(context)
    if as_json:
        print_json({"repositories": created, **dataclasses.asdict(done)})
        return
    click.echo(
        f"Settled {created} repositories in the making; recorded {done.settled} pushes, gave up {done.abandoned}, "
        f"and recorded {done.recorded} moves that had no record."
    )


@click.group()
def jobs() -> None:
    """List, retry and cancel background jobs."""


def _describe(job: Job, *, is_full: bool = False) -> dict[str, Any]:
    described = {
        "uuid": job.uuid,
        "name": job.name,
        "queue": job.queue,
        "state": job.state.value,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "created_at": job.created_at,
        "run_after": job.run_after,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "progress": {"done": job.progress_done, "total": job.progress_total, "unit": job.progress_unit},
        "error": job.error,
    }
    if is_full:
        described |= {"args": job.args, "log": job.log, "is_cancel_requested": job.is_cancel_requested}
    return described


def _progress(job: Job) -> str:
    if not job.progress_done and job.progress_total is None:
        return ""
    total = "" if job.progress_total is None else f"/{job.progress_total}"
    return f"{job.progress_done}{total} {job.progress_unit}".strip()


@jobs.command("list")
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only jobs in this state.")
@click.option("--name", help="Only jobs of this name.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many, newest first.")
@json_option
def list_jobs(state: str | None, name: str | None, limit: int, as_json: bool) -> None:
    """List jobs, the newest first."""
    with reading(load_context()) as work:
        wanted = JobState(state) if state else None
        page = service.list_jobs(work, state=wanted, name=name, page=PageArgs(1, limit))
        if as_json:
            print_json([_describe(job) for job in page.items])
            return
        rows = [
            [job.uuid, job.name, job.state.value, f"{job.attempt}/{job.max_attempts}", _progress(job),
             f"{job.created_at:%Y-%m-%d %H:%M:%S}", job.error.partition("\n")[0][:60]]
            for job in page.items
        ]  # fmt: skip
    print_table(["UUID", "NAME", "STATE", "TRY", "PROGRESS", "CREATED (UTC)", "ERROR"], rows)


@jobs.command("show")
@click.argument("uuid")
@json_option
def show_job(uuid: str, as_json: bool) -> None:
    """Show one job with its arguments and log."""
    with reading(load_context()) as work:
        described = _describe(service.get_job(work, uuid), is_full=True)
    if as_json:
        print_json(described)
        return
    for name, value in described.items():
        click.echo(f"{name.ljust(20)}{value}")


@jobs.command()
@click.argument("uuid")
def retry(uuid: str) -> None:
    """Queue a failed or cancelled job again."""
    with unit_of_work(load_context()) as work:
        job = service.retry_job(work, uuid)
        click.echo(f"Queued {job.name} ({job.uuid}).")


@jobs.command()
@click.argument("uuid")
def cancel(uuid: str) -> None:
    """Cancel a queued job, or tell a running one to stop."""
    with unit_of_work(load_context()) as work:
        job = service.cancel_job(work, uuid)
        is_over = job.state == JobState.CANCELLED
    click.echo("Cancelled." if is_over else "The job has been told to stop.")


@click.group()
def schedules() -> None:
    """List, pause, resume and run periodic jobs."""


@schedules.command("list")
@json_option
def list_schedules(as_json: bool) -> None:
    """List periodic jobs: when they run, in UTC, and which are paused."""
    from hub.jobs.overview import list_schedules as standings_of

    with reading(load_context()) as work:
        found = sorted(standings_of(work), key=lambda one: one.name)
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    rows = [
        [one.name, one.cron_utc, _minute(one.last_run_at), "paused" if one.paused_at else _minute(one.next_run_at)]
        for one in found
    ]
    print_table(["NAME", "WHEN (UTC)", "LAST", "NEXT"], rows)


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"


@schedules.command()
@click.argument("name")
def pause(name: str) -> None:
    """Have a periodic job asked for no more, until it is resumed."""
    with unit_of_work(load_context()) as work:
        schedule.pause_schedule(work, name, actor_id=None)
    click.echo(f"Paused {name}.")


@schedules.command()
@click.argument("name")
def resume(name: str) -> None:
    """Let a periodic job be asked for again, from its next moment on."""
    with unit_of_work(load_context()) as work:
        schedule.resume_schedule(work, name, actor_id=None)
    click.echo(f"Resumed {name}.")


@schedules.command()
@click.argument("name")
def run(name: str) -> None:
    """Ask for a periodic job now."""
    with unit_of_work(load_context()) as work:
        job = schedule.run_schedule(work, name, actor_id=None)
    click.echo(f"Queued {job.name} ({job.uuid}).")
