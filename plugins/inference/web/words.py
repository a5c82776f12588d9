"""Amounts of money, periods and the like, as pages say them."""

from __future__ import annotations

from decimal import Decimal

from babel.numbers import format_currency
from flask_babel import get_locale

from hub.plugin.settings import settings_of
from hub.plugin.web import current_context, gettext
from plugins.inference.money import MONTH, NANO, TOTAL
from plugins.inference.settings import InferenceSettings

# Amounts of single calls are far below the smallest coin.
_PATTERN = "¤#,##0.00####"
# Periods that people choose from, as budgets write them.
PERIODS = ("1h", "1d", "7d", MONTH, TOTAL)


def currency() -> str:
    """In which the gateway counts."""
    return settings_of(current_context(), InferenceSettings).currency


def money(nano: int) -> str:
    """An amount in billionths, with its currency."""
    locale = get_locale() or "en"
    return str(format_currency(Decimal(nano) / NANO, currency(), _PATTERN, locale=locale, currency_digits=False))


def plain_amount(nano: int | None, per: int = NANO) -> str:
    """An amount in billionths as a field of a form has it, exactly: in units of the currency, or of so many billionths.

    "" for none.
    """
    return "" if nano is None else f"{(Decimal(nano) / per).normalize():f}"


def period_title(period: str) -> str:
    """A budget's period in words."""
    titles = {
        "1h": gettext("an hour"),
        "1d": gettext("a day"),
        "24h": gettext("a day"),
        "7d": gettext("a week"),
        MONTH: gettext("a month"),
        TOTAL: gettext("in all"),
    }
    return titles.get(period) or gettext("every %(period)s", period=period)
