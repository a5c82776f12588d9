"""What labels are for, in the platform's words: MCP servers have another one here. Source: CSGHub contract, 5.3."""

from __future__ import annotations

_WORDS = {"mcpserver": "mcp"}
_SCOPES = {word: scope for scope, word in _WORDS.items()}


def word_of_scope(scope: str) -> str:
    """The platform's word for a kind of asset that has labels."""
    return _WORDS.get(scope, scope)


def scope_of_word(word: str) -> str:
    """The kind of asset that the platform's word means."""
    return _SCOPES.get(word, word)
