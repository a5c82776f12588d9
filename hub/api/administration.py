"""REST for site administrators: repositories, settings. Contract: CSGHub, section 4.1."""

from __future__ import annotations

from hub.http.routing import PREFIX, RepositoryBlueprint

blp = RepositoryBlueprint("administration", __name__, url_prefix=PREFIX, description="For site administrators")
