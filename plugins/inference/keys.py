"""API keys: made, listed, changed, revoked, and looked up by their value."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from sqlalchemy import and_, bindparam, delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from hub.plugin import Actor, get_logger
from hub.plugin.db import Page, PageArgs, UnitOfWork
from hub.plugin.errors import Conflict, Invalid, NotFound
from hub.plugin.policy import ANONYMOUS, Namespace, Organization, User, require, require_site_admin
from plugins.inference.limits import (
    FREE,
    UNLIMITED,
    KeyRules,
    MinuteLimits,
    check_numbers,
    check_rules,
    read_rules,
    store_rules,
)
from plugins.inference.models import ApiKey, MemberBudget, OwnerBudget
from plugins.inference.money import Budget, read_budgets, store_budgets

log = get_logger(__name__)

READ_KEYS, WRITE_KEYS = "inference:key:read", "inference:key:write"
BUILTIN = "built-in"
MAX_KEYS = 100
MAX_MODELS = 200
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}\Z")
_VALUE = re.compile(r"gk_([A-Za-z0-9_-]{43})_([0-9a-f]{8})\Z")


@dataclass(frozen=True)
class Limits:
    """What a key may do. models: names with "*"; empty: all. The numbers are for a minute; None: no limit."""

    models: tuple[str, ...] = ()
    requests: int | None = None
    tokens: int | None = None
    parallel: int | None = None
    budgets: tuple[Budget, ...] = ()

    def allows(self, model: str) -> bool:
        """Whether it may call this model."""
        return not self.models or any(fnmatchcase(model, pattern) for pattern in self.models)


@dataclass(frozen=True)
class Bearer:
    """A good key and on whose account it calls, as far as serving a request takes."""

    key_id: int
    owner_uuid: str
    namespace_id: int
    user_id: int | None
    limits: Limits
    owner_budgets: tuple[Budget, ...]
    expires_at: datetime | None
    is_active: bool
    last_used_at: datetime | None
    rules: KeyRules = FREE
    owner_limits: MinuteLimits = UNLIMITED
    member_budgets: tuple[Budget, ...] = ()
    zone: str = ""  # in which the days of its budgets begin


def new_value() -> str:
    """A fresh key: its 32 random bytes, and their CRC, by which a program tells a typing error offline."""
    data = secrets.token_bytes(32)
    return f"gk_{base64.urlsafe_b64encode(data).decode().rstrip('=')}_{binascii.crc32(data):08x}"


def is_key_shaped(text: str) -> bool:
    """Whether the text could be a key."""
    found = _VALUE.match(text)
    if not found:
        return False
    data = base64.urlsafe_b64decode(found[1] + "=")
    return f"{binascii.crc32(data):08x}" == found[2]


def hash_value(value: str) -> str:
    """What is stored of a key. It has 256 random bits, so a plain SHA-256 cannot be searched."""
    return hashlib.sha256(value.encode()).hexdigest()


def _hint(value: str) -> str:
    return f"{value[:7]}…{value[-4:]}"


def _check(name: str, limits: Limits) -> None:
    if not _NAME.match(name) or name != name.strip():
        raise Invalid("A key's name is a line of at most 64 characters.", code="key_name_invalid")
    if len(limits.models) > MAX_MODELS or not all(0 < len(model) <= 255 for model in limits.models):
        raise Invalid(f"A key may name {MAX_MODELS} models at most.", code="key_models_invalid")
    check_numbers((limits.requests, limits.tokens, limits.parallel))


def _check_rules(work: UnitOfWork, actor: Actor, rules: KeyRules, *, was_blocked: bool) -> None:
    check_rules(rules)
    if rules.is_blocked != was_blocked:
        require_site_admin(work, actor)


def create_key(
    work: UnitOfWork,
    *,
    actor: Actor,
    namespace: Namespace,
    name: str,
    limits: Limits,
    expires_at: datetime | None = None,
    rules: KeyRules | None = None,
) -> tuple[ApiKey, str]:
    """A new key of a namespace, and its value, which cannot be had again. expires_at: None for never.

    Raises Invalid, NotSignedIn, Denied; Conflict (``key_exists``, ``too_many_keys``).
    """
    require(work, actor, WRITE_KEYS, namespace, what="namespace")
    if name == BUILTIN:
        raise Invalid("This name is the built-in key's.", code="key_name_invalid")
    _check(name, limits)
    if expires_at is not None and expires_at <= work.now():
        raise Invalid("The key would already have expired; choose a later end.", code="key_expiry_invalid")
    if rules is not None:
        _check_rules(work, actor, rules, was_blocked=False)
    key, value = _create(work, namespace, name, limits, created_by_id=actor.user_id, expires_at=expires_at)
    if rules is not None:
        store_rules(key, rules)
    return key, value


def _create(
    work: UnitOfWork,
    namespace: Namespace,
    name: str,
    limits: Limits,
    *,
    created_by_id: int | None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    # One after the other, so that two at once do not both take the last place.
    work.session.execute(select(Namespace.id).where(Namespace.id == namespace.id).with_for_update(key_share=True))
    ids = work.session.scalars(select(ApiKey.id).where(ApiKey.namespace_id == namespace.id).limit(MAX_KEYS)).all()
    if len(ids) == MAX_KEYS:
        raise Conflict(f"There are {MAX_KEYS} keys already; delete some first.", code="too_many_keys")
    value = new_value()
    now = work.now()
    key = ApiKey(
        namespace_id=namespace.id,
        created_by_id=created_by_id,
        name=name,
        token_hash=hash_value(value),
        hint=_hint(value),
        is_builtin=name == BUILTIN,
        is_active=True,
        expires_at=expires_at,
        created_at=now,
        updated_at=now,
    )
    _limit(key, limits)
    try:
        with work.savepoint():
            work.session.add(key)
    except IntegrityError:
        raise Conflict(f"There is already a key named {name!r}.", code="key_exists") from None
    log.info("key_created", key_id=key.id, namespace_id=namespace.id, actor_id=created_by_id)
    return key, value


def _limit(key: ApiKey, limits: Limits) -> None:
    key.models = [*limits.models]
    key.request_limit, key.token_limit, key.parallel_limit = limits.requests, limits.tokens, limits.parallel
    key.budgets = store_budgets(limits.budgets)


def limits_of(key: ApiKey) -> Limits:
    """What a key may do."""
    return Limits(tuple(key.models), key.request_limit, key.token_limit, key.parallel_limit, read_budgets(key.budgets))


def list_keys(work: UnitOfWork, *, actor: Actor, namespace: Namespace, page: PageArgs) -> Page[ApiKey]:
    """A namespace's keys, the built-in one first and then by name. Raises NotSignedIn, Denied."""
    require(work, actor, READ_KEYS, namespace, what="namespace")
    query = select(ApiKey).where(ApiKey.namespace_id == namespace.id).order_by(ApiKey.is_builtin.desc(), ApiKey.name)
    keys = work.session.scalars(query).all()  # MAX_KEYS at most
    return Page(keys[page.offset : page.offset + page.per], len(keys))


def read_key(work: UnitOfWork, *, actor: Actor, namespace: Namespace, key_id: int) -> ApiKey:
    """One of them, to be looked at. Raises NotSignedIn, Denied, NotFound (``key_not_found``)."""
    require(work, actor, READ_KEYS, namespace, what="namespace")
    key = work.session.scalar(select(ApiKey).where(ApiKey.id == key_id, ApiKey.namespace_id == namespace.id))
    if key is None:
        raise NotFound("There is no such key.", code="key_not_found")
    return key


def get_key(work: UnitOfWork, *, actor: Actor, namespace: Namespace, key_id: int) -> ApiKey:
    """One of them, to be changed. Raises NotSignedIn, Denied, NotFound (``key_not_found``)."""
    require(work, actor, WRITE_KEYS, namespace, what="namespace")
    key = work.session.scalar(
        select(ApiKey).where(ApiKey.id == key_id, ApiKey.namespace_id == namespace.id).with_for_update()
    )
    if key is None:
        raise NotFound("There is no such key.", code="key_not_found")
    return key


def change_key(
    work: UnitOfWork,
    key: ApiKey,
    *,
    name: str,
    limits: Limits,
    is_active: bool,
    expires_at: datetime | None,
    rules: KeyRules | None = None,
    actor: Actor = ANONYMOUS,
) -> None:
    """Change what a key (from ``get_key``) may do. rules: None leaves them as they are; actor: who says these.

    Raises Invalid, NotSignedIn, Denied; Conflict (``key_exists``, ``key_builtin``).
    """
    _check(name, limits)
    if rules is not None:
        _check_rules(work, actor, rules, was_blocked=key.is_blocked)
    if key.is_builtin and name != key.name:
        raise Conflict("The built-in key keeps its name.", code="key_builtin")
    if not key.is_builtin and name == BUILTIN:
        raise Invalid("This name is the built-in key's.", code="key_name_invalid")
    try:
        with work.savepoint():
            key.name, key.is_active, key.expires_at, key.updated_at = name, is_active, expires_at, work.now()
            _limit(key, limits)
            if rules is not None:
                store_rules(key, rules)
    except IntegrityError:
        raise Conflict(f"There is already a key named {name!r}.", code="key_exists") from None
    log.info("key_changed", key_id=key.id, is_active=is_active)


def renew_key(work: UnitOfWork, key: ApiKey) -> str:
    """A new value for a key (from ``get_key``). The old one is good no more."""
    value = new_value()
    key.token_hash, key.hint, key.updated_at, key.last_used_at = hash_value(value), _hint(value), work.now(), None
    log.info("key_renewed", key_id=key.id)
    return value


def delete_key(work: UnitOfWork, key: ApiKey) -> None:
    """Delete a key (from ``get_key``). Raises Conflict (``key_builtin``)."""
    if key.is_builtin:
        raise Conflict("The built-in key can be renewed or switched off, not deleted.", code="key_builtin")
    work.session.execute(delete(ApiKey).where(ApiKey.id == key.id))
    log.info("key_deleted", key_id=key.id)


def get_builtin(work: UnitOfWork, *, actor: Actor, namespace: Namespace) -> tuple[ApiKey, str]:
    """The namespace's built-in key, made now if there is none; its value in that case, else "".

    Raises NotSignedIn, Denied.
    """
    require(work, actor, WRITE_KEYS, namespace, what="namespace")
    query = select(ApiKey).where(ApiKey.namespace_id == namespace.id, ApiKey.is_builtin).with_for_update()
    key = work.session.scalar(query)
    if key is not None:
        return key, ""
    try:
        return _create(work, namespace, BUILTIN, Limits(), created_by_id=actor.user_id)
    except Conflict:
        # Somebody else made it just now.
        return work.session.scalars(query).one(), ""


# Built once: the gateway asks it.
_BEARER = (
    select(
        ApiKey.id,
        ApiKey.namespace_id,
        ApiKey.created_by_id,
        ApiKey.models,
        ApiKey.request_limit,
        ApiKey.token_limit,
        ApiKey.parallel_limit,
        ApiKey.budgets,
        ApiKey.expires_at,
        ApiKey.is_active,
        ApiKey.last_used_at,
        Namespace.uuid,
        Namespace.time_zone,
        OwnerBudget.budgets,
        OwnerBudget.request_limit,
        OwnerBudget.token_limit,
        MemberBudget.budgets,
        ApiKey.allowed_routes,
        ApiKey.allowed_ips,
        ApiKey.aliases,
        ApiKey.model_limits,
        ApiKey.tags,
        ApiKey.details,
        ApiKey.is_blocked,
        ApiKey.model_budgets,
    )
    .join(Namespace, Namespace.id == ApiKey.namespace_id)
    .outerjoin(User, User.namespace_id == Namespace.id)
    .outerjoin(Organization, Organization.namespace_id == Namespace.id)
    .outerjoin(OwnerBudget, OwnerBudget.namespace_id == Namespace.id)
    .outerjoin(
        MemberBudget,
        and_(MemberBudget.namespace_id == Namespace.id, MemberBudget.user_id == ApiKey.created_by_id),
    )
    .where(
        ApiKey.token_hash == bindparam("token_hash"),
        or_(Organization.id.is_not(None), and_(User.id.is_not(None), User.is_active)),
    )
)


def find_bearer(work: UnitOfWork, token_hash: str) -> Bearer | None:
    """The key of that hash, and on whose account it calls; None when there is none, or its owner is gone or off."""
    for row in work.rows(_BEARER, {"token_hash": token_hash}):
        id, namespace_id, user_id, models, requests, tokens, parallel, budgets, *rest = row
        expires_at, is_active, last_used_at, uuid, zone, owner, owner_requests, owner_tokens, member, *rules = rest
        return Bearer(
            id,
            uuid,
            namespace_id,
            user_id,
            Limits(tuple(models), requests, tokens, parallel, read_budgets(budgets)),
            read_budgets(owner or ()),
            expires_at,
            is_active,
            last_used_at,
            read_rules(*rules),
            MinuteLimits(owner_requests, owner_tokens),
            read_budgets(member or ()),
            zone,
        )
    return None


def mark_used(work: UnitOfWork, key_id: int, at: datetime) -> None:
    """When a key was last used."""
    query = update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=at)
    work.session.execute(query.execution_options(synchronize_session=False))
