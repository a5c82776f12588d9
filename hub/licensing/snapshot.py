"""What the database and the home say about the licence, read in one go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import select

from hub.base.errors import Invalid
from hub.base.log import get_logger
from hub.db.uow import UnitOfWork
from hub.licensing.armour import MAX_TEXT_BYTES
from hub.licensing.installation import find_row, identify
from hub.licensing.judge import Facts
from hub.licensing.marks import find_high_water
from hub.licensing.models import LicenseStatus, StoredLicense, StoredRevocations
from hub.licensing.payload import License, RevocationList
from hub.licensing.verify import Verifier

log = get_logger(__name__)

# Of the newest rows; a hub gets a new licence once a year or so.
_MAX_ROWS = 100


@dataclass(frozen=True)
class Snapshot:
    """The licence (None: there is none, or ``facts.fault`` says why it cannot be read) and what it is judged by."""

    license: License | None
    facts: Facts


def load_snapshot(work: UnitOfWork, verifier: Verifier) -> Snapshot:
    """The state of things. Every text is verified again, so that an edited row grants nothing.

    Without a licence this is one query.
    """
    edition = work.settings.edition
    if work.settings.license_file:
        license, fault = _read(verifier, _read_file(work.settings.license_file))
        return Snapshot(license, replace(load_facts(work, verifier, license), fault=fault))
    row = work.session.scalar(
        select(StoredLicense)
        .where(StoredLicense.status == LicenseStatus.ACTIVE)
        .order_by(StoredLicense.id.desc())
        .limit(1)
    )
    if row is None:
        return Snapshot(None, Facts(default_edition=edition))
    license, fault = _read(verifier, row.text)
    return Snapshot(license, replace(load_facts(work, verifier, license), fault=fault, row_id=row.id))


def load_facts(work: UnitOfWork, verifier: Verifier, license: License | None) -> Facts:
    """What a licence is judged by on this hub, whether it is installed or not."""
    row = find_row(work)
    identity = identify(work.context, row) if row is not None else None
    others = list_stored(work, verifier)
    revocations = find_revocations(work, verifier)
    return Facts(
        default_edition=work.settings.edition,
        fingerprint=identity.fingerprint if identity else None,
        is_genuine=identity is None or identity.is_genuine,
        high_water=find_high_water(work, has_witnesses=license is None or not license.resets_clock),
        revoked=revocations.revoked if revocations else MappingProxyType({}),
        is_superseded=license is not None and any(is_newer(other, license) for other in others),
    )


def is_newer(other: License, license: License) -> bool:
    """Whether the other takes the place of a licence: it names it, or is a later issue of it."""
    return license.id in other.supersedes or (other.id == license.id and other.issued_at > license.issued_at)


def list_stored(work: UnitOfWork, verifier: Verifier) -> list[License]:
    """Every stored licence that can still be verified, active or not, newest first."""
    texts = work.session.scalars(select(StoredLicense.text).order_by(StoredLicense.id.desc()).limit(_MAX_ROWS))
    return [license for license, _ in (_read(verifier, text) for text in texts) if license is not None]


def find_revocations(work: UnitOfWork, verifier: Verifier, *, log_faults: bool = False) -> RevocationList | None:
    """The newest revocation list whose signature fits, or None. log_faults: as for ``find_high_water``."""
    lists = []
    for id, text in work.session.execute(
        select(StoredRevocations.id, StoredRevocations.text).order_by(StoredRevocations.id.desc()).limit(_MAX_ROWS)
    ):
        try:
            lists.append(verifier.read_revocations(text))
        except Invalid as error:
            if log_faults:
                log.error("license_revocations_rejected", row_id=id, reason=error.code)
    return max(lists, key=lambda found: found.issued_at, default=None)


def _read(verifier: Verifier, text: str | Invalid) -> tuple[License | None, Invalid | None]:
    if isinstance(text, Invalid):
        return None, text
    try:
        return verifier.read_license(text), None
    except Invalid as error:
        return None, error


def _read_file(name: str) -> str | Invalid:
    try:
        with Path(name).expanduser().open("rb") as stream:
            return stream.read(MAX_TEXT_BYTES + 1).decode(errors="replace")
    except OSError:
        return Invalid(
            "The licence file that the setting license_file names cannot be read. Put it there, or change the setting.",
            code="license_file",
        )
