"""REST of collections. Contract: CSGHub, section 4.7."""

from __future__ import annotations

from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("collections", __name__, url_prefix=PREFIX, description="Collections of repositories")
