"""The seam: what a health check answers."""

from __future__ import annotations

from hub.base.health import Check, CheckStatus, HealthCheck, fail, ok, warn

__all__ = ["Check", "CheckStatus", "HealthCheck", "fail", "ok", "warn"]
