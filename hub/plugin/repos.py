"""The seam: repositories, for plugins whose things belong to one."""

from __future__ import annotations

from hub.repos.checks import IncomingPush
from hub.repos.gates import require_content
from hub.repos.models import Repository
from hub.repos.service import get_readable

__all__ = ["IncomingPush", "Repository", "get_readable", "require_content"]
