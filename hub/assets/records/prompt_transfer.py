"""Many prompts at once: read from a file that somebody sends, written in one commit; and given out as one file.

What is sent is hostile: every step is bounded, and what cannot be read is told with its line, beside what can.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import IO, Any, Literal

from hub.accounts.policy import Action, Actor
from hub.assets.records.archives import UNREADABLE, open_archive, read_entry
from hub.assets.records.prompt_edits import check_path, composed, path_of_title
from hub.assets.service.prompts import (
    MAX_PROMPT_BYTES,
    MEMBERS,
    SUFFIX,
    load_object,
    parse_prompt,
    prompt_of,
    write_object,
)
from hub.assets.service.tensors import parts_of
from hub.base.context import Context
from hub.base.errors import HubError, Invalid, NotFound, TooLarge
from hub.base.offload import offload
from hub.db.uow import reading
from hub.git.tree import list_names
from hub.repos.contents import resolve
from hub.repos.entries import read_small_files
from hub.repos.files import CommitResult, FileEdit, commit_files
from hub.repos.lookup import get_for, repository_path
from hub.repos.models import Repository

Format = Literal["jsonl", "zip", "csv"]
FORMATS: tuple[Format, ...] = ("jsonl", "zip", "csv")
MAX_IMPORT_BYTES = 20 * 1024 * 1024
MAX_IMPORTED = 1000
MAX_ERRORS = 100
# Who sends more of what cannot be read than this has sent something else; the rest is not looked at.
MAX_REFUSED = 10 * MAX_IMPORTED
# Of commas and brackets in what is sent: what it becomes in memory goes by these, not by its bytes.
MAX_VALUES = 2_000_000
# Of a ZIP, files that are no prompts among them.
MAX_ZIP_ENTRIES = 5000
MAX_EXPORTED = 5000
MAX_EXPORT_BYTES = 64 * 1024 * 1024
_CSV_LISTS = ("tags", "feedback", "categories")


@dataclass(frozen=True)
class Refused:
    """What of an import could not be taken. place: "line 7", or the name of a file in an archive."""

    place: str
    reason: str


@dataclass
class Parsed:
    """The prompts of an import, path to file, and what could not be read; at most ``MAX_ERRORS`` of these are kept."""

    files: dict[str, bytes] = field(default_factory=dict)
    errors: list[Refused] = field(default_factory=list)
    error_count: int = 0

    def refuse(self, place: str, reason: str) -> None:
        self.error_count += 1
        if self.error_count > MAX_REFUSED:
            first = self.errors[0]
            raise Invalid(
                f"More than {MAX_REFUSED} items cannot be read; {first.place}: {first.reason}", code="REQ-ERR-6"
            )
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(Refused(place, reason[:500]))

    def add(self, place: str, members: Any, *, path: str = "") -> None:
        if not isinstance(members, Mapping):
            self.refuse(place, "This is no JSON object.")
            return
        if len(self.files) >= MAX_IMPORTED:
            self.refuse(place, f"At most {MAX_IMPORTED} prompts are taken at once.")
            return
        try:
            prompt, data = composed(members, members)
            target = check_path(path) if path else path_of_title(prompt.title)
        except HubError as error:
            self.refuse(place, str(error))
            return
        if target in self.files:
            self.refuse(place, f"{target!r} is there twice.")
            return
        self.files[target] = data


@dataclass(frozen=True)
class Imported:
    """What an import led to. result: None when there was nothing to commit. skipped: paths that were there already."""

    result: CommitResult | None
    created: Sequence[str]
    replaced: Sequence[str]
    skipped: Sequence[str]
    errors: Sequence[Refused]
    error_count: int


def import_prompts(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    stream: IO[bytes],
    format: Format,
    replace: bool = False,
    message: str = "",
    branch: str = "",
    new_branch: str = "",
) -> Imported:
    """Write the prompts of a file in one commit. Each is a file of its own, called by its title.

    replace: what is there already is written anew; else it is skipped. What cannot be read does not keep the others
    from being written. Raises TooLarge, Invalid (``archive_unreadable``, ``REQ-ERR-6``), and what ``commit_files``
    raises.
    """
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    if repository.kind != "prompt":
        raise NotFound("This is no prompt repository.", code="repository_not_found")
    data = stream.read(MAX_IMPORT_BYTES + 1)
    if len(data) > MAX_IMPORT_BYTES:
        raise TooLarge(f"An import takes at most {MAX_IMPORT_BYTES} bytes.", size_bytes=len(data))
    parsed = offload(parse_import, data, format)
    there = _names(context, repository, branch)
    created = [path for path in parsed.files if path not in there]
    known = [path for path in parsed.files if path in there]
    edits = [FileEdit(path, content=parsed.files[path], expected_oid="") for path in created]
    edits += [FileEdit(path, content=parsed.files[path]) for path in known if replace]
    result = None
    if edits:
        result = commit_files(
            context,
            actor=actor,
            repository_id=repository_id,
            message=message or f"Import {len(edits)} prompts",
            edits=edits,
            branch=branch or repository.default_branch,
            new_branch=new_branch,
        )
    return Imported(
        result,
        created=created,
        replaced=known if replace else [],
        skipped=[] if replace else known,
        errors=parsed.errors,
        error_count=parsed.error_count,
    )


def _names(context: Context, repository: Repository, branch: str) -> set[str]:
    try:
        commit_id = resolve(context, repository, branch)
    except NotFound:
        return set()
    return set(offload(list_names, repository_path(context.settings, repository), commit_id))


def parse_import(data: bytes, format: Format) -> Parsed:
    """The prompts of a file: JSON lines, a ZIP of prompt files, or CSV with a row of names first.

    Raises Invalid (``archive_unreadable``, ``REQ-ERR-6``).
    """
    parsed = Parsed()
    if format != "zip" and parts_of(data) > MAX_VALUES:
        raise Invalid(f"An import has at most {MAX_VALUES} values; send it in pieces.", code="REQ-ERR-6", member="file")
    if format == "zip":
        _parse_zip(data, parsed)
    elif format == "csv":
        _parse_csv(data, parsed)
    elif format == "jsonl":
        _parse_lines(data, parsed)
    else:
        raise Invalid(f"An import is one of {', '.join(FORMATS)}.", code="REQ-ERR-6", member="format")
    return parsed


def _load(data: bytes) -> Any:
    return json.loads(data.decode("utf-8-sig"))


def _parse_lines(data: bytes, parsed: Parsed) -> None:
    try:
        whole = _load(data)
    except (ValueError, RecursionError):
        whole = None
    # One object over several lines, or a list of them, as other tools write.
    if isinstance(whole, dict | list):
        for at, members in enumerate(whole if isinstance(whole, list) else [whole], 1):
            parsed.add(f"item {at}", members)
        return
    for number, line in enumerate(io.BytesIO(data), 1):
        if not line.strip():
            continue
        if len(line) > MAX_PROMPT_BYTES:
            parsed.refuse(f"line {number}", f"A prompt takes at most {MAX_PROMPT_BYTES} bytes.")
            continue
        try:
            members = _load(line)
        except (ValueError, RecursionError):
            parsed.refuse(f"line {number}", "This is no JSON.")
            continue
        parsed.add(f"line {number}", members)


def _parse_csv(data: bytes, parsed: Parsed) -> None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("The CSV is no UTF-8.", code="REQ-ERR-6", member="file") from None
    reader = csv.reader(io.StringIO(text, newline=""))
    names: list[str] | None = None
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            parsed.refuse(f"line {reader.line_num}", f"The row cannot be read ({error}).")
            continue
        if row is None:
            return
        if names is None:
            names = [name.strip().lower() for name in row]
            if not {"title", "content"} <= set(names):
                raise Invalid("The first row must name the columns 'title' and 'content'.", code="REQ-ERR-6")
        elif any(row):
            parsed.add(f"line {reader.line_num}", _members_of_row(names, row))


def _members_of_row(names: Sequence[str], row: Sequence[str]) -> dict[str, Any]:
    members: dict[str, Any] = {name: value for name, value in zip(names, row, strict=False) if name and value}
    for name in _CSV_LISTS:
        if name in members:
            members[name] = [word.strip() for word in members[name].replace(",", ";").split(";") if word.strip()]
    for name in ("variables", "messages", "examples"):
        if name in members:
            try:
                members[name] = json.loads(members[name])
            except (ValueError, RecursionError):
                continue  # the check of the prompt says what it should be
    return members


def _parse_zip(data: bytes, parsed: Parsed) -> None:
    try:
        with open_archive(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ZIP_ENTRIES:
                raise Invalid(f"The archive holds more than {MAX_ZIP_ENTRIES} files.", code="archive_unreadable")
            _parse_entries(archive, entries, parsed)
    except UNREADABLE as error:
        raise Invalid(f"The ZIP archive cannot be read ({str(error)[:200]}).", code="archive_unreadable") from None


def _parse_entries(archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo], parsed: Parsed) -> None:
    left = MAX_EXPORT_BYTES
    for entry in entries:
        name = PurePosixPath(entry.filename).name
        if entry.is_dir() or not name.endswith((SUFFIX, ".json")):
            continue
        place = entry.filename[:200].encode(errors="replace").decode()
        try:
            content = read_entry(archive, entry, limit_bytes=MAX_PROMPT_BYTES)
        except UNREADABLE as error:
            parsed.refuse(place, f"It cannot be unpacked ({str(error)[:200]}).")
            continue
        left -= len(content)
        if left < 0:
            raise Invalid(f"The archive unpacks to more than {MAX_EXPORT_BYTES} bytes.", code="archive_unreadable")
        if len(content) > MAX_PROMPT_BYTES:
            parsed.refuse(place, f"A prompt takes at most {MAX_PROMPT_BYTES} bytes.")
            continue
        try:
            members = _load(content)
        except (ValueError, RecursionError):
            parsed.refuse(place, "This is no JSON.")
            continue
        parsed.add(place, members, path=name if name.endswith(SUFFIX) else "")


def export_prompts(
    context: Context, repository: Repository, *, actor: Actor, format: Format, revision: str = ""
) -> Iterator[bytes]:
    """The prompts of a revision as JSON lines, CSV, or a ZIP of their files, in pieces.

    At most ``MAX_EXPORTED`` of them and ``MAX_EXPORT_BYTES``. Before the first piece: raises NotFound
    (``revision_not_found``), Invalid, NotSignedIn or Denied (``gated_repository``).
    """
    if format not in FORMATS:
        raise Invalid(f"An export is one of {', '.join(FORMATS)}.", code="REQ-ERR-6", query="format")
    commit_id = resolve(context, repository, revision)
    files = read_small_files(
        context,
        repository,
        actor=actor,
        suffix=SUFFIX,
        revision=commit_id,
        max_files=MAX_EXPORTED,
        max_file_bytes=MAX_PROMPT_BYTES,
        max_bytes=MAX_EXPORT_BYTES,
    )
    if format == "zip":
        return iter([offload(_zip_of, files)])
    if format == "csv":
        return iter([offload(_csv_of, files)])
    return _lines_of(files)


def _lines_of(files: Mapping[str, bytes]) -> Iterator[bytes]:
    for data in files.values():
        members = load_object(data)
        # Members that are not ours are kept, as in the file.
        if members is not None and prompt_of(members) is not None:
            yield write_object(members)


def _zip_of(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            if parse_prompt(data) is None:
                continue
            # One date for all, so that the same prompts are the same bytes.
            entry = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return target.getvalue()


def _csv_of(files: Mapping[str, bytes]) -> bytes:
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    writer.writerow(MEMBERS)
    for data in files.values():
        prompt = parse_prompt(data)
        if prompt is not None:
            members = asdict(prompt)
            writer.writerow([_cell_of(name, members[name]) for name in MEMBERS])
    return target.getvalue().encode()


def _cell_of(name: str, value: Any) -> str:
    if name in _CSV_LISTS:
        return ";".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if value else ""
