"""What a push brings to the search: the card's text and the words of text files, of the default branch.

Contents are kept by their blob, so that a push reads what it has changed, and a run that was cut off goes on. Until the
run is over nothing leads to what it has read: the search shows the files of one commit or of the next, never of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from sqlalchemy import Select, delete, select

from hub.assets.indexing import IndexRun
from hub.assets.models_search import SearchCard, SearchContent, SearchFile
from hub.assets.search.texts import CARD_PATHS, MAX_CARD_BYTES, card_text, decoded, is_read
from hub.assets.search.words import words_of, written
from hub.base.errors import NotFound
from hub.base.offload import offload
from hub.base.texts import is_storable
from hub.db.engine import DATABASE
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git import tree
from hub.git.types import EntryKind
from hub.repos.lookup import repository_path

# Of one repository; the files that come first in Git's order are read.
MAX_FILES = 20_000
MAX_BYTES = 64 * 1024 * 1024
# Of one transaction: so long others wait who want to write on SQLite.
_BATCH_FILES = 200
_BATCH_BYTES = 1024 * 1024
_WALK_PAGE = 5_000
_MAX_PATH_CHARS = 1024

_Files = dict[str, str]  # path to blob


def index_search(run: IndexRun) -> None:
    """The indexer ``search``: let the search find what the default branch holds at the run's commit."""
    path = repository_path(run.context.settings, run.repository)
    files, card = offload(_find_files, path, run.commit_id) if run.commit_id else ({}, None)
    _read_contents(run, path, files)
    read_card = offload(_read_card, path, card) if card else None
    with unit_of_work(run.context) as work:
        run.finish(work)
        _write_card(work, run.repository.id, card, read_card)
        _write_files(work, run.repository.id, files)


def _find_files(path: Path, commit_id: str) -> tuple[_Files, str | None]:
    """The files to read, and the blob of the card. Paths that cannot be stored are passed over."""
    found: _Files = {}
    card: str | None = None
    left = MAX_BYTES
    cursor: str | None = None
    while True:
        page = tree.walk_tree(path, commit_id, limit=_WALK_PAGE, cursor=cursor)
        for entry in page.entries:
            if entry.kind is not EntryKind.FILE or entry.lfs is not None:
                continue
            if entry.path in CARD_PATHS and (card is None or entry.path == CARD_PATHS[0]):
                card = entry.oid
            size = entry.size_bytes or 0
            is_fit = len(entry.path) <= _MAX_PATH_CHARS and is_storable(entry.path) and is_read(entry.path, size)
            if is_fit and len(found) < MAX_FILES and size <= left:
                found[entry.path] = entry.oid
                left -= size
        cursor = page.next_cursor
        if cursor is None:
            return found, card


def _read_contents(run: IndexRun, path: Path, files: Mapping[str, str]) -> None:
    """Let every content of these files be there; some hundred at a time, each in a transaction of its own."""
    with reading(run.context) as work:
        known = set(work.session.scalars(_blobs_of(run.repository.id)))
    missing = [blob_id for blob_id in dict.fromkeys(files.values()) if blob_id not in known]
    for_sqlite = run.context[DATABASE].is_sqlite
    done = 0
    while done < len(missing):
        run.note(done, len(missing))
        batch = offload(_read_batch, path, missing[done : done + _BATCH_FILES], for_sqlite)
        done += len(batch)
        # What is no text is noted, too, without a word: it need not be read again.
        rows = [{"repository_id": run.repository.id, "blob_id": blob_id, "words": words} for blob_id, words in batch]
        with unit_of_work(run.context) as work:
            insert_new(work.session, SearchContent, rows)
    run.note(len(missing), len(missing))


def _blobs_of(repository_id: int) -> Select[str]:
    return select(SearchContent.blob_id).where(SearchContent.repository_id == repository_id)


def _read_batch(path: Path, blob_ids: Sequence[str], for_sqlite: bool) -> list[tuple[str, str]]:
    """(blob, its words as they are stored) of the first ones, until they are many bytes; "" for what is no text."""
    batch: list[tuple[str, str]] = []
    size = 0
    for blob_id in blob_ids:
        text = _read_text(path, blob_id)
        words = written([*words_of(text, is_code=True)], for_sqlite=for_sqlite) if text else ""
        batch.append((blob_id, words))
        size += len(words)
        if size > _BATCH_BYTES:
            break
    return batch


def _read_text(path: Path, blob_id: str) -> str | None:
    try:
        return decoded(tree.read_blob(path, blob_id).data)
    except NotFound:  # a broken repository: what is there is found none the less
        return None


def _read_card(path: Path, blob_id: str) -> str | None:
    try:
        text = decoded(tree.read_blob(path, blob_id, limit_bytes=MAX_CARD_BYTES).data)
    except NotFound:
        return None
    return None if text is None else card_text(text)


def _write_card(work: UnitOfWork, repository_id: int, blob_id: str | None, body: str | None) -> None:
    there = work.session.scalar(select(SearchCard.blob_id).where(SearchCard.repository_id == repository_id))
    if body and there == blob_id:
        return
    work.session.execute(delete(SearchCard).where(SearchCard.repository_id == repository_id))
    words = written([*words_of(body)], for_sqlite=work.context[DATABASE].is_sqlite) if body else ""
    if words:
        row = {"repository_id": repository_id, "blob_id": blob_id, "body": body, "words": words}
        insert_new(work.session, SearchCard, [row])


def _write_files(work: UnitOfWork, repository_id: int, files: Mapping[str, str]) -> None:
    """Let the repository's files be these; contents that no file has any more go."""
    contents = select(SearchContent.blob_id, SearchContent.id).where(SearchContent.repository_id == repository_id)
    ids: dict[str, int] = dict(work.session.execute(contents).all())
    wanted = {path: ids[blob_id] for path, blob_id in files.items() if blob_id in ids}
    there = select(SearchFile.path, SearchFile.content_id, SearchFile.id).where(
        SearchFile.repository_id == repository_id
    )
    gone: list[int] = []
    for path, content_id, id in work.session.execute(there):
        if wanted.get(path) == content_id:
            del wanted[path]
        else:
            gone.append(id)
    for ids_gone in _portions(gone):
        work.session.execute(delete(SearchFile).where(SearchFile.id.in_(ids_gone)))
    rows = [{"repository_id": repository_id, "path": path, "content_id": id} for path, id in wanted.items()]
    insert_new(work.session, SearchFile, rows)
    kept = set(files.values())
    for ids_gone in _portions([id for blob_id, id in ids.items() if blob_id not in kept]):
        work.session.execute(delete(SearchContent).where(SearchContent.id.in_(ids_gone)))


def _portions(ids: Sequence[int]) -> Iterator[list[int]]:
    left = iter(ids)
    while portion := [*islice(left, 1000)]:
        yield portion
