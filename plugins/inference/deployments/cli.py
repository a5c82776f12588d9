"""``hub deployment``: the models that the hub serves itself, as the hub itself."""

from __future__ import annotations

import time
from typing import Any

import click

from hub.plugin import Context
from hub.plugin.cli import current_context, print_json, print_table
from hub.plugin.compute import Code, Seen, read_logs, see_workload
from hub.plugin.db import PageArgs, reading
from hub.plugin.errors import HubError
from hub.plugin.policy import SYSTEM
from plugins.inference.deployments import service, versions
from plugins.inference.deployments.causes import why
from plugins.inference.deployments.forms import DeploymentForm
from plugins.inference.deployments.models import DEDICATED, SERVERLESS
from plugins.inference.deployments.service import Found
from plugins.inference.deployments.views import describe, describe_version

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
number = click.argument("number", type=click.IntRange(1, 2**63 - 1), metavar="NUMBER")
_PER = 100
_COMMIT = 12  # letters of a commit's id
_LOOK_S = 0.5
_ENDED = frozenset({Code.BUILD_FAILED, Code.DEPLOY_FAILED, Code.RUNTIME_ERROR, Code.STOPPED, Code.DELETED})


@click.group()
def deployment() -> None:
    """See, make and end the deployments of models."""


def _find(context: Context, deployment_id: int) -> Found:
    with reading(context) as work:
        return service.get_deployment(work, actor=SYSTEM, deployment_id=deployment_id)


@deployment.command("list")
@click.option("--serverless", "is_serverless", is_flag=True, help="Those that everybody may call.")
@click.option("--search", default="", help="A part of a name or of a model's path.")
@click.option("--page", type=click.IntRange(1), default=1, show_default=True)
@json_option
def list_deployments(is_serverless: bool, search: str, page: int, as_json: bool) -> None:
    """List the deployments, the newest first."""
    context = current_context()
    with reading(context) as work:
        found = service.list_deployments(
            work, actor=SYSTEM, type=SERVERLESS if is_serverless else None, search=search, page=PageArgs(page, _PER)
        )
    rows = [describe(context, one) for one in found.items]
    if as_json:
        print_json({"total": found.total, "deployments": rows})
        return
    names = ("deploy_id", "deploy_name", "model_id", "owner_namespace", "runtime_framework", "status", "served_name")
    headers = ["NUMBER", "NAME", "MODEL", "OWNER", "ENGINE", "STATUS", "CALLED"]
    print_table(headers, [[str(row[name]) for name in names] for row in rows])
    if found.total > len(rows):
        click.echo(f"{len(rows)} of {found.total:,}; --page shows the others")


@deployment.command()
@number
@json_option
def show(number: int, as_json: bool) -> None:
    """Show one deployment as it stands now."""
    context = current_context()
    seen = see_workload(context, workload_id=_find(context, number).workload.id)
    row = describe(context, _find(context, number), seen=seen, is_whole=True)
    if as_json:
        print_json(row)
        return
    for name, value in row.items():
        click.echo(f"{name + ':':<22} {value}")


@deployment.command()
@click.argument("model", metavar="NAMESPACE/NAME")
@click.option("--name", required=True, help="The deployment's name.")
@click.option("--resource", type=int, required=True, help="The number of what it runs on: hub sku list.")
@click.option("--engine", default="", help="The engine's name: hub engine list.")
@click.option("--framework", type=int, default=None, help="The number of an engine's image instead.")
@click.option("--file", "entrypoint", default="", help="The file of a GGUF model.")
@click.option("--revision", default="", help="A branch, tag or commit; without it the default branch.")
@click.option("--arg", "arguments", multiple=True, metavar="NAME=VALUE", help="An argument of the engine.")
@click.option("--min", "min_replica", type=int, default=0, show_default=True, help="At least; 0: it may sleep.")
@click.option("--max", "max_replica", type=int, default=1, show_default=True, help="At most.")
@click.option("--public", "is_public", is_flag=True, help="Every key may call it.")
@click.option("--owner", default="", help="Whose it is; without it the model's owner's.")
@click.option("--serverless", "is_serverless", is_flag=True, help="For everybody, paid by the token.")
@json_option
def create(
    model: str,
    name: str,
    resource: int,
    engine: str,
    framework: int | None,
    entrypoint: str,
    revision: str,
    arguments: tuple[str, ...],
    min_replica: int,
    max_replica: int,
    is_public: bool,
    owner: str,
    is_serverless: bool,
    as_json: bool,
) -> None:
    """Serve a model."""
    context = current_context()
    form = DeploymentForm(
        name,
        resource,
        framework,
        engine,
        min_replica,
        max_replica,
        revision,
        not is_public,
        entrypoint,
        dict(_split(argument) for argument in arguments),
    )
    found = service.create_deployment(
        context,
        actor=SYSTEM,
        repo_path=model,
        form=form,
        owner=owner or model.partition("/")[0],
        type=SERVERLESS if is_serverless else DEDICATED,
    )
    row = describe(context, found)
    if as_json:
        print_json(row)
    else:
        click.echo(f"{row['deploy_id']}: {row['status']}; it will be called {row['served_name']}")


def _split(argument: str) -> tuple[str, str]:
    name, separator, value = argument.partition("=")
    if not separator or not name:
        raise click.UsageError("--arg is NAME=VALUE")
    return name, value


@deployment.command()
@number
def start(number: int) -> None:
    """Start a deployment that is stopped or has failed."""
    service.start_deployment(current_context(), actor=SYSTEM, deployment_id=number)
    click.echo(f"{number}: {_find(current_context(), number).workload.word}")


@deployment.command()
@number
def stop(number: int) -> None:
    """Stop a deployment; it can be started again."""
    service.stop_deployment(current_context(), actor=SYSTEM, deployment_id=number)
    click.echo(f"{number}: {_find(current_context(), number).workload.word}")


@deployment.command()
@number
@click.confirmation_option("--yes", prompt="Stop the deployment and forget it?")
def delete(number: int) -> None:
    """Stop a deployment and forget it; what it used stays counted."""
    service.delete_deployment(current_context(), actor=SYSTEM, deployment_id=number)
    click.echo(f"{number}: Deleted")


@deployment.command("versions")
@number
@json_option
def list_versions(number: int, as_json: bool) -> None:
    """List the versions that a deployment serves, and their shares of the calls."""
    found = versions.list_versions(current_context(), actor=SYSTEM, deployment_id=number)
    rows = [describe_version(one, is_whole=True) for one in found]
    if as_json:
        print_json(rows)
        return
    headers = ["COMMIT", "SHARE", "STATUS", "INSTANCES", "CALLED BY THE DRIVER"]
    print_table(
        headers,
        [
            [
                row["commit"][:_COMMIT],
                f"{row['traffic_percent']} %",
                row["status"],
                f"{row['actual_replica']} of {row['desired_replica']}",
                row["revision_name"],
            ]
            for row in rows
        ],
    )


@deployment.command("add-version")
@number
@click.argument("revision")
@click.option(
    "--percent", type=click.IntRange(0, 100), default=0, show_default=True, help="Its share of the calls, once it runs."
)
def add_version(number: int, revision: str, percent: int) -> None:
    """Serve another commit of the model beside what is served."""
    found = versions.create_version(
        current_context(), actor=SYSTEM, deployment_id=number, revision=revision, percent=percent
    )
    click.echo(f"{number}: {found.commit_id[:_COMMIT]}: {found.workload.word}")


@deployment.command("traffic")
@number
@click.argument("shares", nargs=-1, required=True, metavar="COMMIT=PERCENT...")
def divide_traffic(number: int, shares: tuple[str, ...]) -> None:
    """Divide the calls between the versions: 100 together; who is not named gets none."""
    said = [share.partition("=") for share in shares]
    if not all(percent.isdecimal() and percent.isascii() for _, _, percent in said):
        raise click.UsageError("a share is COMMIT=PERCENT")
    pairs = [(commit, int(percent)) for commit, _, percent in said]
    versions.divide_traffic(current_context(), actor=SYSTEM, deployment_id=number, shares=pairs)
    click.echo(f"{number}: " + ", ".join(f"{commit[:_COMMIT]} {percent} %" for commit, percent in pairs))


@deployment.command("remove-version")
@number
@click.argument("commit")
@click.confirmation_option("--yes", prompt="Serve this version no more?")
def remove_version(number: int, commit: str) -> None:
    """Serve a version no more; its calls are the others'."""
    versions.remove_version(current_context(), actor=SYSTEM, deployment_id=number, commit_id=commit)
    click.echo(f"{number}: {commit[:_COMMIT]} is gone")


@deployment.command()
@number
@click.option("--follow", "-f", is_flag=True, help="Go on with what it prints from now on.")
@click.option("--lines", "-n", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many.")
@click.option("--instance", default="", help="Of this instance alone.")
def logs(number: int, follow: bool, lines: int, instance: str) -> None:
    """Print what a deployment has printed."""
    context = current_context()
    workload = _find(context, number).workload
    for line in read_logs(
        context, actor=SYSTEM, workload_id=workload.id, instance=instance, follow=follow, limit=lines
    ):
        if line is not None:
            click.echo(f"{line.at:%Y-%m-%d %H:%M:%S} {line.stream:<6} {line.text}")


@deployment.command()
@number
@click.option("--timeout", "timeout_s", type=click.IntRange(1), default=600, show_default=True, help="In seconds.")
def wait(number: int, timeout_s: int) -> None:
    """Wait until a deployment runs; with status 1 and the reason when it does not come to that."""
    context = current_context()
    workload_id = _find(context, number).workload.id
    deadline = time.monotonic() + timeout_s
    while True:
        seen = _look(context, workload_id)
        if seen is not None and seen.code is Code.RUNNING:
            click.echo(f"{number}: {seen.word}")
            return
        if seen is not None and seen.code in _ENDED:
            _tell(context, number, seen)
        if time.monotonic() >= deadline:
            raise click.ClickException(f"it is {seen.word if seen else 'unknown'} still after {timeout_s} s")
        time.sleep(_LOOK_S)


def _look(context: Context, workload_id: int) -> Seen | None:
    try:
        return see_workload(context, workload_id=workload_id)
    except HubError:
        return None


def _tell(context: Context, number: int, seen: Seen) -> Any:
    cause = why(_find(context, number).workload)
    if cause is None:
        raise click.ClickException(f"it is {seen.word}")
    raise click.ClickException(f"{cause.title}. {cause.text} {cause.advice}\n{cause.log_tail}".rstrip())
