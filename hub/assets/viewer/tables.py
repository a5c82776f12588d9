"""Which tables a data set has at any revision, and what there is to read of them.

A table is a split: files that become rows. Parquet is read where it lies; what is anything else is made Parquet by a
job. Both are known by a digest of the files, so that revisions, branches and repositories share what was found out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.accounts.policy import Actor
from hub.assets.service import arrow
from hub.assets.service.tables import Layout, TableConfig, TableFile, TableSplit, read_layout
from hub.assets.viewer.footers import describe_files
from hub.assets.viewer.parts import Column, Content, Part, Table, find_contents
from hub.base.context import Context
from hub.base.errors import NotFound, Unprocessable
from hub.repos import contents, derived
from hub.repos.gates import check_content
from hub.repos.rows import Shown

__all__ = ["Catalogue", "Column", "ConfigState", "FileFailure", "Part", "SplitState", "Table", "find_catalogue",
           "open_table"]  # fmt: skip

FORMAT = "1"


@dataclass(frozen=True)
class FileFailure:
    """A file that gave no rows, and why. path: "" where it is the split as a whole."""

    config: str
    split: str
    path: str
    reason: str


@dataclass(frozen=True)
class SplitState:
    """What is known of a split. state: "ready", "pending" or "failed". num_rows: None while they are not counted."""

    name: str
    state: str
    reason: str = ""
    num_rows: int | None = None
    is_partial: bool = False
    digest: str = ""
    files: Sequence[TableFile] = ()


@dataclass(frozen=True)
class ConfigState:
    """A configuration and its splits. format: of its files."""

    name: str
    format: str
    splits: Sequence[SplitState] = ()


@dataclass(frozen=True)
class Catalogue:
    """The tables of a revision."""

    commit_id: str
    configs: Sequence[ConfigState] = ()
    failures: Sequence[FileFailure] = field(default=())


def digest_of(config: TableConfig, split: TableSplit) -> str:
    """By which the rows of a split are known: whatever is made of the same files in the same way is the same."""
    files = [[file.etag, file.path] for file in split.files]
    return hashlib.sha256(json.dumps([FORMAT, config.format, config.delimiter, files]).encode()).hexdigest()


def find_catalogue(context: Context, repository: Shown, *, actor: Actor, revision: str = "") -> Catalogue:
    """The tables of a revision ("": the default branch) and the state of each; asks for nothing to be made.

    Raises NotFound (``revision_not_found``); NotSignedIn or Denied (``gated_repository``).
    """
    layout = _layout(context, repository, actor, revision)
    files = [file for config in layout.configs for split in config.splits for file in split.files]
    found = find_contents(context, repository, files, actor=actor)
    configs, failures = [], []
    for config in layout.configs:
        splits = []
        for split in config.splits:
            state, unread = _state_of(context, config, split, found)
            splits.append(state)
            failures += [FileFailure(config.name, split.name, path, reason) for path, reason in unread]
        configs.append(ConfigState(config.name, config.format, splits))
    return Catalogue(layout.commit_id, configs, failures)


def open_table(
    context: Context, repository: Shown, *, actor: Actor, config: str, split: str, revision: str = ""
) -> Table:
    """A split, ready to be read. What is not Parquet yet is asked for, once.

    Raises NotFound (``revision_not_found``, ``table_not_found``), Conflict (``table_pending``: it is being made),
    Unprocessable (``table_unreadable``); NotSignedIn or Denied (``gated_repository``).
    """
    layout = _layout(context, repository, actor, revision)
    in_config, in_split = find_split(layout, config, split)
    found = find_contents(context, repository, in_split.files, actor=actor)
    digest = digest_of(in_config, in_split)
    facts = _facts_of(context, in_config, in_split, found)
    unread = [(path, reason) for path, reason in facts["unread"]]
    if not facts["parts"]:
        reason = unread[0][1] if unread else "It has no files that can be read."
        raise Unprocessable(f"The table cannot be read: {reason}", code="table_unreadable", reason=reason)
    parts = [Part(part["etag"], part["size_bytes"], part["num_rows"], found[part["path"]]) for part in facts["parts"]]
    columns = [Column(**column) for column in facts["columns"]]
    num_rows = sum(part.num_rows for part in parts)
    is_partial = bool(unread)
    return Table(config, split, digest, columns, parts, num_rows, is_partial, layout.commit_id, unread)


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


def _state_of(
    context: Context, config: TableConfig, split: TableSplit, found: Mapping[str, Content]
) -> tuple[SplitState, list[tuple[str, str]]]:
    digest = digest_of(config, split)
    facts = _facts_of(context, config, split, found)
    unread = [(path, reason) for path, reason in facts["unread"]]
    if not facts["parts"]:
        reason = unread[0][1] if unread else "It has no files that can be read."
        return SplitState(split.name, "failed", reason, digest=digest, files=split.files), unread
    num_rows = sum(part["num_rows"] for part in facts["parts"])
    state = SplitState(split.name, "ready", "", num_rows, bool(unread), digest, split.files)
    return state, unread


def _facts_of(context: Context, config: TableConfig, split: TableSplit, found: Mapping[str, Content]) -> dict[str, Any]:
    """What is known of a table: columns, parts, and files that could not be read, in words of JSON."""
    if config.format != "parquet":
        return {"columns": [], "parts": [], "unread": [[file.path, "Its format is not read yet."]
                                                       for file in split.files[:1]]}  # fmt: skip
    missing = [[file.path, "Its content is not there."] for file in split.files if file.path not in found]
    key = ("viewer", FORMAT, digest_of(config, split), str(len(missing)))
    facts: dict[str, Any] | None = derived.find(context, *key)
    if facts is None:
        if not arrow.is_available():
            reason = "This hub was installed without what reads tables (the extra 'dataset')."
            return {"columns": [], "parts": [], "unread": [[split.files[0].path, reason]]}
        facts = describe_files([found[file.path] for file in split.files if file.path in found])
        facts["unread"] += missing
        derived.keep(context, *key, answer=facts)
    return facts
