"""Names of functions as text, so that a declaration need not import what it names."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, cast


def load_dotted(function: str | Callable[..., Any]) -> Callable[..., Any]:
    """The function that ``"package.module:name"`` names; one that is no name as it is.

    Raises ImportError or AttributeError when the name leads nowhere.
    """
    if not isinstance(function, str):
        return function
    module, _, name = function.partition(":")
    return cast(Callable[..., Any], getattr(importlib.import_module(module), name))
