"""Floor 8: the seam for plugins, and the host that finds, checks, orders and installs them.

A plugin imports ``hub.plugin`` and its submodules, and nothing else of ``hub``: what is re-exported here is promised,
everything below may move. See ``deploy/docs/plugins.md``.
"""

from __future__ import annotations

from hub.accounts.models import Role, TokenScope
from hub.accounts.policy import Action, Actor, Permission, Subject
from hub.base.context import Context
from hub.base.drivers import DriverGroup
from hub.base.log import get_logger
from hub.base.metrics import Metric, MetricKind, Sample
from hub.base.settings import setting
from hub.jobs.schedule import Schedule
from hub.jobs.service import JobSpec
from hub.plugin.manifest import CheckPoint, Plugin, WhenExpired
from hub.repos.details import DetailField, TextForm
from hub.repos.kinds import RepositoryKind
from hub.web.navigation import Audience, NavItem, Panel, Section, Slot

__all__ = [
    "Action",
    "Actor",
    "Audience",
    "CheckPoint",
    "Context",
    "DetailField",
    "DriverGroup",
    "JobSpec",
    "Metric",
    "MetricKind",
    "NavItem",
    "Panel",
    "Permission",
    "Plugin",
    "RepositoryKind",
    "Role",
    "Sample",
    "Schedule",
    "Section",
    "Slot",
    "Subject",
    "TextForm",
    "TokenScope",
    "WhenExpired",
    "get_logger",
    "setting",
]
