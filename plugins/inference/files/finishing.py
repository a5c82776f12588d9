"""The end of a batch: its results become files."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from uuid import UUID, uuid4, uuid5

import msgspec
from sqlalchemy import select

from hub.plugin import Context, get_logger
from hub.plugin.db import reading
from hub.plugin.settings import settings_of
from plugins.inference.files import batches
from plugins.inference.files.input import find_input, unread_lines
from plugins.inference.files.lines import read_line
from plugins.inference.files.models import Batch, BatchResult, BatchStatus
from plugins.inference.files.service import write_file
from plugins.inference.gateway.multipart import SPOOL_BYTES
from plugins.inference.settings import InferenceSettings

log = get_logger(__name__)

# Each may have megabytes.
_AT_ONCE = 20
_RENEW_EVERY = 500
_EXPIRED = {"code": "batch_expired", "message": "The batch's time was over before this call was made."}


def finish(context: Context, batch: Batch, lease: str) -> None:
    """Write out what there is, and end the batch as it has been decided. A run that takes over writes the same."""
    folder = context.settings.home / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        SpooledTemporaryFile(SPOOL_BYTES, dir=str(folder)) as good,
        SpooledTemporaryFile(SPOOL_BYTES, dir=str(folder)) as bad,
    ):
        counts = {False: 0, True: 0}
        for number, (is_failed, body) in enumerate(_results(context, batch.id)):
            (bad if is_failed else good).write(body.encode() + b"\n")
            counts[is_failed] += 1
            if number % _RENEW_EVERY == 0 and not batches.change(context, batch, lease):
                return
        if batch.outcome == BatchStatus.EXPIRED:
            for line in _unmade(context, batch):
                bad.write(line + b"\n")
        output = _write(context, batch, "output", good) if good.tell() else ""
        errors = _write(context, batch, "error", bad) if bad.tell() else ""
    status = BatchStatus.CANCELLED if batch.status == BatchStatus.CANCELLING else BatchStatus(batch.outcome)
    values: dict[str, Any] = {f"{status.value}_at": context.clock.now()}
    if batches.change(
        context,
        batch,
        lease,
        status=status,
        output_file_id=output,
        error_file_id=errors,
        completed=counts[False],
        failed=counts[True],
        **values,
    ):
        batches.forget_results(context, batch.id)
        log.info(
            "batch_ended", batch=batch.public_id, status=status.value, completed=counts[False], failed=counts[True]
        )


def _results(context: Context, batch_id: int) -> Iterator[tuple[bool, str]]:
    last = -1
    while True:
        query = select(BatchResult.line, BatchResult.is_failed, BatchResult.body).where(
            BatchResult.batch_id == batch_id, BatchResult.line > last
        )
        with reading(context) as work:
            rows = work.rows(query.order_by(BatchResult.line).limit(_AT_ONCE))
        for line, is_failed, body in rows:
            last = line
            yield bool(is_failed), body
        if len(rows) < _AT_ONCE:
            return


def _unmade(context: Context, batch: Batch) -> Iterator[bytes]:
    """A line for each call that the time did not suffice for."""
    file = find_input(context, batch)
    if file is None or not batch.total:
        return
    for line in unread_lines(context, batch, file, limit_bytes=settings_of(context, InferenceSettings).max_body_bytes):
        if line.has_result or line.text is None:
            continue
        shown = {"id": f"batch_req_{uuid4().hex}", "custom_id": read_line(line.text).custom_id, "response": None}
        yield msgspec.json.encode(shown | {"error": _EXPIRED})


def _write(context: Context, batch: Batch, kind: str, file: IO[bytes]) -> str:
    public_id = f"file-{uuid5(UUID(batch.uuid), f'file:{kind}').hex}"
    write_file(context, batch, public_id=public_id, filename=f"{batch.public_id}_{kind}.jsonl", file=file)
    return public_id
