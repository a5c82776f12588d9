"""One line of a batch is called, as a client would call it, by the same code.

Its result is written in the transaction that records its usage. So a line that was counted is never called again,
whenever the worker dies; one that was not may be.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import func, select

from hub.plugin import Context, get_logger
from hub.plugin.db import Model, reading
from hub.plugin.metering import Usage, write_usage
from hub.plugin.settings import settings_of
from plugins.inference.files import batches
from plugins.inference.files.lines import Line, Wanted, read_line
from plugins.inference.files.models import Batch, BatchResult
from plugins.inference.gateway.app import KINDS
from plugins.inference.gateway.caller import Caller, Client
from plugins.inference.gateway.calls import Answer, CallKind
from plugins.inference.gateway.faults import Fault, internal, too_large, upstream_failed
from plugins.inference.gateway.ledger import Booking
from plugins.inference.gateway.wire import Request
from plugins.inference.keys import Bearer
from plugins.inference.models import ApiKey, Call
from plugins.inference.settings import InferenceSettings

log = get_logger(__name__)

# What may be better later, without a word on when.
LATER_S = 5.0
# An upstream that fails is asked so often for one line (each time the gateway tries several).
TRIES = 3
MAX_RESULT_BYTES = 16 * 1024 * 1024
# Others who use the key come first: a batch leaves them so much of each of its limits of a minute, and waits a while.
LEFT, CROWDED_S = 0.2, 2.0
_LIMITED = ("rate_limit_exceeded", "upstream_rate_limited")


@dataclass(frozen=True)
class Outcome:
    """What became of a line. later_s: it is to be called again after so long; None: it has its result.

    pause_s: no other line is to be called before. refused: the key may make no calls any more.
    """

    later_s: float | None = None
    pause_s: float = 0.0
    refused: Fault | None = None


def find_kind(endpoint: str) -> CallKind | None:
    """The kind of call that an endpoint takes."""
    return next((kind for kind in KINDS if endpoint in kind.paths), None)


class LineCaller:
    """Calls the lines of one batch, from several threads."""

    def __init__(self, context: Context, batch: Batch) -> None:
        self._context, self._batch = context, batch
        self._settings = settings_of(context, InferenceSettings)
        self._caller = Caller(context)
        self._spool = context.settings.home / "incoming"
        self._token_hash = ""

    def check_model(self, name: str) -> None:
        """Whether the key may call the model. Raises Fault."""
        self._caller.find_model(self._authenticate(), name)

    def _authenticate(self) -> Bearer:
        """The key of the batch, as it is now; where it may be used from was asked when it was made. Raises Fault."""
        if not self._token_hash:
            with reading(self._context) as work:
                query = select(ApiKey.token_hash).where(ApiKey.id == self._batch.key_id)
                self._token_hash = work.session.scalar(query) or ""
        bearer = self._caller.authenticate_hash(self._token_hash)
        return replace(bearer, rules=replace(bearer.rules, ips=())) if bearer.rules.ips else bearer

    def call(self, kind: CallKind, line: Line) -> Outcome:
        """Call a line and write down what came of it."""
        if line.text is None:
            # The limit was a larger one when the file was judged.
            status, said = kind.say(too_large(self._settings.max_body_bytes))
            self._write(_Written(), self._result_of(line, "", "", status, said))
            return Outcome()
        wanted, written, headers = read_line(line.text), _Written(), list[tuple[str, str]]()
        event_id = batches.event_id(self._batch, wanted.custom_id)
        booking = Booking(event_id, self._settings.batch_price_percent, written.take)
        client = Client(f"{self._batch.public_id}-{line.number}", booking=booking)
        try:
            bearer = self._authenticate()
        except Fault as fault:
            return Outcome(refused=fault)
        try:
            status, said = self._ask(kind, bearer, client, wanted, headers)
        except Fault as fault:
            later_s = self._later(client.request_id, fault)
            if later_s is not None:
                self._write(written)
                return Outcome(later_s)
            status, said = kind.say(fault)
        except Exception:
            log.exception("batch_line_failed", batch=self._batch.public_id, line=line.number)
            status, said = kind.say(internal())
        result = self._result_of(line, wanted.custom_id, client.request_id, status, said)
        try:
            self._write(written, result)
        except Exception:
            log.exception("batch_result_not_written", batch=self._batch.public_id, line=line.number)
            return Outcome(LATER_S)
        return Outcome(pause_s=_pause_of(headers))

    def _ask(
        self, kind: CallKind, bearer: Bearer, client: Client, wanted: Wanted, headers: list[tuple[str, str]]
    ) -> tuple[int, bytes]:
        """The status and body of the answer. Raises Fault."""
        data = msgspec.json.encode(wanted.body)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": self._batch.endpoint,
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(data)),
            "wsgi.input": io.BytesIO(data),
        }
        asked = kind.read(Request(environ, self._spool), self._settings)
        try:
            answer = self._caller.call(kind, bearer, client, asked, headers)
        finally:
            asked.payload.close()
        # Kinds that batches know answer whole where no stream is asked for.
        assert isinstance(answer, Answer)
        assert isinstance(answer.body, bytes)
        return answer.status, answer.body

    def _later(self, request_id: str, fault: Fault) -> float | None:
        """In how many seconds a call that failed may succeed; None: it will not."""
        if fault.code in _LIMITED or fault.status == 503:
            return float(fault.retry_after_s or LATER_S)
        if fault.status < 500:
            return None
        # The account of calls knows how often it was tried, in other runs, too.
        before = select(func.count()).where(Call.request_id == request_id, Call.status >= 500, Call.status != 503)
        with reading(self._context) as work:
            tries = 1 + (work.session.scalar(before) or 0)
        return float(2**tries) if tries < TRIES else None

    def _result_of(self, line: Line, custom_id: str, request_id: str, status: int, said: bytes) -> Mapping[str, Any]:
        if len(said) > MAX_RESULT_BYTES:
            status, said = 502, upstream_failed().body
        response = {"status_code": status, "request_id": request_id, "body": msgspec.Raw(said)}
        shown = {"id": f"batch_req_{uuid4().hex}", "custom_id": custom_id, "response": response, "error": None}
        body = msgspec.json.encode(shown).decode()
        return {"batch_id": self._batch.id, "line": line.number, "is_failed": status >= 400, "body": body}

    def _write(self, written: _Written, result: Mapping[str, Any] | None = None) -> None:
        """What the gateway wanted to be written, and the result, in one transaction."""
        beside = written.beside | ({BatchResult: [result]} if result is not None else {})
        write_usage(self._context, *written.usages, beside=beside)


class _Written:
    """What the gateway wants to be written of a call, kept until its result is there."""

    def __init__(self) -> None:
        self.usages: list[Usage] = []
        self.beside: dict[type[Model], list[Mapping[str, Any]]] = {}

    def take(
        self,
        _context: Context,
        *usages: Usage,
        beside: Mapping[type[Model], Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        """As ``write_usage`` is called."""
        self.usages += usages
        for model, rows in (beside or {}).items():
            self.beside.setdefault(model, []).extend(rows)


def _pause_of(headers: Sequence[tuple[str, str]]) -> float:
    """How long to leave the key to others: a while, when little is left of one of its limits of a minute."""
    told = dict(headers)
    for word in ("requests", "tokens"):
        limit, left = told.get(f"x-ratelimit-limit-{word}"), told.get(f"x-ratelimit-remaining-{word}")
        if limit is not None and left is not None and int(left) < int(limit) * LEFT:
            return CROWDED_S
    return 0.0
