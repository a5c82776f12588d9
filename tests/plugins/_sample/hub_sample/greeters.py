"""A driver group of the plugin's own."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Greeter(ABC):
    """Greets the reader of a note."""

    @abstractmethod
    def greet(self, name: str) -> str:
        """A greeting for that name."""
