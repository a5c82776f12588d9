"""The latest moment that this hub has seen, so that a clock that is set back is noticed.

It is kept in the database and in a file of the home, both signed, and other rooms bear witness by what they recorded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hub.base.context import Context, Key
from hub.base.log import get_logger
from hub.base.registry import Registry
from hub.base.secrets import SECRET, Signer
from hub.db.uow import UnitOfWork, unit_of_work
from hub.licensing.installation import find_row, lock_row
from hub.licensing.models import Installation

log = get_logger(__name__)

# Tells of a moment that is past for sure: the time of the latest record of a kind, or None. One cheap query.
Witness = Callable[[UnitOfWork], datetime | None]
WITNESSES: Key[Registry[Witness]] = Key("licensing.witnesses")

_FILE_NAME = "license-clock"
_MAX_FILE_BYTES = 256


def find_high_water(work: UnitOfWork, *, has_witnesses: bool = True, log_faults: bool = False) -> datetime | None:
    """The latest moment that any mark or witness knows of; None: there is none.

    A mark whose signature does not fit counts as none, and a witness that fails as silent; the others still stand.
    has_witnesses: False: the marks alone, where what was recorded is known to be wrong.
    log_faults: say so in the log, which every look of every process need not do.
    """
    faults: list[str] = []
    moments = [_read_row(work.context, find_row(work), faults), _read_file(work.context, faults)]
    if has_witnesses:
        moments += _hear_witnesses(work, faults)
    for fault in faults if log_faults else ():
        log.warning("license_clock_fault", fault=fault)
    return max((moment for moment in moments if moment is not None), default=None)


def advance_clock(context: Context) -> None:
    """Move the marks forward to now, never back."""
    with unit_of_work(context) as work:
        advance_marks(work)


def advance_marks(work: UnitOfWork) -> None:
    """As ``advance_clock``, in a unit of work; the file follows after the commit."""
    marks = (_read_row(work.context, lock_row(work), []), _read_file(work.context, []))
    _set_marks(work, max([work.now(), *filter(None, marks)]))


def reset_marks(work: UnitOfWork) -> None:
    """Set the marks to now, back if need be: the vendor has said so, for a hub whose clock once ran ahead."""
    log.warning("license_clock_reset", at=work.now().isoformat())
    _set_marks(work, work.now())


def _set_marks(work: UnitOfWork, latest: datetime) -> None:
    row = lock_row(work)
    row.high_water_at = latest
    row.high_water_signature = _signer(work.context).sign(_spell(latest))
    work.session.flush()
    work.after_commit(lambda: _write_file(work.context, latest))


def _read_row(context: Context, row: Installation | None, faults: list[str]) -> datetime | None:
    if row is None or row.high_water_at is None:
        return None
    moment = _check(context, _spell(row.high_water_at), row.high_water_signature)
    if moment is None:
        faults.append("the mark in the database is not signed by this hub")
    return moment


def _read_file(context: Context, faults: list[str]) -> datetime | None:
    try:
        with _path(context).open("rb") as stream:
            text, _, signature = stream.read(_MAX_FILE_BYTES).decode(errors="replace").strip().partition(" ")
    except FileNotFoundError:
        return None
    except OSError as error:
        faults.append(f"the mark in the home cannot be read: {error.strerror}")
        return None
    moment = _check(context, text, signature)
    if moment is None:
        faults.append("the mark in the home is not signed by this hub")
    return moment


def _check(context: Context, text: str, signature: str) -> datetime | None:
    return datetime.fromisoformat(text) if _signer(context).verify(text, signature) else None


def _hear_witnesses(work: UnitOfWork, faults: list[str]) -> list[datetime | None]:
    heard = []
    for entry in work.context[WITNESSES].entries():
        try:
            # A statement that fails must not take the caller's transaction with it.
            with work.savepoint():
                heard.append(entry.value(work))
        except Exception as error:
            faults.append(f"the witness {entry.name!r} of {entry.owner} failed: {error!r}")
    return heard


def _write_file(context: Context, moment: datetime) -> None:
    text = _spell(moment)
    draft = _path(context).with_suffix(f".{os.getpid()}")
    try:
        draft.write_text(f"{text} {_signer(context).sign(text)}\n")
        draft.replace(_path(context))
    except OSError as error:
        # The mark in the database stands.
        log.warning("license_clock_not_written", reason=repr(error))


def _path(context: Context) -> Path:
    return context.settings.home / _FILE_NAME


def _spell(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _signer(context: Context) -> Signer:
    return Signer(context[SECRET], "licensing.clock")
