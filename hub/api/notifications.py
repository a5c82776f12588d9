"""REST of notifications. Contract: CSGHub, section 4.7."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import request

from hub.accounts.models import User
from hub.accounts.service import get_own_user
from hub.accounts.service.fields import validate_email
from hub.api import notification_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.base.errors import Invalid
from hub.community.models import Notification, NotificationSetting
from hub.community.service import notifications as service
from hub.community.service.channels import chosen
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("notifications", __name__, url_prefix=PREFIX, description="Notifications")

_PAGE_SIZE = 10
# Members of a setting that are kept as they come, with what they are when nobody said.
_OPTIONS: dict[str, Any] = {
    "email_address": "",
    "message_ttl": 0,
    "phone_number": "",
    "is_sms_notification_enabled": False,
    "do_not_disturb_start": "",
    "do_not_disturb_end": "",
    "is_do_not_disturb_enabled": False,
    "timezone": "",
}


def _view(notification: Notification, user_uuid: str) -> dict[str, Any]:
    return {
        "id": notification.id,
        "msg_uuid": notification.uuid,
        "user_uuid": user_uuid,
        "sender_uuid": notification.sender_uuid,
        "notification_type": notification.type,
        "event": notification.event or notification.type,
        "title": notification.title,
        "summary": notification.summary,
        "content": notification.content,
        "click_action_url": notification.url,
        "template": "",
        "payload": {},
        "is_archived": notification.archived_at is not None,
        "is_read": notification.read_at is not None,
        "read_at": _epoch(notification.read_at) if notification.read_at else None,
        "created_at": _epoch(notification.created_at),
        "updated_at": _epoch(notification.read_at or notification.created_at),
    }


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def _setting_view(user: User, setting: NotificationSetting) -> dict[str, Any]:
    view = {
        "user_uuid": user.uuid,
        "sub_notification_type": setting.types,
        "is_email_notification_enabled": setting.wants_email,
        "channels": chosen(setting),
        "updated_at": setting.updated_at,
    }
    view |= _OPTIONS | {name: value for name, value in setting.options.items() if name in _OPTIONS}
    return view | {"email_address": view["email_address"] or user.email}


@blp.get("/notifications")
@blp.arguments(schemas.NotificationsQuery, location="query")
@blp.response(200, schemas.InboxEnvelope)
def list_notifications(query: dict[str, Any]) -> dict[str, Any]:
    """The caller's notifications, newest first. Pages are counted by ``page`` and ``page_size``."""
    with reading(current_context()) as work:
        inbox = service.list_notifications(
            work,
            actor=current_actor(),
            type=query["notification_type"],
            event=query["event"],
            is_unread_only=query["unread_only"],
            is_archived=query["archived"],
            title=query["title"],
            page=page_args(per="page_size", default=_PAGE_SIZE),
        )
    messages = [_view(notification, inbox.user_uuid) for notification in inbox.page.items]
    return ok({"messages": messages, "unread_count": inbox.unread, "total_count": inbox.page.total})


@blp.get("/notifications/count")
@blp.response(200, schemas.CountEnvelope)
def count_notifications() -> dict[str, Any]:
    """How many of the caller's notifications are unread."""
    with reading(current_context()) as work:
        return ok(service.count_unread(work, actor=current_actor()))


@blp.get("/notifications/poll/<int:limit>")
@blp.arguments(schemas.TimeZoneQuery, location="query")
@blp.response(200, schemas.PolledEnvelope)
def poll_notifications(query: dict[str, Any], limit: int) -> dict[str, Any]:
    """Unread notifications that no poll has given yet, oldest first, at most 100; each is given once.

    A token that may only read, and HEAD, leave them to be given again.
    """
    polled = service.poll(
        current_context(),
        actor=current_actor(),
        limit=limit,
        timezone=query["timezone"],
        is_look=request.method == "HEAD",
    )
    data = [_view(notification, polled.user_uuid) for notification in polled.items]
    return ok({"next_poll_time": polled.next_poll_at, "data": data})


@blp.get("/notifications/message-types")
@blp.response(200, schemas.TypesEnvelope)
def list_notification_types() -> dict[str, Any]:
    """The types of notifications that there are."""
    with reading(current_context()) as work:
        get_own_user(work, actor=current_actor())
    return ok(schemas.TYPES)


@blp.put("/notifications/read")
@blp.arguments(schemas.ChosenNotificationsBody)
@blp.response(200, enveloped())
def mark_as_read(body: dict[str, Any]) -> dict[str, Any]:
    """Mark some of the caller's notifications, or all, as read."""
    with unit_of_work(current_context()) as work:
        service.mark(work, actor=current_actor(), ids=_chosen(body), is_read=True)
    return ok()


@blp.put("/notifications/unread")
@blp.arguments(schemas.ChosenNotificationsBody)
@blp.response(200, enveloped())
def mark_as_unread(body: dict[str, Any]) -> dict[str, Any]:
    """Mark some of the caller's notifications, or all, as unread."""
    with unit_of_work(current_context()) as work:
        service.mark(work, actor=current_actor(), ids=_chosen(body), is_read=False)
    return ok()


@blp.put("/notifications/archive")
@blp.arguments(schemas.ChosenNotificationsBody)
@blp.response(200, enveloped())
def archive_notifications(body: dict[str, Any]) -> dict[str, Any]:
    """Put some of the caller's notifications away, or all that are read; what is put away counts as read."""
    with unit_of_work(current_context()) as work:
        service.archive(work, actor=current_actor(), ids=_chosen(body), is_archived=True)
    return ok()


@blp.put("/notifications/unarchive")
@blp.arguments(schemas.ChosenNotificationsBody)
@blp.response(200, enveloped())
def unarchive_notifications(body: dict[str, Any]) -> dict[str, Any]:
    """Take some of the caller's notifications, or all, back from where they were put away."""
    with unit_of_work(current_context()) as work:
        service.archive(work, actor=current_actor(), ids=_chosen(body), is_archived=False)
    return ok()


@blp.delete("/notifications")
@blp.arguments(schemas.ChosenNotificationsBody)
@blp.response(200, enveloped())
def delete_notifications(body: dict[str, Any]) -> dict[str, Any]:
    """Delete some of the caller's notifications, or all."""
    with unit_of_work(current_context()) as work:
        service.remove(work, actor=current_actor(), ids=_chosen(body))
    return ok()


def _chosen(body: dict[str, Any]) -> list[int] | None:
    if body["mark_all"]:
        return None
    if not body["ids"]:
        raise Invalid("Name some 'ids', or set 'mark_all'.", code="REQ-ERR-4", member="ids")
    ids: list[int] = body["ids"]
    return ids


@blp.get("/notifications/setting")
@blp.arguments(schemas.TimeZoneQuery, location="query")
@blp.response(200, schemas.SettingEnvelope)
def show_notification_setting(query: dict[str, Any]) -> dict[str, Any]:
    """What the caller wants to be told; times are in the setting's own time zone, whatever ``timezone`` says."""
    with reading(current_context()) as work:
        return ok(_setting_view(*service.get_setting(work, actor=current_actor())))


@blp.put("/notifications/setting")
@blp.arguments(schemas.NotificationSettingBody)
@blp.response(200, schemas.SettingEnvelope)
def update_notification_setting(body: dict[str, Any]) -> dict[str, Any]:
    """Say what one wants to be told."""
    if body.get("email_address"):
        body["email_address"] = validate_email(body["email_address"])
    with unit_of_work(current_context()) as work:
        setting = service.update_setting(
            work,
            actor=current_actor(),
            types=body.get("sub_notification_type"),
            wants_email=body.get("is_email_notification_enabled"),
            channels=body.get("channels"),
            options={name: body[name] for name in _OPTIONS if name in body},
        )
        return ok(_setting_view(*setting))


@blp.post("/notifications")
@blp.arguments(schemas.NotificationBody)
@blp.response(200, schemas.SentEnvelope)
def send_notification(body: dict[str, Any]) -> dict[str, Any]:
    """Send a message to some users or to all, for site administrators; it arrives by and by."""
    with unit_of_work(current_context()) as work:
        notice = service.send(
            work,
            actor=current_actor(),
            title=body["title"],
            content=body["content"],
            summary=body["summary"],
            url=body["click_action_url"],
            type=body["notification_type"],
            user_uuids=body["user_uuids"],
        )
    return ok({"msg_uuid": notice.key})
