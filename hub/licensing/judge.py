"""What a licence is worth at a moment: a pure function from the licence, the time and the facts to a standing.

Source: gateways contract, section 5.3, the table of states.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import hub
from hub.base.errors import Invalid
from hub.licensing.payload import License

EXPIRING_DAYS = 30
# A clock may be wrong by this much, or a zone be set wrongly, without anybody's licence being in doubt.
CLOCK_TOLERANCE = timedelta(hours=24)
_DAY = timedelta(days=1)
_BUILD_DATE = datetime.fromisoformat(hub.BUILD_DATE).replace(tzinfo=UTC)


class LicenseState(StrEnum):
    """What the licence allows. ``expired`` and ``invalid`` leave the features that need none."""

    NONE = "none"
    VALID = "valid"
    EXPIRING = "expiring"
    GRACE = "grace"
    EXPIRED = "expired"
    OVER_SEATS = "over_seats"
    OVER_CAPACITY = "over_capacity"
    INVALID = "invalid"


class Audience(StrEnum):
    """Who is shown a notice."""

    ADMIN = "admin"
    EVERYONE = "everyone"


@dataclass(frozen=True)
class Notice:
    """A line for the pages of those whom it concerns."""

    audience: Audience
    text: str


@dataclass(frozen=True)
class Facts:
    """What a licence is judged by, beside itself and the time.

    fingerprint: of this installation; None: it has no id yet. is_genuine: whether the installation's proof fits the
    hub's secret. high_water: the latest moment that this hub has seen; None: none. revoked: licence id -> reason.
    is_superseded: whether a newer licence has taken this one's place. fault: why the text of the licence cannot be
    read. usage: counts by name ("users", "nodes", "gpus"); what is absent was not counted. row_id: of the stored text.
    """

    default_edition: str = "ce"
    fingerprint: str | None = None
    is_genuine: bool = True
    high_water: datetime | None = None
    build_date: datetime = _BUILD_DATE
    revoked: Mapping[str, str] = field(default_factory=dict)
    is_superseded: bool = False
    fault: Invalid | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    row_id: int | None = None


@dataclass(frozen=True)
class Standing:
    """How the hub stands with its licence.

    reason: one word why it is invalid ("signature", "clock" ...), else empty. message: for people, what it means and
    what to do. edition_name: the edition that is active now. days_left: until it expires, rounded up, negative
    afterwards; None: perpetual, or no licence. row_id: of the stored licence; None: from a file, or not installed.
    """

    state: LicenseState
    reason: str
    message: str
    license: License | None
    edition_name: str
    days_left: int | None = None
    notices: tuple[Notice, ...] = ()
    usage: Mapping[str, int] = field(default_factory=dict)
    row_id: int | None = None

    @property
    def is_in_force(self) -> bool:
        """Whether what the licence carries works."""
        return self.state not in (LicenseState.NONE, LicenseState.INVALID, LicenseState.EXPIRED)


def judge(license: License | None, now: datetime, facts: Facts) -> Standing:
    """The standing of a licence (None: there is none, or its text has a fault) at a moment.

    Where several states would do, the graver one stands: invalid, expired, over_seats, over_capacity, grace, expiring,
    valid. A licence is good from ``start_time`` until, but not at, ``expire_time``; at the very end of the grace it is
    still in grace.
    """
    if license is None and facts.fault is None:
        message = "No licence is installed; the features of this edition work without one."
        return Standing(LicenseState.NONE, "", message, None, facts.default_edition, usage=facts.usage)
    reason, message = _find_fault(license, now, facts)
    days_left = None
    if license is not None and license.expire_time is not None:
        days_left = math.ceil((license.expire_time - now) / _DAY)
    if reason or license is None:
        state = LicenseState.INVALID
    else:
        state = _judge_terms(license, now, facts)
        message = _explain(state, license, facts, days_left)
    audience = Audience.EVERYONE if state is LicenseState.GRACE else Audience.ADMIN
    is_in_force = state not in (LicenseState.INVALID, LicenseState.EXPIRED)
    is_enterprise = is_in_force and license is not None and license.edition == "ee" and facts.default_edition != "lite"
    return Standing(
        state,
        reason,
        message,
        license,
        "ee" if is_enterprise else facts.default_edition,
        days_left,
        () if state is LicenseState.VALID else (Notice(audience, message),),
        facts.usage,
        facts.row_id,
    )


def _find_fault(license: License | None, now: datetime, facts: Facts) -> tuple[str, str]:
    """Why the licence is invalid: a word, and what to do; two empty texts when it is not."""
    if facts.fault is not None or license is None:
        fault = facts.fault
        return (fault.code.removeprefix("license_"), str(fault)) if fault else ("", "")
    if license.id in facts.revoked:
        because = f" ({facts.revoked[license.id]})" if facts.revoked[license.id] else ""
        return "revoked", f"The vendor has revoked this licence{because}. Import another one, or ask the vendor."
    if facts.is_superseded:
        return "superseded", "A newer licence has taken this one's place. Import the newer one."
    if license.fingerprint is not None and not facts.is_genuine:
        return "fingerprint", (
            "The licence is bound to an installation, and this database comes from one with another secret. Give the "
            "hub that installation's secret (secret.key in its home), or ask for a licence with `hub license request`."
        )
    if license.fingerprint is not None and license.fingerprint != facts.fingerprint:
        return "fingerprint", (
            "The licence is bound to another installation. Send the output of `hub license request` to the vendor and "
            "import the licence that comes back."
        )
    if facts.high_water is not None and now < facts.high_water - CLOCK_TOLERANCE:
        return "clock", (
            f"The machine's clock says {_day(now)}, but this hub has already seen {_day(facts.high_water)}. Set the "
            "clock right; the licence is then good again by itself. Where the clock is right now and ran ahead before, "
            "ask the vendor for a licence that resets it."
        )
    if now < license.start_time:
        return "not_started", (
            f"The licence begins on {_day(license.start_time)}. Import it then, or set the clock right if it is wrong."
        )
    if license.expire_time is None and license.maintenance_until and license.maintenance_until < facts.build_date:
        return "maintenance", (
            f"The licence covers releases until {_day(license.maintenance_until)}, and this one is newer. Go back to "
            "an older release, or renew the maintenance."
        )
    return "", ""


def _judge_terms(license: License, now: datetime, facts: Facts) -> LicenseState:
    """The state of a licence without a fault."""
    expire_time, grace_until = license.expire_time, license.grace_until
    if grace_until is not None and now > grace_until:
        return LicenseState.EXPIRED
    if license.seats is not None and facts.usage.get("users", 0) > license.seats:
        return LicenseState.OVER_SEATS
    if _find_excess(license, facts) is not None:
        return LicenseState.OVER_CAPACITY
    if expire_time is not None and now >= expire_time:
        return LicenseState.GRACE
    if expire_time is not None and expire_time - now <= EXPIRING_DAYS * _DAY:
        return LicenseState.EXPIRING
    return LicenseState.VALID


def _find_excess(license: License, facts: Facts) -> tuple[str, int, int] | None:
    """What there is too much of, how much there is, and the most; None: nothing."""
    for name, unit, most in (("nodes", "nodes", license.max_node), ("gpus", "GPUs", license.max_gpu)):
        count = facts.usage.get(name, 0)
        if 0 <= most < count:
            return unit, count, most
    return None


def _explain(state: LicenseState, license: License, facts: Facts, days_left: int | None) -> str:
    """What a state means, and what to do."""
    expire_time, grace_until = _day(license.expire_time), _day(license.grace_until)
    match state:
        case LicenseState.EXPIRED:
            return (
                "The licence has expired. What needs it takes nothing new: it can only be read, or is closed. No data "
                "is lost, and everything else works. Import a new licence to go on."
            )
        case LicenseState.OVER_SEATS:
            return (
                f"The hub has {facts.usage['users']} active users and the licence is for {license.max_user}. Nobody is "
                "locked out, but no user can be added: switch accounts off, or ask for more seats."
            )
        case LicenseState.OVER_CAPACITY:
            unit, count, most = _find_excess(license, facts) or ("", 0, 0)
            return (
                f"The hub has {count} {unit} and the licence is for {most}. What runs keeps running, but nothing is "
                "started on new ones: remove some, or ask for more."
            )
        case LicenseState.GRACE:
            return (
                f"The licence expired on {expire_time}. Everything works until {grace_until}; import a new licence "
                "before then."
            )
        case LicenseState.EXPIRING:
            days = "1 day" if days_left == 1 else f"{days_left} days"
            return f"The licence expires on {expire_time}, in {days}. Ask the vendor for a new one."
    return "The licence is in force."


def _day(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d") if moment else ""
