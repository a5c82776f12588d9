"""Topics: what of all that happens is told outside the hub, under which name and in which words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.base.context import Key
from hub.base.registry import Registry


@dataclass(frozen=True)
class Told:
    """An event in the words of the outside.

    data: JSON members of the message. repository_id, namespace_id: whom it concerns; None where it is of neither.
    Who hears of it may administer that place, so a message may hold what is private there.
    """

    data: Mapping[str, Any]
    repository_id: int | None = None
    namespace_id: int | None = None


@dataclass(frozen=True)
class Topic:
    """One kind of message, such as "repository.created".

    event_class: the event that causes it. describe: (unit of work, event) -> what is told, or None for nothing; called
    inside the transaction that publishes the event, so it reads rows as they are then.
    """

    name: str
    meaning: str
    event_class: type
    describe: Callable[[Any, Any], Told | None]


# Rooms and plugins add their topics by name; who tells the outside (webhooks) reads them.
TOPICS: Key[Registry[Topic]] = Key("base.topics")


def create_topics() -> Registry[Topic]:
    """An empty registry; every room adds its own topics in its ``install``."""
    return Registry("topics")


def add_topic(topics: Registry[Topic], topic: Topic, *, owner: str = "hub") -> None:
    """Add a topic. Raises RegistryError when its name is taken or the registry is frozen."""
    topics.add(topic.name, topic, owner=owner)
