"""``hub plugin``, and the command groups that plugins bring."""

from __future__ import annotations

from typing import Any

import click

from hub.base.log import get_logger
from hub.base.settings import SettingsError
from hub.cli.main import COMMANDS, load_context, print_json, print_table

log = get_logger(__name__)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def plugin() -> None:
    """List plugins and drivers, remove a plugin's tables."""


@plugin.command("list")
@click.option("--state", default="", help="Only those: enabled, read_only, locked, disabled, broken.")
@json_option
def list_all(state: str, as_json: bool) -> None:
    """List every plugin that is installed or asked for, and what becomes of it when the hub starts now."""
    from hub.app import create_app
    from hub.plugin.overview import list_plugins
    from hub.plugin.states import PluginError

    context = load_context()
    # Whether its pages can be mounted shows only when they are.
    try:
        create_app(context)
    except (PluginError, SettingsError) as error:
        raise click.ClickException(str(error)) from None
    rows = list_plugins(context, state=state)
    if as_json:
        print_json(rows)
        return
    headers = ["PLUGIN", "VERSION", "STATE", "MIGRATIONS", "USES", "REASON"]
    columns = ("name", "version", "state", "migrations")
    print_table(
        headers,
        [[*(row[column] for column in columns), ", ".join(row["points"]) or "-", row["reason"]] for row in rows],
    )


@plugin.command(hidden=True)
@click.option("--pages", is_flag=True, help="The web server's pages and routes, too.")
def rehearse(pages: bool) -> None:
    """Start as a server does, and end: what running servers have done before they begin anew."""
    context = load_context(freeze=not pages)
    if pages:
        from hub.app import create_app

        create_app(context)


@plugin.command()
@json_option
def drivers(as_json: bool) -> None:
    """List the installed drivers of every group, loaded or not."""
    from hub.base.drivers import DRIVER_GROUPS, list_drivers

    rows = [
        {"group": group.name, "driver": driver.name, "class": driver.target, "distribution": driver.distribution}
        for group in load_context()[DRIVER_GROUPS].values()
        for driver in list_drivers(group.name)
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(["GROUP", "DRIVER", "CLASS", "DISTRIBUTION"], [list(row.values()) for row in rows])


@plugin.command()
@click.argument("name")
@click.option("--confirm", default="", help="The plugin's name once more, instead of being asked for it.")
def remove(name: str, confirm: str) -> None:
    """Take a plugin's tables away, with all that is in them. The plugin must not be in use."""
    from hub.plugin.migrations import find_removable, remove_plugin

    context = load_context(plugins=False)
    find_removable(context, name)
    question = f"All data of the plugin {name!r} will be gone. Type its name to go on"
    if (confirm or click.prompt(question, default="", show_default=False)) != name:
        raise click.ClickException("that is not its name; nothing was removed")
    remove_plugin(context, name)
    click.echo(f"The tables of the plugin {name!r} are gone.")


def list_commands() -> list[tuple[str, str]]:
    """The groups that running plugins bring, each with its line for ``hub --help``; none when none can be told."""
    try:
        return [(name, hosted.title) for hosted in _active() for name in _groups_of(hosted)]
    except Exception as error:
        # Help is needed most when something is wrong with the settings.
        log.debug("plugin_commands_unknown", reason=repr(error))
        return []


def find_command(ctx: click.Context, name: str) -> click.Command | None:
    """The group of a plugin, or None; its commands find the hub's context in ``ctx``.

    Exits with status 1 for a plugin that does not run here, saying why.
    """
    from hub.base.dotted import load_dotted
    from hub.plugin.discovery import find_installed
    from hub.plugin.host import PLUGINS

    if name in COMMANDS or not find_installed():
        return None
    with ctx:
        context = load_context(freeze=True)
    ctx.obj = context
    host = context[PLUGINS]
    hosted = host.find(name) or next((one for one in host.active() if name in _groups_of(one)), None)
    if hosted is None:
        return None
    if not hosted.state.is_active:
        raise click.ClickException(f"the plugin {name!r} is {hosted.state.value}: {hosted.reason}")
    groups = _groups_of(hosted)
    if name not in groups:
        return None
    try:
        found: Any = load_dotted(groups[name])
    except (Exception, SystemExit) as error:
        raise click.ClickException(f"the commands of the plugin {name!r} cannot be loaded: {error!r}") from error
    if not isinstance(found, click.Command):
        raise click.ClickException(f"the commands of the plugin {name!r} cannot be loaded: {found!r} is none")
    return found


def _groups_of(hosted: Any) -> dict[str, str]:
    """Name to group of the commands that a plugin brings."""
    plugin = hosted.plugin
    if plugin is None:
        return {}
    return {**({hosted.name: plugin.cli} if plugin.cli else {}), **plugin.commands}


def _active() -> list[Any]:
    from hub.plugin.discovery import find_installed
    from hub.plugin.host import PLUGINS

    if not find_installed():
        return []
    return load_context()[PLUGINS].active()
