"""REST of the hub's licence. Routes: gateways contract, section 5.3; issuing is the vendor's command, not ours."""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.accounts.service import licenses as service
from hub.api import license_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.api.ids import ROW_ID
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import ApiBlueprint
from hub.licensing.judge import Audience, Standing
from hub.licensing.models import StoredLicense
from hub.licensing.service import LICENSING

blp = ApiBlueprint("licenses", __name__, url_prefix="/api/v1/licenses", description="The hub's licence")


@blp.get("")
@blp.arguments(schemas.LicensesQuery, location="query")
@blp.response(200, enveloped(schemas.StoredLicenseSchema, many=True))
def list_licenses(query: dict[str, Any]) -> dict[str, Any]:
    """Licences that were installed here, newest first; for site administrators."""
    with reading(current_context()) as work:
        page = service.list_licenses(
            work,
            actor=current_actor(),
            product=query["product"],
            edition=query["edition"],
            search=query["search"],
            page=page_args(),
        )
    return ok([stored_view(stored) for stored in page.items], total=page.total)


@blp.get(f"/management/<{ROW_ID}:license_id>")
@blp.arguments(schemas.LicenseQuery, location="query")
@blp.response(200, enveloped(schemas.StoredLicenseSchema))
def show_license(query: dict[str, Any], license_id: int) -> dict[str, Any] | Response:
    """One of those, or with ``create_license_file=true`` its file."""
    with reading(current_context()) as work:
        stored = service.get_license(work, actor=current_actor(), license_id=license_id)
    if query["create_license_file"]:
        return _as_file(stored.text, f"hub-{stored.id}.license")
    return ok(stored_view(stored))


@blp.put("/import")
@blp.arguments(schemas.ImportBody)
@blp.response(200, enveloped(schemas.ImportedSchema))
def import_license(body: dict[str, Any]) -> dict[str, Any]:
    """Install a licence, or a revocation list; for site administrators."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        done = service.import_license(work, actor=actor, text=body["data"], remark=body["remark"])
    with reading(current_context()) as work:
        # What is in force now, which after a revocation list is not what was imported.
        view = status_view(service.get_license_status(work, actor=actor), is_admin=True)
    return ok(view | {"revoked": done.revoked})


@blp.post("/verify")
@blp.arguments(schemas.LicenseBody)
@blp.response(200, enveloped(schemas.LicenseStatusSchema))
def verify_license(body: dict[str, Any]) -> dict[str, Any]:
    """What a licence would be worth on this hub, without installing it; for site administrators."""
    with reading(current_context()) as work:
        standing = service.verify_license(work, actor=current_actor(), text=body["data"])
        return ok(status_view(standing, is_admin=True))


@blp.delete(f"/<{ROW_ID}:license_id>")
@blp.response(200, enveloped(schemas.StoredLicenseSchema))
def remove_license(license_id: int) -> dict[str, Any]:
    """Take a licence out of force; for site administrators."""
    with unit_of_work(current_context()) as work:
        return ok(stored_view(service.remove_license(work, actor=current_actor(), license_id=license_id)))


@blp.get("/status")
@blp.response(200, enveloped(schemas.LicenseStatusSchema))
def show_status() -> dict[str, Any]:
    """How the hub stands with its licence, and what the caller should know about it."""
    actor = current_actor()
    with reading(current_context()) as work:
        return ok(status_view(service.get_license_status(work, actor=actor), is_admin=actor.is_admin))


@blp.get("/request")
@blp.response(200, content_type="text/plain", description="The armoured request")
def show_request() -> Response:
    """What to send to the vendor for a licence that is bound to this hub; for site administrators."""
    with unit_of_work(current_context()) as work:
        return _as_file(service.make_request(work, actor=current_actor()), "hub.request")


def _as_file(text: str, name: str) -> Response:
    response = Response(text, mimetype="text/plain")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def stored_view(stored: StoredLicense) -> dict[str, Any]:
    """A stored licence as lists show it."""
    names = schemas.StoredLicenseSchema._declared_fields
    return {name: getattr(stored, name) for name in names} | {"status": stored.status.value}


def status_view(standing: Standing, *, is_admin: bool) -> dict[str, Any]:
    """A standing as clients read it. Notices for administrators are left out for everybody else."""
    license = standing.license
    view: dict[str, Any] = {
        "id": standing.row_id,
        "users": standing.usage["users"],
        "state": standing.state.value,
        "reason": standing.reason,
        "message": standing.message,
        "days_left": standing.days_left,
        "active_edition": standing.edition_name,
        "features": sorted(license.features) if license and standing.is_in_force else [],
        "limits": current_context()[LICENSING].limits(standing),
        "notices": [
            {"audience": notice.audience.value, "text": notice.text}
            for notice in standing.notices
            if is_admin or notice.audience is Audience.EVERYONE
        ],
    }
    if license is not None:
        view |= {
            "license_id": license.id,
            "key": license.key,
            "company": license.company,
            "email": license.email,
            "product": license.product,
            "edition": license.edition,
            "max_user": license.max_user,
            "start_time": license.start_time,
            "expire_time": license.expire_time,
            "extra": dict(license.extra),
            "version": license.version,
        }
    return view
