"""Who may do what with the hub's licence: everybody signed in sees how it stands, administrators do the rest."""

from __future__ import annotations

from hub.accounts.policy import Actor, require_site_admin
from hub.base.errors import NotSignedIn
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork
from hub.licensing import service
from hub.licensing.judge import Standing
from hub.licensing.models import StoredLicense
from hub.licensing.service import LICENSING, Imported


def import_license(work: UnitOfWork, *, actor: Actor, text: str, remark: str = "") -> Imported:
    """Install a licence or a revocation list. Raises NotSignedIn, Denied, and as ``hub.licensing.service``."""
    require_site_admin(work, actor)
    return service.import_license(work, text, actor_id=actor.user_id, remark=remark)


def verify_license(work: UnitOfWork, *, actor: Actor, text: str) -> Standing:
    """What a licence would be worth here. Raises NotSignedIn, Denied, Invalid."""
    require_site_admin(work, actor)
    return service.verify_license(work.context, text)


def remove_license(work: UnitOfWork, *, actor: Actor, license_id: int | None = None) -> StoredLicense:
    """Take a licence (None: the one in force) out of force. Raises NotSignedIn, Denied, NotFound, Conflict."""
    require_site_admin(work, actor)
    return service.remove_license(work, license_id, actor_id=actor.user_id)


def list_licenses(
    work: UnitOfWork,
    *,
    actor: Actor,
    product: str = "",
    edition: str = "",
    search: str = "",
    page: PageArgs | None = None,
) -> Page[StoredLicense]:
    """What was installed here, newest first. Raises NotSignedIn, Denied."""
    require_site_admin(work, actor)
    return service.list_licenses(work, product=product, edition=edition, search=search, page=page)


def get_license(work: UnitOfWork, *, actor: Actor, license_id: int) -> StoredLicense:
    """One of those. Raises NotSignedIn, Denied, NotFound (``license_not_found``)."""
    require_site_admin(work, actor)
    return service.get_license(work, license_id)


def make_request(work: UnitOfWork, *, actor: Actor) -> str:
    """What to send to the vendor for a licence that is bound to this installation. Raises NotSignedIn, Denied."""
    require_site_admin(work, actor)
    return service.make_request(work)


def get_license_status(work: UnitOfWork, *, actor: Actor) -> Standing:
    """How the hub stands with its licence, seats counted. Raises NotSignedIn."""
    if actor.is_anonymous:
        raise NotSignedIn("Sign in to see the licence.")
    return work.context[LICENSING].standing(work)
