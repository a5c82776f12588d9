"""What a checker is given and gives: a content that is read within limits, and what was found in it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO, cast

from hub.base.context import Context, Key
from hub.base.registry import Registry
from hub.base.texts import as_storable

MAX_FINDINGS = 100
MAX_IMPORTS = 200
MAX_TEXT_CHARS = 200
_LEAST_SECONDS, _SECONDS_PER_MIB = 10.0, 4.0
HEAD_BYTES = 4096
_FIRST_BLOCK_BYTES = 64 * 1024
_MAX_BLOCK_BYTES = 4 * 1024 * 1024
# What is asked for at once: a zip's list of members is read so, and takes ten times its length in memory.
_MAX_READ_BYTES = 4 * 1024 * 1024


class Treatment(StrEnum):
    """How a file's name has a content be read. The name has no other influence, so that results are the content's."""

    PLAIN = ""
    PICKLE = "pickle"


# Source: picklescan's lists (scanner.py), and what dill, joblib and scikit-learn's users call their files.
_PICKLE_ENDINGS = (
    *(".pkl", ".pickle", ".pck", ".pcl", ".joblib", ".dill", ".cloudpickle", ".sav", ".dat", ".data"),
    *(".bin", ".pt", ".pth", ".ckpt", ".pkl.gz", ".pickle.gz", ".pkl.bz2", ".pkl.xz", ".joblib.gz"),
)


def treatment_of(path: str) -> Treatment:
    """How a file of that path is read."""
    return Treatment.PICKLE if path.lower().endswith(_PICKLE_ENDINGS) else Treatment.PLAIN


class Level(StrEnum):
    """How bad a finding is."""

    UNSAFE = "unsafe"
    SUSPICIOUS = "suspicious"


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    kind: a word, "dangerous_import". where: the member of an archive. line: of a text, from 1. A secret's text is its
    first letters and its length, never itself; who may not write to the repository does not get it.
    """

    kind: str
    level: Level
    text: str
    where: str = ""
    line: int | None = None
    is_secret: bool = False


class Exceeded(Exception):
    """A content would take more than a limit allows; the message says which. is_size: it is merely too large."""

    def __init__(self, reason: str, *, is_size: bool = False) -> None:
        super().__init__(reason)
        self.is_size = is_size


@dataclass(frozen=True)
class Limits:
    """What one content may cost: bytes read and unpacked, members of archives, opcodes, seconds.

    nested_bytes: of an archive in another, which is copied to the disk.
    """

    read_bytes: int = 2 * 1024**3
    unpacked_bytes: int = 1024**3
    nested_bytes: int = 256 * 1024**2
    members: int = 20_000
    depth: int = 3
    steps: int = 50_000_000
    seconds: float = 60.0


def limits_of(size_bytes: int) -> Limits:
    """The limits for a content of that size: what is small is not looked at for a minute, whatever is packed in it."""
    return Limits(seconds=min(Limits.seconds, _LEAST_SECONDS + _SECONDS_PER_MIB * size_bytes / 1024**2))


class Budget:
    """What is left of the limits while one content is looked through. Each method raises Exceeded when it is gone."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._deadline = time.monotonic() + limits.seconds
        self._read = limits.read_bytes
        self._unpacked = limits.unpacked_bytes
        self._members = limits.members
        self._steps = limits.steps

    def read(self, count: int) -> None:
        self._read -= count
        if self._read < 0:
            raise Exceeded("It is too large to be looked through.", is_size=True)
        self._check_time()

    def unpack(self, count: int) -> None:
        self._unpacked -= count
        if self._unpacked < 0:
            raise Exceeded("What is packed in it is too large to be looked through.", is_size=True)
        self._check_time()

    def enter(self) -> None:
        self._members -= 1
        if self._members < 0:
            raise Exceeded(f"It packs more than {self.limits.members} files.")
        self._check_time()

    def step(self, count: int) -> None:
        self._steps -= count
        if self._steps < 0:
            raise Exceeded("It has too many operations to be followed.")
        self._check_time()

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise Exceeded(f"Looking through it took more than {self.limits.seconds:g} seconds.")


class Ranges(io.RawIOBase):
    """A content as a file that is read by ranges: forward in ever larger blocks, anywhere else in small ones."""

    def __init__(self, size_bytes: int, open_range: Callable[[int, int], Iterable[bytes]], budget: Budget) -> None:
        self._size = size_bytes
        self._open_range = open_range
        self._budget = budget
        self._at = 0
        self._block = memoryview(b"")
        self._block_at = 0
        # Why the content could not be had. The libraries between would take it for a broken file.
        self.failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        if len(buffer) > _MAX_READ_BYTES:
            raise Exceeded("A part of it that must be read at once is too large.")
        if self._at >= self._size:
            return 0
        offset = self._at - self._block_at
        if not 0 <= offset < len(self._block):
            self._fetch(len(buffer))
            offset = 0
        piece = self._block[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _fetch(self, wanted: int) -> None:
        is_next = bool(self._block) and self._at == self._block_at + len(self._block)
        length = min(2 * len(self._block), _MAX_BLOCK_BYTES) if is_next else _FIRST_BLOCK_BYTES
        length = min(max(length, wanted), self._size - self._at)
        self._budget.read(length)
        try:
            data = b"".join(self._open_range(self._at, length))
            if len(data) != length:
                raise OSError("The content is shorter than it should be.")
        except Exception as error:
            self.failure = error
            raise
        self._block, self._block_at = memoryview(data), self._at


@dataclass(frozen=True)
class CheckedFile:
    """A content as a checker gets it.

    head: its first bytes, at most ``HEAD_BYTES``. open: the whole, as a file that can be read anywhere; what is read
    counts against the budget. A checker raises nothing but what reading raises.
    """

    treatment: Treatment
    size_bytes: int
    head: bytes
    budget: Budget
    open: Callable[[], BinaryIO]

    @property
    def is_text(self) -> bool:
        """As git guesses it."""
        return b"\0" not in self.head


@dataclass
class Result:
    """What checkers found in a content. reason: why something of it was not looked through."""

    findings: list[Finding] = field(default_factory=list)
    imports: list[tuple[str, str, str]] = field(default_factory=list)
    reason: str = ""
    is_skipped: bool = False  # the reason is that it is too large, or of a kind that is not opened

    def add(self, finding: Finding) -> None:
        """Keep one finding, in words that can be stored."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)
        elif finding.level == Level.UNSAFE and self.findings[-1].level != Level.UNSAFE:
            self.findings[-1] = finding

    def miss(self, reason: str, *, is_skipped: bool = False) -> None:
        """Say why something was not looked through; the first reason stays, an error before a skip."""
        if not self.reason or (self.is_skipped and not is_skipped):
            self.reason, self.is_skipped = reason, is_skipped


@dataclass(frozen=True)
class Checker:
    """One way to look at a content. check: called for each, adds to the result; a new version has all looked at anew.

    It depends on the content and its treatment alone.
    """

    name: str
    version: str
    check: Callable[[CheckedFile, Result], None]


CHECKERS: Key[Registry[Checker]] = Key("assets.checkers")


def add_checker(context: Context, checker: Checker, owner: str = "hub") -> None:
    """Add a checker. Raises RegistryError when its name is taken."""
    context[CHECKERS].add(checker.name, checker, owner=owner)


def clean(text: str) -> str:
    """A text of a stranger's file, short and such that it can be stored and shown."""
    return as_storable(text[:MAX_TEXT_CHARS])[:MAX_TEXT_CHARS]


def open_content(
    size_bytes: int, open_range: Callable[[int, int], Iterable[bytes]], budget: Budget
) -> tuple[BinaryIO, Ranges]:
    """A content as a buffered file, and what it reads from."""
    ranges = Ranges(size_bytes, open_range, budget)
    return cast(BinaryIO, io.BufferedReader(ranges, _FIRST_BLOCK_BYTES)), ranges


def describe(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as they are stored."""
    return [
        {
            "kind": finding.kind,
            "level": finding.level.value,
            "text": clean(finding.text),
            "where": clean(finding.where),
            "line": finding.line,
            "is_secret": finding.is_secret,
        }
        for finding in findings
    ]
