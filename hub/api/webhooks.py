"""REST of webhooks and their deliveries."""

from __future__ import annotations

from hub.http.routing import PREFIX, RepositoryBlueprint

blp = RepositoryBlueprint("webhooks", __name__, url_prefix=PREFIX, description="Webhooks")
