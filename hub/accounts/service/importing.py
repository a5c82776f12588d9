"""Many accounts at once, from a table as text: looked over line by line first, then made all together or not at all."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from hub.accounts.models import Namespace, User
from hub.accounts.passwords import PasswordHash, hash_password
from hub.accounts.policy import Actor, require_site_admin
from hub.accounts.service import fields
from hub.accounts.service.users import create_user
from hub.base.context import Context
from hub.base.errors import Conflict, HubError, Invalid
from hub.base.names import fold_name, validate_namespace
from hub.db.uow import UnitOfWork, reading, unit_of_work

MAX_ROWS = 1000
MAX_CHARS = 512 * 1024
MAX_FINDINGS = 200
REQUIRED, OPTIONAL = ("username", "email"), ("nickname", "role")
_ROLES = {"": False, "user": False, "admin": True}
_AT_ONCE = 500


@dataclass(frozen=True)
class Row:
    """One account to be. line: of the text, from 1."""

    line: int
    name: str
    email: str
    nickname: str
    is_admin: bool


@dataclass(frozen=True)
class Finding:
    """What stands against a line. column: whose value; "" for the line as a whole."""

    line: int
    column: str
    message: str
    code: str


@dataclass
class Import:
    """rows: as far as they could be read. findings: at most ``MAX_FINDINGS``. created: how many accounts were made."""

    rows: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    created: int = 0

    def find(self, line: int, column: str, error: HubError) -> None:
        """Note what stands against a line."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(line, column, str(error), error.code))


def import_users(context: Context, *, actor: Actor, text: str, is_dry: bool) -> Import:
    """Read a CSV of accounts, look it over and, unless is_dry, make them when nothing stands against any line.

    text: the first line names the columns: username and email; nickname and role (user or admin) when wanted; others,
    as an export has, are passed over. No password travels: each account gets one that nobody knows, and its owner
    chooses another by the link for a lost password. Opens its own units of work.
    Raises NotSignedIn, Denied; Invalid (``csv_invalid``, ``csv_too_long``).
    """
    with reading(context) as work:
        require_site_admin(work, actor)
        result = _parse(text)
        _look_for_taken(work, result)
    if is_dry or result.findings:
        return result
    password = hash_password(context, secrets.token_urlsafe(32))
    try:
        with unit_of_work(context) as work:
            _create(work, actor, result, password)
    except _Stopped:
        result.created = 0
    return result


class _Stopped(Exception):
    """A line could not be made an account of: somebody else made one meanwhile, or no seat is left."""


def _create(work: UnitOfWork, actor: Actor, result: Import, password: PasswordHash) -> None:
    for row in result.rows:
        try:
            create_user(
                work,
                actor=actor,
                name=row.name,
                email=row.email,
                password=password,
                is_admin=row.is_admin,
                nickname=row.nickname,
            )
        except HubError as error:
            result.find(row.line, "", error)
            raise _Stopped from error
        result.created += 1


def _parse(text: str) -> Import:
    if len(text) > MAX_CHARS:
        raise Invalid(f"The table is longer than {MAX_CHARS} characters; import it in parts.", code="csv_too_long")
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    result = Import()
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in REQUIRED if name not in head]
        if missing:
            raise Invalid(f"The first line names the columns; it lacks: {', '.join(missing)}.", code="csv_invalid")
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            if len(result.rows) + len({one.line for one in result.findings}) >= MAX_ROWS:
                raise Invalid(f"At most {MAX_ROWS} accounts are imported at once.", code="csv_too_long")
            _read(result, reader.line_num, dict(zip(head, values, strict=False)))
    except csv.Error as error:
        raise Invalid(f"Line {reader.line_num} is no CSV: {error}.", code="csv_invalid") from None
    if not result.rows and not result.findings:
        raise Invalid("There is no account in it.", code="csv_invalid")
    _find_doubles(result)
    return result


def _read(result: Import, line: int, values: dict[str, str]) -> None:
    """Add the line's account, or what stands against it."""
    # An export marks what a spreadsheet would take for a formula.
    told = {name: value.strip().removeprefix("'") for name, value in values.items()}
    count = len(result.findings)
    name, nickname = told.get("username", ""), told.get("nickname", "")
    checks: dict[str, Callable[[], str]] = {
        "username": lambda: validate_namespace(name),
        "email": lambda: fields.validate_email(told.get("email", "")),
        "nickname": lambda: fields.validate_text(nickname, what="nickname", most=fields.MAX_NICKNAME_LENGTH),
    }
    for column, check in checks.items():
        try:
            check()
        except HubError as error:
            result.find(line, column, error)
    role = told.get("role", "").lower()
    if role not in _ROLES:
        result.find(line, "role", Invalid("The role is user or admin.", code="role_invalid"))
    if len(result.findings) == count:
        result.rows.append(
            Row(line, told["username"], told["email"], told.get("nickname", ""), _ROLES.get(role, False))
        )


def _find_doubles(result: Import) -> None:
    seen: dict[tuple[str, str], int] = {}
    for row in result.rows:
        for column, key in (("username", fold_name(row.name)), ("email", fields.email_key(row.email))):
            first = seen.setdefault((column, key), row.line)
            if first != row.line:
                result.find(row.line, column, Conflict(f"Line {first} says the same.", code="csv_double"))


def _look_for_taken(work: UnitOfWork, result: Import) -> None:
    """Two queries for five hundred accounts."""
    for start in range(0, len(result.rows), _AT_ONCE):
        rows = result.rows[start : start + _AT_ONCE]
        names = _taken(work, Namespace.path_key, [fold_name(row.name) for row in rows])
        emails = _taken(work, User.email_key, [fields.email_key(row.email) for row in rows])
        for row in rows:
            if fold_name(row.name) in names:
                result.find(row.line, "username", Conflict("This name is taken.", code="USER-ERR-12"))
            if fields.email_key(row.email) in emails:
                text = "This e-mail address belongs to another account."
                result.find(row.line, "email", Conflict(text, code="USER-ERR-13"))


def _taken(work: UnitOfWork, column: object, keys: Sequence[str]) -> set[str]:
    return set(work.session.scalars(select(column).where(column.in_(keys))))  # type: ignore[call-overload, attr-defined]
