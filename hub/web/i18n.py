"""The language and the time zone of a page: whose they are, and what they do to texts, numbers and times."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_compact_decimal, format_decimal
from flask import Flask, request
from flask_babel import Babel, get_locale, gettext
from markupsafe import Markup

# In the order in which they are offered; each in its own words.
LANGUAGES = {"en": "English", "zh": "简体中文"}
LOCALE_COOKIE = "locale"
ZONE_COOKIE = "zone"
_UTC = ZoneInfo("UTC")


def install(app: Flask) -> None:
    """Give templates ``_()``, ``gettext`` and ``ngettext`` and the filters of this module; once, by the room."""
    folder = str(Path(__file__).with_name("translations"))
    Babel(app, default_translation_directories=folder, locale_selector=choose_language)
    app.jinja_env.filters.update(ago=ago, moment=moment, day=day, number=number, count=count, size=size)


def choose_language() -> str:
    """The language that was chosen, else the one that the browser asks for first, else English."""
    chosen = request.cookies.get(LOCALE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    return request.accept_languages.best_match(list(LANGUAGES)) or "en"


def find_zone() -> ZoneInfo:
    """The time zone of who looks: as chosen, or as the browser said; UTC until it has."""
    name = request.cookies.get(ZONE_COOKIE, "")
    if not name or len(name) > 64:
        return _UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError):
        return _UTC


def _local(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(find_zone())


def moment(when: datetime) -> Markup:
    """A date and time as a ``<time>``."""
    return _time_element(when, format_datetime(_local(when), "medium", locale=get_locale()))


def day(when: datetime) -> Markup:
    """A date as a ``<time>``."""
    return _time_element(when, format_date(_local(when), "medium", locale=get_locale()))


def ago(when: datetime | None) -> Markup:
    """How long ago, as a ``<time>`` whose title is the date and time; nothing for None."""
    if when is None:
        return Markup("")
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    passed = aware - datetime.now(UTC)
    if abs(passed.total_seconds()) < 60:
        return _time_element(when, gettext("just now"))
    return _time_element(when, format_timedelta(passed, add_direction=True, locale=get_locale()))


def _time_element(when: datetime, text: str) -> Markup:
    local = _local(when)
    exact = format_datetime(local, "yyyy-MM-dd HH:mm:ss zzz", locale=get_locale())
    return Markup('<time datetime="{}" title="{}">{}</time>').format(local.isoformat(), exact, text)


def number(value: float) -> str:
    """A number with the separators of the language."""
    return format_decimal(value, locale=get_locale())


def count(value: int) -> Markup:
    """A count, short above 999 ("1.2K") with the whole number as the title."""
    if value < 1000:
        return Markup("{}").format(number(value))
    short = format_compact_decimal(value, locale=get_locale(), fraction_digits=1)
    return Markup('<span title="{}">{}</span>').format(number(value), short)


def size(size_bytes: int | None) -> str:
    """A size in binary units: "1.5 MiB"."""
    if size_bytes is None:
        return ""
    value, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    text = format_decimal(round(value, 1 if unit != "B" and value < 100 else 0), locale=get_locale())
    return f"{text} {unit}"
