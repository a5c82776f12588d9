"""Which tables a data set has at any revision, and what there is to read of them.

A table is a split: files that become rows. Parquet is read where it lies; what is anything else is made Parquet by a
job. Both are known by a digest of the files, so that revisions, branches and repositories share what was found out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.accounts.policy import SYSTEM, Actor
from hub.assets.models_viewer import TableState, ViewerTable
from hub.assets.service.parquet import Converted, ConvertedSplit, find_converted
from hub.assets.service.tables import (
    FOLDERS,
    Layout,
    TableConfig,
    TableFile,
    TableSplit,
    format_of,
    read_layout,
    rows_digest,
)
from hub.assets.viewer import arrow, making
from hub.assets.viewer.child import CHILDREN, ReadingFailed
from hub.assets.viewer.parts import Column, Content, Part, Table, find_contents, stored_content
from hub.base.context import Context
from hub.base.errors import Conflict, NotFound, Unprocessable
from hub.base.offload import offload
from hub.db.uow import reading
from hub.git import tree
from hub.repos import contents, derived
from hub.repos.gates import check_content
from hub.repos.lookup import repository_path
from hub.repos.rows import Shown

__all__ = ["Catalogue", "Column", "ConfigState", "FileFailure", "Part", "SplitState", "Table", "find_catalogue",
           "open_table"]  # fmt: skip

FORMAT = "2"
_NO_LIBRARY = "This hub was installed without what reads tables (the extra 'dataset')."
_NOT_THERE = "Its content is not there."
_DESCRIBED_AT_ONCE = 50
# Of one request, for the ends of all its files together.
_DESCRIBE_S = 20.0
_DESCRIBE_ONE_S = 5.0


@dataclass(frozen=True)
class FileFailure:
    """A file that gave no rows, or not all of them, and why."""

    config: str
    split: str
    path: str
    reason: str


@dataclass(frozen=True)
class SplitState:
    """What is known of a split. state: "ready", "pending" or "failed". num_rows: None while they are not counted.

    is_asked: a job makes it; done and total: how far that is, in bytes. notes: how files were read, by their paths.
    """

    name: str
    state: str
    reason: str = ""
    num_rows: int | None = None
    is_partial: bool = False
    digest: str = ""
    files: Sequence[TableFile] = ()
    columns: Sequence[Column] = ()
    size_bytes: int | None = None
    is_asked: bool = False
    done: int = 0
    total: int | None = None
    notes: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class ConfigState:
    """A configuration and its splits. format: of its files."""

    name: str
    format: str
    splits: Sequence[SplitState] = ()


@dataclass(frozen=True)
class Catalogue:
    """The tables of a revision. sources: the files of each, by the names of configuration and split."""

    commit_id: str
    configs: Sequence[ConfigState] = ()
    failures: Sequence[FileFailure] = field(default=())
    sources: Mapping[tuple[str, str], SplitSource] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class SplitSource:
    """The files of a split, or a file by itself, whose contents the repository holds. missing: those it does not.

    digest: what the rows are known by, whatever is made of the same files in the same way.
    """

    config: str
    split: str
    format: str
    delimiter: str
    files: Sequence[TableFile]
    contents: Sequence[Content]
    missing: Sequence[tuple[str, str]]
    digest: str
    args: Mapping[str, str]


def find_catalogue(context: Context, repository: Shown, *, actor: Actor, revision: str = "") -> Catalogue:
    """The tables of a revision ("": the default branch) and the state of each; asks for nothing to be made.

    Raises NotFound (``revision_not_found``); NotSignedIn or Denied (``gated_repository``).
    """
    layout = _layout(context, repository, actor, revision)
    files = [file for config in layout.configs for split in config.splits for file in split.files]
    found = find_contents(context, repository, files, actor=actor)
    sources = {
        (config.name, split.name): _source_of(config, split, found, layout.commit_id)
        for config in layout.configs
        for split in config.splits
    }
    made = _Made(context, repository, [*sources.values()])
    until = time.monotonic() + _DESCRIBE_S
    configs, failures = [], []
    for config in layout.configs:
        splits = []
        for split in config.splits:
            state, unread = _state_of(context, sources[config.name, split.name], made, until)
            splits.append(state)
            failures += [FileFailure(config.name, split.name, path, reason) for path, reason in unread]
        configs.append(ConfigState(config.name, config.format, splits))
    return Catalogue(layout.commit_id, configs, failures, sources)


def open_table(
    context: Context, repository: Shown, *, actor: Actor, config: str, split: str, revision: str = ""
) -> Table:
    """A split, ready to be read. What is not Parquet yet is asked for, once.

    Raises NotFound (``revision_not_found``, ``table_not_found``), Conflict (``table_pending``: it is being made),
    Unprocessable (``table_unreadable``); NotSignedIn or Denied (``gated_repository``).
    """
    check_content(context, actor, repository)
    commit_id = contents.resolve(context, repository, revision)
    source = find_source(context, repository, actor=actor, commit_id=commit_id, config=config, split=split)
    return open_source(context, repository, source)


def find_source(
    context: Context,
    repository: Shown,
    *,
    actor: Actor,
    commit_id: str,
    config: str = "",
    split: str = "",
    path: str = "",
) -> SplitSource:
    """The files of a split of a commit; with a path, that file by itself.

    Raises NotFound (``table_not_found``, ``entry_not_found``), Unprocessable (``table_unreadable``: no format that
    has rows); NotSignedIn or Denied (``gated_repository``).
    """
    check_content(context, actor, repository)
    if path:
        opened = contents.open_file(context, repository, actor=actor, path=path, revision=commit_id)
        lfs_oid = opened.lfs.oid if opened.lfs else ""
        file = TableFile(path, opened.entry.oid, opened.etag, opened.size_bytes, lfs_oid)
        in_config, in_split = TableConfig("", [], format_of(path)), TableSplit("", [file])
        if in_config.format in ("", *FOLDERS):
            raise Unprocessable("Files of this format have no rows.", code="table_unreadable")
    else:
        layout = read_layout(context, repository, commit_id=commit_id)
        in_config, in_split = find_split(layout, config, split)
    found = find_contents(context, repository, in_split.files, actor=actor)
    return _source_of(in_config, in_split, found, commit_id, path)


def open_source(context: Context, repository: Shown, source: SplitSource) -> Table:
    """As ``open_table``, of files that were found."""
    _require_library()
    if not source.contents:
        raise unreadable(_NOT_THERE)
    made = _Made(context, repository, [source])
    until = time.monotonic() + _DESCRIBE_S
    facts = _facts_of(context, source, made, until)
    if facts is None:
        if source.digest in made.progress:
            raise pending()
        table = making.ask_for_table(context, repository, source.digest, dict(source.args))
        if table.state == TableState.FAILED:
            raise unreadable(table.reason)
        if table.state != TableState.READY:
            raise pending()
        made.rows[source.digest] = table
        facts = _facts_of(context, source, made, until)
    if facts is None or not facts["parts"]:
        raise unreadable(_reason_in(facts))
    row = made.rows.get(source.digest)
    if row is not None:
        making.note_use(context, row)
    parts = _parts_of(context, source, facts)
    return Table(
        source.config,
        source.split,
        source.digest,
        [Column(**column) for column in facts["columns"]],
        parts,
        sum(part.num_rows for part in parts),
        bool(facts["is_partial"] or facts["unread"] or source.missing),
        str(source.args["commit_id"]),
        [(path, reason) for path, reason in [*facts["unread"], *source.missing]],
        [(path, note) for path, note in facts["notes"]],
    )


def pending() -> Conflict:
    """The refusal of a table that is still being made."""
    return Conflict("The table is being made; its first rows can be seen.", code="table_pending")


def unreadable(reason: str) -> Unprocessable:
    """The refusal of a table that cannot be read."""
    return Unprocessable(f"The table cannot be read: {reason}", code="table_unreadable", reason=reason)


def _reason_in(facts: Mapping[str, Any] | None) -> str:
    unread = facts["unread"] if facts else []
    return f"{unread[0][0]}: {unread[0][1]}" if unread else "It has no files that can be read."


def _require_library() -> None:
    if not arrow.is_available():
        raise unreadable(_NO_LIBRARY)


def find_split(layout: Layout, config: str, split: str) -> tuple[TableConfig, TableSplit]:
    """A split by its names. Raises NotFound (``table_not_found``)."""
    for in_config in layout.configs:
        for in_split in in_config.splits:
            if (in_config.name, in_split.name) == (config, split):
                return in_config, in_split
    raise NotFound("The data set has no such table.", code="table_not_found")


def _layout(context: Context, repository: Shown, actor: Actor, revision: str) -> Layout:
    check_content(context, actor, repository)
    return read_layout(context, repository, commit_id=contents.resolve(context, repository, revision))


def _source_of(
    config: TableConfig, split: TableSplit, found: Mapping[str, Content], commit_id: str, path: str = ""
) -> SplitSource:
    # What the repository does not hold is no part of the digest: else whoever names a content could see its rows.
    held = [file for file in split.files if file.path in found]
    missing = [(file.path, _NOT_THERE) for file in split.files if file.path not in found]
    args = {"commit_id": commit_id, "config": config.name, "split": split.name, "path": path}
    digest = rows_digest(config.format, config.delimiter, held)
    there = [found[file.path] for file in held]
    return SplitSource(
        config.name, split.name, config.format, config.delimiter, split.files, there, missing, digest, args
    )


class _Made:
    """What there is already for several splits: rows of tables, and splits on ``refs/convert/parquet``."""

    def __init__(self, context: Context, repository: Shown, sources: Sequence[SplitSource]) -> None:
        self._context = context
        self._repository = repository
        wanted = [source.digest for source in sources if source.format != "parquet"]
        self.rows: dict[str, ViewerTable] = {}
        self.progress: dict[str, tuple[int, int | None]] = {}
        if wanted:
            with reading(context) as work:
                self.rows = making.find_tables(work, wanted)
                waiting = [row for row in self.rows.values() if row.state in (TableState.PENDING, TableState.RUNNING)]
                self.progress = making.progress_of(work, waiting) if waiting else {}
        # Looked for only where a table is still to be made.
        left = {digest for digest in wanted if digest not in self.rows or self.rows[digest].state != TableState.READY}
        converted = find_converted(context, repository) if left else None
        self.splits: dict[str, ConvertedSplit] = {}
        self._files: dict[str, TableFile] = {}
        self._contents: dict[str, Content] = {}
        if converted is not None:
            splits = [split for config in converted.configs for split in config.splits if split.digest in left]
            self.splits = {split.digest: split for split in splits}
            self._files = self._find_files(converted, [file.path for split in splits for file in split.files])
            self._contents = find_contents(context, repository, self._files.values(), actor=SYSTEM)

    def _find_files(self, converted: Converted, names: Sequence[str]) -> dict[str, TableFile]:
        path = repository_path(self._context.settings, self._repository)
        _, entries = offload(tree.find_entries, path, converted.commit_id, names)
        found = {}
        for name, entry in zip(names, entries, strict=True):
            if entry is not None:
                lfs_oid = entry.lfs.oid if entry.lfs else ""
                found[name] = TableFile(name, entry.oid, lfs_oid or entry.oid, entry.size_bytes or 0, lfs_oid)
        return found

    def files_of(self, split: ConvertedSplit) -> tuple[list[TableFile], list[Content]]:
        """The files of a split on the ref, and their contents; fewer of these where some are not there."""
        files = [self._files[file.path] for file in split.files if file.path in self._files]
        return files, [self._contents[file.path] for file in files if file.path in self._contents]


def _state_of(
    context: Context, source: SplitSource, made: _Made, until: float
) -> tuple[SplitState, list[tuple[str, str]]]:
    row = made.rows.get(source.digest)
    unread: list[tuple[str, str]] = list(source.missing)
    state, reason, facts = "pending", "", None
    if not arrow.is_available():
        state, reason = "failed", _NO_LIBRARY
    else:
        try:
            facts = _facts_of(context, source, made, until)
        except Conflict:
            facts = None
        if facts is not None:
            unread += [(path, why) for path, why in facts["unread"]]
            state = "ready" if facts["parts"] else "failed"
            reason = "" if facts["parts"] else _reason_in({"unread": unread})
        elif row is not None and row.state == TableState.FAILED:
            state, reason = "failed", row.reason
            unread += [(path, why) for path, why in row.facts.get("unread", [])]
        elif not source.contents:
            state, reason = "failed", _NOT_THERE
    done, total = made.progress.get(source.digest, (0, None))
    told = SplitState(
        source.split, state, reason, digest=source.digest, files=source.files, is_asked=row is not None, done=done,
        total=total,
    )  # fmt: skip
    if facts is None or state != "ready":
        return told, unread
    return (
        SplitState(
            source.split,
            state,
            "",
            sum(part["num_rows"] for part in facts["parts"]),
            bool(facts["is_partial"] or unread),
            source.digest,
            source.files,
            [Column(**column) for column in facts["columns"]],
            sum(part["size_bytes"] for part in facts["parts"]),
            notes=[(path, note) for path, note in facts["notes"]],
        ),
        unread,
    )


def _facts_of(context: Context, source: SplitSource, made: _Made, until: float) -> dict[str, Any] | None:
    """What is known of a table, in words of JSON: columns, parts, is_partial, unread, notes. None: it is to be made.

    A part has a key in the object store, or a path of one of the files, or of one on the ref and what it is there.
    until: on the clock ``time.monotonic``. Raises Conflict (``table_pending``) when not all could be read by then.
    """
    if source.format == "parquet":
        return _describe_all(context, source.digest, source.contents, until) if source.contents else None
    row = made.rows.get(source.digest)
    if row is not None and row.state == TableState.READY:
        return row.facts
    split = made.splits.get(source.digest)
    if split is None:
        return None
    files, there = made.files_of(split)
    if len(there) < len(split.files) or not there:
        return None
    facts = _describe_all(context, rows_digest("parquet", "", files), there, until)
    on_ref = {content.name: content for content in there}
    parts = [{**part, "content": on_ref[part["path"]]} for part in facts["parts"]]
    return {**facts, "parts": parts, "is_partial": split.is_partial}


def _parts_of(context: Context, source: SplitSource, facts: Mapping[str, Any]) -> list[Part]:
    named = {content.name: content for content in source.contents}
    parts = []
    for part in facts["parts"]:
        if "key" in part:
            content = stored_content(context, part["key"], part["etag"], part["size_bytes"])
        else:
            content = part.get("content") or named[part["path"]]
        parts.append(Part(part["etag"], part["size_bytes"], part["num_rows"], content))
    return parts


def _describe_all(context: Context, digest: str, contents: Sequence[Content], until: float) -> dict[str, Any]:
    """Columns and parts of Parquet files, from their last bytes; kept. Raises Conflict (``table_pending``)."""
    key = ("viewer", FORMAT, digest)
    facts: dict[str, Any] | None = derived.find(context, *key)
    if facts is not None:
        return facts
    columns: list[dict[str, Any]] | None = None
    parts: list[dict[str, Any]] = []
    unread: list[list[str]] = []
    is_passing = False
    for at in range(0, len(contents), _DESCRIBED_AT_ONCE):
        found = _describe(context, contents[at : at + _DESCRIBED_AT_ONCE], until)
        is_passing = is_passing or bool(found.get("is_passing"))
        unread += found["unread"]
        if columns is None:
            columns = found["columns"] or None
        elif found["parts"] and _types(found["columns"]) != _types(columns):
            reason = "Its columns are others than those of the files before it."
            unread += [[part["path"], reason] for part in found["parts"]]
            continue
        parts += found["parts"]
    facts = {"columns": columns or [], "parts": parts, "unread": unread, "notes": [], "is_partial": False}
    if not is_passing:
        derived.keep(context, *key, answer=facts)
    return facts


def _types(columns: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(column["name"], column["type"]) for column in columns]


def _describe(context: Context, contents: Sequence[Content], until: float) -> dict[str, Any]:
    key = ("viewer-files", FORMAT, *(f"{content.etag} {content.name}" for content in contents))
    found: dict[str, Any] | None = derived.find(context, *key)
    if found is None:
        found = _describe_now(contents, until)
        if not found.get("is_passing"):
            derived.keep(context, *key, answer=found)
    return found


def _describe_now(contents: Sequence[Content], until: float) -> dict[str, Any]:
    etags = [content.etag for content in contents]
    left_s = until - time.monotonic()
    if left_s <= 0:
        raise Conflict("The ends of its files are being read; ask again.", code="table_pending")
    # So that there is time left for each by itself.
    deadline_s = min(left_s, _DESCRIBE_S / 2 if len(contents) > 1 else _DESCRIBE_ONE_S)
    try:
        found: dict[str, Any] = CHILDREN.call("describe", {"etags": etags}, contents, deadline_s=deadline_s)
    except ReadingFailed as error:
        if len(contents) == 1:
            unread = [[contents[0].name, str(error)]]
            return {"columns": [], "parts": [], "unread": unread, "is_passing": error.is_passing}
        # One of them breaks what reads it: each by itself tells which.
        alone = [_describe_now([content], until) for content in contents]
        first: list[dict[str, Any]] = next((each["columns"] for each in alone if each["columns"]), [])
        fitting = [each for each in alone if _types(each["columns"]) == _types(first)]
        others = [each for each in alone if each["parts"] and _types(each["columns"]) != _types(first)]
        reason = "Its columns are others than those of the files before it."
        return {
            "columns": first,
            "parts": [part for each in fitting for part in each["parts"]],
            "unread": [entry for each in alone for entry in each["unread"]]
            + [[part["path"], reason] for each in others for part in each["parts"]],
            "is_passing": any(each.get("is_passing") for each in alone),
        }
    return found
