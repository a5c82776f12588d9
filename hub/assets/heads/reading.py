"""Heads of the files of a repository: read once for a content, kept by its id."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.accounts.policy import SYSTEM, Actor
from hub.assets.heads.gguf import read_gguf_head
from hub.assets.heads.onnx import read_onnx
from hub.assets.heads.safetensors import read_safetensors
from hub.assets.heads.source import Source
from hub.assets.heads.types import Head, HeadError
from hub.assets.heads.zips import is_zip, read_zip
from hub.assets.service.tensors import LENGTH_BYTES, MAX_GGUF_HEAD_BYTES, length_of_head
from hub.base.context import Context
from hub.base.errors import Conflict, Unprocessable
from hub.base.offload import offload
from hub.base.paging import Page, PageArgs
from hub.db.uow import reading, unit_of_work
from hub.jobs.run import JobRun
from hub.jobs.service import enqueue
from hub.repos import derived
from hub.repos.contents import OpenedFile, open_file
from hub.repos.models import Repository
from hub.repos.rows import Shown

_FORMAT = "2"
JOB = "assets.read_head"
# Of a file that Git holds itself, which is streamed from its beginning each time, and of one in an object store.
MAX_WHOLE_BYTES = 32 * 1024 * 1024

_READERS: dict[str, Callable[[Source], Head]] = {
    "safetensors": read_safetensors,
    "gguf": read_gguf_head,
    "onnx": read_onnx,
    "zip": read_zip,
}
_ENDINGS = {
    **dict.fromkeys(("safetensors", "gguf", "onnx"), ""),
    **dict.fromkeys(("bin", "pt", "pth", "ckpt", "zip"), "zip"),
}


def format_of(path: str) -> str | None:
    """How a file of this name is read; None where it is not."""
    ending = path.rpartition(".")[2].lower()
    return _ENDINGS[ending] or ending if ending in _ENDINGS else None


@dataclass(frozen=True)
class Summary:
    """What one file adds to its repository's metadata. reason: why it adds nothing; empty: it does."""

    path: str
    format: str
    size_bytes: int
    counts: dict[str, int]
    weight_bytes: int
    facts: dict[str, Any]
    reason: str = ""
    note: str = ""

    @property
    def parameters(self) -> int:
        return sum(self.counts.values())


def summarise(context: Context, file: OpenedFile) -> Summary:
    """What the file's head says in short. It never raises for what is in the file."""
    kept = derived.find(context, "head-summary", _FORMAT, _key(file), file.etag)
    if not isinstance(kept, dict):
        head = _read(file)
        if _is_far(file):
            _keep(context, file, head)
        kept = _summarise(head)
        derived.keep(context, "head-summary", _FORMAT, _key(file), file.etag, answer=kept)
    return Summary(path=file.entry.path, size_bytes=file.size_bytes, **kept)


def _is_far(file: OpenedFile) -> bool:
    """Whether it takes thousands of questions to an object store to read the head: work for a job, not for a page."""
    is_large = file.lfs is not None and file.local_path is None and file.size_bytes > MAX_WHOLE_BYTES
    return is_large and _key(file) in ("onnx", "zip")


def _find(context: Context, file: OpenedFile) -> dict[str, Any] | None:
    kept = offload(derived.find, context, "head", _FORMAT, _key(file), file.etag)
    return kept if isinstance(kept, dict) else None


def _keep(context: Context, file: OpenedFile, head: dict[str, Any]) -> None:
    offload(derived.keep, context, "head", _FORMAT, _key(file), file.etag, answer=head)


def _key(file: OpenedFile) -> str:
    return format_of(file.entry.path) or ""


def _summarise(head: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": head["format"],
        "counts": head["counts"],
        "weight_bytes": head["weight_bytes"],
        "facts": head["facts"],
        "reason": head["reason"],
        "note": head["note"],
    }


def _read(file: OpenedFile) -> dict[str, Any]:
    """The head as JSON says it, out of the file."""
    kind = _key(file)
    try:
        head = _read_head(file, kind)
    except HeadError as error:
        head = {"format": kind, "tensors": [], "metadata": {}, "facts": {}, "note": "", "counts": {}, "weight_bytes": 0}
        head["reason"] = str(error)
    return head


def _read_head(file: OpenedFile, kind: str) -> dict[str, Any]:
    if file.local_path is not None:
        return offload(_read_plain, file.local_path, file.size_bytes, kind)
    start = b""
    if kind == "safetensors":
        length = length_of_head(_range(file, 0, LENGTH_BYTES))
        start = _range(file, 0, LENGTH_BYTES + (length or 0))
    elif kind == "gguf":
        start = _range(file, 0, MAX_GGUF_HEAD_BYTES)
    elif file.size_bytes <= MAX_WHOLE_BYTES:
        start = _range(file, 0, MAX_WHOLE_BYTES)
    elif file.lfs is None:
        limit = MAX_WHOLE_BYTES // 1024**2
        raise HeadError(f"The file lies in Git and has more than {limit} MiB; keep it in LFS to have it read.")
    if start or not file.size_bytes:
        return offload(_read_bytes, start, file.size_bytes, kind)
    # Out of an object store: here and there, and by a connection that belongs to this thread.
    return _view(Source(file.size_bytes, file.open_range), kind)


def _range(file: OpenedFile, start: int, length: int) -> bytes:
    return b"".join(file.open_range(start, max(0, min(length, file.size_bytes - start))))


def _read_plain(path: Path, size_bytes: int, kind: str) -> dict[str, Any]:
    with path.open("rb") as stream:
        number = stream.fileno()

        def fetch(start: int, length: int) -> Iterator[bytes]:
            yield os.pread(number, length, start)

        return _view(Source(size_bytes, fetch), kind)


def _read_bytes(data: bytes, size_bytes: int, kind: str) -> dict[str, Any]:
    return _view(Source(size_bytes, lambda start, length: (data[start : start + length],)), kind)


def _view(source: Source, kind: str) -> dict[str, Any]:
    if not source.size_bytes:
        raise HeadError("The file is empty.")
    if kind == "zip" and not is_zip(source.read(0, min(4, source.size_bytes))):
        raise HeadError("The file is no zip archive; a bare pickle, as before PyTorch 1.6, is not listed.")
    head = _READERS[kind](source)
    return head.view() | {"counts": head.counts(), "weight_bytes": head.weight_bytes(), "reason": ""}


@dataclass(frozen=True)
class HeadPage:
    """A head with one page of its tensors. counts: numbers by type; parameters: in all."""

    commit_id: str
    path: str
    size_bytes: int
    format: str
    metadata: dict[str, Any]
    counts: dict[str, int]
    note: str
    tensors: Page[dict[str, Any]]


def read_page(
    context: Context,
    repository: Shown,
    *,
    actor: Actor,
    path: str,
    revision: str = "",
    search: str = "",
    page: PageArgs,
) -> HeadPage:
    """A file's metadata and a page of its tensors, or of an archive's members. search: what their names hold.

    Raises NotFound, Invalid (``not_a_file``), Unprocessable (``head_unreadable``, with the reason), Conflict
    (``head_pending``: a job is reading it); NotSignedIn or Denied (``gated_repository``).
    """
    file = open_file(context, repository, actor=actor, path=path, revision=revision)
    if format_of(file.entry.path) is None:
        formats = "safetensors, GGUF, ONNX and PyTorch's archives"
        raise Unprocessable(f"Of {path!r} no head is read, only of {formats}.", code="head_unreadable")
    head = _find(context, file)
    if head is None and _is_far(file):
        _ask(context, repository, file)
        raise Conflict("The head of this file is being read; ask again in a moment.", code="head_pending")
    if head is None:
        head = _read(file)
        _keep(context, file, head)
    if head["reason"]:
        raise Unprocessable(head["reason"], code="head_unreadable", path=path)
    wanted = search.lower()
    found = [tensor for tensor in head["tensors"] if not wanted or wanted in tensor["name"].lower()]
    return HeadPage(
        file.commit_id,
        file.entry.path,
        file.size_bytes,
        head["format"],
        head["metadata"],
        head["counts"],
        head["note"],
        Page(found[page.offset : page.offset + page.per], len(found)),
    )


def _ask(context: Context, repository: Shown, file: OpenedFile) -> None:
    with unit_of_work(context) as work:
        args = {"repository_id": repository.id, "path": file.entry.path, "commit_id": file.commit_id}
        enqueue(work, JOB, args=args, unique_key=f"{JOB}:{file.etag}", subject=("repository", repository.id))


def read_far(run: JobRun, *, repository_id: int, path: str, commit_id: str) -> None:
    """The job: read the head of a large file in an object store, and keep it. May be repeated."""
    with reading(run.context) as work:
        repository = work.session.get(Repository, repository_id)
    if repository is None or repository.deleted_at is not None:
        return
    file = open_file(run.context, repository, actor=SYSTEM, path=path, revision=commit_id)
    if _find(run.context, file) is None:
        _keep(run.context, file, _read(file))
