"""The checks of the short texts that people write about themselves."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from hub.base.errors import Invalid

# One '@', a dot or not after it (intranets), no spaces or control characters. Whether mail arrives, only mail can tell.
_EMAIL = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
MAX_EMAIL_LENGTH = 254  # RFC 5321 section 4.5.3.1.3 as corrected

# Source: CSGHub contract, section 1.8 ("less than" 30, 500, 100).
MAX_NICKNAME_LENGTH = 29
MAX_ORGANIZATION_NAME_LENGTH = 29
MAX_DESCRIPTION_LENGTH = 499
MAX_HOMEPAGE_LENGTH = 99
MAX_IMAGE_URL_LENGTH = 255
MAX_LABEL_LENGTH = 64
MAX_ORGANIZATION_TYPE_LENGTH = 32
MAX_ZONE_CHARS = 64


def validate_email(email: str) -> str:
    """The address without surrounding space. Raises Invalid (code ``email_invalid``)."""
    email = email.strip()
    if len(email) > MAX_EMAIL_LENGTH or not _EMAIL.match(email) or not email.isprintable():
        raise Invalid("This is no e-mail address.", code="email_invalid")
    return email


def email_key(email: str) -> str:
    """The form by which addresses are compared."""
    return email.strip().lower()


def validate_text(text: str, *, what: str, most: int, has_lines: bool = False) -> str:
    """The text without surrounding space: at most ``most`` characters, none of them a control character.

    has_lines: line breaks and tabs are welcome. Raises Invalid (code ``text_invalid``).
    """
    text = text.strip()
    if len(text) > most:
        raise Invalid(f"The {what} is longer than {most} characters.", code="text_invalid", field=what)
    allowed = "\n\r\t" if has_lines else ""
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in allowed for char in text):
        raise Invalid(f"The {what} holds control characters.", code="text_invalid", field=what)
    return text


def validate_label(text: str, *, what: str) -> str:
    """A name for a token or key: 1 to 64 printable characters. Raises Invalid (code ``text_invalid``)."""
    text = validate_text(text, what=what, most=MAX_LABEL_LENGTH)
    if not text:
        raise Invalid(f"The {what} is empty.", code="text_invalid", field=what)
    return text


def validate_link(url: str, *, what: str, most: int) -> str:
    """An ``http`` or ``https`` address, or empty. Anything else could run as a script in a page.

    Raises Invalid (code ``link_invalid``).
    """
    url = validate_text(url, what=what, most=most)
    try:
        parts = urlsplit(url)
        is_link = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in url
    except ValueError:
        is_link = False
    if url and not is_link:
        raise Invalid(f"The {what} must begin with http:// or https://.", code="link_invalid", field=what)
    return url


def validate_zone(name: str) -> str:
    """The name of a time zone as IANA has it, or empty for UTC. Raises Invalid (code ``time_zone_unknown``)."""
    if name and name not in available_timezones():
        raise Invalid("There is no such time zone.", code="time_zone_unknown", field="time_zone")
    return name
