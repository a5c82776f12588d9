"""Whether a call is let in: limits by the minute, calls at once, and budgets, counted for all processes in Redis.

What a call may cost at most is held when it is let in and settled at its end, so that a thousand calls at once cannot
spend more than there is. Redis counts, the table of calls has the truth: what Redis does not know is added up from
there, and a job compares the two (``plugins.inference.budgets``).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from typing import Any

from hub.plugin import Context, get_logger
from hub.plugin.counters import RedisError, connect_redis
from plugins.inference.budgets import spent_since
from plugins.inference.gateway import faults
from plugins.inference.keys import Bearer
from plugins.inference.money import Budget

log = get_logger(__name__)

_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
# A hold outlives the longest call; after a process has died, the money is free again then.
HOLD_MS = 15 * _MINUTE_MS
# A Redis that did not answer is left alone for a while.
_AWAY_S = 5.0
_MAX_OWN = 10_000
_TRIES = 5


@dataclass(frozen=True)
class _Meter:
    """One thing that is counted. amount: of this call; whose: for people."""

    key: str
    kind: str
    limit: int
    amount: int
    length_ms: int
    whose: str = ""
    budget: Budget | None = None
    owner: tuple[str, int | str] = ("", 0)


@dataclass
class Admission:
    """A call that was let in. headers: what its limits leave; hand it to ``Admitter.settle`` at the end."""

    id: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    meters: Sequence[_Meter] = ()


class Admitter:
    """Lets calls in, for one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._redis = connect_redis(context)
        folder = files("plugins.inference.gateway")
        self._admit = self._redis.register_script((folder / "admission.lua").read_text())
        self._settle = self._redis.register_script((folder / "settling.lua").read_text())
        self._own = _OwnCounts()
        self._away_until = 0.0

    def admit(self, bearer: Bearer, call_id: str, *, tokens: int, cost_nano: int) -> Admission:
        """Let a call in. tokens, cost_nano: the most that it may use and cost.

        Raises Fault: over a limit or budget; and for a key with a budget while nobody can count.
        """
        now = self._context.clock.now()
        meters = _meters_of(bearer, now, tokens, cost_nano)
        if not meters:
            return Admission(call_id)
        if time.monotonic() >= self._away_until:
            try:
                return self._admit_shared(bearer, call_id, meters, now)
            except RedisError as error:
                self._away_until = time.monotonic() + _AWAY_S
                log.warning("counters_away", error=type(error).__name__, next_try_s=_AWAY_S)
        if any(meter.kind == "money" for meter in meters):
            raise faults.counters_away()
        self._own.admit(meters, now.timestamp())
        return Admission(call_id)

    def _admit_shared(self, bearer: Bearer, call_id: str, meters: Sequence[_Meter], now: datetime) -> Admission:
        now_ms = int(now.timestamp() * 1000)
        arguments: list[Any] = [now_ms, call_id, now_ms + HOLD_MS]
        for meter in meters:
            arguments += (meter.kind, meter.limit, meter.amount, meter.length_ms)
        keys = [meter.key for meter in meters]
        for _ in range(_TRIES):
            verdict, index, number, *left = self._admit(keys=keys, args=arguments)
            if verdict == b"ok":
                return Admission(call_id, _headers(meters, [int(one) for one in left]), meters)
            meter = meters[int(index) - 1]
            if verdict == b"over":
                raise _refusal(meter, int(number))
            self._tell_spending(meter, now)
        raise faults.counters_away()

    def _tell_spending(self, meter: _Meter, now: datetime) -> None:
        """Redis does not know what was spent in this period: the calls tell."""
        assert meter.budget is not None
        kind, id = meter.owner
        spent = spent_since(self._context, kind, id, meter.budget.start_at(now))
        with self._redis.pipeline() as pipe:
            pipe.hsetnx(meter.key, "spent", spent)
            end = meter.budget.end_at(now)
            if end is not None:
                pipe.pexpireat(meter.key, int(end.timestamp() * 1000) + _DAY_MS)
            pipe.execute()

    def settle(self, admission: Admission, *, tokens: int, cost_nano: int) -> None:
        """Give back what was held, and count what was used. Redis being away fails nothing: holds end by themselves."""
        meters = [meter for meter in admission.meters if meter.kind != "window"]
        if not meters:
            return
        arguments: list[Any] = [int(self._context.clock.now().timestamp() * 1000), admission.id]
        for meter in meters:
            used = cost_nano if meter.kind == "money" else tokens
            arguments += (meter.kind, meter.limit, meter.amount, used, meter.length_ms)
        try:
            self._settle(keys=[meter.key for meter in meters], args=arguments)
        except RedisError as error:
            log.warning("call_not_settled", error=type(error).__name__)


def _meters_of(bearer: Bearer, now: datetime, tokens: int, cost_nano: int) -> list[_Meter]:
    limits, prefix = bearer.limits, f"hub:inference:{{key:{bearer.key_id}}}"
    meters = []
    if limits.requests is not None:
        meters.append(_Meter(f"{prefix}:requests", "window", limits.requests, 1, _MINUTE_MS, "requests a minute"))
    if limits.tokens is not None:
        meters.append(_Meter(f"{prefix}:tokens", "bucket", limits.tokens, tokens, _MINUTE_MS, "tokens a minute"))
    if limits.parallel is not None:
        meters.append(_Meter(f"{prefix}:parallel", "parallel", limits.parallel, 1, HOLD_MS, "calls at once"))
    owners: tuple[tuple[str, str, int | str, Sequence[Budget]], ...] = (
        ("this API key", "key", bearer.key_id, limits.budgets),
        ("this account", "owner", bearer.owner_uuid, bearer.owner_budgets),
    )
    for whose, kind, id, budgets in owners:
        for budget in budgets:
            if budget.hard_nano is None:
                continue
            start = int(budget.start_at(now).timestamp())
            key = f"hub:inference:spent:{{{kind}:{id}}}:{budget.period}:{start}"
            # Something is held in any case: by it the end of a call is told from its being told again.
            amount = max(cost_nano, 1)
            meters.append(_Meter(key, "money", budget.hard_nano, amount, 0, whose, budget, (kind, id)))
    return meters


def _refusal(meter: _Meter, wait_ms: int) -> faults.Fault:
    if meter.budget is not None:
        return faults.over_budget(meter.whose, meter.budget.period)
    return faults.over_limit(meter.whose, max(1, -(-wait_ms // 1000)))


def _headers(meters: Sequence[_Meter], remaining: Sequence[int]) -> list[tuple[str, str]]:
    """What OpenAI's clients read of limits. Source: gateway contract, section 1.6."""
    headers = []
    for meter, left in zip(meters, remaining, strict=True):
        word = {"window": "requests", "bucket": "tokens"}.get(meter.kind)
        if word:
            used = meter.limit - left
            reset_s = 60 if meter.kind == "window" else -(-used * 60 // max(meter.limit, 1))
            headers += [
                (f"x-ratelimit-limit-{word}", str(meter.limit)),
                (f"x-ratelimit-remaining-{word}", str(max(left, 0))),
                (f"x-ratelimit-reset-{word}", f"{reset_s}s" if reset_s < 60 else f"{reset_s // 60}m{reset_s % 60}s"),
            ]
    return headers


class _OwnCounts:
    """What one process counts by itself while Redis is away: the limits of a minute, and calls at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, deque[tuple[float, int]]] = OrderedDict()

    def admit(self, meters: Sequence[_Meter], now_s: float) -> None:
        """Raises Fault."""
        counted = [meter for meter in meters if meter.kind in ("window", "bucket")]
        with self._lock:
            for meter in counted:
                seen = self._recent(meter.key, now_s)
                if sum(amount for _, amount in seen) + meter.amount > meter.limit:
                    raise _refusal(meter, _MINUTE_MS)
            for meter in counted:
                self._recent(meter.key, now_s).append((now_s, meter.amount))

    def _recent(self, key: str, now_s: float) -> deque[tuple[float, int]]:
        seen = self._seen.setdefault(key, deque())
        self._seen.move_to_end(key)
        while seen and seen[0][0] < now_s - _MINUTE_MS / 1000:
            seen.popleft()
        if len(self._seen) > _MAX_OWN:
            self._seen.popitem(last=False)
        return seen
