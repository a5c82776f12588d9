"""REST of users: their records, the directory, their going. Routes: CSGHub contract, section 4.6."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flask import Response, stream_with_context

from hub.accounts import service
from hub.accounts.models import User
from hub.accounts.policy import Action, Actor, can, require_site_admin
from hub.accounts.service import email_codes
from hub.accounts.service.directory import export_users
from hub.accounts.service.verifications import statuses_of
from hub.api import account_schemas as schemas
from hub.api.account_views import organization_view, private_user_view, public_user_view, user_view
from hub.api.envelope import enveloped, ok, paged
from hub.api.organizations import organization_filter
from hub.base.errors import NotFound
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("users", __name__, url_prefix=PREFIX, description="Users")

_EXPORTED = (
    *("username", "nickname", "email", "uuid", "roles", "labels", "verify_status", "is_active"),
    *("created_at", "last_login_at"),
)


@blp.get("/users")
@blp.arguments(schemas.UsersQuery, location="query")
@blp.response(200, enveloped(schemas.UserSchema, paged=True))
def list_users(query: dict[str, Any]) -> dict[str, Any]:
    """Users by name, for those who are signed in.

    Private members, and narrowing and sorting by them, are for site administrators.
    """
    return users_page(current_actor(), query)


def users_page(actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """A page of the directory, as a query asks for it; private members for site administrators."""
    wanted = service.UserFilter(
        search=query["search"],
        is_exact=query["exact_match"],
        verify_status=query["verify_status"],
        labels=[label for text in query["labels"] for label in text.split(",") if label],
        is_active=query.get("is_active"),
        is_admin=query.get("is_admin"),
        sort_by=query["sort_by"],
        is_descending=query["sort_order"] == "desc",
    )
    with reading(current_context()) as work:
        page = service.list_users(work, actor=actor, wanted=wanted, page=page_args())
        sees_all = can(work, actor, Action.SITE_ADMIN)
        statuses = statuses_of(work, User.resource_type, [user.id for user in page.items]) if sees_all else {}
    views = [
        public_user_view(user) | (private_user_view(user, statuses.get(user.id)) if sees_all else {})
        for user in page.items
    ]
    return paged(views, page.total)


@blp.get("/users/stream-export")
@blp.response(200, content_type="text/csv", description="one line a user, the first with the names of the columns")
def export() -> Response:
    """All users as CSV, for site administrators; sent as it is read, however many there are."""
    portions = export_users(current_context(), actor=current_actor())
    headers = {"Content-Disposition": 'attachment; filename="users.csv"', "Cache-Control": "no-store"}
    return Response(stream_with_context(_csv_lines(portions)), mimetype="text/csv", headers=headers)


def _csv_lines(portions: Iterable[Sequence[tuple[User, str]]]) -> Iterator[str]:
    yield _csv([_EXPORTED])
    for portion in portions:
        views = [public_user_view(user) | private_user_view(user, status) for user, status in portion]
        yield _csv([[_cell(view.get(name)) for name in _EXPORTED] for view in views])


def _csv(rows: Iterable[Iterable[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    return stream.getvalue()


def _cell(value: Any) -> str:
    """The value as text that no spreadsheet takes for a formula. Source: OWASP, CSV injection."""
    if isinstance(value, list):
        value = " ".join(value)
    text = "" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


@blp.get("/user/<username>")
@blp.arguments(schemas.UserQuery, location="query")
@blp.response(200, enveloped(schemas.UserSchema))
def get_user(query: dict[str, Any], username: str) -> dict[str, Any]:
    """One user, by name or (``?type=uuid``) by uuid; private members for the user and site administrators.

    An account that is switched off is shown to site administrators only.
    """
    actor = current_actor()
    by_uuid = query["type"] == "uuid"
    with reading(current_context()) as work:
        user = service.get_visible_user(
            work, actor=actor, name="" if by_uuid else username, uuid=username if by_uuid else ""
        )
        return ok(user_view(work, actor, user))


def get_user_by_uuid(work: UnitOfWork, uuid: str) -> User:
    """The user with that public identifier. Raises NotFound (``user_not_found``)."""
    user = service.find_user_by_uuid(work, uuid)
    if user is None:
        raise NotFound("There is no such user.", code="user_not_found")
    return user


@blp.put("/user/<uuid>")
@blp.arguments(schemas.UpdateUserBody)
@blp.response(200, enveloped(schemas.UserSchema))
def update_user(body: dict[str, Any], uuid: str) -> dict[str, Any]:
    """Change a user's record; the path holds the **uuid**."""
    actor = current_actor()
    roles = body.get("roles")
    with unit_of_work(current_context()) as work:
        user = service.update_user(
            work,
            actor=actor,
            user=get_user_by_uuid(work, uuid),
            email=body.get("email"),
            nickname=body.get("nickname", body.get("name")),
            bio=body.get("bio"),
            homepage=body.get("homepage"),
            avatar=body.get("avatar"),
            is_admin=None if roles is None else not {"admin", "super_user"}.isdisjoint(roles),
            email_code=body["email_verification_code"],
            time_zone=body.get("time_zone"),
        )
        if body.get("new_username"):
            service.rename_user(work, actor=actor, user=user, new_name=body["new_username"])
        return ok(user_view(work, actor, user))


@blp.post("/user/email-verification-code/<email>")
@blp.response(200, enveloped(schemas.EmailCodeSchema))
def send_email_code(email: str) -> dict[str, Any]:
    """Have a code sent to an address that one wants to have; ``PUT /user/{uuid}`` takes it with the address."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        user = service.get_own_user(work, actor=actor)
        return ok({"email": email_codes.ask_for_code(work, actor=actor, user=user, email=email)})


@blp.put("/user/labels")
@blp.arguments(schemas.UserLabelsBody)
@blp.response(200, enveloped(schemas.UserSchema))
def set_labels(body: dict[str, Any]) -> dict[str, Any]:
    """Give a user these labels and no others; for site administrators."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        require_site_admin(work, actor)
        user = get_user_by_uuid(work, body["id"])
        return ok(user_view(work, actor, service.set_labels(work, actor=actor, user=user, labels=body["labels"])))


@blp.delete("/user/<username>")
@blp.arguments(schemas.DepartureQuery, location="query")
@blp.response(200, enveloped())
def delete_user(query: dict[str, Any], username: str) -> dict[str, Any]:
    """Delete an account for good; for site administrators.

    Refused with USER-ERR-14 for a site administrator, USER-ERR-15 for the last owner of an organisation, USER-ERR-16
    and 17 where there are deployments or bills; and while there are repositories, unless ``repository=true``.
    """
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        service.delete_user(
            work,
            actor=actor,
            name=username,
            with_repositories=query["repository"],
            with_discussions=query["discussion"],
        )
    return ok()


@blp.delete("/user/<username>/close_account")
@blp.arguments(schemas.DepartureQuery, location="query")
@blp.response(200, enveloped())
def close_account(query: dict[str, Any], username: str) -> dict[str, Any]:
    """Delete one's own account for good, by session, password or a token of scope admin; refused as for others."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        service.close_account(
            work,
            actor=actor,
            name=username,
            with_repositories=query["repository"],
            with_discussions=query["discussion"],
        )
    return ok()


@blp.get("/user/<username>/organizations")
@blp.arguments(schemas.UserOrganizationsQuery, location="query")
@blp.response(200, enveloped(schemas.OrganizationSchema, paged=True))
def list_user_organizations(query: dict[str, Any], username: str) -> dict[str, Any]:
    """The organisations that a user belongs to; narrowing by role is for the user and for site administrators."""
    actor = current_actor()
    with reading(current_context()) as work:
        page = service.list_user_organizations(
            work,
            actor=actor,
            user=service.get_visible_user(work, actor=actor, name=username),
            wanted=organization_filter(query),
            role=query["role"],
            page=page_args(),
        )
        return paged([organization_view(organization, role) for organization, role in page.items], page.total)
