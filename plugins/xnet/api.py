"""Uploads to the CAS service."""

from __future__ import annotations

from plugins.xnet.wire import blueprint

__all__ = ["blueprint"]
