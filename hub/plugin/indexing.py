"""The seam: what is read from repositories' files after each push, and what the head of a kind's card may say."""

from __future__ import annotations

from hub.assets.indexing import Indexer, IndexRun
from hub.repos.cardkeys import COMMON_KEYS, CardKey, CardType
from hub.repos.kinds import USUAL_ACTIONS, USUAL_TABS, Tab

__all__ = ["COMMON_KEYS", "USUAL_ACTIONS", "USUAL_TABS", "CardKey", "CardType", "IndexRun", "Indexer", "Tab"]
