"""Which files of a data set are which table: configurations and splits, as the library ``datasets`` finds them.

Either the card says it (``configs:``), or the names of folders and files do. Sources: datasets' documentation,
"Structure your repository"; Hugging Face contract, section 13.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from hub.assets.service.facts import read_facts
from hub.base.context import Context
from hub.base.errors import Invalid, TooLarge
from hub.base.names import normalise_path
from hub.base.offload import offload
from hub.git import tree
from hub.git.types import EntryKind
from hub.repos import derived
from hub.repos.lookup import repository_path
from hub.repos.rows import Shown

MAX_FILES = 2_000
MAX_CONFIGS = 100
MAX_PATTERNS = 200
MAX_PATTERN_CHARS = 500
# Folders in folders, in the names of files and in patterns; what lies deeper is in no table.
MAX_PARTS = 32
# In a repository with more files than these no table is looked for.
_MAX_WALKED = 20_000
# How many comparisons of characters of names and of patterns there may be at worst; a commit whose patterns would take
# more has no tables. It is some seconds, and five times what 20,000 files need that no card speaks of.
MAX_EFFORT = 2_000_000_000
# Pictures and sounds are files of a table each, so there are more of them.
MAX_MEDIA_FILES = 20_000
_FORMAT = "2"

FORMATS: Mapping[str, str] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".zip": "archive",
    ".tar": "archive",
    ".tgz": "archive",
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif"), "imagefolder"),
    **dict.fromkeys((".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".aiff"), "audiofolder"),
}
FOLDERS = ("imagefolder", "audiofolder")
# Tables of these are made Parquet on ``refs/convert/parquet``, too.
CONVERTED = ("csv", "json", "parquet")
_COMPRESSED = (".gz", ".zst", ".zstd", ".bz2")
# What is said of the files of a folder of pictures or sounds.
METADATA = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})
_ROWS_FORMAT = "1"
_KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
# What parts a keyword from the rest of a name.
_SEPARATORS = "-._ 0-9"
_IN_FOLDER = ("**/{word}/**", "**/{word}[{sep}]*/**", "**/*[{sep}]{word}/**", "**/*[{sep}]{word}[{sep}]*/**")
_IN_NAME = ("**/{word}[{sep}]*", "**/*[{sep}]{word}[{sep}]*")
_SHARDED = re.compile(r"data/(?P<split>[^/]*)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]*\Z")
_IGNORED = frozenset(
    {"README.md", "config.json", "dataset_info.json", "dataset_infos.json", "dummy_data.zip", "dataset_dict.json"}
)
_SPLIT_NAME = re.compile(r"\w+(\.\w+)*\Z")
_WILD = re.compile(r"[*?\[\]]")
_CONFIG_NAME = re.compile(r"[^<>:/\\|?*\x00-\x1f]{1,100}\Z")


@dataclass(frozen=True)
class TableFile:
    """A file of a table. oid: the Git blob. etag: what its content is known by. lfs_oid: "" for content in Git."""

    path: str
    oid: str
    etag: str
    size_bytes: int
    lfs_oid: str = ""


@dataclass(frozen=True)
class TableSplit:
    """A part of a configuration, such as "train"; its files in order."""

    name: str
    files: Sequence[TableFile]


@dataclass(frozen=True)
class TableConfig:
    """A table. format: a value of ``FORMATS``, or empty for files of other sorts. delimiter: between a CSV's columns;
    empty where the file's name says it."""

    name: str
    splits: Sequence[TableSplit]
    format: str = ""
    delimiter: str = ""


@dataclass(frozen=True)
class Layout:
    """The tables of a commit."""

    commit_id: str
    configs: Sequence[TableConfig] = ()


@dataclass
class WantedConfig:
    """A configuration as it was found: patterns of files by split."""

    name: str
    splits: dict[str, list[str]] = field(default_factory=dict)
    delimiter: str = ""


def read_layout(context: Context, repository: Shown, *, commit_id: str) -> Layout:
    """The tables of a commit; none where there are none, or more files than are looked at."""
    key = ("tables", _FORMAT, repository.uuid, commit_id)
    kept = derived.find(context, *key)
    if isinstance(kept, dict):
        return _from_json(kept)
    card = read_facts(context, repository, commit_id=commit_id).card or {}
    path = repository_path(context.settings, repository)
    layout = Layout(commit_id, offload(_read_configs, path, commit_id, card))
    derived.keep(context, *key, answer=asdict(layout))
    return layout


def _from_json(kept: Mapping[str, Any]) -> Layout:
    configs = [
        TableConfig(
            config["name"],
            [TableSplit(split["name"], [TableFile(**file) for file in split["files"]]) for split in config["splits"]],
            config["format"],
            config["delimiter"],
        )
        for config in kept["configs"]
    ]
    return Layout(kept["commit_id"], configs)


def _read_configs(path: Path, commit_id: str, card: Mapping[str, Any]) -> list[TableConfig]:
    names = tree.list_files(path, commit_id, limit=_MAX_WALKED)
    if not names:
        return []
    candidates = [name for name in names if PurePosixPath(name).name not in _IGNORED]
    effort = Effort()
    try:
        wanted_configs = configs_in(card, candidates, effort)
        matched = [
            {split: _match(patterns, candidates, effort) for split, patterns in wanted.splits.items()}
            for wanted in wanted_configs
        ]
    except TooLarge:
        return []
    found: list[TableConfig] = []
    left, media_left = MAX_FILES, MAX_MEDIA_FILES
    for wanted, splits in zip(wanted_configs, matched, strict=True):
        format = _format_of(file for files in splits.values() for file in files)
        kept = {
            split: [file for file in files if _belongs(file, format)] if format else []
            for split, files in splits.items()
        }
        count = sum(map(len, kept.values()))
        left, media_left = (left, media_left - count) if format in FOLDERS else (left - count, media_left)
        if min(left, media_left) < 0:
            break
        described = [TableSplit(split, _describe(path, commit_id, files)) for split, files in kept.items()]
        found.append(TableConfig(wanted.name, [split for split in described if split.files], format, wanted.delimiter))
    return found


def _describe(path: Path, commit_id: str, names: Sequence[str]) -> list[TableFile]:
    files = []
    _, entries = tree.find_entries(path, commit_id, names)
    for name, entry in zip(names, entries, strict=True):
        if entry is not None and entry.kind is EntryKind.FILE:
            lfs_oid = entry.lfs.oid if entry.lfs else ""
            files.append(TableFile(name, entry.oid, lfs_oid or entry.oid, entry.size_bytes or 0, lfs_oid))
    return files


def rows_digest(format: str, delimiter: str, files: Sequence[TableFile]) -> str:
    """By which the rows of files are known: what is made of the same files in the same way is the same."""
    named = [[file.etag, file.path] for file in files]
    return hashlib.sha256(json.dumps([_ROWS_FORMAT, format, delimiter, named]).encode()).hexdigest()


def format_of(name: str) -> str:
    """The sort of a file by its name, a value of ``FORMATS``; empty where it is none that is read here."""
    path = PurePosixPath(name.lower())
    is_compressed = path.suffix in _COMPRESSED
    found = FORMATS.get(PurePosixPath(path.stem).suffix if is_compressed else path.suffix, "")
    # Nobody compresses what is so already; and Parquet is read by ranges.
    return "" if is_compressed and (found in (*FOLDERS, "parquet") or path.stem.endswith(".zip")) else found


def is_converted(config: TableConfig, split: TableSplit) -> bool:
    """Whether a split is made Parquet on ``refs/convert/parquet``."""
    return config.format in CONVERTED and not any(file.path.lower().endswith(_COMPRESSED) for file in split.files)


def _belongs(name: str, format: str) -> bool:
    return format_of(name) == format or (format in FOLDERS and PurePosixPath(name).name in METADATA)


def _format_of(names: Iterable[str]) -> str:
    """The sort of most of the files; empty where it is none that is read here."""
    counts = Counter(map(format_of, names))
    return max(counts, key=counts.__getitem__) if counts else ""


def configs_in(card: Mapping[str, Any], names: Sequence[str], effort: Effort) -> list[WantedConfig]:
    """The configurations that a card names, else the one that the names of files tell. Raises TooLarge."""
    said = card.get("configs")
    named = [_config_of(item, names, effort) for item in said[:MAX_CONFIGS]] if isinstance(said, list) else []
    known: dict[str, WantedConfig] = {}
    for config in named:
        if config is not None and config.splits:
            known.setdefault(config.name, config)
    if known or named:
        return [*known.values()]
    splits = _guess(names, "", effort)
    return [WantedConfig("default", splits)] if splits else []


def _config_of(item: Any, names: Sequence[str], effort: Effort) -> WantedConfig | None:
    name = item.get("config_name", "default") if isinstance(item, dict) else None
    if not isinstance(name, str) or not _CONFIG_NAME.match(name) or not _is_folder(name):
        return None
    folder = item.get("data_dir")
    head = f"{folder.strip('./')}/" if isinstance(folder, str) and folder.strip("./") else ""
    files = item.get("data_files")
    splits = _guess(names, head, effort) if files is None else _patterns_in(files)
    delimiter = item.get("sep", item.get("delimiter", ""))
    kept = {
        split: [f"{head}{pattern.removeprefix('./')}" if files is not None else pattern for pattern in patterns]
        for split, patterns in splits.items()
        if _SPLIT_NAME.match(split)
    }
    return WantedConfig(name, kept, delimiter if isinstance(delimiter, str) and len(delimiter) == 1 else "")


def _is_folder(name: str) -> bool:
    try:
        return normalise_path(name) == name
    except Invalid:
        return False


def _patterns_in(files: Any) -> dict[str, list[str]]:
    """Split -> patterns, of a text, a list of texts, or a list of ``{split, path}``."""
    if isinstance(files, str):
        return {"train": [files]}
    if isinstance(files, dict):
        files = [{"split": split, "path": path} for split, path in files.items()]
    if not isinstance(files, list):
        return {}
    if all(isinstance(item, str) for item in files):
        return {"train": files[:MAX_PATTERNS]}
    splits: dict[str, list[str]] = {}
    for item in files[:MAX_PATTERNS]:
        split, path = (item.get("split"), item.get("path")) if isinstance(item, dict) else (None, None)
        paths = [path] if isinstance(path, str) else path
        if isinstance(split, str) and isinstance(paths, list):
            splits.setdefault(split, [text for text in paths[:MAX_PATTERNS] if isinstance(text, str)])
    return splits


def _guess(names: Sequence[str], head: str, effort: Effort) -> dict[str, list[str]]:
    """Split -> patterns by how folders and files are called. head: of the folder to look in, with its slash."""
    inside = [name.removeprefix(head) for name in names if name.startswith(head)]
    sharded = {match["split"] for name in inside if (match := _SHARDED.match(name))}
    if sharded and all(_SPLIT_NAME.match(split) for split in sharded):
        in_order = [split for split in _KEYWORDS if split in sharded] + sorted(sharded - _KEYWORDS.keys())
        digits = "[0-9]" * 5
        return {split: [f"{head}data/{split}-{digits}-of-{digits}*.*"] for split in in_order}
    for bases in (_IN_FOLDER, _IN_NAME):
        splits = {}
        for split, words in _KEYWORDS.items():
            patterns = [base.format(word=word, sep=_SEPARATORS) for word in words for base in bases]
            if _match(patterns, inside, effort):
                splits[split] = [f"{head}{pattern}" for pattern in patterns]
        if splits:
            return splits
    return {"train": [f"{head}**"]} if _match(["**"], inside, effort) else {}


# Patterns.


@dataclass
class Effort:
    """What may still go into the patterns of one commit."""

    left: int = MAX_EFFORT

    def spend(self, pattern: str, chars: int) -> None:
        """Before a pattern is tried on names of so many characters. Raises TooLarge when not enough is left.

        At each place in a name each part of the pattern is tried once at most, and of it each of its texts.
        """
        texts = [max(map(len, _WILD.split(part))) for part in pattern.split("/")]
        self.left -= chars * (sum(texts) + len(texts))
        if self.left < 0:
            raise TooLarge("The patterns take too long.")


def _match(patterns: Sequence[str], names: Sequence[str], effort: Effort) -> list[str]:
    """The names that one of the patterns matches, in order. Raises TooLarge."""
    patterns = patterns[:MAX_PATTERNS]
    found = {pattern for pattern in patterns if not _has_magic(pattern)}
    tried = [name for name in names if name.count("/") < MAX_PARTS]
    chars = sum(map(len, tried))
    for pattern in patterns:
        regex = _regex(pattern) if _has_magic(pattern) else None
        if regex is not None:
            effort.spend(pattern, chars)
            found.update(name for name in tried if regex.match(name) and not _is_hidden(name, pattern))
    return [name for name in names if name in found]


def _has_magic(pattern: str) -> bool:
    return any(mark in pattern for mark in "*?[")


def _is_hidden(name: str, pattern: str) -> bool:
    """Whether a part of the name begins with a dot, or a folder with two underscores, and the pattern's does not."""
    return _marked(name.split("/"), ".") != _marked(pattern.split("/"), ".") or (
        _marked(name.split("/")[:-1], "__") != _marked(pattern.split("/")[:-1], "__")
    )


def _marked(parts: Sequence[str], mark: str) -> int:
    return sum(part.startswith(mark) for part in parts)


def _regex(pattern: str) -> re.Pattern[str] | None:
    """A pattern as fsspec reads it: ``**`` stands for folders, ``*`` for what is between slashes. None: it is odd.

    What stands between two ``**`` is taken where it comes first, and never elsewhere: whatever follows can only gain by
    it. So each part of a name is tried once at most for each part of the pattern.
    """
    parts = pattern.split("/")
    if len(pattern) > MAX_PATTERN_CHARS or len(parts) > MAX_PARTS or "://" in pattern:
        return None
    runs: list[list[str]] = [[]]
    for at, part in enumerate(parts):
        if part != "**":
            runs[-1].append(_segment(part))
        elif at == len(parts) - 1:
            # At the end it stands for a file, too.
            runs += [["[^/]+"]]
        elif at == 0 or runs[-1]:
            runs.append([])
    first, *rest = runs
    text = "/".join(first)
    if rest:
        *middle, last = rest
        text += "/" if first else ""
        text += "".join(f"(?>(?:[^/]+/)*?{'/'.join(run)}/)" for run in middle if run)
        text += f"(?:[^/]+/)*{'/'.join(last)}"
    try:
        return re.compile(rf"{text}\Z", re.DOTALL)
    except re.error:
        return None


def _segment(part: str) -> str:
    """One part of a path. A star takes as little as it can and never takes back: so no pattern is slow."""
    pieces: list[str] = [""]
    at = 0
    while at < len(part):
        char = part[at]
        closing = part.find("]", at + 2) if char == "[" else -1
        if char == "*":
            if pieces[-1] or len(pieces) == 1:
                pieces.append("")
        elif char == "?":
            pieces[-1] += "[^/]"
        elif closing > 0:
            inside = part[at + 1 : closing].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
            pieces[-1] += f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
            at = closing
        else:
            pieces[-1] += re.escape(char)
        at += 1
    first, *rest = pieces
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle) + f"[^/]*{last}"
