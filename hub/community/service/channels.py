"""What of everything somebody wants to be told, and by which channel: on the pages, by e-mail, or not at all.

The platform's clients know a list of types, and whether there are e-mails at all. Ours choose by event and channel.
Both are kept: ``types`` and ``wants_email`` as they were, and in the options the pairs that are not wanted
(``"email:comment"``).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from hub.base.errors import Invalid
from hub.community.models import NotificationEvent, NotificationSetting

MUTED = "muted"


class Channel(StrEnum):
    """A way by which somebody is told."""

    WEB = "web"
    EMAIL = "email"


PAIRS = tuple(f"{channel.value}:{event.value}" for channel in Channel for event in NotificationEvent)


def wants(setting: NotificationSetting | None, channel: Channel, event: str) -> bool:
    """Whether something of that event is told by that channel; without a setting: on the pages, and not by e-mail."""
    if setting is None:
        return channel == Channel.WEB
    known = NotificationEvent(event)
    is_open = known.type in setting.types and (channel == Channel.WEB or setting.wants_email)
    return is_open and f"{channel.value}:{known.value}" not in setting.options.get(MUTED, ())


def chosen(setting: NotificationSetting) -> list[str]:
    """The pairs that are wanted, in the order of ``PAIRS``."""
    return [
        f"{channel}:{event}" for channel in Channel for event in NotificationEvent if wants(setting, channel, event)
    ]


def choose(setting: NotificationSetting, pairs: Iterable[str]) -> None:
    """Let these pairs be told, and no others. Raises Invalid (``REQ-ERR-6``)."""
    wanted = set(pairs)
    if not wanted <= set(PAIRS):
        message = f"Each must be one of {', '.join(PAIRS)}."
        raise Invalid(message, code="REQ-ERR-6", member="channels", allowed=list(PAIRS))
    events = {NotificationEvent(pair.partition(":")[2]) for pair in wanted}
    setting.types = list(dict.fromkeys(event.type.value for event in NotificationEvent if event in events))
    setting.wants_email = any(pair.startswith(f"{Channel.EMAIL}:") for pair in wanted)
    setting.options = {**setting.options, MUTED: [pair for pair in PAIRS if pair not in wanted]}


def open_email(setting: NotificationSetting) -> None:
    """Who asks for e-mails in the platform's words, and wanted none of any event, gets them all."""
    muted = setting.options.get(MUTED, [])
    of_email = [pair for pair in PAIRS if pair.startswith(f"{Channel.EMAIL}:")]
    if set(of_email) <= set(muted):
        setting.options = {**setting.options, MUTED: [pair for pair in muted if pair not in of_email]}
