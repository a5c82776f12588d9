"""The ``hub`` command, run in the test's process on the test's hub."""

from __future__ import annotations

from collections.abc import Callable

from click.testing import CliRunner

from hub.base.context import Context
from hub.base.settings import Settings, environment_of
from hub.cli.main import cli
from hub.db.engine import DATABASE


def make_runner(context: Context, settings: Settings, *group: str) -> Callable[..., str]:
    """``run("list", "--json")`` of a group of commands: what it prints.

    With ``refused=Conflict``: the message of the error that it must end with; ``status``: the exit status otherwise.
    """
    runner = CliRunner()
    url = context[DATABASE].url.render_as_string(hide_password=False)
    environment = environment_of(settings) | {"HUB_DATABASE_URL": url}

    def run(*arguments: str, input: str | None = None, refused: type[Exception] | None = None, status: int = 0) -> str:
        result = runner.invoke(cli, [*group, *arguments], input=input, env=environment)
        if refused is not None:
            assert isinstance(result.exception, refused), result.output
            return str(result.exception)
        assert result.exit_code == status, f"{result.output}{result.exception!r}"
        return result.stdout

    return run
