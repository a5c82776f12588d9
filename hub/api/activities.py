"""REST of who follows what, of what people did, and of downloads by day. Ours: the contract has no routes for these."""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.accounts import service as accounts
from hub.accounts.models import Namespace, User
from hub.api import activity_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.ids import ROW_ID
from hub.api.schemas import PageQuery
from hub.assets.service import feed, follows
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.pictures import picture_url
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos.downloads import list_days, list_top_files

blp = RepositoryBlueprint("activities", __name__, url_prefix=PREFIX, description="Follows, feeds and downloads by day")

_USER = "/users/<username>"
_ORGANIZATION = "/organizations/<namespace>"
_COLLECTION = f"/collections/<{ROW_ID}:collection_id>"


def _of_user(work: UnitOfWork, username: str) -> Namespace:
    return accounts.get_visible_user(work, actor=current_actor(), name=username).namespace


def _of_organization(work: UnitOfWork, namespace: str) -> Namespace:
    return accounts.get_organization(work, namespace).namespace


def _person_view(user: User) -> dict[str, Any]:
    return {"username": user.name, "nickname": user.nickname, "avatar": picture_url(user.avatar)}


def _state_view(state: follows.FollowState) -> dict[str, Any]:
    return {"followers": state.followers, "following": state.is_following}


@blp.get(f"{_USER}/follow")
@blp.response(200, enveloped(schemas.FollowStateSchema))
def show_user_follow(username: str) -> dict[str, Any]:
    """How many follow a user, and whether the caller does."""
    with reading(current_context()) as work:
        return ok(_state_view(follows.follow_state(work, actor=current_actor(), namespace=_of_user(work, username))))


@blp.post(f"{_USER}/follow")
@blp.response(200, enveloped())
def follow_user(username: str) -> dict[str, Any]:
    """Follow a user. Harmless when one does already."""
    with unit_of_work(current_context()) as work:
        follows.follow_namespace(work, actor=current_actor(), namespace=_of_user(work, username))
    return ok()


@blp.delete(f"{_USER}/follow")
@blp.response(200, enveloped())
def unfollow_user(username: str) -> dict[str, Any]:
    """Follow a user no more. Harmless when one did not."""
    with unit_of_work(current_context()) as work:
        follows.unfollow_namespace(work, actor=current_actor(), namespace=_of_user(work, username))
    return ok()


@blp.get(f"{_USER}/followers")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.PersonSchema, many=True))
def list_user_followers(_query: dict[str, Any], username: str) -> dict[str, Any]:
    """Who follows a user, the newest first."""
    with reading(current_context()) as work:
        page = follows.list_followers(work, namespace=_of_user(work, username), page=page_args())
        return ok([_person_view(user) for user in page.items], total=page.total)


@blp.get(f"{_USER}/following")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.FollowedSchema, many=True))
def list_user_following(_query: dict[str, Any], username: str) -> dict[str, Any]:
    """The users and organisations that a user follows, the newest first."""
    with reading(current_context()) as work:
        user = accounts.get_visible_user(work, actor=current_actor(), name=username)
        page = follows.list_followed(work, user=user, page=page_args())
        return ok([_followed_view(namespace) for namespace in page.items], total=page.total)


def _followed_view(namespace: Namespace) -> dict[str, Any]:
    user, organization = namespace.user, namespace.organization
    return {
        "path": namespace.path,
        "type": namespace.kind.value,
        "nickname": user.nickname if user else organization.display_name if organization else "",
        "avatar": picture_url(user.avatar if user else organization.logo if organization else ""),
    }


@blp.get(f"{_ORGANIZATION}/follow")
@blp.response(200, enveloped(schemas.FollowStateSchema))
def show_organization_follow(namespace: str) -> dict[str, Any]:
    """How many follow an organisation, and whether the caller does."""
    with reading(current_context()) as work:
        found = _of_organization(work, namespace)
        return ok(_state_view(follows.follow_state(work, actor=current_actor(), namespace=found)))


@blp.post(f"{_ORGANIZATION}/follow")
@blp.response(200, enveloped())
def follow_organization(namespace: str) -> dict[str, Any]:
    """Follow an organisation. Harmless when one does already."""
    with unit_of_work(current_context()) as work:
        follows.follow_namespace(work, actor=current_actor(), namespace=_of_organization(work, namespace))
    return ok()


@blp.delete(f"{_ORGANIZATION}/follow")
@blp.response(200, enveloped())
def unfollow_organization(namespace: str) -> dict[str, Any]:
    """Follow an organisation no more. Harmless when one did not."""
    with unit_of_work(current_context()) as work:
        follows.unfollow_namespace(work, actor=current_actor(), namespace=_of_organization(work, namespace))
    return ok()


@blp.get(f"{_ORGANIZATION}/followers")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.PersonSchema, many=True))
def list_organization_followers(_query: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Who follows an organisation, the newest first."""
    with reading(current_context()) as work:
        page = follows.list_followers(work, namespace=_of_organization(work, namespace), page=page_args())
        return ok([_person_view(user) for user in page.items], total=page.total)


@blp.get(f"{_COLLECTION}/follow")
@blp.response(200, enveloped(schemas.FollowStateSchema))
def show_collection_follow(collection_id: int) -> dict[str, Any]:
    """How many follow a collection, and whether the caller does."""
    with reading(current_context()) as work:
        state = follows.collection_follow_state(work, actor=current_actor(), collection_id=collection_id)
        return ok(_state_view(state))


@blp.post(f"{_COLLECTION}/follow")
@blp.response(200, enveloped())
def follow_collection(collection_id: int) -> dict[str, Any]:
    """Follow a collection. Harmless when one does already."""
    with unit_of_work(current_context()) as work:
        follows.follow_collection(work, actor=current_actor(), collection_id=collection_id)
    return ok()


@blp.delete(f"{_COLLECTION}/follow")
@blp.response(200, enveloped())
def unfollow_collection(collection_id: int) -> dict[str, Any]:
    """Follow a collection no more. Harmless when one did not."""
    with unit_of_work(current_context()) as work:
        follows.unfollow_collection(work, actor=current_actor(), collection_id=collection_id)
    return ok()


@blp.get(f"{_COLLECTION}/followers")
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.PersonSchema, many=True))
def list_collection_followers(_query: dict[str, Any], collection_id: int) -> dict[str, Any]:
    """Who follows a collection, the newest first."""
    with reading(current_context()) as work:
        page = follows.list_collection_followers(
            work, actor=current_actor(), collection_id=collection_id, page=page_args()
        )
        return ok([_person_view(user) for user in page.items], total=page.total)


def _activities_view(page: feed.ActivityPage) -> dict[str, Any]:
    return {"activities": [_activity_view(activity) for activity in page.items], "next_cursor": page.next_cursor}


def _activity_view(activity: feed.ShownActivity) -> dict[str, Any]:
    repository, collection = activity.repository, activity.collection
    return {
        "id": activity.id,
        "type": activity.type,
        "user": _person_view(activity.actor),
        "namespace": activity.namespace.path if activity.namespace else "",
        "repository": repository
        and {
            "id": repository.id,
            "type": repository.kind,
            "path": repository.path,
            "nickname": repository.nickname or repository.name,
            "private": repository.is_private,
        },
        "collection": collection
        and {
            "id": collection.id,
            "namespace": collection.namespace.path,
            "name": collection.name,
            "nickname": collection.nickname or collection.name,
        },
        "data": activity.data,
        "count": activity.count,
        "day": activity.day,
        "created_at": activity.created_at,
    }


@blp.get("/feed")
@blp.arguments(schemas.CursorQuery, location="query")
@blp.response(200, enveloped(schemas.ActivitiesSchema))
def show_feed(query: dict[str, Any]) -> Response:
    """What others did: those whom the caller follows, and in the caller's organisations, collections and own things."""
    with reading(current_context()) as work:
        page = feed.read_feed(work, actor=current_actor(), **query)
        return send_json(ok(_activities_view(page)))


@blp.get(f"{_USER}/activities")
@blp.arguments(schemas.CursorQuery, location="query")
@blp.response(200, enveloped(schemas.ActivitiesSchema))
def list_activities(query: dict[str, Any], username: str) -> Response:
    """What a user did, as far as the caller may see it, the newest first."""
    actor = current_actor()
    with reading(current_context()) as work:
        user = accounts.get_visible_user(work, actor=actor, name=username)
        return send_json(ok(_activities_view(feed.list_activities(work, actor=actor, user=user, **query))))


@blp.get(f"{_USER}/activity_map")
@blp.response(200, enveloped(schemas.ActivityMapSchema))
def show_activity_map(username: str) -> Response:
    """How much a user did on each day of the last year, as far as the caller may see it."""
    actor = current_actor()
    with reading(current_context()) as work:
        user = accounts.get_visible_user(work, actor=actor, name=username)
        days = feed.count_by_day(work, actor=actor, user=user)
    view = [{"date": day, "count": count} for day, count in days.items()]
    return send_json(ok({"total": sum(days.values()), "days": view}))


@blp.at("/downloads")
@blp.arguments(schemas.DownloadsQuery, location="query")
@blp.response(200, enveloped(schemas.DownloadsSchema))
def show_downloads(query: dict[str, Any], address: Address) -> Response:
    """The downloads of the last days, and the files that were downloaded most (in the last 30 of them)."""
    with reading(current_context()) as work:
        repository = address.show(work)
        [days] = list_days(work, repository_ids=[repository.id], days=query["days"]).values()
        files = list_top_files(work, repository_id=repository.id, days=query["days"], limit=query["limit"])
    view = {
        "total": repository.download_count,
        "recent": sum(day.downloads for day in days),
        "days": [{"date": day.day, "downloads": day.downloads, "clients": day.clients} for day in days],
        "files": [{"path": path, "downloads": count} for path, count in files],
    }
    return send_json(ok(view))
