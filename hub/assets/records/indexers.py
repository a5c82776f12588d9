"""The steps by which this chapter's records are read from files after a push."""

from __future__ import annotations

from hub.assets.indexing import Indexer, add_indexer
from hub.base.context import Context


def install(context: Context) -> None:
    """Register the indexers; done once, by the room's ``install``."""
    where = "hub.assets.records"
    add_indexer(context, Indexer("prompts", "Prompts", f"{where}.prompt_index:index_prompts", frozenset({"prompt"})))
    add_indexer(context, Indexer("mcp", "MCP server", f"{where}.mcp_index:index_server", frozenset({"mcpserver"})))
    add_indexer(context, Indexer("skill", "Skill", f"{where}.skill_index:index_skill", frozenset({"skill"})))
