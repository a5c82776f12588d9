"""Where in an address the revision ends and the path begins: both may hold slashes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hub.base.context import Context
from hub.base.offload import offload
from hub.git.repository import find_revision, list_refs
from hub.git.types import HIDDEN_REFS
from hub.repos.lookup import repository_path
from hub.repos.models import Repository

# refs/pr/7 and refs/convert/parquet: three words each. Source: Hugging Face contract, section 1.1.
_NUMBERED = ("pr", "convert")
_SHORT = ("refs/heads/", "refs/tags/")


def split_revision(context: Context, repository: Repository, words: Sequence[str]) -> tuple[str, str]:
    """(revision, path) of an address that was cut at its slashes before it was decoded.

    words: at least one. A first word that holds a slash was sent encoded, so it is the whole revision. Else the first
    word is the revision if there is such a one, else the longest branch or tag whose name the words begin with; else
    the first word, which then names nothing.
    """
    first, *rest = words
    if not rest or "/" in first:
        return first, "/".join(rest)
    if first == "refs" and len(words) >= 3 and words[1] in _NUMBERED:
        return "/".join(words[:3]), "/".join(words[3:])
    path = repository_path(context.settings, repository)
    length = offload(_count_words, path, tuple(words))
    return "/".join(words[:length]), "/".join(words[length:])


def _count_words(path: Path, words: tuple[str, ...]) -> int:
    # Git lets no branch "a" stand beside a branch "a/b", so a first word that is a revision leaves nothing to guess.
    if find_revision(path, words[0]) is not None:
        return 1
    names: set[str] = set()
    for ref in list_refs(path):
        if not ref.startswith(HIDDEN_REFS):
            names.add(ref)
            names.update(ref.removeprefix(prefix) for prefix in _SHORT if ref.startswith(prefix))
    return next((n for n in range(len(words), 1, -1) if "/".join(words[:n]) in names), 1)
