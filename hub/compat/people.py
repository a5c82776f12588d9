"""Users, organisations and likes, as huggingface_hub asks for them. Source: Hugging Face contract, sections 3 and 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response

from hub.accounts import service as accounts
from hub.accounts.models import Namespace, NamespaceKind, Organization, User
from hub.accounts.policy import Action, require
from hub.assets import service as assets
from hub.assets.service import follows
from hub.base.paging import MAX_PER, PageArgs
from hub.community.service.discussions import count_opened
from hub.compat import people_schemas as schemas
from hub.compat import views
from hub.compat.addresses import CompatBlueprint, Place, next_link
from hub.compat.schemas import HubDoneSchema
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.pictures import picture_url
from hub.repos.counts import count_by_kind, stored_bytes
from hub.repos.models import Repository
from hub.repos.service import list_repositories

blp = CompatBlueprint("people", __name__, description="Users, organisations and likes, as huggingface_hub asks")

# Of these kinds its clients know.
_KINDS = ("model", "dataset", "space")
_ME = "/api/settings/repositories"
_USER = "/api/users/<username>"
_ORGANIZATION = "/api/organizations/<namespace>"


def _brief(name: str, fullname: str, avatar: str) -> dict[str, Any]:
    return {"user": name, "fullname": fullname or name, "avatarUrl": picture_url(avatar), "type": "user"}


def _organization_view(organization: Organization) -> dict[str, Any]:
    return {
        "name": organization.name,
        "fullname": organization.display_name or organization.name,
        "avatarUrl": picture_url(organization.logo),
    }


def _numbers(counts: Mapping[str, int]) -> dict[str, int]:
    return {f"num{kind.capitalize()}s": counts.get(kind, 0) for kind in _KINDS}


def _page(query: Mapping[str, int]) -> PageArgs:
    return PageArgs(query["cursor"], MAX_PER)


def _send(items: Sequence[dict[str, Any]], page: PageArgs) -> Response:
    """A page of a list, with the way to the next one where this one is full."""
    link = {"Link": next_link(cursor=str(page.page + 1))} if len(items) == page.per else None
    return views.send_json(items, link)


def _user(work: UnitOfWork, username: str) -> User:
    return accounts.get_visible_user(work, actor=current_actor(), name=username)


@blp.get(f"{_USER}/overview")
@blp.response(200, schemas.HubUserSchema)
def show_user(username: str) -> Response:
    """A user, with the organisations that they belong to (at most 100) and how much there is of theirs."""
    actor = current_actor()
    with reading(current_context()) as work:
        user = _user(work, username)
        organizations = accounts.list_user_organizations(work, actor=actor, user=user, page=PageArgs(per=MAX_PER))
        state = follows.follow_state(work, actor=actor, namespace=user.namespace)
        view = _brief(user.name, user.nickname, user.avatar) | {
            "isPro": False,
            "isFollowing": state.is_following,
            "details": user.bio,
            **_numbers(count_by_kind(work, actor=actor, namespace_id=user.namespace_id)),
            "numPapers": 0,
            "numUpvotes": 0,
            "numFollowing": follows.list_followed(work, user=user, page=PageArgs(per=1)).total,
            "numFollowers": state.followers,
            "numDiscussions": count_opened(work, actor=actor, user=user),
            "numLikes": assets.count_likes(work, actor=actor, user=user),
            "createdAt": views.time_text(user.created_at),
            "orgs": [_organization_view(organization) for organization, _ in organizations.items],
        }
    return views.send_json(view)


@blp.get(f"{_USER}/followers")
@blp.arguments(schemas.HubPageQuery, location="query")
@blp.response(200, schemas.HubPersonSchema(many=True))
def list_followers(query: dict[str, Any], username: str) -> Response:
    """Who follows a user, the newest first."""
    with reading(current_context()) as work:
        return _send_followers(work, _user(work, username).namespace, _page(query))


@blp.get(f"{_USER}/following")
@blp.arguments(schemas.HubPageQuery, location="query")
@blp.response(200, schemas.HubPersonSchema(many=True))
def list_following(query: dict[str, Any], username: str) -> Response:
    """The users that a user follows, the newest first; the client knows no organisations here."""
    page = _page(query)
    with reading(current_context()) as work:
        user = _user(work, username)
        followed = follows.list_followed(work, user=user, kind=NamespaceKind.USER, page=page).items
        people = [namespace.user for namespace in followed if namespace.user is not None]
    return _send([_brief(one.name, one.nickname, one.avatar) for one in people], page)


def _send_followers(work: UnitOfWork, namespace: Namespace, page: PageArgs) -> Response:
    users = follows.list_followers(work, namespace=namespace, page=page).items
    return _send([_brief(user.name, user.nickname, user.avatar) for user in users], page)


@blp.get(f"{_USER}/likes")
@blp.arguments(schemas.HubPageQuery, location="query")
@blp.response(200, schemas.HubLikeSchema(many=True))
def list_likes(query: dict[str, Any], username: str) -> Response:
    """What a user likes, as far as the caller, who is signed in, may see it; the newest first."""
    page, actor = _page(query), current_actor()
    with reading(current_context()) as work:
        found = assets.list_likes(work, actor=actor, user=_user(work, username), kinds=_KINDS, page=page)
    likes = [
        {"createdAt": views.time_text(like.created_at), "repo": {"name": like.path, "type": like.kind}}
        for like in found
    ]
    return _send(likes, page)


@blp.get(f"{_ORGANIZATION}/overview")
@blp.response(200, schemas.HubOrganizationOverviewSchema)
def show_organization(namespace: str) -> Response:
    """An organisation, and how much there is of its."""
    with reading(current_context()) as work:
        organization = accounts.get_organization(work, namespace)
        counts = count_by_kind(work, actor=current_actor(), namespace_id=organization.namespace_id)
        state = follows.follow_state(work, actor=current_actor(), namespace=organization.namespace)
        view = _organization_view(organization) | {
            "type": "org",
            "details": organization.description,
            "isVerified": organization.is_verified,
            "isFollowing": state.is_following,
            "numUsers": accounts.count_members(work, [organization.id]).get(organization.id, 0),
            **_numbers(counts),
            "numFollowers": state.followers,
            "numPapers": 0,
            "plan": None,
        }
    return views.send_json(view)


@blp.get(f"{_ORGANIZATION}/members")
@blp.arguments(schemas.HubPageQuery, location="query")
@blp.response(200, schemas.HubPersonSchema(many=True))
def list_members(query: dict[str, Any], namespace: str) -> Response:
    """Who belongs to an organisation, by name."""
    page = _page(query)
    with reading(current_context()) as work:
        organization = accounts.get_organization(work, namespace)
        members = accounts.list_members(work, actor=current_actor(), organization=organization, page=page).items
    return _send([_brief(member.name, member.nickname, member.avatar) for member in members], page)


@blp.get(f"{_ORGANIZATION}/followers")
@blp.arguments(schemas.HubPageQuery, location="query")
@blp.response(200, schemas.HubPersonSchema(many=True))
def list_organization_followers(query: dict[str, Any], namespace: str) -> Response:
    """Who follows an organisation, the newest first."""
    with reading(current_context()) as work:
        return _send_followers(work, accounts.get_organization(work, namespace).namespace, _page(query))


@blp.get(_ME)
@blp.arguments(schemas.HubPageQuery, location="query")
@blp.response(200, schemas.HubStoredSchema(many=True))
def list_own_repositories(query: dict[str, Any]) -> Response:
    """The caller's models, data sets and spaces, and the room that they take."""
    with reading(current_context()) as work:
        user = accounts.get_own_user(work, actor=current_actor())
        return _send_stored(work, user, _page(query))


@blp.get(f"{_ORGANIZATION}/settings/repositories")
@blp.arguments(schemas.HubPageQuery, location="query")
@blp.response(200, schemas.HubStoredSchema(many=True))
def list_organization_repositories(query: dict[str, Any], namespace: str) -> Response:
    """An organisation's models, data sets and spaces, and the room that they take; for its members."""
    with reading(current_context()) as work:
        organization = accounts.get_organization(work, namespace)
        require(work, current_actor(), Action.NAMESPACE_READ, organization, what="organization")
        return _send_stored(work, organization, _page(query))


def _send_stored(work: UnitOfWork, owner: User | Organization, page: PageArgs) -> Response:
    total = stored_bytes(work, namespace_id=owner.namespace_id)
    found = list_repositories(
        work,
        actor=current_actor(),
        namespace=owner.name,
        where=[Repository.kind.in_(_KINDS)],
        sort="recently_create",
        page=page,
    )
    items = []
    for repository in found.items:
        size = repository.git_size_bytes + repository.lfs_size_bytes
        items.append(
            {
                "id": repository.path,
                "type": repository.kind,
                "updatedAt": views.time_text(repository.updated_at),
                "visibility": "private" if repository.is_private else "public",
                "storage": size,
                "storagePercent": round(100 * size / total, 2) if total else 0,
            }
        )
    return _send(items, page)


@blp.at("/likers")
@blp.arguments(schemas.HubPageQuery, location="query")
@blp.response(200, schemas.HubPersonSchema(many=True))
def list_likers(query: dict[str, Any], place: Place) -> Response:
    """Who likes a repository, by name; for callers who are signed in."""
    page = _page(query)
    with reading(current_context()) as work:
        repository = place.load(work)
        users = assets.list_likers(work, actor=current_actor(), repository=repository, page=page)
    return _send([_brief(user.name, user.nickname, user.avatar) for user in users], page)


@blp.at("/like", method="POST")
@blp.response(200, HubDoneSchema)
def like(place: Place) -> dict[str, Any]:
    """Like a repository; harmless when one does already."""
    with unit_of_work(current_context()) as work:
        repository = place.load(work)
        user = accounts.get_own_user(work, actor=current_actor())
        assets.like_repository(work, actor=current_actor(), user=user, repository_id=repository.id)
    return {"success": True}


@blp.at("/like", method="DELETE")
@blp.response(200, HubDoneSchema)
def unlike(place: Place) -> dict[str, Any]:
    """Like a repository no more; harmless when one did not."""
    with unit_of_work(current_context()) as work:
        repository = place.load(work)
        user = accounts.get_own_user(work, actor=current_actor())
        assets.unlike_repository(work, actor=current_actor(), user=user, repository_id=repository.id)
    return {"success": True}
