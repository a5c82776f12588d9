"""REST of likes. Contract: CSGHub, section 4.6."""

from __future__ import annotations

from hub.http.routing import PREFIX, RepositoryBlueprint

blp = RepositoryBlueprint("likes", __name__, url_prefix=PREFIX, description="Likes")
