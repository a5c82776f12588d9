"""What the plugin tells of budgets; light, for it is known in every process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.plugin.db import UnitOfWork
from hub.plugin.settings import settings_of
from hub.plugin.topics import Told
from plugins.inference.settings import InferenceSettings

TELL_JOB = "inference.tell_people"


@dataclass(frozen=True)
class BudgetReached:
    """So many percent of a budget are spent; told once in its period.

    kind, whose: of a key ("key", its id), some models of a key ("model", the key's id), an account ("owner", a UUID) or
    a member of one ("member", the UUID and the user's id). bound: "soft" or "hard". model: which ones, with "*".
    """

    namespace_id: int
    kind: str
    whose: str
    period: str
    started_at: datetime
    bound: str
    percent: int
    spent_nano: int
    limit_nano: int
    model: str = ""


def describe_budget(work: UnitOfWork, event: BudgetReached) -> Told:
    """What webhooks of the account are told."""
    data = {
        "budget": {
            "kind": event.kind,
            "whose": event.whose,
            "model": event.model,
            "period": event.period,
            "period_start": event.started_at.isoformat(),
            "bound": event.bound,
            "percent": event.percent,
            "spent_nano": event.spent_nano,
            "limit_nano": event.limit_nano,
            "currency": settings_of(work.context, InferenceSettings).currency,
        }
    }
    return Told(data, namespace_id=event.namespace_id)
