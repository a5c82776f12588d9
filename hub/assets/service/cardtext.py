"""The card of a repository as people read it: its text, in which languages there is one, and what lies beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.accounts.policy import Actor
from hub.assets.service.cardcheck import MAX_LOOK_BYTES, decode_card
from hub.assets.service.cardindex import report_on
from hub.base.context import Context
from hub.base.offload import offload
from hub.git import tree
from hub.git.repository import find_revision
from hub.git.types import Blob, EntryKind, TreeEntry
from hub.repos.contents import ReadFile
from hub.repos.gates import check_content
from hub.repos.lookup import repository_path
from hub.repos.rows import Shown

# Of what is shown; a longer card is cut.
MAX_CARD_BYTES = 512 * 1024
# What stands in a repository that nobody has put anything into.
_FIRST_FILES = {".gitattributes", "readme.md"}
_NAME = re.compile(r"readme(?:[._-]([a-z]{2,3}(?:[_-][a-z]{2,4})?))?\.md", re.IGNORECASE)
_HAS_TEXT = re.compile(r"^(?!#\s)[^\S\n]*\S", re.MULTILINE)


@dataclass(frozen=True)
class CardText:
    """A card at a commit. Without a commit the repository is empty, without a path it has no card.

    text: without the metadata at its head, which ``head`` is, as written. oid: of the file. language: that was asked
    for and found; "": the one that is in no language in particular. languages: code to path, of those that there are.
    names: of the files and folders beside it. problems: as ``cardcheck.Problem.view`` tells them.
    """

    commit_id: str = ""
    path: str = ""
    oid: str = ""
    text: str = ""
    head: str = ""
    is_cut: bool = False
    language: str = ""
    languages: Mapping[str, str] = field(default_factory=dict)
    names: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    problems: Sequence[Mapping[str, Any]] = ()

    @property
    def is_bare(self) -> bool:
        """Whether nobody has put anything into the repository beside what it began with."""
        return not any(name.lower() not in _FIRST_FILES for name in self.names)

    @property
    def has_text(self) -> bool:
        """Whether the card says more than its title."""
        return _HAS_TEXT.search(self.text) is not None


def read_card_text(
    context: Context, repository: Shown, *, actor: Actor, language: str = "", revision: str = ""
) -> CardText:
    """The card of a revision, in a language where it has one. Without a revision or a card it is empty.

    Raises NotSignedIn or Denied (``gated_repository``).
    """
    check_content(context, actor, repository)
    path = repository_path(context.settings, repository)
    found = offload(_read, path, revision or repository.default_branch, language.lower())
    if found.read is None:
        return CardText(found.commit_id, names=found.names)
    read, blob = found.read, found.read.blob
    card = report_on(context, repository.kind, read)
    # A pointer, or what is too large for Git to hold in memory, is no text.
    whole = "" if read.entry.lfs is not None else decode_card(blob.data[:MAX_CARD_BYTES], blob.is_whole)[0]
    head, text = _split(whole, card.body_line)
    return CardText(
        commit_id=found.commit_id,
        path=read.entry.path,
        oid=read.entry.oid,
        text=text,
        head=head,
        is_cut=not blob.is_whole,
        language=language.lower() if language.lower() in found.languages else "",
        languages=found.languages,
        names=found.names,
        metadata=card.metadata,
        problems=card.problems,
    )


def _split(text: str, body_line: int) -> tuple[str, str]:
    """What stands between the lines of dashes, and what comes behind. body_line: the first line behind, from 1."""
    if body_line < 2:
        return "", text
    lines = text.split("\n")
    return "\n".join(lines[1 : body_line - 2]), "\n".join(lines[body_line - 1 :])


@dataclass(frozen=True)
class _Found:
    commit_id: str
    names: Sequence[str] = ()
    languages: Mapping[str, str] = field(default_factory=dict)
    read: ReadFile | None = None


def _read(path: Path, revision: str, language: str) -> _Found:
    commit_id = find_revision(path, revision)
    if commit_id is None:
        return _Found("")
    names = tree.list_names(path, commit_id)
    cards = {(match[1] or "").lower().replace("_", "-"): name for name in names if (match := _NAME.fullmatch(name))}
    if "README.md" in names:
        cards[""] = "README.md"
    languages = {code: name for code, name in cards.items() if code}
    name = cards.get(language) or cards.get("")
    entry = tree.find_entry(path, commit_id, name) if name else None
    if entry is None or entry.kind is not EntryKind.FILE:
        return _Found(commit_id, names, languages)
    return _Found(commit_id, names, languages, ReadFile(commit_id, entry, _blob(path, entry)))


def _blob(path: Path, entry: TreeEntry) -> Blob:
    return tree.read_blob(path, entry.oid, limit_bytes=max(MAX_CARD_BYTES, MAX_LOOK_BYTES))
