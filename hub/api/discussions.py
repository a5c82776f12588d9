"""REST of discussions and their comments. Contract: CSGHub, section 4.7."""

from __future__ import annotations

from hub.http.routing import PREFIX, RepositoryBlueprint

blp = RepositoryBlueprint("discussions", __name__, url_prefix=PREFIX, description="Discussions")
