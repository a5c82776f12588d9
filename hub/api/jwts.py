"""REST of signed session tokens. Contract: CSGHub, sections 1.2 and 4.6."""

from __future__ import annotations

from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("jwts", __name__, url_prefix=PREFIX, description="Signed session tokens")
