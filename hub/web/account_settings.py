"""What the sections of one's settings show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

from flask import Response, request
from flask_babel import gettext, lazy_gettext

from hub.accounts import service
from hub.accounts.browsers import describe_browser
from hub.accounts.models import TokenScope, User, WebSession
from hub.accounts.passwords import MIN_PASSWORD_LENGTH
from hub.accounts.policy import Actor
from hub.accounts.service import device_logins, second_factors
from hub.accounts.service.departures import sole_owner_of
from hub.accounts.service.email_codes import sends_mail
from hub.accounts.service.fields import MAX_DESCRIPTION_LENGTH, MAX_HOMEPAGE_LENGTH, MAX_NICKNAME_LENGTH
from hub.accounts.service.own_data import find_copy
from hub.accounts.service.pictures import MAX_BYTES
from hub.accounts.service.sessions import hash_session_key
from hub.base.errors import Invalid
from hub.base.paging import PageArgs
from hub.community.models import NotificationEvent
from hub.community.service.channels import chosen
from hub.community.service.notifications import get_setting
from hub.community.service.watches import list_watched
from hub.db.uow import UnitOfWork
from hub.http.actor import session_key
from hub.http.paging import page_args
from hub.repos.service import list_repositories
from hub.web.i18n import find_zone
from hub.web.looks import FIRST_DAYS, LOOKS, first_weekday
from hub.web.pages import render_page

SECTIONS = {
    "profile": (lazy_gettext("Profile"), "user"),
    "account": (lazy_gettext("Account"), "shield"),
    "access-token": (lazy_gettext("Access tokens"), "key-round"),
    "ssh-keys": (lazy_gettext("SSH keys"), "terminal"),
    "notifications": (lazy_gettext("Notifications"), "bell"),
    "appearance": (lazy_gettext("Appearance"), "monitor"),
    "language-region": (lazy_gettext("Language and region"), "languages"),
    "sessions": (lazy_gettext("Sessions"), "globe"),
}
# How long a token may be good, in days; 0: for good.
_TOKEN_DAYS = (30, 7, 90, 365, 0)
_WATCHED_PER_PAGE = 20
# For how long notifications may be kept, in days.
_KEPT_DAYS = (7, 30, 90, 180, 365)


@dataclass(frozen=True)
class Device:
    """A browser that is signed in. name: in words, from what it calls itself."""

    session: WebSession
    name: str
    is_current: bool


def render_settings(template: str, *, section: str, **values: Any) -> Response:
    """A page in the frame of one's settings: the template extends ``people/settings/base.html``."""
    return render_page(template, page=f"S-{section}", sections=SECTIONS, section=section, **values)


def find_values(work: UnitOfWork, actor: Actor, section: str) -> dict[str, Any]:
    """What the template of a section sees besides ``user``. Raises NotSignedIn, Denied."""
    user = service.get_own_user(work, actor=actor)
    return {"user": user, **(_VALUES[section](work, actor, user) if section in _VALUES else {})}


def _profile(work: UnitOfWork, _actor: Actor, _user: User) -> dict[str, Any]:
    most = {"nickname": MAX_NICKNAME_LENGTH, "bio": MAX_DESCRIPTION_LENGTH, "homepage": MAX_HOMEPAGE_LENGTH}
    return {"most": most | {"picture": MAX_BYTES}, "sends_mail": sends_mail(work.context)}


def _account(work: UnitOfWork, actor: Actor, user: User) -> dict[str, Any]:
    devices = second_factors.list_devices(work, actor=actor, user=user)
    return {
        "least": MIN_PASSWORD_LENGTH,
        "copy": find_copy(work, actor=actor),
        "sole_owner_of": sole_owner_of(work, user),
        "repositories": list_repositories(work, actor=actor, namespace=user.name, page=PageArgs(per=1)).total,
        "factor": second_factors.find_state(work, actor=actor, user=user),
        "devices": [(device, name_browser(device.user_agent)) for device in devices],
        "code_chars": second_factors.MAX_CODE_CHARS,
        "required": work.settings.second_factor_required,
    }


def token_ends(now: datetime) -> list[tuple[int, str]]:
    """The ends that a new token may be given, in days and as the API takes them; 0 and "" for never."""
    return [(days, (now + timedelta(days=days)).isoformat() if days else "") for days in _TOKEN_DAYS]


def _tokens(work: UnitOfWork, actor: Actor, user: User) -> dict[str, Any]:
    now = work.now()
    tokens = service.list_tokens(work, actor=actor, user=user).items
    values = {"tokens": tokens, "ends": token_ends(now), "now": now, "scopes": [scope.value for scope in TokenScope]}
    return {**values, "device": request.args.get("device"), "device_code": _asked_code(work)}


def _asked_code(work: UnitOfWork) -> str:
    """The code of a program that waits to be signed in, as it shows it; "": there is none, or none that is good."""
    typed = request.args.get("device", "")
    try:
        return device_logins.spell(device_logins.parse(work.context, typed)) if typed else ""
    except Invalid:
        return ""


def _keys(work: UnitOfWork, actor: Actor, user: User) -> dict[str, Any]:
    return {"keys": service.list_ssh_keys(work, actor=actor, user=user).items}


def _notifications(work: UnitOfWork, actor: Actor, user: User) -> dict[str, Any]:
    _, setting = get_setting(work, actor=actor)
    args = page_args(default=_WATCHED_PER_PAGE)
    return {
        "setting": setting,
        "events": event_titles(),
        "chosen": chosen(setting),
        "kept_days": _KEPT_DAYS,
        "kept_s": int(setting.options.get("message_ttl") or 0),
        "sends_mail": sends_mail(work.context),
        "zones": sorted(available_timezones()),
        "zone": setting.options.get("timezone") or find_zone().key,
        "watched": list_watched(work, actor=actor, page=args),
        "args": args,
    }


def event_titles() -> dict[str, str]:
    """What notifications can tell of, each with its title."""
    titles = {
        NotificationEvent.COMMENT: gettext("Comments"),
        NotificationEvent.MENTION: gettext("Mentions and assignments"),
        NotificationEvent.REVIEW_REQUEST: gettext("Review requests"),
        NotificationEvent.ORGANIZATION: gettext("Organisations"),
        NotificationEvent.ASSET: gettext("Repositories"),
        NotificationEvent.DEPLOYMENT: gettext("Deployments"),
        NotificationEvent.SYSTEM: gettext("System"),
    }
    return {event.value: title for event, title in titles.items()}


def _appearance(_work: UnitOfWork, _actor: Actor, _user: User) -> dict[str, Any]:
    return {"choices": LOOKS}


def _region(_work: UnitOfWork, _actor: Actor, user: User) -> dict[str, Any]:
    days = {"monday": gettext("Monday"), "sunday": gettext("Sunday"), "saturday": gettext("Saturday")}
    chosen_day = next(name for name, day in FIRST_DAYS.items() if day == first_weekday())
    zones = {"zones": sorted(available_timezones()), "zone": find_zone().key, "own_zone": user.namespace.time_zone}
    return {**zones, "days": days, "first_day": chosen_day}


def _sessions(work: UnitOfWork, actor: Actor, user: User) -> dict[str, Any]:
    current = hash_session_key(session_key())
    sessions: Sequence[WebSession] = service.list_sessions(work, actor=actor, user=user)
    found = [Device(session, name_browser(session.user_agent), session.key_hash == current) for session in sessions]
    return {"devices": sorted(found, key=lambda device: not device.is_current)}


def name_browser(user_agent: str) -> str:
    """A browser and its system in words ("Firefox, Linux"); a program's own name; or that it said nothing."""
    return describe_browser(user_agent) or str(gettext("Unknown"))


_VALUES: Mapping[str, Callable[[UnitOfWork, Actor, User], dict[str, Any]]] = {
    "profile": _profile,
    "account": _account,
    "access-token": _tokens,
    "ssh-keys": _keys,
    "notifications": _notifications,
    "appearance": _appearance,
    "language-region": _region,
    "sessions": _sessions,
}
