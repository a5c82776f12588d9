"""Where in an address the revision ends and the path begins: both may hold slashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hub.base.context import Context, Key
from hub.base.errors import NotFound
from hub.base.names import normalise_path
from hub.base.offload import offload
from hub.git.repository import find_revision, list_refs
from hub.git.tree import find_entries
from hub.git.types import HIDDEN_REFS, TreeEntry
from hub.repos.lookup import repository_path
from hub.repos.mirrored import stand_ins
from hub.repos.rows import Shown

# refs/pr/7 and refs/convert/parquet: three words each. Source: Hugging Face contract, section 1.1.
_NUMBERED = ("pr", "convert")
_SHORT = ("refs/heads/", "refs/tags/")
# Answers that a process remembers, a kilobyte each.
_MAX_REMEMBERED = 2000

# Commit id, path, and what is there.
Found = tuple[str, str, TreeEntry | None]

# What this process has found in commits, by the repository's path and the words of the address.
FOUND_FILES: Key[dict[tuple[Path, tuple[str, ...]], Found]] = Key("repos.found_files")


def split_revision(context: Context, repository: Shown, words: Sequence[str]) -> tuple[str, str]:
    """(revision, path) of an address that was cut at its slashes before it was decoded.

    words: at least one. A first word that holds a slash was sent encoded, so it is the whole revision. Else the first
    word is the revision if there is such a one, else the longest branch or tag whose name the words begin with; else
    the first word, which then names nothing.
    """
    length = _obvious_length(words)
    if length is None:
        length = offload(_count_words, repository_path(context.settings, repository), tuple(words))
    return "/".join(words[:length]), "/".join(words[length:])


def find_at(context: Context, repository: Shown, words: Sequence[str]) -> Found:
    """(commit id, path, what is there) of an address as ``split_revision`` takes it; None where nothing is.

    A mirror's default branch is meant by the usual name of one. The repository is opened once, mostly, and not at all
    when a process is asked again what is in a commit, as by a HEAD and the GET that follows.
    Raises NotFound (``revision_not_found``), Invalid (``path_invalid``).
    """
    key = (repository_path(context.settings, repository), tuple(words))
    remembered = context[FOUND_FILES]
    found = remembered.get(key)
    if found is None:
        found = offload(_find_at, *key, stand_ins(repository))
        # By its whole id a commit is always the same; all else may come to mean another.
        if found[0] == words[0]:
            if len(remembered) >= _MAX_REMEMBERED:
                remembered.clear()
            remembered[key] = found
    return found


def _find_at(path: Path, words: tuple[str, ...], instead: Mapping[str, str]) -> Found:
    length = _obvious_length(words)
    if length is None and words[0] not in instead:
        try:
            return _find_behind(path, words, 1, instead)
        except NotFound as error:
            if error.code != "revision_not_found":
                raise
    return _find_behind(path, words, length or _count_words(path, words), instead)


def _find_behind(path: Path, words: tuple[str, ...], length: int, instead: Mapping[str, str]) -> Found:
    revision, file_path = "/".join(words[:length]), normalise_path("/".join(words[length:]), allow_root=True)
    commit_id, (entry,) = find_entries(path, instead.get(revision, revision), [file_path])
    return commit_id, file_path, entry


def _obvious_length(words: Sequence[str]) -> int | None:
    """How many words are the revision, where that can be told without looking."""
    if len(words) == 1 or "/" in words[0]:
        return 1
    return 3 if words[0] == "refs" and len(words) >= 3 and words[1] in _NUMBERED else None


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
