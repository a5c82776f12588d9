"""``hub openapi``: the description of the REST API as a file."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path

import click

from hub.base.settings import LoadedSettings
from hub.cli.main import load_settings


@click.command()
@click.option("--output", type=click.Path(dir_okay=False), help="File to write; without it, standard output.")
@click.option("--indent", type=click.IntRange(0, 8), default=2, show_default=True, help="Spaces a level; 0: one line.")
def openapi(output: str | None, indent: int) -> None:
    """Write the description of the REST API (OpenAPI 3, JSON).

    Nothing needs to run, and no database to be there; then the plugins that a licence opens are not in it.
    """
    loaded = load_settings()
    if loaded.settings.home.exists():
        text = _describe(loaded, indent)
    else:
        # Who only wants the description gets no data directory.
        with tempfile.TemporaryDirectory(prefix="hub-openapi-") as directory:
            settings = dataclasses.replace(loaded.settings, home=Path(directory) / "home")
            text = _describe(dataclasses.replace(loaded, settings=settings), indent)
    if output is None:
        click.echo(text)
    else:
        Path(output).write_text(text + "\n")


def _describe(loaded: LoadedSettings, indent: int) -> str:
    # Deliberately late: the rest of the command line need not carry Flask.
    from hub.api.documentation import documentation_of
    from hub.app import build_context, create_app
    from hub.base import log
    from hub.db.engine import DATABASE
    from hub.plugin import host

    log.configure(level="error", style=loaded.settings.log_style)
    context = build_context(loaded.settings)
    try:
        host.install(context, loaded.sections, is_strict=False)
        described = documentation_of(create_app(context)).describe()
    finally:
        context[DATABASE].dispose()
    return json.dumps(described, ensure_ascii=False, indent=indent or None)
