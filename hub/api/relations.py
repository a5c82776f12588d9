"""REST of relations between repositories. Contract: CSGHub, section 4.1."""

from __future__ import annotations

from hub.http.routing import PREFIX, RepositoryBlueprint

blp = RepositoryBlueprint("relations", __name__, url_prefix=PREFIX, description="Which repositories belong together")
