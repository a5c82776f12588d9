"""How pages look in one browser: choices that its cookies keep, and that stand as attributes of the page."""

from __future__ import annotations

from collections.abc import Mapping

from flask import request

# By the cookie's name, which is the form's member, too: what it may say; the first is so for who chose nothing.
LOOKS: Mapping[str, tuple[str, ...]] = {
    "density": ("normal", "compact"),
    "contrast": ("normal", "high"),
    "text_size": ("14", "13", "16"),  # in CSS pixels, as the next
    "code_size": ("13", "12", "14", "16"),
    "code_theme": ("hub", "classic", "plain"),
}
WEEK_COOKIE = "first_day"
# The days on which weeks begin somewhere, as ``date.weekday()`` counts them.
FIRST_DAYS: Mapping[str, int] = {"monday": 0, "sunday": 6, "saturday": 5}


def find_looks() -> dict[str, str]:
    """What was chosen of each."""
    return {name: _chosen(name, known) for name, known in LOOKS.items()}


def marks_of(looks: Mapping[str, str]) -> dict[str, str]:
    """The attributes of a page that has these looks: only what is not usual."""
    return {f"data-{name.replace('_', '-')}": value for name, value in looks.items() if value != LOOKS[name][0]}


def first_weekday() -> int:
    """The day on which weeks begin for who looks, as ``date.weekday()`` counts."""
    return FIRST_DAYS[_chosen(WEEK_COOKIE, tuple(FIRST_DAYS))]


def _chosen(cookie: str, known: tuple[str, ...]) -> str:
    value = request.cookies.get(cookie, "")
    return value if value in known else known[0]
