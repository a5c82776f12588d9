"""Ascend's server. Source of its start: compute contract, section 2.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plugins.inference.engines.base import CatalogueEngine
from plugins.inference.engines.engine import MOUNT, Order, Target


class MindIE(CatalogueEngine):
    """MindIE: its image has a start script of the vendor's, which reads variables."""

    catalogue = "mindie"

    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """The image's own."""
        return []

    def environment(self, order: Order, arguments: Sequence[str]) -> Mapping[str, str]:
        """Where the model lies and where to listen."""
        return {"MODEL_PATH": f"{{mount:{MOUNT}}}", "PORT": "{port}", "MODEL_NAME": self.model_name_of(order)}
