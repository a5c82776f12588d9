"""Whether a call is let in: limits by the minute, calls at once, and budgets, counted for all processes in Redis.

What a call may cost at most is held when it is let in and settled at its end, so that a thousand calls at once cannot
spend more than there is. Redis counts, the table of calls has the truth: what Redis does not know is added up from
there, and a job compares the two (``plugins.inference.reconciling``). One step in Redis lets a call in, one settles it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

from hub.plugin import Context, get_logger
from hub.plugin.counters import RedisError, connect_redis
from hub.plugin.db import reading
from hub.plugin.metering import Tokens
from hub.plugin.settings import settings_of
from plugins.inference.budgets import Purse, read_spent
from plugins.inference.catalogue import Server
from plugins.inference.gateway import faults
from plugins.inference.keys import Bearer
from plugins.inference.limits import MinuteLimits, Policy
from plugins.inference.money import Budget
from plugins.inference.settings import InferenceSettings

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
    purse: Purse | None = None
    server: Server | None = None


@dataclass
class Admission:
    """A call that was let in. Hand it to ``Admitter.settle`` at the end.

    headers: what its limits leave. shut: upstreams whose window is used up, and in how many seconds the next begins.
    """

    id: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    meters: Sequence[_Meter] = ()
    shut: dict[int, int] = field(default_factory=dict)
    settled: tuple[int, int] | None = None  # tokens and cost, once it is


class Admitter:
    """Lets calls in, for one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        settings = settings_of(context, InferenceSettings)
        self._site = MinuteLimits(settings.site_requests_per_minute or None, settings.site_tokens_per_minute or None)
        self._redis = connect_redis(context)
        folder = files("plugins.inference.gateway")
        self._admit, self._settle, self._tell = (
            self._redis.register_script((folder / name).read_text())
            for name in ("admission.lua", "settling.lua", "telling.lua")
        )
        own = context.settings
        self._own = _OwnCounts(own.web_workers + (own.gateway_workers if own.gateway_port else 0))
        self._away_until = 0.0
        # What this process has let in and not settled, by its id.
        self._live: dict[str, Admission] = {}

    def admit(
        self,
        bearer: Bearer,
        call_id: str,
        *,
        tokens: int,
        cost_nano: int,
        model: str = "",
        servers: Iterable[Server] = (),
        route: tuple[str, int | None] = ("", None),
    ) -> Admission:
        """Let a call in. call_id: the UUID of its row. tokens, cost_nano: the most that it may use and cost.

        route: the kind of call, and how many of it the account makes in a minute.

        Raises Fault: over a limit or budget; and for a key with a budget while nobody can count.
        """
        now = self._context.clock.now()
        meters = _meters_of(bearer, self._site, now, tokens, cost_nano, model, servers, route)
        if not meters:
            return Admission(call_id)
        if time.monotonic() >= self._away_until:
            try:
                return self._admit_shared(call_id, meters, now)
            except RedisError as error:
                self._away_until = time.monotonic() + _AWAY_S
                log.warning("counters_away", error=type(error).__name__, next_try_s=_AWAY_S)
        if any(meter.kind == "money" for meter in meters):
            raise faults.counters_away()
        self._own.admit(meters, now.timestamp())
        return Admission(call_id)

    def _admit_shared(self, call_id: str, meters: Sequence[_Meter], now: datetime) -> Admission:
        now_ms = int(now.timestamp() * 1000)
        arguments: list[Any] = [now_ms, call_id, now_ms + HOLD_MS]
        for meter in meters:
            arguments += (meter.kind, meter.limit, meter.amount, meter.length_ms)
        keys = [meter.key for meter in meters]
        for _ in range(_TRIES):
            verdict, index, number, *left = self._admit(keys=keys, args=arguments)
            if verdict == b"ok":
                remaining = [int(one) for one in left]
                shut = {
                    meter.server.id: _seconds_left(meter.server.policy, now)
                    for meter, is_open in zip(meters, remaining, strict=True)
                    if meter.server is not None and meter.server.policy is not None and not is_open
                }
                admission = Admission(call_id, _headers(meters, remaining), meters, shut)
                self._live[call_id] = admission
                return admission
            meter = meters[int(index) - 1]
            if verdict == b"over":
                raise _refusal(meter, int(number))
            self._tell_spending(meter, now)
        raise faults.counters_away()

    def _tell_spending(self, meter: _Meter, now: datetime) -> None:
        """Redis does not know what was spent in this period: the calls tell, and this process what is under way.

        Of calls under way in other processes nothing is known until they end; Redis has lost what was held for them.
        """
        assert meter.budget is not None
        assert meter.purse is not None
        live = [one for one in [*self._live.values()] if any(each.key == meter.key for each in one.meters)]
        with reading(self._context) as work:
            since = meter.budget.start_at(now, meter.purse.zone)
            spent = read_spent(work, meter.purse, since, without=[one.id for one in live])
        end = meter.budget.end_at(now, meter.purse.zone)
        now_ms = int(now.timestamp() * 1000)
        arguments: list[Any] = [spent, int(end.timestamp() * 1000) + _DAY_MS if end else 0, now_ms + HOLD_MS]
        for one in live:
            arguments += (one.id, next(each.amount for each in one.meters if each.key == meter.key))
        self._tell(keys=[meter.key], args=arguments)
        for one in live:
            # It has ended meanwhile, when there was nothing to settle yet.
            if one.settled is not None:
                self._settle_meters(one, [each for each in one.meters if each.key == meter.key])

    def settle(
        self,
        admission: Admission,
        *,
        tokens: int,
        cost_nano: int,
        server: Server | None = None,
        counted: Tokens | None = None,
    ) -> int | None:
        """Give back what was held, and count what was used; what the key has spent in its first budget's period.

        server, counted: who answered, and with which tokens. Redis being away fails nothing: holds end by themselves.
        """
        admission.settled = (tokens, cost_nano)
        self._live.pop(admission.id, None)
        meters = [
            meter
            for meter in admission.meters
            if meter.kind not in ("window", "policy") or (counted is not None and _is_of(meter, server))
        ]
        if not meters:
            return None
        try:
            spent = self._settle_meters(admission, meters, counted)
        except RedisError as error:
            log.warning("call_not_settled", error=type(error).__name__)
            return None
        for meter, amount in zip(meters, spent, strict=True):
            if meter.purse is not None and meter.purse.kind == "key" and amount >= 0:
                return amount
        return None

    def _settle_meters(
        self, admission: Admission, meters: Sequence[_Meter], counted: Tokens | None = None
    ) -> list[int]:
        assert admission.settled is not None
        tokens, cost_nano = admission.settled
        arguments: list[Any] = [int(self._context.clock.now().timestamp() * 1000), admission.id]
        for meter in meters:
            if meter.server is not None and meter.server.policy is not None and counted is not None:
                asked = meter.server.policy.weigh(counted.prompt, counted.cached, counted.cache_creation)
                kept_ms = (meter.server.policy.window_seconds + 60) * 1000
                arguments += (meter.kind, kept_ms, asked + counted.completion, asked, counted.completion)
            else:
                used = cost_nano if meter.kind == "money" else tokens
                arguments += (meter.kind, meter.limit, meter.amount, used, meter.length_ms)
        return [int(one) for one in self._settle(keys=[meter.key for meter in meters], args=arguments)]


def _meters_of(
    bearer: Bearer,
    site: MinuteLimits,
    now: datetime,
    tokens: int,
    cost_nano: int,
    model: str,
    servers: Iterable[Server],
    route: tuple[str, int | None],
) -> list[_Meter]:
    """All that the call is counted by. Of what refuses it the first one is told: the key's own, then wider ones."""
    limits, zone = bearer.limits, bearer.zone
    key = f"hub:inference:{{key:{bearer.key_id}}}"
    owner = f"hub:inference:{{owner:{bearer.owner_uuid}}}"
    meters: list[_Meter] = []
    _add_minute(meters, key, MinuteLimits(limits.requests, limits.tokens), tokens, "")
    if limits.parallel is not None:
        meters.append(_Meter(f"{key}:parallel", "parallel", limits.parallel, 1, HOLD_MS, "calls at once"))
    _add_money(meters, Purse("key", bearer.key_id, zone=zone), limits.budgets, now, cost_nano, "this API key")
    for pattern, model_limits in bearer.rules.model_limits.items():
        if fnmatchcase(model, pattern):
            _add_minute(meters, f"{key}:{pattern}", model_limits, tokens, f" of {pattern}")
    for pattern, budget in bearer.rules.model_budgets.items():
        if fnmatchcase(model, pattern):
            purse = Purse("model", bearer.key_id, model=pattern, zone=zone)
            _add_money(meters, purse, (budget,), now, cost_nano, f"this API key for {pattern}")
    if bearer.member_budgets and bearer.user_id is not None:
        purse = Purse("member", bearer.owner_uuid, bearer.user_id, zone=zone)
        _add_money(meters, purse, bearer.member_budgets, now, cost_nano, "this member")
    _add_minute(meters, owner, bearer.owner_limits, tokens, " of this account")
    _add_minute(meters, f"{owner}:{route[0]}", MinuteLimits(route[1]), tokens, f" of {route[0]}")
    purse = Purse("owner", bearer.owner_uuid, zone=zone)
    _add_money(meters, purse, bearer.owner_budgets, now, cost_nano, "this account")
    _add_minute(meters, "hub:inference:site", site, tokens, " of the whole gateway")
    for server in servers:
        if server.policy is not None:
            window = int(now.timestamp()) // server.policy.window_seconds
            most = (
                server.policy.max_total_tokens,
                server.policy.max_prompt_tokens,
                server.policy.max_completion_tokens,
            )
            meters.append(_Meter(f"{owner}:window:{server.id}:{window}", "policy", *most, server=server))
    return meters


def _add_minute(meters: list[_Meter], key: str, limits: MinuteLimits, tokens: int, whose: str) -> None:
    if limits.requests is not None:
        meters.append(_Meter(f"{key}:requests", "window", limits.requests, 1, _MINUTE_MS, f"requests a minute{whose}"))
    if limits.tokens is not None:
        meters.append(_Meter(f"{key}:tokens", "bucket", limits.tokens, tokens, _MINUTE_MS, f"tokens a minute{whose}"))


def _add_money(
    meters: list[_Meter], purse: Purse, budgets: Sequence[Budget], now: datetime, cost_nano: int, whose: str
) -> None:
    for budget in budgets:
        if budget.hard_nano is not None:
            # Something is held in any case: by it the end of a call is told from its being told again.
            amount = max(cost_nano, 1)
            key = purse.counter(budget, now)
            meters.append(_Meter(key, "money", budget.hard_nano, amount, 0, whose, budget, purse))


def _is_of(meter: _Meter, server: Server | None) -> bool:
    return meter.server is not None and server is not None and meter.server.id == server.id


def _seconds_left(policy: Policy, now: datetime) -> int:
    """Until the next window begins."""
    return policy.window_seconds - int(now.timestamp()) % policy.window_seconds


def _refusal(meter: _Meter, wait_ms: int) -> faults.Fault:
    if meter.budget is not None:
        return faults.over_budget(meter.whose, meter.budget.period)
    return faults.over_limit(meter.whose, max(1, -(-wait_ms // 1000)))


def _headers(meters: Sequence[_Meter], remaining: Sequence[int]) -> list[tuple[str, str]]:
    """What OpenAI's clients read of limits: of each kind the tightest. Source: gateway contract, section 1.6."""
    tightest: dict[str, tuple[int, _Meter]] = {}
    for meter, left in zip(meters, remaining, strict=True):
        word = {"window": "requests", "bucket": "tokens"}.get(meter.kind)
        if word and (word not in tightest or left < tightest[word][0]):
            tightest[word] = (left, meter)
    headers = []
    for word, (left, meter) in tightest.items():
        used = meter.limit - left
        reset_s = 60 if meter.kind == "window" else -(-used * 60 // max(meter.limit, 1))
        headers += [
            (f"x-ratelimit-limit-{word}", str(meter.limit)),
            (f"x-ratelimit-remaining-{word}", str(max(left, 0))),
            (f"x-ratelimit-reset-{word}", f"{reset_s}s" if reset_s < 60 else f"{reset_s // 60}m{reset_s % 60}s"),
        ]
    return headers


class _OwnCounts:
    """What one process counts by itself while Redis is away: the limits of a minute, its share of them."""

    def __init__(self, processes: int) -> None:
        self._processes = max(processes, 1)
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, deque[tuple[float, int]]] = OrderedDict()

    def admit(self, meters: Sequence[_Meter], now_s: float) -> None:
        """Raises Fault."""
        counted = [meter for meter in meters if meter.kind in ("window", "bucket")]
        with self._lock:
            for meter in counted:
                seen = self._recent(meter.key, now_s)
                # At least one call of those that a limit lets in by itself.
                share = max(meter.limit // self._processes, min(meter.limit, meter.amount))
                if sum(amount for _, amount in seen) + meter.amount > share:
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
