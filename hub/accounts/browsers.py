"""Browsers in words, and which of them an account has signed in with before."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hub.accounts.models import User
from hub.base.context import Context
from hub.base.secrets import SECRET, Signer

_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS")),
    *(("CrOS", "ChromeOS"), ("Linux", "Linux")),
)
_PROGRAM = re.compile(r"[\w.-]{1,40}")


def describe_browser(user_agent: str) -> str:
    """A browser and its system in words ("Firefox, Linux"), or a program's own name; empty when it said nothing."""
    browser = next((name for word, name in _BROWSERS if word in user_agent), "")
    system = next((name for word, name in _SYSTEMS if word in user_agent), "")
    if browser or system:
        return ", ".join(filter(None, (browser, system)))
    program = _PROGRAM.match(user_agent)
    return program[0] if program else ""


def mark_of(context: Context, user: User) -> str:
    """What a browser keeps that has signed in to the account; it opens nothing."""
    return Signer(context[SECRET], "known-browser").sign(user.uuid)


def is_known(context: Context, user: User, marks: Sequence[str]) -> bool:
    """Whether one of the marks that a browser has is the account's."""
    return any(Signer(context[SECRET], "known-browser").verify(user.uuid, mark) for mark in marks)
