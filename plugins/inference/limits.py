"""What else a key may and may not do: routes, addresses, limits and budgets of single models; limits of accounts."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from hub.plugin.errors import Invalid
from plugins.inference.models import ApiKey
from plugins.inference.money import Budget, check_budget

MAX_LIMIT = 2**31 - 1
MAX_ROUTES, MAX_IPS, MAX_ALIASES, MAX_TAGS, MAX_DETAILS = 30, 50, 50, 20, 20
MAX_MODEL_LIMITS, MAX_MODEL_BUDGETS = 20, 20
MAX_TAG, MAX_NAME = 64, 255
MAX_WINDOW_S = 86_400
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class MinuteLimits:
    """Requests and tokens of a minute; None: no limit."""

    requests: int | None = None
    tokens: int | None = None


UNLIMITED = MinuteLimits()


@dataclass(frozen=True)
class KeyRules:
    """What a key may do beside its limits. Empty: anything.

    routes: names of kinds of calls, with "*". ips: networks that it may be used from. aliases: what its program calls a
    model -> the model. model_limits, model_budgets: a model, with "*" -> its limits, and what its calls may cost. tags:
    carried by its calls. details: its owner's notes. is_blocked: an administrator of the site has stopped it.
    """

    routes: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    model_limits: Mapping[str, MinuteLimits] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    is_blocked: bool = False
    model_budgets: Mapping[str, Budget] = field(default_factory=dict)

    def allows_route(self, route: str) -> bool:
        """Whether calls of this kind may be made."""
        return not self.routes or any(fnmatchcase(route, pattern) for pattern in self.routes)

    def allows_address(self, address: str) -> bool:
        """Whether the key may be used from a client's address."""
        if not self.ips:
            return True
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        return any(found in _network(text) for text in self.ips)


FREE = KeyRules()


def describe_rules(rules: KeyRules) -> dict[str, Any]:
    """The rules as the API takes and gives them."""
    limits = rules.model_limits.items()
    return {
        "allowed_routes": rules.routes,
        "allowed_ips": rules.ips,
        "aliases": rules.aliases,
        "model_rpm_limit": {model: each.requests for model, each in limits if each.requests is not None},
        "model_tpm_limit": {model: each.tokens for model, each in limits if each.tokens is not None},
        "model_max_budget": {model: vars(budget) for model, budget in rules.model_budgets.items()},
        "tags": rules.tags,
        "metadata": rules.details,
        "blocked": rules.is_blocked,
    }


@cache
def _network(text: str) -> Network:
    return ipaddress.ip_network(text, strict=False)


def _refuse(reason: str) -> Invalid:
    return Invalid(reason, code="key_rules_invalid")


def _is_word(text: str, longest: int) -> bool:
    return 0 < len(text) <= longest and text.isprintable()


def check_rules(rules: KeyRules) -> None:
    """Raises Invalid (``key_rules_invalid``, ``key_limit_invalid``, ``budget_invalid``)."""
    for what, found, most in (
        ("routes", rules.routes, MAX_ROUTES),
        ("networks", rules.ips, MAX_IPS),
        ("aliases", rules.aliases, MAX_ALIASES),
        ("limits of models", rules.model_limits, MAX_MODEL_LIMITS),
        ("budgets of models", rules.model_budgets, MAX_MODEL_BUDGETS),
        ("tags", rules.tags, MAX_TAGS),
        ("notes", rules.details, MAX_DETAILS),
    ):
        if len(found) > most:
            raise _refuse(f"A key has {most} {what} at most.")
        longest = MAX_NAME if what in ("aliases", "limits of models", "budgets of models") else MAX_TAG
        if not all(_is_word(word, longest) for word in found):
            raise _refuse(f"The {what} of a key are lines of at most {longest} characters.")
    if not all(_is_word(model, MAX_NAME) for model in rules.aliases.values()):
        raise _refuse("An alias stands for the name of a model.")
    if not all(len(note) <= MAX_NAME and (not note or note.isprintable()) for note in rules.details.values()):
        raise _refuse(f"A note is a line of at most {MAX_NAME} characters.")
    for text in rules.ips:
        try:
            _network(text)
        except ValueError:
            raise _refuse(f"{text!r} is no network such as 192.0.2.0/24.") from None
    check_numbers(number for limits in rules.model_limits.values() for number in (limits.requests, limits.tokens))
    for budget in rules.model_budgets.values():
        check_budget(budget)


def check_numbers(numbers: Any) -> None:
    """Whether these can be limits; None is none. Raises Invalid (``key_limit_invalid``)."""
    if not all(number is None or 0 <= number <= MAX_LIMIT for number in numbers):
        raise Invalid("A limit is a number of 0 or more.", code="key_limit_invalid")


def read_rules(
    routes: Sequence[str],
    ips: Sequence[str],
    aliases: Mapping[str, str],
    model_limits: Mapping[str, Mapping[str, int | None]],
    tags: Sequence[str],
    details: Mapping[str, str],
    is_blocked: bool,
    model_budgets: Mapping[str, Mapping[str, Any]],
) -> KeyRules:
    """Rules as they are kept."""
    limits = {model: MinuteLimits(**limits) for model, limits in model_limits.items()}
    budgets = {model: Budget(**budget) for model, budget in model_budgets.items()}
    return KeyRules(tuple(routes), tuple(ips), aliases, limits, tuple(tags), details, is_blocked, budgets)


def rules_of(key: ApiKey) -> KeyRules:
    """Those of a key."""
    return read_rules(
        key.allowed_routes,
        key.allowed_ips,
        key.aliases,
        key.model_limits,
        key.tags,
        key.details,
        key.is_blocked,
        key.model_budgets,
    )


def store_rules(key: ApiKey, rules: KeyRules) -> None:
    """Keep rules that were checked with their key."""
    key.allowed_routes, key.allowed_ips, key.tags = [*rules.routes], [*rules.ips], [*rules.tags]
    key.aliases, key.details, key.is_blocked = dict(rules.aliases), dict(rules.details), rules.is_blocked
    key.model_limits = {model: vars(limits) for model, limits in rules.model_limits.items()}
    key.model_budgets = {model: vars(budget) for model, budget in rules.model_budgets.items()}


@dataclass(frozen=True)
class Policy:
    """How many tokens one account may have of an upstream in a window; it protects the account at the provider.

    A window is aligned to the epoch. 0: no limit. The ratios say what a cached token, and one that is put into the
    cache, count of those that are asked. Source: gateway contract, section 1.6.
    """

    window_seconds: int = 60
    max_total_tokens: int = 0
    max_prompt_tokens: int = 0
    max_completion_tokens: int = 0
    cached_token_cost_ratio: float = 0.0
    cache_create_cost_ratio: float = 1.0

    @property
    def is_on(self) -> bool:
        return bool(self.max_total_tokens or self.max_prompt_tokens or self.max_completion_tokens)

    def weigh(self, prompt: int, cached: int, cache_creation: int) -> int:
        """What the tokens that were asked count."""
        plain = prompt - cached - cache_creation
        weighed = cached * self.cached_token_cost_ratio + cache_creation * self.cache_create_cost_ratio
        return max(plain + round(weighed), 0)


NO_POLICY = Policy()


def check_policy(policy: Policy) -> None:
    """Raises Invalid (``model_invalid``)."""
    mosts = (policy.max_total_tokens, policy.max_prompt_tokens, policy.max_completion_tokens)
    ratios = (policy.cached_token_cost_ratio, policy.cache_create_cost_ratio)
    if not 1 <= policy.window_seconds <= MAX_WINDOW_S or not all(0 <= most <= MAX_LIMIT for most in mosts):
        raise Invalid(f"A window is 1 to {MAX_WINDOW_S} seconds, and its tokens are 0 or more.", code="model_invalid")
    if not all(0 <= ratio <= 1000 for ratio in ratios):
        raise Invalid("What a cached token counts is 0 or more.", code="model_invalid")
