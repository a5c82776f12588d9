"""Names of workloads, by which drivers and addresses know them, and of their jobs. Source: compute contract, 1.5."""

from __future__ import annotations

import re
import secrets

START_JOB, STOP_JOB, RECONCILE_JOB = "compute.start", "compute.stop", "compute.reconcile"

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MAX = 63
_RANDOM = 12


def base36(number: int) -> str:
    """A number of 0 or more in base 36."""
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits


def random_svc_name() -> str:
    """A name of 12 characters that nobody else has: 62 bits."""
    return secrets.choice(_DIGITS[10:]) + "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM - 1))


def path_svc_name(prefix: str, namespace: str, name: str, number: int) -> str:
    """The name of what there is one of for a repository: ``u-ada-chat-2s``. prefix: "u" of spaces, "s" of serverless.

    What is not a letter or a digit becomes a dash; the middle is cut so that the whole is a DNS label.
    """
    tail = base36(number)
    middle = re.sub(r"[^a-z0-9-]", "-", f"{namespace}-{name}".lower())
    room = _MAX - len(prefix) - len(tail) - 2
    return f"{prefix}-{middle[:room]}-{tail}"
