"""The seam: the hub's object store, room on its own disk for what is coming in, and threads for slow native work."""

from __future__ import annotations

from hub.base.context import Context
from hub.base.offload import offload
from hub.objects.store import STORE, ObjectInfo, ObjectStore
from hub.repos.uploads import folder as incoming_folder

__all__ = ["ObjectInfo", "ObjectStore", "get_store", "incoming_folder", "offload"]


def get_store(context: Context) -> ObjectStore:
    """The store in which the hub keeps large contents; a plugin's keys begin with words of its own."""
    return context[STORE]
