"""REST of labels and their categories. Contract: CSGHub, sections 4.2 and 4.7."""

from __future__ import annotations

from hub.http.routing import PREFIX, RepositoryBlueprint

blp = RepositoryBlueprint("labels", __name__, url_prefix=PREFIX, description="Labels (the platform calls them tags)")
