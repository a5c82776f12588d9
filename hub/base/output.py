"""How commands print what they have found, and read what they are told."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import click


def print_json(value: Any) -> None:
    """Write a value to standard output as JSON, times in ISO 8601."""
    click.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def print_table(headers: list[str], rows: list[list[Any]]) -> None:
    """Write rows under their headers in columns wide enough; nothing but the headers when there are none."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(header), *(len(row[i]) for row in texts)]) for i, header in enumerate(headers)]
    for line in [headers, *texts]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


class Day(click.ParamType[date]):
    """A day as an option says it: YYYY-MM-DD."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day: YYYY-MM-DD", param, ctx)
