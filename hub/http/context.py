"""The hub's context inside a request."""

from __future__ import annotations

from typing import cast

from flask import Flask, current_app

from hub.base.context import Context

_EXTENSION = "hub"


def install(app: Flask, context: Context) -> None:
    """Tie a Flask application to a context; done once, by ``create_app``."""
    app.extensions[_EXTENSION] = context


def current_context() -> Context:
    """The context of the application that serves this request."""
    return context_of(current_app)


def context_of(app: Flask) -> Context:
    """The context that an application is tied to."""
    return cast(Context, app.extensions[_EXTENSION])
