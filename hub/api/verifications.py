"""REST of verifications of users and organisations. Contract: CSGHub, section 4.6."""

from __future__ import annotations

from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("verifications", __name__, url_prefix=PREFIX, description="Verifications")
