"""What a licence says: its members, each with its type and bounds.

Source: gateways contract, section 5.3 (the payload's table, and the older payload under "C facts").
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NoReturn

from hub.base.errors import Invalid
from hub.licensing.armour import parse_json

VERSION = 1
PRODUCT = "hub"
# Files of the older armour come from the issuer of the hub's predecessor, too.
_OLDER_PRODUCTS = (PRODUCT, "csghub")
_EDITIONS = ("ce", "ee")
_ALL_FEATURES = "*"
_UNLIMITED = -1

_MOST = 2**31 - 1  # what a column takes
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_FEATURE = re.compile(r"\*|[a-z0-9_]+(\.[a-z0-9_]+)*")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class License:
    """A payload whose signature was good.

    max_user, max_node, max_gpu, max_cluster: -1: no limit. expire_time: None: perpetual, and then
    ``maintenance_until`` (None: no end) bounds the releases by their build date. fingerprint: of the one installation
    that it is for; None: floating. kid: the key that signed it.
    """

    id: str
    version: str
    product: str
    edition: str
    company: str
    issued_at: datetime
    start_time: datetime
    expire_time: datetime | None
    max_user: int
    features: frozenset[str]
    key: str = ""
    email: str = ""
    customer_id: str = ""
    maintenance_until: datetime | None = None
    max_node: int = _UNLIMITED
    max_gpu: int = _UNLIMITED
    max_cluster: int = _UNLIMITED
    quotas: Mapping[str, int] = field(default_factory=dict)
    fingerprint: str | None = None
    grace_days: int = 14
    overage_pct: int = 10
    supersedes: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    kid: str = ""

    def grants(self, feature: str) -> bool:
        """Whether the licence carries the feature; whether it is in force is another question."""
        return _ALL_FEATURES in self.features or feature in self.features

    @property
    def resets_clock(self) -> bool:
        """Whether the vendor has signed it to make this one installation forget a clock that once ran ahead."""
        return self.fingerprint is not None and self.extra.get("reset_clock") is True

    @property
    def limits(self) -> dict[str, int]:
        """What the licence limits, by name: its quotas (-1: none) and those of its four numbers that are limits."""
        numbers = {"users": self.max_user, "nodes": self.max_node, "gpus": self.max_gpu, "clusters": self.max_cluster}
        return {**self.quotas, **{name: most for name, most in numbers.items() if most != _UNLIMITED}}

    @property
    def grace_until(self) -> datetime | None:
        """The last moment at which everything still works; None: perpetual."""
        return self.expire_time + timedelta(days=self.grace_days) if self.expire_time else None

    @property
    def seats(self) -> int | None:
        """How many active users are let in: ``max_user`` and the overage, rounded down; None: no limit."""
        return None if self.max_user == _UNLIMITED else self.max_user * (100 + self.overage_pct) // 100


@dataclass(frozen=True)
class RevocationList:
    """Which licences the vendor has taken back. revoked: licence id -> reason."""

    issued_at: datetime
    revoked: Mapping[str, str]


class _Members:
    """Typed access to a payload's members; what does not fit is refused by its name."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def refuse(self, name: str, rule: str) -> NoReturn:
        raise Invalid(
            f"The member {name!r} of the licence {rule}. Ask the vendor for a new file.",
            code="license_malformed",
            member=name,
        )

    def get(self, name: str, kind: type, default: Any) -> Any:
        """The member, of exactly this type; absent or null: the default, where there is one."""
        value = self.values.get(name)
        if value is None and default is not ...:
            return default
        if type(value) is not kind:
            self.refuse(name, "is missing" if value is None else "is of the wrong type")
        return value

    def text(self, name: str, default: Any = "", *, most: int = 255) -> str:
        value: str = self.get(name, str, default)
        if len(value) > most or not value.isprintable() or (default is ... and not value):
            self.refuse(name, f"is no text of at most {most} printable characters")
        return value

    def number(self, name: str, default: Any = ..., *, least: int = 0, most: int = _MOST) -> int:
        value: int = self.get(name, int, default)
        if not least <= value <= most:
            self.refuse(name, f"is no number from {least} to {most}")
        return value

    def most(self, name: str, default: Any = _UNLIMITED, *, least: int = 0) -> int:
        """A limit: -1 for none."""
        is_unlimited = self.get(name, int, default) == _UNLIMITED
        return self.number(name, default, least=_UNLIMITED if is_unlimited else least)

    def moment(self, name: str) -> datetime:
        value = self.get(name, str, ...)
        if not _MOMENT.fullmatch(value):
            self.refuse(name, "is no time with a zone (RFC 3339)")
        try:
            moment = datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            self.refuse(name, "is no time that there is")
        # Room for the grace on one side and for the clock's tolerance on the other.
        if not 1970 <= moment.year <= 9000:
            self.refuse(name, "is out of range")
        return moment

    def moment_or_none(self, name: str) -> datetime | None:
        return None if self.values.get(name) is None else self.moment(name)

    def uuid(self, name: str, value: Any) -> str:
        try:
            return str(uuid.UUID(value))
        except (ValueError, TypeError, AttributeError):
            self.refuse(name, "is no UUID")

    def features(self, default: Any = ...) -> frozenset[str]:
        values = self.get("features", list, default)
        if len(values) > 200 or not all(isinstance(v, str) and len(v) <= 64 and _FEATURE.fullmatch(v) for v in values):
            self.refuse("features", "is no list of feature words")
        return frozenset(values)

    def quotas(self) -> Mapping[str, int]:
        values = self.get("quotas", dict, {})
        if len(values) > 200 or any(not 0 < len(name) <= 64 or not name.isprintable() for name in values):
            self.refuse("quotas", "has a name that is none")
        quotas = _Members(values)
        return MappingProxyType({name: quotas.most(name, ...) for name in values})

    def fingerprint(self) -> str | None:
        value: str | None = self.get("fingerprint", str, None)
        if value is not None and not _FINGERPRINT.fullmatch(value):
            self.refuse("fingerprint", "is no SHA-256 in hexadecimal")
        return value

    def product(self, allowed: tuple[str, ...]) -> str:
        product = self.text("product", ...)
        if product.lower() not in allowed:
            raise Invalid(
                f"This licence is for the product {product!r}, not for this one. Ask the vendor for the right file.",
                code="license_product",
            )
        return PRODUCT

    def edition(self) -> str:
        edition = self.text("edition", ...).lower()
        if edition not in _EDITIONS:
            raise Invalid(
                f"This release knows no edition {edition!r}. Upgrade the hub, or ask the vendor for another file.",
                code="license_edition",
            )
        return edition


def read_payload(data: bytes, *, kid: str = "") -> License:
    """The licence in a payload of ours. Members that nobody knows are passed over.

    Raises Invalid: ``license_version``, ``license_product``, ``license_edition``, ``license_malformed``.
    """
    members = _Members(parse_json(data))
    _refuse_version(members)
    return License(
        id=members.uuid("id", members.get("id", str, ...)),
        version=str(VERSION),
        product=members.product((PRODUCT,)),
        edition=members.edition(),
        company=members.text("company", ...),
        issued_at=members.moment("issued_at"),
        start_time=members.moment("start_time"),
        expire_time=_read_expire_time(members),
        max_user=members.most("max_user", ..., least=1),
        features=members.features(),
        key=members.text("key"),
        email=members.text("email"),
        customer_id=members.text("customer_id"),
        maintenance_until=members.moment_or_none("maintenance_until"),
        max_node=members.most("max_node"),
        max_gpu=members.most("max_gpu"),
        max_cluster=members.most("max_cluster"),
        quotas=members.quotas(),
        fingerprint=members.fingerprint(),
        grace_days=members.number("grace_days", 14, most=366),
        overage_pct=members.number("overage_pct", 10, most=100),
        supersedes=tuple(members.uuid("supersedes", value) for value in members.get("supersedes", list, [])),
        extra=MappingProxyType(members.get("extra", dict, {})),
        kid=kid,
    )


def _read_expire_time(members: _Members) -> datetime | None:
    # Null says "perpetual"; absent says that the file is not whole.
    name = "expire_time"
    return members.moment_or_none(name) if name in members.values else members.moment(name)


def _refuse_version(members: _Members) -> None:
    if members.number("version", least=1) > VERSION:
        raise Invalid(
            "This licence is made for a newer release. Upgrade the hub, or ask the vendor for a file of version 1.",
            code="license_version",
        )


def read_older_payload(data: bytes, *, kid: str = "") -> License:
    """The licence in a payload of the older armour, which has no id, no features and no caps of its own.

    They may lie in ``extra`` when that is JSON; without any, a licence carries every feature.
    Raises Invalid: ``license_product``, ``license_edition``, ``license_malformed``.
    """
    values = parse_json(data)
    extra = _read_older_extra(values.get("extra"))
    members = _Members(values)
    carried = _Members(extra)
    start_time = members.moment("start_time")
    key = members.text("key")
    return License(
        # The same file is the same licence each time.
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"license:{key or data.decode()}")),
        version=str(values.get("version") or "")[:32],
        product=members.product(_OLDER_PRODUCTS),
        edition=members.edition(),
        company=members.text("company", ...),
        issued_at=start_time,
        start_time=start_time,
        expire_time=members.moment("expire_time"),
        max_user=members.number("max_user", least=1),
        features=carried.features([_ALL_FEATURES]),
        key=key,
        email=members.text("email"),
        max_node=carried.most("max_node"),
        max_gpu=carried.most("max_gpu"),
        max_cluster=carried.most("max_cluster"),
        quotas=carried.quotas(),
        fingerprint=carried.fingerprint(),
        grace_days=carried.number("grace_days", 14, most=366),
        overage_pct=carried.number("overage_pct", 10, most=100),
        extra=MappingProxyType(extra),
        kid=kid,
    )


def _read_older_extra(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or not value:
        return {}
    try:
        return parse_json(value.encode(errors="replace"))
    except Invalid:
        return {"text": value}


def read_revocations(data: bytes) -> RevocationList:
    """The list in a payload of revocations. Raises Invalid (``license_version``, ``license_malformed``)."""
    members = _Members(parse_json(data))
    _refuse_version(members)
    revoked = {}
    for entry in members.get("revoked", list, ...):
        if not isinstance(entry, dict):
            members.refuse("revoked", "is no list of licences")
        one = _Members(entry)
        one.moment("revoked_at")
        revoked[one.uuid("id", entry.get("id"))] = one.text("reason")
    return RevocationList(members.moment("issued_at"), MappingProxyType(revoked))
