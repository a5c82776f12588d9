"""Starts one of these servers: ``python -I launch.py NAME …``, by a Python that knows nothing of the hub.

Only this folder is made importable, under its own name: what lies beside it, and a module here that is called like a
library, stay out of the way.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType


def launch(name: str, arguments: list[str]) -> int:
    """Run a server to its end; its exit status."""
    folder = Path(__file__).resolve().parent
    for package in ("plugins", "plugins.inference", "plugins.inference.servers"):
        module = ModuleType(package)
        module.__path__ = [str(folder)] if package.endswith("servers") else []
        sys.modules[package] = module
    return int(importlib.import_module(f"plugins.inference.servers.{name}").main(arguments))


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1], sys.argv[2:]))
