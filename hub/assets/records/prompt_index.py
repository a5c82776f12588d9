"""The indexer of prompts: a row for each prompt of the default branch, for lists over all repositories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import delete, select, update

from hub.assets.indexing import IndexRun
from hub.assets.models_records import PromptRecord, PromptWord
from hub.assets.records.reach import clipped
from hub.assets.records.variables import names_of
from hub.assets.service.prompts import MAX_PROMPT_BYTES, SUFFIX, Prompt, parse_prompt
from hub.base.offload import offload
from hub.base.texts import is_storable
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git import tree
from hub.git.types import EntryKind, TreeEntry
from hub.repos.lookup import repository_path

# Of one repository; further files are not listed.
MAX_RECORDS = 5000
MAX_EXCERPT_CHARS = 300
# Of a prompt's content, what is searched.
MAX_SEARCHED_CHARS = 8000
MAX_SEARCH_TEXT_CHARS = 20_000
MAX_WORDS = 50
MAX_WORD_CHARS = 100
_BATCH = 200

# (form, word) of each tag and category.
Words = Sequence[tuple[str, str]]
# The columns of a row, and its words.
Reading = tuple[dict[str, Any], Words]
T = TypeVar("T")


def index_prompts(run: IndexRun) -> None:
    """Let the rows of a repository's prompts be what its default branch holds.

    Only contents that no row is of are read, some at a time. A file that was moved keeps its row, and its likes.
    """
    path = repository_path(run.context.settings, run.repository)
    found = dict(offload(_list_files, path, run.commit_id)) if run.commit_id else {}
    with reading(run.context) as work:
        rows = work.session.execute(
            select(PromptRecord.id, PromptRecord.path, PromptRecord.blob_id).where(
                PromptRecord.repository_id == run.repository.id
            )
        ).all()
    at_path = {row.path: row for row in rows}
    homeless = {row.blob_id: row.id for row in rows if row.path not in found}
    moved: dict[int, str] = {}
    unread: list[tuple[str, str]] = []
    for name, blob_id in found.items():
        row = at_path.get(name)
        if row is None and blob_id in homeless:
            moved[homeless.pop(blob_id)] = name
        # One that was moved is read as well: it is found by its path, too.
        if row is None or row.blob_id != blob_id:
            unread.append((name, blob_id))
    changed: dict[str, Reading] = {}
    for batch in _batches(unread):
        changed |= offload(_read, path, batch)
        run.note(len(changed), len(unread), "prompts")
    unreadable = {name for name, _blob_id in unread} - set(changed)
    gone = [row.id for row in rows if (row.path not in found or row.path in unreadable) and row.id not in moved]
    known = {row.path: row.id for row in rows} | {name: id for id, name in moved.items()}
    with unit_of_work(run.context) as work:
        run.finish(work)
        for ids in _batches(gone):
            work.session.execute(delete(PromptRecord).where(PromptRecord.id.in_(ids)))
        for id, name in moved.items():
            work.session.execute(update(PromptRecord).where(PromptRecord.id == id).values(path=name))
        for names in _batches(list(changed)):
            _write(work, run.repository.id, {name: known.get(name) for name in names}, changed)


def _list_files(path: Path, commit_id: str) -> list[tuple[str, str]]:
    files: list[tuple[str, str]] = []
    cursor: str | None = None
    while len(files) < MAX_RECORDS:
        page = tree.list_tree(path, commit_id, "", limit=tree.MAX_LIMIT, cursor=cursor)
        files += [(entry.path, entry.oid) for entry in page.entries if _may_be_prompt(entry)]
        cursor = page.next_cursor
        if cursor is None:
            break
    return files[:MAX_RECORDS]


def _may_be_prompt(entry: TreeEntry) -> bool:
    return (
        entry.name.endswith(SUFFIX)
        and entry.kind is EntryKind.FILE
        and entry.lfs is None
        and (entry.size_bytes or 0) <= MAX_PROMPT_BYTES
        and len(entry.path) <= 255
        and is_storable(entry.path)
    )


def _read(path: Path, files: Sequence[tuple[str, str]]) -> dict[str, Reading]:
    found = {}
    for name, blob_id in files:
        # Of each only what a row keeps, so that many large ones take no more memory than their rows.
        prompt = parse_prompt(tree.read_blob(path, blob_id, limit_bytes=MAX_PROMPT_BYTES).data)
        if prompt is not None:
            found[name] = _row_of(name, blob_id, prompt)
    return found


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), _BATCH):
        yield items[at : at + _BATCH]


def _row_of(path: str, blob_id: str, prompt: Prompt) -> Reading:
    words = _words_of(prompt)
    texts = (prompt.title, path, *(word for _form, word in words), prompt.content[:MAX_SEARCHED_CHARS])
    values = {
        "path": path,
        "blob_id": blob_id,
        "title": clipped(prompt.title, 255),
        "excerpt": excerpt_of(prompt.content),
        "language": clipped(prompt.language, 64),
        "type": prompt.type,
        "source": clipped(prompt.source, 255),
        "author": clipped(prompt.author, 255),
        "model": clipped(prompt.model, 255),
        "variable_count": len(prompt.variables) or len(names_of(prompt)),
        "search_text": "\n".join(texts)[:MAX_SEARCH_TEXT_CHARS].lower(),
    }
    return values, words


def _write(
    work: UnitOfWork, repository_id: int, ids: Mapping[str, int | None], readings: Mapping[str, Reading]
) -> None:
    """Write some rows; ids: of those that are there already, by path, else None."""
    now = work.now()
    known = [id for id in ids.values() if id is not None]
    there = {row.id: row for row in work.session.scalars(select(PromptRecord).where(PromptRecord.id.in_(known)))}
    rows: list[PromptRecord] = []
    for path, id in ids.items():
        row = there.get(id) if id is not None else None
        if row is None:
            row = PromptRecord(repository_id=repository_id, like_count=0, created_at=now)
            work.session.add(row)
        if row.blob_id != readings[path][0]["blob_id"]:
            row.updated_at = now
        for name, value in readings[path][0].items():
            setattr(row, name, value)
        rows.append(row)
    work.session.flush()
    work.session.execute(delete(PromptWord).where(PromptWord.prompt_id.in_([row.id for row in rows])))
    words: list[dict[str, Any]] = [
        {"prompt_id": row.id, "form": form, "word": word} for row in rows for form, word in readings[row.path][1]
    ]
    insert_new(work.session, PromptWord, words)
    work.session.expunge_all()


def _words_of(prompt: Prompt) -> Words:
    given = [("tag", prompt.tags), ("category", prompt.categories)]
    words = (
        (form, clipped(word.strip().lower(), MAX_WORD_CHARS)) for form, words in given for word in words[:MAX_WORDS]
    )
    return list(dict.fromkeys(pair for pair in words if pair[1]))


def excerpt_of(content: str) -> str:
    """The beginning of a content in one line."""
    words = " ".join(content[: MAX_EXCERPT_CHARS * 4].split())
    return words if len(words) <= MAX_EXCERPT_CHARS else f"{words[: MAX_EXCERPT_CHARS - 1]}…"
