"""What only one kind of asset has: the members that a kind declares, checked, stored and shown by one rule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.base.context import Context
from hub.base.errors import Failed, Invalid
from hub.base.log import get_logger
from hub.base.names import is_harmless_url
from hub.base.secrets import SECRET, Sealer
from hub.base.texts import is_storable

log = get_logger(__name__)

# Numbers that every reader of JSON takes for what they are.
MAX_NUMBER = 2**53 - 1
MAX_TEXT_CHARS = 255
MAX_LONG_TEXT_CHARS = 16 * 1024

# As queries write them.
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}

Value = str | int | float | bool


class TextForm(StrEnum):
    """What a text must be, when it is not empty."""

    LINE = "line"
    TEXT = "text"
    URL = "url"  # http(s), or a path on this host: nothing that runs when a page links to it
    JSON = "json"  # an object


@dataclass(frozen=True)
class DetailField:
    """One member of a kind.

    default: what it is until somebody says otherwise; its type is the member's type. choices: what it may be; empty:
    anything. is_secret: sealed in the database, shown only to who administers the asset. is_copied: whether a fork has
    it too; secrets never are. is_filter: whether lists can be asked for one value of it.
    """

    name: str
    default: Value = ""
    choices: tuple[str, ...] = ()
    form: TextForm = TextForm.LINE
    max_chars: int = MAX_TEXT_CHARS
    is_secret: bool = False
    is_copied: bool = True
    is_filter: bool = False

    def check(self, value: Any) -> Value:
        """The value as it is stored. Raises Invalid (``REQ-ERR-6``) naming the member."""
        if isinstance(self.default, bool):
            if not isinstance(value, bool):
                raise self._refusal("must be true or false")
            return value
        if isinstance(self.default, int | float):
            return self._check_number(value)
        return self._check_text(value)

    def parse(self, text: str) -> Value:
        """The value that a query's text means, as it is stored. Raises Invalid (``REQ-ERR-6``) naming the member."""
        return self.check(_BOOLEANS.get(text.lower(), text) if isinstance(self.default, bool) else text)

    def _check_number(self, value: Any) -> int | float:
        is_whole = isinstance(self.default, int)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise self._refusal("must be a number")
        try:
            # Clients send numbers as texts, too, and no number as an empty one.
            number = float(value or 0)
            if is_whole:
                number = int(value or 0)
        except (ValueError, OverflowError):
            raise self._refusal("must be a number") from None
        if not 0 <= number <= MAX_NUMBER or (is_whole and number != float(value or 0)):
            raise self._refusal(f"must be a {'whole ' if is_whole else ''}number from 0 to {MAX_NUMBER}")
        return number

    def _check_text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self._refusal("must be a text")
        if len(value) > self.max_chars:
            raise self._refusal(f"is longer than {self.max_chars} characters")
        is_line = self.form in (TextForm.LINE, TextForm.URL)
        if not is_storable(value) or (is_line and not value.isprintable()):
            raise self._refusal("holds a character that cannot be shown")
        if self.choices and (value or self.default) not in self.choices:
            raise self._refusal(f"must be one of {', '.join(self.choices)}", allowed=list(self.choices))
        if value and self.form == TextForm.URL and not is_harmless_url(value):
            raise self._refusal("must be an address that begins with https:// or http://")
        if value and self.form == TextForm.JSON and not _is_json_object(value):
            raise self._refusal("must be a JSON object, as a text")
        return value or str(self.default)

    def _refusal(self, reason: str, **details: Any) -> Invalid:
        return Invalid(f"'{self.name}' {reason}.", code="REQ-ERR-6", member=self.name, **details)


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def check_details(fields: Sequence[DetailField], given: Mapping[str, Any]) -> dict[str, Value]:
    """Those of the given members that the fields declare, checked; what is None was not given.

    Raises Invalid (``REQ-ERR-6``) for a member that does not fit. Others are not ours and are left out.
    """
    return {
        field.name: field.check(given[field.name])
        for field in fields
        if field.name in given and given[field.name] is not None
    }


def seal_details(context: Context, fields: Sequence[DetailField], checked: Mapping[str, Value]) -> dict[str, Value]:
    """Checked members as the database keeps them: the secret ones sealed."""
    secret = {field.name for field in fields if field.is_secret}
    return {
        name: _sealer(context).seal(str(value)) if name in secret and value else value
        for name, value in checked.items()
    }


def open_details(
    context: Context, fields: Sequence[DetailField], stored: Mapping[str, Any], *, with_secrets: bool
) -> dict[str, Value]:
    """All members of the fields as they are now; the secret ones only when asked for."""
    members: dict[str, Value] = {}
    for field in fields:
        value = stored.get(field.name, field.default)
        if not field.is_secret:
            members[field.name] = value
        elif with_secrets:
            members[field.name] = _open(context, field.name, str(value)) if value else value
    return members


def copied_details(fields: Sequence[DetailField], stored: Mapping[str, Any]) -> dict[str, Value]:
    """What a fork keeps of the members that its source has stored."""
    names = [field.name for field in fields if field.is_copied and not field.is_secret]
    return {name: stored[name] for name in names if name in stored}


def _open(context: Context, name: str, sealed: str) -> str:
    try:
        return _sealer(context).open(sealed)
    except Failed:
        # Another secret key than the one that it was sealed under: the rest of the asset must stay in reach.
        log.warning("detail_unreadable", member=name)
        return ""


def _sealer(context: Context) -> Sealer:
    return Sealer(context[SECRET], "repos.details")
