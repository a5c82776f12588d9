"""Every data set's tables as Parquet, on the ref ``refs/convert/parquet``: ``<config>/<split>/0000.parquet``.

A job makes it anew when the files that the tables are made of have changed. Tables that are Parquet already are the
same contents at other names; CSV and JSON are converted as far as ``MAX_SOURCE_BYTES`` of a split, and a split that
was cut there is called ``partial-<split>``. Beside the tables lies ``MANIFEST``, which says what they were made of.
Source: Hugging Face contract, section 13.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from hub.accounts.policy import SYSTEM
from hub.assets.service.tables import Layout, TableConfig, TableFile, TableSplit, is_converted, read_layout, rows_digest
from hub.assets.viewer import arrow
from hub.base.context import Context
from hub.base.errors import NotFound
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.db.uow import reading, unit_of_work
from hub.git import tree
from hub.git.pointer import format_pointer
from hub.git.repository import find_revision, list_refs
from hub.git.types import ZERO_OID, FileChange, LFSPointer, RefChange, Signature
from hub.git.write import build_commit
from hub.repos import derived, refs
from hub.repos.checks import pointers_behind
from hub.repos.contents import OpenedFile, open_file
from hub.repos.lfs.contents import receive_object
from hub.repos.lfs.holdings import unlink_objects
from hub.repos.lookup import repository_path
from hub.repos.models import Repository
from hub.repos.rows import Shown

log = get_logger(__name__)

REF = "refs/convert/parquet"
MANIFEST = ".parquet.json"
MAX_SOURCE_BYTES = 5 * 1024**3
PARTIAL = "partial-"

_FORMAT = "2"
_MAX_MANIFEST_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_AUTHOR = ("Hub", "hub@localhost")


@dataclass(frozen=True)
class ParquetFile:
    """A file of a table. path: on the ref."""

    path: str
    size_bytes: int


@dataclass(frozen=True)
class ConvertedSplit:
    """A split as Parquet. rows, size_bytes (of the rows in memory): None where they were not read."""

    name: str
    files: Sequence[ParquetFile] = ()
    is_partial: bool = False
    rows: int | None = None
    size_bytes: int | None = None
    # Of the files that it was made of.
    digest: str = ""


@dataclass(frozen=True)
class ConvertedConfig:
    """A configuration as Parquet. features: of its columns, as the library ``datasets`` spells them, where known."""

    name: str
    splits: Sequence[ConvertedSplit] = ()
    features: dict[str, Any] | None = None
    # Whether the tables are the very files that were pushed, so that any reader finds the same rows in both.
    is_same: bool = False


@dataclass(frozen=True)
class Failure:
    """A split that could not be converted, and why."""

    config: str
    split: str
    reason: str


@dataclass(frozen=True)
class Converted:
    """What is on the ref. source_commit: that it was made of. digest: of the files that the tables were made of."""

    commit_id: str
    source_commit: str
    digest: str
    configs: Sequence[ConvertedConfig] = ()
    failed: Sequence[Failure] = ()

    @property
    def is_partial(self) -> bool:
        return any(split.is_partial for config in self.configs for split in config.splits)


def digest_of(layout: Layout) -> str:
    """By which tables are known to be made of the same files."""
    parts = [
        [config.name, config.format, config.delimiter, split.name, file.path, file.etag]
        for config in layout.configs
        for split in config.splits
        for file in split.files
    ]
    return hashlib.sha256(json.dumps([_FORMAT, parts]).encode()).hexdigest()


def find_converted(context: Context, repository: Shown) -> Converted | None:
    """What is on the ref, or None while there is nothing."""
    path = repository_path(context.settings, repository)
    commit_id = offload(find_revision, path, REF)
    if commit_id is None:
        return None
    key = ("parquet", _FORMAT, repository.uuid, commit_id)
    kept = derived.find(context, *key)
    if kept is None:
        kept = offload(_read_manifest, path, commit_id)
        derived.keep(context, *key, answer=kept)
    return _from_json(commit_id, kept)


def _read_manifest(path: Path, commit_id: str) -> dict[str, Any]:
    entry = tree.find_entry(path, commit_id, MANIFEST)
    raw = tree.read_blob(path, entry.oid, limit_bytes=_MAX_MANIFEST_BYTES).data if entry is not None else b"{}"
    try:
        found = json.loads(raw)
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _from_json(commit_id: str, kept: dict[str, Any]) -> Converted:
    configs = [
        ConvertedConfig(
            config["name"],
            [
                ConvertedSplit(**{**split, "files": [ParquetFile(**file) for file in split["files"]]})
                for split in config["splits"]
            ],
            config["features"],
            config["is_same"],
        )
        for config in kept.get("configs", [])
    ]
    failed = [Failure(**failure) for failure in kept.get("failed", [])]
    return Converted(commit_id, kept.get("source_commit", ""), kept.get("digest", ""), configs, failed)


def current_commit(context: Context, repository: Shown, converted: Converted) -> str:
    """The commit that what is on the ref stands for: the default branch's, while its tables are the same files.

    Else the one that it was made of.
    """
    path = repository_path(context.settings, repository)
    head = offload(find_revision, path, repository.default_branch)
    if head is None or head == converted.source_commit:
        return converted.source_commit
    layout = read_layout(context, repository, commit_id=head)
    return head if digest_of(layout) == converted.digest else converted.source_commit


# Converting.


@dataclass
class _Made:
    changes: list[FileChange] = field(default_factory=list)
    configs: list[ConvertedConfig] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


def convert(
    context: Context, *, repository_id: int, note: Callable[[int, int], None] = lambda done, total: None
) -> str:
    """Let the ref be what the default branch's tables are now; what was done, in a few words.

    note: told how many bytes of how many were read; may raise to stop. May be repeated: what is right is left alone.
    Raises QuotaExceeded, Conflict (another run was first), Unavailable.
    """
    with reading(context) as work:
        repository = work.session.get(Repository, repository_id)
        if repository is None or repository.deleted_at is not None or repository.kind != "dataset":
            return "There is no such data set."
    path = repository_path(context.settings, repository)
    head = offload(find_revision, path, repository.default_branch)
    if head is None:
        return "There is no commit."
    layout = read_layout(context, repository, commit_id=head)
    digest = digest_of(layout)
    before = find_converted(context, repository)
    old = before.commit_id if before is not None else ZERO_OID
    if before is not None and before.digest == digest:
        return "The tables are the same."
    if not any(is_converted(config, split) for config in layout.configs for split in config.splits):
        if before is None:
            return "There are no tables."
        stored = _converted_oids(path, before)
        _move(context, repository, RefChange(REF, old, ZERO_OID))
        _let_go(context, repository, stored)
        return "There are no tables any more."
    stored = _converted_oids(path, before)
    try:
        made = _make_all(context, repository, layout, note, stored)
        _publish(context, repository, made, layout, old)
        stored -= _converted_oids(path, find_converted(context, repository))
    finally:
        _let_go(context, repository, stored)
    count = sum(len(split.files) for config in made.configs for split in config.splits)
    return f"{count} files for {len(made.configs)} configurations; {len(made.failed)} splits failed."


def _publish(context: Context, repository: Repository, made: _Made, layout: Layout, old: str) -> None:
    path = repository_path(context.settings, repository)
    manifest = {
        "source_commit": layout.commit_id,
        "digest": digest_of(layout),
        "configs": [asdict(config) for config in made.configs],
        "failed": [asdict(failure) for failure in made.failed],
    }
    text = json.dumps(manifest, separators=(",", ":")).encode()
    if len(text) > _MAX_MANIFEST_BYTES:
        # Read back cut short, it would say nothing, and all be made anew with each push.
        manifest["configs"] = [asdict(replace(config, features=None)) for config in made.configs]
        text = json.dumps(manifest, separators=(",", ":")).encode()
    made.changes.append(FileChange("put", MANIFEST, content=text))
    signature = Signature(*_AUTHOR, context.clock.now())
    # A history of its own, of one commit: what was before is of no use to anybody.
    commit_id = offload(
        build_commit,
        path,
        parent=None,
        changes=made.changes,
        author=signature,
        committer=signature,
        message=f"Tables of {layout.commit_id} as Parquet",
    )
    _move(context, repository, RefChange(REF, old, commit_id))


def _converted_oids(path: Path, before: Converted | None) -> set[str]:
    """The LFS objects that a former conversion made, tables that were Parquet already left out."""
    if before is None:
        return set()
    made = [config for config in before.configs if not config.is_same]
    names = [file.path for config in made for split in config.splits for file in split.files]
    _, found = offload(tree.find_entries, path, before.commit_id, names)
    return {entry.lfs.oid for entry in found if entry is not None and entry.lfs is not None}


def _let_go(context: Context, repository: Repository, oids: Collection[str]) -> None:
    """Let the repository no longer hold those of these objects that no commit behind any of its refs names.

    So what it holds does not grow with each push. A person may have pushed the very same content, at any time: so the
    whole history is looked at.
    """
    if not oids:
        return
    path = repository_path(context.settings, repository)
    tips = sorted({*offload(list_refs, path).values()})
    named = {pointer.oid for pointer in pointers_behind(path, tips, [])}
    gone = sorted({*oids} - named)
    if gone:
        with unit_of_work(context) as work:
            count = unlink_objects(work, repository.id, gone)
        log.info("parquet_let_go", repository_id=repository.id, count=count)


def _move(context: Context, repository: Repository, change: RefChange) -> None:
    refs.receive(context, actor=SYSTEM, repository=repository, changes=[change], via="convert")
    log.info("parquet_converted", repository_id=repository.id, commit_id=change.new)


def _make_all(
    context: Context, repository: Repository, layout: Layout, note: Callable[[int, int], None], stored: set[str]
) -> _Made:
    """All splits as Parquet. stored: gets the oids of what is put into LFS, also when it ends early."""
    made = _Made()
    total = sum(file.size_bytes for config in layout.configs for split in config.splits for file in split.files)
    done = 0
    for config in layout.configs:
        splits: list[ConvertedSplit] = []
        features: list[dict[str, Any] | None] = []
        for split in filter(partial(is_converted, config), config.splits):
            sources = [_source(context, repository, layout.commit_id, file) for file in split.files]
            try:
                found = _make_split(
                    context, repository, config, split, sources, made.changes, stored, _noting(note, done, total)
                )
                digest = rows_digest(config.format, config.delimiter, split.files)
                splits.append(replace(found[0], digest=digest))
                features.append(found[1])
            except arrow.UnreadableTable as error:
                made.failed.append(Failure(config.name, split.name, str(error)))
            done += sum(file.size_bytes for file in split.files)
            note(done, total)
        if splits:
            same = features[0] if all(each == features[0] for each in features) else None
            made.configs.append(ConvertedConfig(config.name, splits, same, config.format == "parquet"))
    return made


def _noting(note: Callable[[int, int], None], before: int, total: int) -> Callable[[int], None]:
    return lambda read: note(before + read, total)


def _make_split(
    context: Context,
    repository: Repository,
    config: TableConfig,
    split: TableSplit,
    sources: Sequence[arrow.Source],
    changes: list[FileChange],
    stored: set[str],
    note: Callable[[int], None],
) -> tuple[ConvertedSplit, dict[str, Any] | None]:
    """A split on the ref, and its features; what is to be written is added to the changes when all of it is known."""
    if config.format == "parquet":
        found = arrow.describe_parquet(sources) if arrow.is_available() else None
        files = []
        for number, file in enumerate(split.files):
            files.append(ParquetFile(f"{config.name}/{split.name}/{number:04d}.parquet", file.size_bytes))
            changes.append(FileChange("put", files[-1].path, blob_oid=file.oid))
        if found is None:
            return ConvertedSplit(split.name, files), None
        return ConvertedSplit(split.name, files, False, found.rows, found.size_bytes), found.features
    if not arrow.is_available():
        raise arrow.UnreadableTable("This hub was installed without what converts tables (the extra 'dataset').")
    taken: list[LFSPointer] = []

    def take(path: Path) -> None:
        taken.append(_store(context, repository, path))
        stored.add(taken[-1].oid)

    with tempfile.TemporaryDirectory(prefix="hub-parquet-", dir=_scratch(context)) as folder:
        written = arrow.write_parquet(
            sources,
            format=config.format,
            delimiter=config.delimiter,
            folder=Path(folder),
            max_bytes=MAX_SOURCE_BYTES,
            take=take,
            note=note,
        )
    name = f"{PARTIAL if written.is_partial else ''}{split.name}"
    files = []
    for number, pointer in enumerate(taken):
        files.append(ParquetFile(f"{config.name}/{name}/{number:04d}.parquet", pointer.size_bytes))
        changes.append(FileChange("put", files[-1].path, content=format_pointer(pointer.oid, pointer.size_bytes)))
    return ConvertedSplit(split.name, files, written.is_partial, written.rows, written.size_bytes), written.features


def _scratch(context: Context) -> Path:
    path = context.settings.cache_path / "parquet"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _source(context: Context, repository: Repository, commit_id: str, file: TableFile) -> arrow.Source:
    """A file of the data set to read; it is opened when it is read first."""

    @cache
    def opened() -> OpenedFile:
        try:
            return open_file(context, repository, actor=SYSTEM, path=file.path, revision=commit_id)
        except NotFound:
            raise arrow.UnreadableTable(f"The content of {file.path!r} is not there.") from None

    return arrow.Source(file.path, file.size_bytes, lambda start, length: opened().open_range(start, length))


def _store(context: Context, repository: Repository, path: Path) -> LFSPointer:
    """Keep a file in LFS, and remove it."""
    with path.open("rb") as stream:
        oid = hashlib.file_digest(stream, "sha256").hexdigest()
        size_bytes = stream.tell()
        stream.seek(0)
        chunks = iter(lambda: stream.read(_CHUNK_BYTES), b"")
        receive_object(
            context, actor=SYSTEM, repository_id=repository.id, oid=oid, size_bytes=size_bytes, chunks=chunks
        )
    path.unlink()
    return LFSPointer(oid, size_bytes)
