"""A folder as its page shows it: rows, what is beside them, its README; and files found by parts of their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hub.accounts.policy import Actor
from hub.assets.models_security import ScanState
from hub.assets.security.reports import FileSecurity, statuses_of
from hub.base.context import Context
from hub.base.errors import Denied, NotSignedIn
from hub.base.offload import offload
from hub.git import tree
from hub.git.types import Commit, EntryKind, TreeEntry, TreePage
from hub.repos import contents
from hub.repos.lastcommits import read_last_commits
from hub.repos.lookup import repository_path
from hub.repos.rows import Shown
from hub.web.markdown import LinkBase, render_markdown, without_head
from hub.web.places import Place
from hub.web.repository import RepositoryPage

# Source: web-ui.md, section 7.3.
ENTRIES_PER_PAGE = 1000
MAX_FOUND = 50
_MAX_WALKED = 200_000
_MAX_README_BYTES = 512 * 1024
_README = re.compile(r"readme(\.(md|markdown|mdx|txt|rst))?\Z", re.IGNORECASE)
_NOTABLE = (ScanState.UNSAFE, ScanState.SUSPICIOUS)

_ICONS = {
    EntryKind.DIRECTORY: "folder",
    EntryKind.LINK: "link",
    EntryKind.SUBMODULE: "box",
}
_BY_ENDING = {
    **dict.fromkeys(("png", "jpg", "jpeg", "gif", "webp", "svg", "bmp", "avif", "ico"), "image"),
    **dict.fromkeys(("mp3", "wav", "ogg", "flac", "m4a"), "music"),
    **dict.fromkeys(("mp4", "webm", "mov", "mkv", "avi"), "video"),
    **dict.fromkeys(("zip", "tar", "gz", "zst", "bz2", "xz", "7z"), "file-archive"),
    **dict.fromkeys(("csv", "tsv", "parquet", "arrow", "jsonl"), "table"),
    **dict.fromkeys(("safetensors", "gguf", "onnx", "bin", "pt", "pth", "ckpt"), "layers"),
    **dict.fromkeys(("py", "js", "ts", "rs", "go", "c", "cpp", "h", "java", "sh", "ipynb"), "file-code"),
    **dict.fromkeys(("md", "txt", "rst"), "file-text"),
    **dict.fromkeys(("json", "yaml", "yml", "toml"), "file-json"),
}


def icon_of(entry: TreeEntry) -> str:
    """The icon that shows what an entry is."""
    return _ICONS.get(entry.kind) or _BY_ENDING.get(entry.name.rpartition(".")[2].lower(), "file")


@dataclass(frozen=True)
class RowFacts:
    """What a folder's row is filled with later. at: the row's place in the whole folder; None: not known."""

    at: int
    commit: Commit | None
    security: FileSecurity | None


@dataclass(frozen=True)
class Readme:
    """A folder's README, as HTML."""

    path: str
    html: Markup


def read_folder(context: Context, repository: Shown, place: Place, cursor: str | None) -> TreePage:
    """A page of the folder at a place. Raises Invalid (``cursor_invalid``)."""
    path = repository_path(context.settings, repository)
    return offload(tree.list_tree, path, place.commit_id, place.path, limit=ENTRIES_PER_PAGE, cursor=cursor)


def read_facts(
    context: Context, repository: Shown, *, actor: Actor, place: Place, page: TreePage
) -> tuple[list[RowFacts], Commit | None]:
    """Who touched each entry of a page last and what checks said of it; and the newest of these commits."""
    entries = page.entries
    last = read_last_commits(
        context, repository, revision=place.commit_id, path=place.path, offset=page.offset, limit=len(entries)
    )
    commits: Mapping[str, Commit | None] = {item.name: item.commit for item in last}
    security = statuses_of(context, repository, actor=actor, entries=entries)
    facts = [
        RowFacts(page.offset + at, commits.get(entry.name), _notable(security.get(entry.path)))
        for at, entry in enumerate(entries)
    ]
    known = [commit for commit in commits.values() if commit is not None]
    return facts, max(known, key=lambda commit: commit.committer.when, default=None)


def _notable(found: FileSecurity | None) -> FileSecurity | None:
    return found if found is not None and found.state in _NOTABLE else None


def read_readme(context: Context, repo: RepositoryPage, *, actor: Actor, place: Place, page: TreePage) -> Readme | None:
    """The README among a folder's entries, where there is one that this actor may read."""
    names = sorted(
        (entry for entry in page.entries if entry.kind is EntryKind.FILE and _README.match(entry.name)),
        key=lambda entry: (not entry.name.lower().endswith((".md", ".markdown", ".mdx")), entry.name),
    )
    if not names or names[0].lfs is not None:
        return None
    entry = names[0]
    try:
        read = contents.read_file(
            context,
            repo.shown,
            actor=actor,
            path=entry.path,
            revision=place.commit_id,
            limit_bytes=_MAX_README_BYTES,
        )
    except (Denied, NotSignedIn):
        return None
    text = read.blob.data.decode("utf-8", "replace")
    if not entry.name.lower().endswith((".md", ".markdown", ".mdx", "readme")):
        return Readme(entry.path, Markup('<pre class="plain-text">{}</pre>').format(text))
    return Readme(
        entry.path, render_markdown(without_head(text), base=LinkBase(repo.url(), place.revision, place.path))
    )


def find_paths(context: Context, repository: Shown, *, commit_id: str, words: str) -> list[str]:
    """The paths of at most 50 files in whose path all the words are, those first whose name begins with one."""
    wanted = [word for word in words.lower().split() if word][:8]
    path = repository_path(context.settings, repository)

    def is_wanted(name: str) -> bool:
        folded = name.lower()
        return all(word in folded for word in wanted)

    found = offload(tree.select_files, path, commit_id, is_wanted, limit=MAX_FOUND * 10, max_walked=_MAX_WALKED)
    return sorted(found, key=lambda name: _rank(name.lower(), wanted))[:MAX_FOUND]


def _rank(path: str, words: Sequence[str]) -> tuple[bool, bool, int, str]:
    name = path.rpartition("/")[2]
    first = words[0] if words else ""
    return not name.startswith(first), first not in name, len(path), path
