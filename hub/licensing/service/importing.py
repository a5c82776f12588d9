"""Installing licences and revocation lists, and taking licences away."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import func, or_, select, update

from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork, reading
from hub.licensing.armour import Kind, find_block, wrap
from hub.licensing.events import LicenseChanged
from hub.licensing.installation import lock_row
from hub.licensing.judge import LicenseState, Standing, judge
from hub.licensing.marks import advance_marks, reset_marks
from hub.licensing.models import LicenseStatus, StoredLicense, StoredRevocations
from hub.licensing.payload import License
from hub.licensing.service.face import LICENSING
from hub.licensing.snapshot import find_revocations, is_newer, list_stored, load_facts, load_snapshot
from hub.licensing.usage import count_usage

log = get_logger(__name__)

MAX_REMARK_LENGTH = 255


@dataclass(frozen=True)
class Imported:
    """What an import did.

    standing: of the licence; after a revocation list, which has ``revoked`` entries, of the one in force. stored: the
    licence; None: it was a revocation list.
    """

    standing: Standing
    stored: StoredLicense | None = None
    revoked: int = 0


def import_license(work: UnitOfWork, text: str, *, actor_id: int | None, remark: str = "") -> Imported:
    """Install what a text holds: a licence, which becomes the one in force, or a revocation list.

    Importing the same text again is harmless. actor_id: the user who does it; None: the command line.
    Raises Invalid with the code of whatever would make the licence invalid on this hub (``license_signature``,
    ``license_fingerprint``, ``license_revoked``, ``license_expired`` ...); Conflict: ``license_older``,
    ``license_superseded``, ``license_from_file``.
    """
    if len(remark) > MAX_REMARK_LENGTH or not remark.isprintable():
        raise Invalid(f"A remark has {MAX_REMARK_LENGTH} printable characters at most.", code="remark_invalid")
    block = find_block(text)
    # Only the block is kept, not what stood around it.
    clean = wrap(block.kind, block.content)
    if block.kind is Kind.REVOCATIONS:
        return _import_revocations(work, clean, actor_id=actor_id)
    _refuse_when_from_file(work)
    license = work.context[LICENSING].verifier.read_license(clean)
    # Two who import at once do so one after the other; the later one wins.
    lock_row(work)
    _refuse_older(work, license)
    # Signed later than anything known here: an old one, imported again, would undo what the marks are for.
    is_reset = license.resets_clock and all(
        license.issued_at > other.issued_at for other in list_stored(work, work.context[LICENSING].verifier)
    )
    standing = _judge_here(work, license, is_reset=is_reset)
    if standing.state is LicenseState.INVALID:
        raise Invalid(standing.message, code=f"license_{standing.reason}")
    if standing.state is LicenseState.EXPIRED:
        raise Invalid(
            "This licence has expired, its grace included. Ask the vendor for a new one.", code="license_expired"
        )
    stored = _store(work, license, clean, actor_id=actor_id, remark=remark)
    (reset_marks if is_reset else advance_marks)(work)
    _announce(work, LicenseChanged(license.id, "imported", actor_id))
    return Imported(replace(standing, row_id=stored.id), stored)


def _refuse_when_from_file(work: UnitOfWork) -> None:
    if work.settings.license_file:
        raise Conflict(
            "The licence comes from the file that the setting license_file names: replace that file, or clear the "
            "setting.",
            code="license_from_file",
        )


def _refuse_older(work: UnitOfWork, license: License) -> None:
    for other in list_stored(work, work.context[LICENSING].verifier):
        if license.id in other.supersedes:
            raise Conflict("A later licence on this hub has taken this one's place.", code="license_superseded")
        if is_newer(other, license):
            raise Conflict("This hub has a later issue of this very licence; import the latest.", code="license_older")


def _judge_here(work: UnitOfWork, license: License, *, is_reset: bool = False) -> Standing:
    facts = load_facts(work, work.context[LICENSING].verifier, license)
    if is_reset:
        facts = replace(facts, high_water=None)
    return judge(license, work.now(), replace(facts, usage=count_usage(work)))


def _store(work: UnitOfWork, license: License, text: str, *, actor_id: int | None, remark: str) -> StoredLicense:
    now = work.now()
    work.session.execute(
        update(StoredLicense)
        .where(StoredLicense.status == LicenseStatus.ACTIVE)
        .values(status=LicenseStatus.INACTIVE, updated_at=now)
    )
    # An earlier row of the same text gives way: the newest active row is the one in force.
    known = work.session.scalar(select(StoredLicense).where(StoredLicense.text == text))
    if known is not None:
        work.session.delete(known)
        work.session.flush()
    stored = StoredLicense(
        license_id=license.id,
        text=text,
        key=license.key,
        company=license.company,
        email=license.email,
        product=license.product,
        edition=license.edition,
        max_user=license.max_user,
        issued_at=license.issued_at,
        start_time=license.start_time,
        expire_time=license.expire_time,
        remark=remark,
        actor_id=actor_id,
        created_at=now,
        updated_at=now,
    )
    work.session.add(stored)
    work.session.flush()
    return stored


def _import_revocations(work: UnitOfWork, text: str, *, actor_id: int | None) -> Imported:
    licensing = work.context[LICENSING]
    found = licensing.verifier.read_revocations(text)
    lock_row(work)
    known = find_revocations(work, licensing.verifier)
    if known is not None and known.issued_at > found.issued_at:
        raise Conflict("This hub has a later revocation list; import the latest.", code="license_revocations_older")
    work.session.add(StoredRevocations(text=text, issued_at=found.issued_at, created_at=work.now()))
    work.session.flush()
    _announce(work, LicenseChanged("", "revoked", actor_id))
    now = load_snapshot(work, licensing.verifier)
    standing = judge(now.license, work.now(), replace(now.facts, usage=count_usage(work)))
    return Imported(standing, revoked=len(found.revoked))


def verify_license(context: Context, text: str) -> Standing:
    """What a licence would be worth on this hub, without installing it.

    Raises Invalid when the text cannot be verified at all; a licence that is invalid here only is a standing.
    """
    license = context[LICENSING].verifier.read_license(text)
    with reading(context) as work:
        return _judge_here(work, license)


def remove_license(work: UnitOfWork, license_id: int | None, *, actor_id: int | None) -> StoredLicense:
    """Take a licence out of force; the hub goes on in its own edition. Harmless when it is out of force already.

    license_id: the stored row's; None: the one in force. The row stays, so that an older issue stays refused.
    Raises NotFound (``license_not_found``), Conflict (``license_from_file``).
    """
    _refuse_when_from_file(work)
    lock_row(work)
    stored = get_license(work, license_id) if license_id is not None else _find_active(work)
    if stored is None:
        raise NotFound("No licence is installed.", code="license_not_found")
    stored.status = LicenseStatus.INACTIVE
    stored.updated_at = work.now()
    work.session.flush()
    _announce(work, LicenseChanged(stored.license_id, "removed", actor_id))
    return stored


def _find_active(work: UnitOfWork) -> StoredLicense | None:
    is_active = StoredLicense.status == LicenseStatus.ACTIVE
    return work.session.scalar(select(StoredLicense).where(is_active).order_by(StoredLicense.id.desc()).limit(1))


def get_license(work: UnitOfWork, license_id: int) -> StoredLicense:
    """A stored licence by its row's id. Raises NotFound (``license_not_found``)."""
    stored = work.session.get(StoredLicense, license_id)
    if stored is None:
        raise NotFound("There is no such licence.", code="license_not_found")
    return stored


def list_licenses(
    work: UnitOfWork, *, product: str = "", edition: str = "", search: str = "", page: PageArgs | None = None
) -> Page[StoredLicense]:
    """What was installed here, newest first. search: part of the company, e-mail address, key or remark."""
    page = page or PageArgs()
    query = select(StoredLicense)
    if product:
        query = query.where(StoredLicense.product == product)
    if edition:
        query = query.where(StoredLicense.edition == edition)
    if search:
        columns = (StoredLicense.company, StoredLicense.email, StoredLicense.key, StoredLicense.remark)
        query = query.where(or_(*(func.lower(c).contains(search.lower(), autoescape=True) for c in columns)))
    total = work.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = work.session.scalars(query.order_by(StoredLicense.id.desc()).offset(page.offset).limit(page.per)).all()
    return Page(rows, total)


def _announce(work: UnitOfWork, event: LicenseChanged) -> None:
    log.info("license_changed", license_id=event.license_id, action=event.action, actor_id=event.actor_id)
    # First, so that who hears of the change already sees it.
    work.after_commit(work.context[LICENSING].refresh)
    publish(work, event)
