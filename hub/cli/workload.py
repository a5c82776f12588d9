"""``hub workload``: what runs on this hub, as the hub itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from hub.accounts.policy import SYSTEM
from hub.base.context import Context
from hub.base.paging import MAX_PER, PageArgs
from hub.cli.main import load_context, print_json, print_table
from hub.compute.models import Workload
from hub.compute.service import workloads as service
from hub.compute.service.naming import STOP_JOB
from hub.compute.states import WORDS, Code
from hub.db.uow import UnitOfWork, reading, unit_of_work

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _find(work: UnitOfWork, name: str) -> Workload:
    """The workload of that number, or of the name that its driver knows it by."""
    if name.isascii() and name.isdecimal() and len(name) < 19:
        return service.get_workload(work, actor=SYSTEM, workload_id=int(name))
    return service.get_workload(work, actor=SYSTEM, svc_name=name)


def _describe(workload: Workload) -> dict[str, Any]:
    return {
        "id": workload.id,
        "name": workload.svc_name,
        "kind": workload.kind,
        "purpose": workload.purpose,
        "title": workload.title,
        "namespace": workload.namespace.path,
        "user": workload.user.name if workload.user else None,
        "status": workload.word,
        "wanted": workload.desired.value,
        "reason": workload.reason,
        "message": workload.message,
        "endpoint": workload.endpoint,
        "replicas": workload.actual_replicas,
        "instances": workload.instances,
        "sku": workload.sku_name,
        "start": workload.task_number,
        "created_at": workload.created_at,
        "started_at": workload.started_at,
        "status_at": workload.status_at,
    }


@click.group()
def workload() -> None:
    """See what runs for people, stop it, and read what it prints."""


@workload.command("list")
@click.option("--purpose", default="", help="Of this plugin alone, such as inference.")
@click.option("--status", default="", help="In this state alone, such as Running.")
@click.option("--page", type=click.IntRange(1), default=1, show_default=True)
@click.option("--per", type=click.IntRange(1, MAX_PER), default=MAX_PER, show_default=True)
@json_option
def list_workloads(purpose: str, status: str, page: int, per: int, as_json: bool) -> None:
    """List the workloads, the newest first."""
    codes = [code for code, word in WORDS.items() if word.lower() == status.lower()]
    if status and not codes:
        raise click.UsageError("the states are: " + ", ".join(dict.fromkeys(WORDS.values())))
    with reading(load_context()) as work:
        found = service.list_workloads(work, actor=SYSTEM, purpose=purpose, codes=codes, page=PageArgs(page, per))
        rows = [_describe(one) for one in found.items]
    if as_json:
        print_json({"total": found.total, "workloads": rows})
        return
    headers = ["ID", "NAME", "PURPOSE", "NAMESPACE", "STATUS", "REPLICAS", "ON", "WHY"]
    names = ("id", "name", "purpose", "namespace", "status", "replicas", "sku", "reason")
    print_table(headers, [[row[name] for name in names] for row in rows])
    if found.total > len(rows):
        click.echo(f"{len(rows)} of {found.total:,}; --page shows the others")


@workload.command()
@click.argument("name", metavar="ID|NAME")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one workload; its driver is asked first."""
    from hub.compute.service.polling import see_workload

    context = load_context()
    with reading(context) as work:
        workload_id = _find(work, name).id
    seen = see_workload(context, workload_id=workload_id)
    with reading(context) as work:
        row = _describe(_find(work, str(workload_id))) | {"status": seen.word}
    if as_json:
        print_json(row)
        return
    for key, value in row.items():
        if value not in ("", None, []):
            click.echo(f"{key + ':':<12} {value}")


@workload.command()
@click.argument("name", metavar="ID|NAME")
@click.option("--wait/--no-wait", "waits", default=False, help="Tell its driver here, now; without it a worker does.")
def stop(name: str, waits: bool) -> None:
    """Stop a workload; it can be started again."""
    from hub.jobs.run import execute
    from hub.jobs.service import find_queued

    context = load_context(freeze=True)
    with unit_of_work(context) as work:
        found = _find(work, name)
        if found.state not in (Code.STOPPED, Code.SUCCEEDED, Code.FAILED):
            found = service.stop_workload(work, actor=SYSTEM, workload_id=found.id)
        job = find_queued(work, f"{STOP_JOB}:{found.id}")
        uuid, word, svc_name = job.uuid if job else "", found.word, found.svc_name
    if waits and uuid:
        execute(context, uuid)
    click.echo(f"{svc_name}: {word}")


@workload.command()
@click.argument("name", metavar="ID|NAME")
@click.option("--follow", "-f", is_flag=True, help="Go on with what it prints from now on.")
@click.option("--lines", "-n", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many.")
@click.option("--since-min", type=click.IntRange(1), default=None, help="Of the last so many minutes alone.")
@click.option("--instance", default="", help="Of this instance alone.")
def logs(name: str, follow: bool, lines: int, since_min: int | None, instance: str) -> None:
    """Print what a workload has printed."""
    from hub.compute.service.polling import read_logs

    context = load_context()
    since = None if since_min is None else context.clock.now() - timedelta(minutes=since_min)
    for line in read_logs(
        context,
        actor=SYSTEM,
        workload_id=_id_of(context, name),
        instance=instance,
        since=since,
        follow=follow,
        limit=lines,
    ):
        if line is not None:
            click.echo(f"{line.at:%Y-%m-%d %H:%M:%S} {line.stream:<6} {line.text}")


def _id_of(context: Context, name: str) -> int:
    with reading(context) as work:
        return _find(work, name).id
