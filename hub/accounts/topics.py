"""What of the room's events is told outside the hub."""

from __future__ import annotations

from hub.accounts.events import MemberAdded, MemberChanged, MemberRemoved
from hub.accounts.models import Organization, User
from hub.base.context import Context
from hub.base.topics import TOPICS, Told, Topic, add_topic
from hub.db.uow import UnitOfWork

_MemberEvent = MemberAdded | MemberChanged | MemberRemoved


def install(context: Context) -> None:
    """Add the room's topics; done once, by ``build_context``."""
    for topic in (
        Topic("member.added", "Somebody became a member of an organisation.", MemberAdded, _tell_member),
        Topic("member.changed", "A member of an organisation has another role.", MemberChanged, _tell_member),
        Topic("member.removed", "A membership in an organisation ended.", MemberRemoved, _tell_member),
    ):
        add_topic(context[TOPICS], topic)


def _tell_member(work: UnitOfWork, event: _MemberEvent) -> Told | None:
    organization = work.session.get(Organization, event.organization_id)
    user = work.session.get(User, event.user_id)
    if organization is None or user is None:
        return None
    data = {
        "organization": {"path": organization.name, "uuid": organization.uuid},
        "user": {"username": user.name, "uuid": user.uuid},
        "role": event.role.value,
    }
    if isinstance(event, MemberChanged):
        data["old_role"] = event.old_role.value
    # The role is not public; who hears of this namespace administers it.
    return Told(data, namespace_id=event.namespace_id)
