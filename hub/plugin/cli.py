"""The seam: commands. A plugin's group is mounted as ``hub NAME``; its settings and plugins are loaded by then."""

from __future__ import annotations

import click

from hub.base.context import Context
from hub.base.output import Day, print_json, print_table

__all__ = ["Day", "current_context", "print_json", "print_table"]


def current_context() -> Context:
    """The context of the hub that the command runs on."""
    context = click.get_current_context().find_object(Context)
    assert context is not None  # the ``hub`` command has set it before it calls a plugin's group
    return context
