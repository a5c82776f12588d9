"""``hub index``: what is read from repositories' files after a push: how far it is, and again."""

from __future__ import annotations

import click

from hub.accounts.policy import SYSTEM
from hub.base.context import Context
from hub.cli.main import load_context, print_json, print_table
from hub.db.uow import reading, unit_of_work
from hub.repos.models import Repository

kind_option = click.option("--kind", default="model", show_default=True, help="Its kind: model, dataset, space, ...")


def _find(context: Context, path: str, kind: str) -> Repository:
    from hub.repos.kinds import get_kind
    from hub.repos.lookup import get_readable

    with reading(context) as work:
        return get_readable(work, actor=SYSTEM, kind=get_kind(context, kind).name, path=path)


@click.group()
def index() -> None:
    """What is read from repositories' files after a push."""


@index.command()
@click.argument("path", metavar="NAMESPACE/NAME")
@kind_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(path: str, kind: str, as_json: bool) -> None:
    """Say how far a repository's default branch is indexed, step by step."""
    from hub.assets.indexing import find_status

    context = load_context()
    found = find_status(context, _find(context, path, kind), actor=SYSTEM)
    if as_json:
        steps = [
            {"name": step.name, "state": step.state, "commit": step.commit_id, "error": step.error}
            for step in found.steps
        ]
        print_json({"commit": found.commit_id, "state": found.state, "steps": steps})
        return
    click.echo(f"{found.commit_id or 'no commit'}: {found.state}")
    rows = [[step.name, step.state, step.commit_id[:12], step.error] for step in found.steps]
    print_table(["STEP", "STATE", "DONE AT", "ERROR"], rows)


@index.command()
@click.argument("path", metavar="[NAMESPACE/NAME]", default="")
@kind_option
@click.option("--all", "is_all", is_flag=True, help="Every repository: after an upgrade, or a new plugin's steps.")
@click.option("--force", "is_forced", is_flag=True, help="Also the steps that are done.")
@click.option("--wait", "waits", is_flag=True, help="Do it here, now; without it a worker does.")
def run(path: str, kind: str, is_all: bool, is_forced: bool, waits: bool) -> None:
    """Index a repository, or all of them: the steps that are not done at their default branch's commit."""
    from hub.assets.indexing import ask_for_all, ask_to_index
    from hub.jobs.run import execute

    if bool(path) == is_all:
        raise click.UsageError("name a repository, or say --all")
    if is_all and waits:
        raise click.UsageError("--wait is for one repository")
    context = load_context(freeze=True)
    if is_all:
        click.echo(f"{ask_for_all(context, is_forced=is_forced):,} repositories wait to be indexed.")
        return
    repository = _find(context, path, kind)
    with unit_of_work(context) as work:
        job = ask_to_index(work, repository, actor_id=None, is_forced=is_forced)
        uuid = job.uuid
    if not waits:
        click.echo(f"Job {uuid} is queued.")
        return
    state = execute(context, uuid)
    click.echo(f"Job {uuid}: {state.value if state is not None else 'a worker has it'}")
