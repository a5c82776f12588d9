"""REST of broadcasts and client events. Contract: CSGHub, section 4.7."""

from __future__ import annotations

from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("broadcasts", __name__, url_prefix=PREFIX, description="Broadcasts and client events")
