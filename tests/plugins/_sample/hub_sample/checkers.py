"""A look at each file's content."""

from __future__ import annotations

from hub.plugin.security import CheckedFile, Finding, Level, Result


def check_marked(file: CheckedFile, result: Result) -> None:
    """Report a text that says itself that it is not to be given away."""
    if file.head.startswith(b"CONFIDENTIAL"):
        result.add(Finding("marked", Level.SUSPICIOUS, "The file says that it is confidential.", line=1))
