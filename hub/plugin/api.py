"""The seam: REST. Views are thin: parse, call one function of the plugin's service, render."""

from __future__ import annotations

from hub.api.csv_answers import send_csv
from hub.api.description import READERS
from hub.api.envelope import enveloped, ok, paged
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, ApiBlueprint, RepositoryBlueprint
from hub.plugin.open_views import keep_open

__all__ = [
    "CLOSED",
    "PREFIX",
    "Address",
    "ApiBlueprint",
    "RepositoryBlueprint",
    "current_actor",
    "current_context",
    "enveloped",
    "keep_open",
    "ok",
    "page_args",
    "paged",
    "send_csv",
]

# For ``@blp.doc(**CLOSED)`` on a view that reads: the description says that it answers nobody without an account.
CLOSED = {"security": READERS}
