"""Bodies and answers of the notification routes.

Source of the names: CSGHub contract, section 4.7, and csghub-server's common/types/notification.go. Moments are Unix
seconds here, as that platform's pages read them.
"""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.envelope import enveloped, valued
from hub.api.ids import row_id
from hub.api.schemas import Body, PageNumber
from hub.community.models import NotificationEvent, NotificationType
from hub.community.service.channels import PAIRS
from hub.community.service.notifications import (
    MAX_MESSAGE_CHARS,
    MAX_SEARCH_CHARS,
    MAX_SUMMARY_CHARS,
    MAX_URL_CHARS,
)
from hub.community.service.texts import MAX_TITLE_CHARS

TYPES = [type.value for type in NotificationType]
MAX_AT_ONCE = 1000

_TYPES = {"description": ", ".join(TYPES)}
_EVENTS = {"description": ", ".join(event.value for event in NotificationEvent)}
_EPOCH = {"description": "Unix seconds"}
_CLOCK = validate.Regexp(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z|\Z", error="Not a time of day as HH:MM.")


class NotificationsQuery(Body):
    page = PageNumber(metadata={"description": "from 1"})
    page_size = PageNumber(metadata={"description": "1 to 100, 10 by default"})
    notification_type = fields.String(load_default="", metadata=_TYPES)
    event = fields.String(load_default="", metadata=_EVENTS)
    unread_only = fields.Boolean(load_default=False)
    archived = fields.Boolean(
        load_default=None,
        allow_none=True,
        metadata={"description": "only those that are put away, or only the others; absent: all"},
    )
    title = fields.String(
        load_default="", validate=validate.Length(max=MAX_SEARCH_CHARS), metadata={"description": "a part of the title"}
    )


class TimeZoneQuery(Body):
    timezone = fields.String(
        load_default="",
        metadata={"description": "a name of the IANA database; empty: that of the setting", "example": "Asia/Shanghai"},
    )


class ChosenNotificationsBody(Body):
    """Which notifications: some, or all."""

    ids = fields.List(row_id(), load_default=list, validate=validate.Length(max=MAX_AT_ONCE))
    mark_all = fields.Boolean(load_default=False, metadata={"description": "all of them; ids are not looked at"})


class NotificationSchema(Schema):
    id = fields.Integer()
    msg_uuid = fields.String()
    user_uuid = fields.String(metadata={"description": "whose it is"})
    sender_uuid = fields.String(metadata={"description": "the user who caused it; empty: the hub"})
    notification_type = fields.String(metadata=_TYPES)
    event = fields.String(metadata=_EVENTS)
    title = fields.String()
    summary = fields.String()
    content = fields.String()
    click_action_url = fields.String(metadata={"description": "where it leads: a path on this hub, a link, or empty"})
    template = fields.String(metadata={"description": "empty: title and content are to be shown as they are"})
    payload = fields.Dict(metadata={"description": "what a template would need"})
    is_archived = fields.Boolean()
    is_read = fields.Boolean()
    read_at = fields.Integer(allow_none=True, metadata=_EPOCH)
    created_at = fields.Integer(metadata=_EPOCH)
    updated_at = fields.Integer(metadata=_EPOCH)


class InboxSchema(Schema):
    messages = fields.List(fields.Nested(NotificationSchema))
    unread_count = fields.Integer(metadata={"description": "of all types and pages"})
    total_count = fields.Integer(metadata={"description": "of all pages"})


class PolledNotificationsSchema(Schema):
    next_poll_time = fields.DateTime(metadata={"description": "when to ask again"})
    data = fields.List(fields.Nested(NotificationSchema))


class NotificationSettingBody(Body):
    """Absent members stay as they are."""

    sub_notification_type = fields.List(
        fields.String(validate=validate.OneOf(TYPES)),
        validate=validate.Length(max=MAX_AT_ONCE),
        metadata={"description": "what the user wants to be told"},
    )
    email_address = fields.String(metadata={"description": "empty: that of the account"})
    is_email_notification_enabled = fields.Boolean(
        metadata={"description": "also by e-mail, as far as the hub sends any"}
    )
    channels = fields.List(
        fields.String(validate=validate.OneOf(PAIRS)),
        validate=validate.Length(max=MAX_AT_ONCE),
        metadata={"description": f"what is told where, and nothing else: {', '.join(PAIRS)}"},
    )
    message_ttl = fields.Integer(
        strict=True,
        validate=validate.Range(min=0, max=2**63 - 1),
        metadata={"description": "for how many seconds one keeps notifications, a day to a year; 0: as the hub does"},
    )
    phone_number = fields.String(validate=validate.Regexp(r"[+0-9 ()-]{0,32}\Z", error="Not a telephone number."))
    is_sms_notification_enabled = fields.Boolean(metadata={"description": "a wish: this hub sends no messages"})
    do_not_disturb_start = fields.String(validate=_CLOCK, metadata={"example": "22:00"})
    do_not_disturb_end = fields.String(validate=_CLOCK, metadata={"example": "07:00"})
    is_do_not_disturb_enabled = fields.Boolean(
        metadata={"description": "polls give nothing between the two, and no e-mail is sent"}
    )
    timezone = fields.String(
        validate=validate.Length(max=64), metadata={"description": "of the two times: a name of the IANA database"}
    )


class NotificationSettingSchema(Schema):
    user_uuid = fields.String()
    sub_notification_type = fields.List(fields.String())
    email_address = fields.String()
    is_email_notification_enabled = fields.Boolean()
    channels = fields.List(fields.String(), metadata={"description": "what is told where"})
    message_ttl = fields.Integer()
    phone_number = fields.String()
    is_sms_notification_enabled = fields.Boolean()
    do_not_disturb_start = fields.String()
    do_not_disturb_end = fields.String()
    is_do_not_disturb_enabled = fields.Boolean()
    timezone = fields.String()
    updated_at = fields.DateTime()


class NotificationBody(Body):
    """What a site administrator has to say."""

    title = fields.String(required=True, validate=validate.Length(min=1, max=MAX_TITLE_CHARS))
    content = fields.String(required=True, validate=validate.Length(min=1, max=MAX_MESSAGE_CHARS))
    summary = fields.String(load_default="", validate=validate.Length(max=MAX_SUMMARY_CHARS))
    notification_type = fields.String(
        load_default=NotificationType.SYSTEM.value, validate=validate.OneOf(TYPES), metadata=_TYPES
    )
    click_action_url = fields.String(load_default="", validate=validate.Length(max=MAX_URL_CHARS))
    user_uuids = fields.List(
        fields.String(validate=validate.Length(max=36)),
        load_default=None,
        allow_none=True,
        validate=validate.Length(min=1, max=MAX_AT_ONCE),
        metadata={"description": "to whom; absent: to every user"},
    )


class SentNotificationSchema(Schema):
    msg_uuid = fields.String(metadata={"description": "the message; each user's own copy has another"})


InboxEnvelope = enveloped(InboxSchema)
PolledEnvelope = enveloped(PolledNotificationsSchema)
SettingEnvelope = enveloped(NotificationSettingSchema)
SentEnvelope = enveloped(SentNotificationSchema)
CountEnvelope = valued(fields.Integer(), "UnreadCount")
TypesEnvelope = valued(fields.List(fields.String()), "NotificationTypes")
