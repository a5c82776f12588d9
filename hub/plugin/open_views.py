"""Views of a read-only plugin that take writes all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])

_MARK = "hub_keeps_open"


def keep_open(view: View) -> View:
    """Mark a view that goes on once the licence has expired: signing in, stopping what runs, exporting by POST.

    Below the route's decorator: ``@blp.post("/stop")``, then ``@keep_open``.
    """
    setattr(view, _MARK, True)
    return view


def stays_open(view: object) -> bool:
    """Whether the view is marked; decorators that use ``functools.wraps`` carry the mark on."""
    return bool(getattr(view, _MARK, False))
