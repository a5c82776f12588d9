"""What this room gives the application context."""

from __future__ import annotations

from typing import Any

from hub.assets import departures, jobs, lineage_jobs, own_data
from hub.assets.events import CollectionCreated, CollectionDeleted, CollectionUpdated
from hub.assets.indexing import INDEXERS
from hub.assets.models import Collection
from hub.assets.records import indexers as records
from hub.assets.search.filters import MEASURES, create_measures
from hub.assets.security import scanning, vetting
from hub.assets.service import feed
from hub.assets.service.known import KNOWN_LABELS, KnownLabels
from hub.assets.viewer import jobs as viewer_jobs
from hub.assets.viewer.engine import install_engine
from hub.base.context import Context
from hub.base.registry import Registry
from hub.base.topics import TOPICS, Told, Topic, add_topic
from hub.repos.finding import PROVIDERS


def install(context: Context) -> None:
    """Register the room's jobs, schedules and topics; done once, by ``build_context``."""
    context.provide(KNOWN_LABELS, KnownLabels())
    context.provide(INDEXERS, Registry("indexers"))
    context.provide(MEASURES, create_measures())
    context.provide(PROVIDERS, Registry("types of things to search"))
    install_engine(context)
    viewer_jobs.install(context)
    departures.install(context)
    own_data.install(context)
    jobs.install(context)
    records.install(context)
    lineage_jobs.install(context)
    scanning.install(context)
    vetting.install(context)
    feed.install(context)
    topics = context[TOPICS]
    add_topic(topics, Topic("collection.created", "A collection was made.", CollectionCreated, _tell))
    add_topic(topics, Topic("collection.updated", "A collection, or what is in it, changed.", CollectionUpdated, _tell))
    add_topic(topics, Topic("collection.deleted", "A collection was deleted.", CollectionDeleted, _tell))


def _tell(work: Any, event: CollectionCreated | CollectionUpdated | CollectionDeleted) -> Told | None:
    collection = work.session.get(Collection, event.collection_id)
    if collection is None:
        return None
    data = {
        "collection": {
            "id": collection.id,
            "namespace": collection.namespace.path,
            "name": collection.name,
            "nickname": collection.nickname,
            "description": collection.description,
            "private": collection.is_private,
        }
    }
    return Told(data, namespace_id=collection.namespace_id)
