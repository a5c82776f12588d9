"""Pages that are for people with an account."""

from __future__ import annotations

from flask import abort, redirect, request, url_for

from hub.accounts.policy import Actor
from hub.base.errors import NotSignedIn
from hub.http.actor import current_actor
from hub.http.words import sent_address
from hub.web.errors import wants_html


def require_viewer() -> Actor:
    """Who is signed in. A browser that opens the page is sent to sign in, and comes back to it after that.

    Raises NotSignedIn where no browser asks, and what ``current_actor`` raises.
    """
    actor = current_actor()
    if actor.is_anonymous and request.method in ("GET", "HEAD") and wants_html():
        abort(redirect(url_for("sign_in.show_login", next=sent_address()), 303))
    if actor.user_id is None:
        raise NotSignedIn("Sign in to see this page.")
    return actor
