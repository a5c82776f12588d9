"""The indexer of prompts: a row for each prompt of the default branch, for lists over all repositories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select

from hub.assets.indexing import IndexRun
from hub.assets.models_records import PromptRecord, PromptWord
from hub.assets.records.reach import clipped
from hub.assets.records.variables import names_of
from hub.assets.service.prompts import MAX_PROMPT_BYTES, SUFFIX, Prompt, parse_prompt
from hub.base.offload import offload
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git import tree
from hub.git.types import EntryKind
from hub.repos.lookup import repository_path

# Of one repository; further files are not listed.
MAX_RECORDS = 5000
MAX_EXCERPT_CHARS = 300
# Of a prompt's content, what is searched.
MAX_SEARCHED_CHARS = 8000
MAX_SEARCH_TEXT_CHARS = 20_000
MAX_WORDS = 50
MAX_WORD_CHARS = 100
_BATCH = 500

# (form, word) of each tag and category.
Words = Sequence[tuple[str, str]]


def index_prompts(run: IndexRun) -> None:
    """Let the rows of a repository's prompts be what its default branch holds.

    Only contents that no row is of are read, one after another. A file that was moved keeps its row, and its likes.
    """
    path = repository_path(run.context.settings, run.repository)
    found = dict(offload(_list_files, path, run.commit_id)) if run.commit_id else {}
    with reading(run.context) as work:
        rows = work.session.execute(
            select(PromptRecord.id, PromptRecord.path, PromptRecord.blob_id).where(
                PromptRecord.repository_id == run.repository.id
            )
        ).all()
    at_path, ids = {row.path: row for row in rows}, {row.path: row.id for row in rows}
    homeless = {row.blob_id: row for row in rows if row.path not in found}
    changed: dict[str, tuple[dict[str, Any], Words]] = {}
    moved: dict[int, str] = {}
    unreadable: set[str] = set()
    for done, (name, blob_id) in enumerate(found.items()):
        row = at_path.get(name)
        if row is not None and row.blob_id == blob_id:
            continue
        if row is None and (old := homeless.pop(blob_id, None)) is not None:
            moved[old.id] = name
            continue
        # Of each only what a row keeps, so that many large ones take no more memory than their rows.
        prompt = parse_prompt(offload(tree.read_blob, path, blob_id, limit_bytes=MAX_PROMPT_BYTES).data)
        if prompt is None:
            unreadable.add(name)
        else:
            changed[name] = _row_of(name, blob_id, prompt)
        run.note(done, len(found), "files")
    gone = [id for name, id in ids.items() if (name not in found or name in unreadable) and id not in moved]
    with unit_of_work(run.context) as work:
        run.finish(work)
        for batch in _batches(gone):
            work.session.execute(delete(PromptRecord).where(PromptRecord.id.in_(batch)))
        for id, name in moved.items():
            work.session.get_one(PromptRecord, id).path = name
        work.session.flush()
        for name, (values, words) in changed.items():
            _write(work, run.repository.id, ids.get(name), values, words)


def _list_files(path: Path, commit_id: str) -> list[tuple[str, str]]:
    names = [name for name in tree.list_names(path, commit_id) if name.endswith(SUFFIX)][:MAX_RECORDS]
    entries = tree.find_entries(path, commit_id, names)[1]
    return [
        (entry.path, entry.oid)
        for entry in entries
        if entry is not None
        and entry.kind is EntryKind.FILE
        and entry.lfs is None
        and (entry.size_bytes or 0) <= MAX_PROMPT_BYTES
        and len(entry.path) <= 255
    ]


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for at in range(0, len(ids), _BATCH):
        yield ids[at : at + _BATCH]


def _row_of(path: str, blob_id: str, prompt: Prompt) -> tuple[dict[str, Any], Words]:
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


def _write(work: UnitOfWork, repository_id: int, id: int | None, values: dict[str, Any], words: Words) -> None:
    now = work.now()
    row = work.session.get(PromptRecord, id) if id is not None else None
    if row is None:
        row = PromptRecord(repository_id=repository_id, like_count=0, created_at=now)
        work.session.add(row)
    for name, value in (values | {"updated_at": now}).items():
        setattr(row, name, value)
    work.session.flush()
    work.session.execute(delete(PromptWord).where(PromptWord.prompt_id == row.id))
    rows: list[dict[str, Any]] = [{"prompt_id": row.id, "form": form, "word": word} for form, word in words]
    insert_new(work.session, PromptWord, rows)


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
