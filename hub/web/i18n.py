"""The language and the time zone of a page: whose they are, and what they do to texts, numbers and times."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_compact_decimal, format_decimal
from flask import Flask, g, request
from flask_babel import Babel, get_locale, get_translations
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
    app.jinja_env.globals.update(gettext=translate, _=translate)
    app.jinja_env.filters.update(ago=ago, moment=moment, day=day, month=month, number=number, count=count, size=size)


# A page has hundreds of texts, numbers and times, most of which the last one had, too: what they become is kept.
_MAX_KEPT = 5_000
_kept_texts: dict[tuple[str, str], str] = {}
_kept_markup: dict[tuple[str, str], Markup] = {}


def translate(english: str, **values: object) -> Markup:
    """A text of a template in the language of the page. Values stand in it as ``%(name)s``, escaped."""
    if values:
        return Markup(gettext(english)) % values  # noqa: S704 - the texts are the catalogues'
    key = (current_language(), english)
    found = _kept_markup.get(key)
    if found is None:
        if len(_kept_markup) >= _MAX_KEPT:
            _kept_markup.clear()
        # A text without values may say "%%", as those with values do.
        found = _kept_markup[key] = Markup(gettext(english)) % {}  # noqa: S704
    return found


@cache
def translator(language: str) -> Callable[..., Markup]:
    """``translate`` for pages in a language, which asks for none: a page has hundreds of texts."""
    kept: dict[str, Markup] = {}

    def translate_in(english: str, **values: object) -> Markup:
        if not values and (found := kept.get(english)) is not None:
            return found
        found = translate(english, **values)
        if not values and len(kept) < _MAX_KEPT:
            kept[english] = found
        return found

    return translate_in


def gettext(english: str, **values: object) -> str:
    """A text in the language of the page, for Python: as flask_babel's, in less time."""
    key = (current_language(), english)
    found = _kept_texts.get(key)
    if found is None:
        if len(_kept_texts) >= _MAX_KEPT:
            _kept_texts.clear()
        found = _kept_texts[key] = str(get_translations().ugettext(english))
    return found % values if values else found


def current_language() -> str:
    """The language of the page, as babel writes it ("en", "zh")."""
    # Past flask's proxy, which costs five times what is asked of it: a page asks a hundred times.
    kept = g._get_current_object()
    found: str | None = getattr(kept, "language", None)
    if found is None:
        found = kept.language = str(get_locale() or "en")
    return found


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
    return _day(when, current_language(), find_zone().key)


@lru_cache(maxsize=_MAX_KEPT)
def _day(when: datetime, _language: str, _zone: str) -> Markup:
    return _time_element(when, format_date(_local(when), "medium", locale=get_locale()))


def month(when: date) -> str:
    """The short name of a day's month."""
    return format_date(when, "MMM", locale=get_locale())


def ago(when: datetime | None) -> Markup:
    """How long ago, to some seconds, as a ``<time>`` whose title is the date and time; nothing for None."""
    if when is None:
        return Markup("")
    return _ago(when, current_language(), find_zone().key, int(time.monotonic() // _AGO_FOR_S))


# What is shown as minutes and hours need not be newer.
_AGO_FOR_S = 15


@lru_cache(maxsize=_MAX_KEPT)
def _ago(when: datetime, _language: str, _zone: str, _moment: int) -> Markup:
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
    return _number(value, current_language())


@lru_cache(maxsize=_MAX_KEPT)
def _number(value: float, language: str) -> str:
    return format_decimal(value, locale=language)


def count(value: int) -> Markup:
    """A count, short above 999 ("1.2K") with the whole number as the title."""
    return _count(value, current_language())


@lru_cache(maxsize=_MAX_KEPT)
def _count(value: int, language: str) -> Markup:
    if value < 1000:
        return Markup("{}").format(_number(value, language))
    short = format_compact_decimal(value, locale=language, fraction_digits=1)
    return Markup('<span title="{}">{}</span>').format(_number(value, language), short)


def size(size_bytes: int | None) -> str:
    """A size in binary units: "1.5 MiB"."""
    return "" if size_bytes is None else _size(size_bytes, current_language())


@lru_cache(maxsize=_MAX_KEPT)
def _size(size_bytes: int, language: str) -> str:
    value, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    text = format_decimal(round(value, 1 if unit != "B" and value < 100 else 0), locale=language)
    return f"{text} {unit}"
