"""Which installation this is: an id made once, and a proof that database and secret belong together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from hub.base.context import Context
from hub.base.log import get_logger
from hub.base.secrets import SECRET, Signer
from hub.db.base import new_uuid
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.licensing.models import Installation

log = get_logger(__name__)

_ROW_ID = 1


@dataclass(frozen=True)
class Identity:
    """The installation as licences know it.

    fingerprint: SHA-256 of its id, what a licence is bound to. is_genuine: whether the id was made with this hub's
    secret; False: the database was copied to a hub with another one.
    """

    fingerprint: str
    is_genuine: bool


def find_row(work: UnitOfWork) -> Installation | None:
    """The installation's row, or None before the first that needs it."""
    return work.session.get(Installation, _ROW_ID)


def lock_row(work: UnitOfWork) -> Installation:
    """The installation's row, made when there is none, and held until the transaction ends.

    Two that come first at once agree: the one that loses reads the other's.
    """
    new_id = new_uuid()
    row = {"id": _ROW_ID, "uuid": new_id, "proof": _signer(work.context).sign(new_id), "created_at": work.now()}
    row |= {"high_water_signature": "", "noticed_license_id": ""}
    if insert_new(work.session, Installation, [row]):
        log.info("installation_created")
    return work.session.get_one(Installation, _ROW_ID, with_for_update=True, populate_existing=True)


def identify(context: Context, row: Installation) -> Identity:
    """The identity that a row stands for."""
    fingerprint = hashlib.sha256(row.uuid.encode()).hexdigest()
    return Identity(fingerprint, _signer(context).verify(row.uuid, row.proof))


def installation(work: UnitOfWork) -> Identity:
    """This installation's identity, made when there is none."""
    return identify(work.context, lock_row(work))


def renew(work: UnitOfWork) -> Identity:
    """As ``installation``, with an id of its own for a hub whose database came from another installation."""
    row = lock_row(work)
    if not identify(work.context, row).is_genuine:
        row.uuid = new_uuid()
        row.proof = _signer(work.context).sign(row.uuid)
        work.session.flush()
        log.warning("installation_renewed")
    return identify(work.context, row)


def _signer(context: Context) -> Signer:
    return Signer(context[SECRET], "licensing.installation")
