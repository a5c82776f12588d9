"""The wire formats of other hubs' clients as a part of the application."""

from __future__ import annotations

from flask import Flask

from hub.base.context import Context
from hub.http.rest import HubApi


def install(app: Flask, rest: HubApi, context: Context) -> None:
    """Mount the Hugging-Face-shaped routes; done once, by ``create_app``."""
