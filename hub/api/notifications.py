"""REST of notifications. Contract: CSGHub, section 4.7."""

from __future__ import annotations

from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("notifications", __name__, url_prefix=PREFIX, description="Notifications")
