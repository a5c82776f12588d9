"""``hub engine``: the engines that run on this machine."""

from __future__ import annotations

from typing import Any

import click

from hub.plugin.cli import current_context, print_json, print_table
from hub.plugin.errors import HubError
from plugins.inference.engines.installing import PACKAGES, install_engine, list_installed, remove_engine
from plugins.inference.engines.registry import list_engines, site_of

name_argument = click.argument("name", type=click.Choice(sorted(PACKAGES)))


@click.group()
def engine() -> None:
    """Programs that serve models: which there are, and those that run on this machine."""


@engine.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_all(as_json: bool) -> None:
    """Every engine, and where it can run."""
    context = current_context()
    installed = list_installed(site_of(context).home)
    rows: list[dict[str, Any]] = []
    for each in list_engines(context):
        declared, reason = each.declare(), each.explain_local()
        rows.append(
            {
                "engine": declared.name,
                "title": declared.title,
                "formats": [*declared.model_format],
                "images": [image.image for image in declared.images if image.image],
                "here": not reason,
                "reason": reason,
                "installed": [one.version for one in installed if one.name == declared.name],
            }
        )
    if as_json:
        print_json(rows)
        return
    shown = [
        [row["engine"], row["title"], ", ".join(row["formats"]), "yes" if row["here"] else "no", _installed(row)]
        for row in rows
    ]
    print_table(["ENGINE", "TITLE", "READS", "HERE", "INSTALLED"], shown)


def _installed(row: dict[str, Any]) -> str:
    return ", ".join(row["installed"]) or ("its own" if row["here"] else "-")


@engine.command("install")
@name_argument
@click.option("--version", default="", help="Another than the one that was tested.")
@click.option("--cards", is_flag=True, help="With what it takes to compute on graphics cards: several GB.")
def install(name: str, version: str, cards: bool) -> None:
    """Install an engine into an environment of its own, below the data directory."""
    home = site_of(current_context()).home
    try:
        found = install_engine(home, name, version=version, on_cards=cards, say=click.echo)
    except HubError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Installed {found.name} {found.version}.")


@engine.command("remove")
@name_argument
@click.argument("version")
def remove(name: str, version: str) -> None:
    """Remove a version of an engine. What runs of it goes on until it is stopped."""
    try:
        remove_engine(site_of(current_context()).home, name, version=version)
    except HubError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Removed {name} {version}.")
