"""The seam: looks at files' contents for what could do harm."""

from __future__ import annotations

from hub.assets.security.files import CheckedFile, Checker, Exceeded, Finding, Level, Result, Treatment

__all__ = ["CheckedFile", "Checker", "Exceeded", "Finding", "Level", "Result", "Treatment"]
