"""What a pickle imports: its opcodes are read, never run, and picklescan judges what they name.

picklescan keeps every opcode of a pickle in memory, with its argument. Here they go by one after another, so that a
pickle of any size takes the memory of a small one: large arguments are passed over, and of the memo only short texts
are kept. What the opcodes name is then handed to picklescan as a small pickle of nothing but imports.
"""

from __future__ import annotations

import io
import logging
import pickletools
import re
from dataclasses import dataclass, field
from typing import BinaryIO

from hub.assets.security.files import MAX_IMPORTS, Budget, Exceeded, Finding, Level, Result, clean

# Longer arguments are passed over: no name of anything that can be imported is as long.
_MAX_ARGUMENT_BYTES = 4096
_SKIP_BYTES = 64 * 1024
_MAX_NAME_CHARS = 200
_MAX_NAMES = 10_000
_MAX_MEMO = 5_000_000
_MAX_SPARSE_MEMO = 100_000
_MAX_MEMO_CHARS = 64_000_000
_STEP = 4096
MAX_PICKLES = 1000
# Source: torch.serialization, what files of the form before 1.6 begin with; five pickles, then raw numbers.
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_TORCH_PICKLES = 5
UNKNOWN = "unknown"

_STRINGS = frozenset(
    ("SHORT_BINUNICODE", "UNICODE", "BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING")
)
_PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GETS = frozenset(("GET", "BINGET", "LONG_BINGET"))
_EXTENSIONS = frozenset(("EXT1", "EXT2", "EXT4"))
_MODULE = re.compile(r"[^\W\d][\w.]*\Z")
_PLAIN = re.compile(r"[\x21-\x7e]+\Z")
# Attributes by which any object leads to the interpreter's own functions.
_DUNDER = re.compile(r"(^|\.)__\w+__(\.|\Z)")


class _Skipped(bytes):
    """Stands for bytes that were passed over: ``pickletools`` asks it for its length."""

    length = 0

    def __len__(self) -> int:
        return self.length


class _Input:
    """A stream as ``pickletools.genops`` reads it, which passes over large arguments."""

    def __init__(self, stream: BinaryIO, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    def read(self, count: int) -> bytes:
        if count <= _MAX_ARGUMENT_BYTES:
            return self._stream.read(count)
        left = count
        if self._stream.seekable():
            at = self._stream.tell()
            end = self._stream.seek(0, io.SEEK_END)
            passed = min(left, end - at)
            self._stream.seek(at + passed)
            left -= passed
        else:
            while left and (piece := self._stream.read(min(left, _SKIP_BYTES))):
                left -= len(piece)
                self._budget.step(0)
        skipped = _Skipped()
        skipped.length = count - left
        return skipped

    def readline(self) -> bytes:
        line = self._stream.readline(_MAX_ARGUMENT_BYTES)
        if line.endswith(b"\n") or len(line) < _MAX_ARGUMENT_BYTES:
            return line
        is_quoted = line[:1] in (b"'", b'"')
        while piece := self._stream.readline(_SKIP_BYTES):
            self._budget.step(0)
            if piece.endswith(b"\n"):
                # What any opcode with a line takes for its argument.
                return b"''\n" if is_quoted else b"0\n"
        return b""


@dataclass
class Walk:
    """What one pickle names. first_number: the first whole number in it; error: why its end was not reached."""

    names: set[tuple[str, str]] = field(default_factory=set)
    first_number: int | None = None
    has_extensions: bool = False
    steps: int = 0
    error: str = ""


class _Memo:
    """The texts of a pickle's memo, by number; None for what is no text."""

    def __init__(self) -> None:
        self._dense: list[str | None] = []
        self._sparse: dict[int, str | None] = {}
        self._chars = 0

    def put(self, number: int | None, value: str | None) -> None:
        if number is None:
            number = len(self._dense) + len(self._sparse)
        self._chars += len(value or "")
        if self._chars > _MAX_MEMO_CHARS or len(self._dense) >= _MAX_MEMO:
            raise Exceeded("It keeps too many objects to be followed.")
        if number < len(self._dense):
            self._dense[number] = value
        elif number == len(self._dense) and number not in self._sparse:
            self._dense.append(value)
        else:
            self._sparse[number] = value
            if len(self._sparse) > _MAX_SPARSE_MEMO:
                raise Exceeded("It keeps its objects under too many numbers to be followed.")

    def get(self, number: int) -> str | None:
        if 0 <= number < len(self._dense):
            return self._dense[number]
        return self._sparse.get(number)


def walk_pickle(stream: BinaryIO, budget: Budget, walk: Walk) -> None:
    """Follow one pickle from where the stream is to its end, and note what it names. Raises Exceeded."""
    memo = _Memo()
    # The two last values pushed, where they are texts that nothing has touched since.
    below: str | None = None
    top: str | None = None
    source = _Input(stream, budget)
    try:
        for opcode, argument, _ in pickletools.genops(source):  # type: ignore[arg-type]  # it reads and reads lines
            walk.steps += 1
            if walk.steps % _STEP == 0:
                budget.step(_STEP)
            name = opcode.name
            if name in _STRINGS:
                text = argument if isinstance(argument, str) and len(argument) <= _MAX_NAME_CHARS else None
                below, top = top, text
                continue
            if name == "MEMOIZE":
                memo.put(None, top)
                continue
            if name in _PUTS:
                memo.put(int(argument or 0), top)
                continue
            if name in _GETS:
                below, top = top, memo.get(int(argument or 0))
                continue
            if name == "STACK_GLOBAL":
                _add(walk, below or UNKNOWN, top or UNKNOWN)
            elif name in ("GLOBAL", "INST"):
                module, _, attribute = str(argument).partition(" ")
                _add(walk, module, attribute)
            elif name in _EXTENSIONS:
                walk.has_extensions = True
            elif walk.first_number is None and isinstance(argument, int) and ("INT" in name or "LONG" in name):
                walk.first_number = argument
            below = top = None
        budget.step(walk.steps % _STEP)
    except Exceeded:
        raise
    except Exception as error:  # whatever a broken pickle makes of it
        walk.error = str(error)[:_MAX_NAME_CHARS] or type(error).__name__


def _add(walk: Walk, module: str, name: str) -> None:
    walk.names.add((module[:_MAX_NAME_CHARS], name[:_MAX_NAME_CHARS]))
    if len(walk.names) > _MAX_NAMES:
        raise Exceeded(f"It imports more than {_MAX_NAMES} different things.")


def judge(names: set[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Each name with picklescan's word for it: "innocuous", "suspicious" or "dangerous"; the worst first."""
    # Only here: the library brings half of the standard one with it.
    from picklescan.scanner import scan_pickle_bytes

    # It logs what it finds, name by name; the result has it all.
    logging.getLogger("picklescan").setLevel(logging.CRITICAL)
    plain, found = [], []
    for module, name in sorted(names):
        is_plain = _PLAIN.match(module) and _PLAIN.match(name)
        if not is_plain or UNKNOWN in (module, name) or _DUNDER.search(name):
            found.append((clean(module), clean(name), "dangerous"))
        else:
            plain.append(b"c%s\n%s\n" % (module.encode(), name.encode()))
    said = scan_pickle_bytes(io.BytesIO(b"".join(plain) + b"."), "pickle")
    found += [(one.module, one.name, one.safety.value) for one in said.globals]
    order = {"dangerous": 0, "suspicious": 1, "innocuous": 2}
    return sorted(found, key=lambda one: (order.get(one[2], 0), one))


def scan_pickles(stream: BinaryIO, budget: Budget, result: Result, where: str = "") -> None:
    """Judge all pickles that follow each other in a stream. Raises Exceeded, and what reading raises.

    What is no pickle has nothing found in it.
    """
    names: set[tuple[str, str]] = set()
    has_extensions, error, most = False, "", MAX_PICKLES
    exceeded: Exceeded | None = None
    for number in range(MAX_PICKLES + 1):
        if number == most:
            if most == MAX_PICKLES:
                exceeded = Exceeded(f"It has more than {MAX_PICKLES} pickles.")
            break
        walk = Walk()
        try:
            walk_pickle(stream, budget, walk)
        except Exceeded as reason:
            exceeded = reason
        if number == 0 and walk.first_number == _TORCH_MAGIC:
            most = _TORCH_PICKLES
        # A text may begin as a pickle does; nothing that could be imported is called so.
        names |= {one for one in walk.names if not walk.error or _MODULE.match(one[0])}
        has_extensions = has_extensions or walk.has_extensions
        error = walk.error if walk.names else ""
        if walk.error or exceeded is not None:
            break
    _report(names, result, where)
    if has_extensions and names:
        text = "It takes objects from the registry of extensions, whatever is there."
        result.add(Finding("extension", Level.SUSPICIOUS, text, where))
    if error and names:
        result.add(Finding("broken_pickle", Level.SUSPICIOUS, f"The pickle breaks off: {error}", where))
    if exceeded is not None:
        raise exceeded


_LEVELS = {
    "dangerous": ("dangerous_import", Level.UNSAFE),
    "suspicious": ("suspicious_import", Level.SUSPICIOUS),
}


def _report(names: set[tuple[str, str]], result: Result, where: str) -> None:
    for module, name, safety in judge(names) if names else ():
        if len(result.imports) < MAX_IMPORTS:
            result.imports.append((module, name, safety))
        if safety in _LEVELS:
            kind, level = _LEVELS[safety]
            result.add(Finding(kind, level, f"The pickle imports {module}.{name}", where))
