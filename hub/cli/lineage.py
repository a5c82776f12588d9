"""``hub lineage`` and ``hub run``: what comes from what, and what was done, as the hub itself sees it."""

from __future__ import annotations

from typing import Any

import click

from hub.accounts.policy import SYSTEM
from hub.assets.models_lineage import Run, RunState
from hub.assets.service import runs as service
from hub.assets.service.lineage import MAX_DEPTH, Direction, Graph, Node, find_lineage
from hub.base.paging import PageArgs
from hub.cli.main import load_context, print_json, print_table
from hub.db.uow import UnitOfWork, reading
from hub.repos.kinds import find_kind
from hub.repos.models import Repository
from hub.repos.service import get_readable

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _find(work: UnitOfWork, text: str) -> Repository:
    """The repository of ``models/ada/bert``, or of ``ada/bert``, which is a model."""
    if text.count("/") == 1:
        text = f"models/{text}"
    collection, _, path = text.partition("/")
    kind = find_kind(work.context, collection)
    if kind is None:
        raise click.UsageError(f"{text!r} does not begin with a kind of asset, as models/ada/bert does")
    return get_readable(work, actor=SYSTEM, kind=kind.name, path=path)


@click.group()
def lineage() -> None:
    """Show what repositories come from, and what comes from them."""


@lineage.command("show")
@click.argument("repository", metavar="[KIND/]NAMESPACE/NAME")
@click.option("--depth", type=click.IntRange(1, MAX_DEPTH), default=2, show_default=True, help="Levels each way.")
@click.option("--direction", type=click.Choice([way.value for way in Direction]), default="both", show_default=True)
@json_option
def show_lineage(repository: str, depth: int, direction: str, as_json: bool) -> None:
    """Show the graph around a repository: models/ada/bert, or ada/bert for a model."""
    with reading(load_context()) as work:
        row = _find(work, repository)
        graph = find_lineage(work, actor=SYSTEM, repository=row, depth=depth, direction=Direction(direction))
    if as_json:
        print_json(_graph_view(graph))
        return
    names = {node.id: _name(node) for node in graph.nodes}
    print_table(
        ["FROM", "IS", "TO", "SAID BY", "COMMIT"],
        [
            [
                names[edge.source],
                edge.type.value,
                names[edge.target],
                f"{edge.origin.value}{' (trusted)' if edge.is_trusted else ''}",
                edge.target_commit[:10],
            ]
            for edge in graph.edges
        ],
    )
    if graph.is_truncated:
        click.echo("There is more; ask for fewer levels.", err=True)


def _name(node: Node) -> str:
    return f"{node.kind}:{node.path}{' (elsewhere)' if node.is_external else ''}"


def _graph_view(graph: Graph) -> dict[str, Any]:
    return {
        "root": graph.root,
        "nodes": [
            {"id": n.id, "kind": n.kind, "path": n.path, "external": n.is_external, "depth": n.depth}
            for n in graph.nodes
        ],
        "edges": [
            {
                "source": edge.source,
                "target": edge.target,
                "type": edge.type.value,
                "origin": edge.origin.value,
                "trusted": edge.is_trusted,
                "source_commit": edge.source_commit,
                "target_commit": edge.target_commit,
                "run": edge.run,
            }
            for edge in graph.edges
        ],
        "counts": graph.counts,
        "truncated": graph.is_truncated,
    }


@click.group()
def run() -> None:
    """Show runs: what was done with repositories at pinned commits."""


@run.command("list")
@click.option("--repository", default="", help="That took or gave this one, such as models/ada/bert.")
@click.option("--namespace", default="", help="Of this user or organisation.")
@click.option("--type", default="", help="Such as training.")
@click.option("--state", type=click.Choice([state.value for state in RunState]), default=None)
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@json_option
def list_runs(repository: str, namespace: str, type: str, state: str | None, limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    with reading(load_context()) as work:
        page = service.list_runs(
            work,
            actor=SYSTEM,
            page=PageArgs(per=limit),
            repository=_find(work, repository) if repository else None,
            namespace=namespace,
            type=type,
            state=RunState(state) if state else None,
        )
        found = [_run_view(each) for each in page.items]
    if as_json:
        print_json(found)
    else:
        members = ("uuid", "type", "state", "namespace", "title", "created_at")
        print_table([name.upper() for name in members], [[each[name] for name in members] for each in found])


@run.command("show")
@click.argument("uuid")
def show_run(uuid: str) -> None:
    """Show a run as JSON, with what it took and gave."""
    with reading(load_context()) as work:
        found = service.get_run(work, actor=SYSTEM, uuid=uuid)
        links = service.links_of(work, actor=SYSTEM, runs=[found])[found.id]
        view = _run_view(found)
        for name, is_output in (("inputs", False), ("outputs", True)):
            view[name] = [
                {
                    "role": seen.link.role,
                    "repository": ":".join(seen.target) if seen.target else "",
                    "commit": seen.link.commit_id,
                    "file": seen.link.path,
                    "name": seen.link.name,
                }
                for seen in links
                if seen.link.is_output == is_output
            ]
    print_json(view)


def _run_view(found: Run) -> dict[str, Any]:
    return {
        "uuid": found.uuid,
        "type": found.type,
        "state": found.state.value,
        "namespace": found.namespace.path,
        "title": found.title,
        "private": found.is_private,
        "trusted": found.is_trusted,
        "parameters": found.parameters,
        "environment": found.environment,
        "metrics": found.metrics,
        "error": found.error,
        "created_at": found.created_at,
        "started_at": found.started_at,
        "finished_at": found.finished_at,
    }
