"""The lines of a batch's input, read as they are needed, and whether they are what they must be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from plugins.inference.files.batches import MAX_LINES

MAX_CUSTOM_ID = 512
# So many of what is wrong with a file are told.
MAX_ERRORS = 20


@dataclass(frozen=True)
class Line:
    """One line: its number, from 0; where the next one begins; None for a text that is longer than one may be.

    has_result: it was called already.
    """

    number: int
    end_byte: int
    text: bytes | None
    has_result: bool = False


def split_lines(pieces: Iterable[bytes], *, limit_bytes: int, number: int = 0, byte: int = 0) -> Iterator[Line]:
    """The lines of a file that are not empty. number, byte: of the first of them; limit_bytes: of one line."""
    rest, is_long = bytearray(), False
    for piece in pieces:
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            rest += piece[start:end]
            byte += end + 1 - start
            if is_long or len(rest) > limit_bytes:
                yield Line(number, byte, None)
                number += 1
            elif rest.strip():
                yield Line(number, byte, bytes(rest))
                number += 1
            rest.clear()
            start, is_long = end + 1, False
        rest += piece[start:]
        byte += len(piece) - start
        if len(rest) > limit_bytes:
            rest.clear()
            is_long = True
    if is_long or rest.strip():
        yield Line(number, byte, None if is_long else bytes(rest))


class Wanted(msgspec.Struct):
    """What a line asks for."""

    custom_id: str
    method: str
    url: str
    body: dict[str, Any]


_decode = msgspec.json.Decoder(Wanted).decode


@dataclass
class Verdict:
    """What is said of a whole file. errors: as OpenAI's clients read them."""

    total: int = 0
    model: str = ""
    errors: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, code: str, message: str, line: int | None = None, param: str | None = None) -> None:
        self.errors.append(
            {"code": code, "message": message, "param": param, "line": None if line is None else line + 1}
        )


def read_line(text: bytes) -> Wanted:
    """Raises ValueError, in words for its maker."""
    try:
        found = _decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)[:200] or "it is nested too deeply") from None
    if not 0 < len(found.custom_id) <= MAX_CUSTOM_ID or "\0" in found.custom_id:
        raise ValueError(f"'custom_id' has 1 to {MAX_CUSTOM_ID} letters")
    return found


def judge(lines: Iterable[Line], *, endpoint: str, limit_bytes: int) -> Verdict:
    """Whether a file can be worked on: every line is a call of this endpoint and of one model, and of another name.

    Of what it has read it keeps a digest for each line.
    """
    verdict = Verdict()
    seen: set[bytes] = set()
    for line in lines:
        verdict.total += 1
        if verdict.total > MAX_LINES:
            verdict.refuse("too_many_lines", f"A batch has {MAX_LINES} lines at most.")
        elif line.text is None:
            verdict.refuse("invalid_json_line", f"The line is longer than {limit_bytes} bytes.", line.number)
        else:
            _judge(verdict, line.number, line.text, seen, endpoint)
        if len(verdict.errors) >= MAX_ERRORS or verdict.total > MAX_LINES:
            break
    if not verdict.total:
        verdict.refuse("empty_file", "The file has no lines.")
    return verdict


def _judge(verdict: Verdict, number: int, text: bytes, seen: set[bytes], endpoint: str) -> None:
    try:
        wanted = read_line(text)
    except ValueError as error:
        verdict.refuse("invalid_json_line", f"This is not a call of a batch: {error}.", number)
        return
    digest = hashlib.blake2b(wanted.custom_id.encode(errors="replace"), digest_size=16).digest()
    model = wanted.body.get("model")
    if digest in seen:
        verdict.refuse("duplicate_custom_id", "The 'custom_id' is another line's, too.", number, "custom_id")
    if wanted.method != "POST":
        verdict.refuse("invalid_method", "The method is POST.", number, "method")
    if wanted.url != endpoint:
        verdict.refuse("mismatched_url", f"The URL is the batch's endpoint, {endpoint}.", number, "url")
    if wanted.body.get("stream"):
        verdict.refuse("invalid_request", "Calls of a batch do not stream.", number, "body.stream")
    if not isinstance(model, str) or not model:
        verdict.refuse("missing_model", "The call names no model.", number, "body.model")
    elif verdict.model not in ("", model):
        verdict.refuse("mismatched_model", "All calls of a batch are of one model.", number, "body.model")
    else:
        verdict.model = model
    seen.add(digest)
