"""Files and batches below ``/v1``. Source: gateway contract, section 1.10."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from hub.plugin.db import reading, unit_of_work
from plugins.inference.files import batches, service
from plugins.inference.files.models import Batch, StoredFile
from plugins.inference.files.paging import as_list, read_query, read_range
from plugins.inference.gateway import faults
from plugins.inference.gateway.caller import Caller
from plugins.inference.gateway.calls import Answer, Resource
from plugins.inference.gateway.media import file_in
from plugins.inference.gateway.multipart import MAX_FIELD_BYTES, Form
from plugins.inference.gateway.wire import Request
from plugins.inference.keys import Bearer

MAX_FILES_LISTED, MAX_BATCHES_LISTED = 10_000, 100


def as_seconds(moment: datetime | None) -> int | None:
    """A moment as OpenAI's clients read it."""
    return None if moment is None else int(moment.timestamp())


def show_file(row: StoredFile) -> dict[str, Any]:
    """A file as OpenAI's clients read it."""
    return {
        "id": row.public_id,
        "object": "file",
        "bytes": row.size_bytes,
        "created_at": as_seconds(row.created_at),
        "expires_at": as_seconds(row.expires_at),
        "filename": row.filename,
        "purpose": row.purpose,
        "status": "processed",
        "status_details": None,
    }


class Files(Resource):
    """An account's files; another account's are not there."""

    prefix = "/v1/files"

    def answer(self, caller: Caller, request: Request, rest: str) -> Answer:
        bearer = caller.authenticate(request.bearer)
        public_id, _, what = rest.partition("/")
        match request.method, bool(public_id), what:
            case "POST", False, _:
                return self._keep(caller, request, bearer)
            case "GET", False, _:
                return self._list(caller, request, bearer)
            case "GET", True, "":
                with reading(caller.context) as work:
                    return Answer.of(show_file(service.get_file(work, bearer=bearer, public_id=public_id)))
            case "GET", True, "content":
                return self._content(caller, bearer, public_id)
            case "DELETE", True, "":
                with unit_of_work(caller.context) as work:
                    service.delete_file(work, bearer=bearer, public_id=public_id)
                return Answer.of({"id": public_id, "object": "file", "deleted": True})
            case _, _, "" | "content":
                raise faults.wrong_method(request.method)
        raise faults.unknown_route(request.path[:200])

    def _keep(self, caller: Caller, request: Request, bearer: Bearer) -> Answer:
        form = request.read_form(caller.settings.max_file_bytes + MAX_FIELD_BYTES)
        try:
            part = file_in(form, "file")
            row = service.keep_file(
                caller.context,
                bearer=bearer,
                file=part.file,
                size_bytes=part.size_bytes,
                filename=part.filename,
                purpose=form.get("purpose"),
                life_s=_life_in(form),
            )
        finally:
            form.close()
        return Answer.of(show_file(row))

    def _list(self, caller: Caller, request: Request, bearer: Bearer) -> Answer:
        query = read_query(request.query)
        range = read_range(query, usual=MAX_FILES_LISTED, most=MAX_FILES_LISTED)
        with reading(caller.context) as work:
            found = service.list_files(work, bearer=bearer, range=range, purpose=query.get("purpose", ""))
            return Answer.of(as_list([show_file(row) for row in found.items], has_more=found.has_more))

    def _content(self, caller: Caller, bearer: Bearer, public_id: str) -> Answer:
        with reading(caller.context) as work:
            row = service.get_file(work, bearer=bearer, public_id=public_id)
        headers = [
            ("Content-Length", str(row.size_bytes)),
            ("Content-Disposition", f"attachment; filename*=UTF-8''{quote(row.filename, safe='')}"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        return Answer(service.open_file(caller.context, row), "application/octet-stream", headers=headers)


def _life_in(form: Form) -> int | None:
    """``expires_after``, as forms write objects. Raises Fault."""
    anchor, text = form.get("expires_after[anchor]"), form.get("expires_after[seconds]")
    if not anchor and not text:
        return None
    if anchor != "created_at" or not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise faults.bad_request("'expires_after' is so many seconds after 'created_at'.", param="expires_after")
    return int(text)


def show_batch(row: Batch, counts: batches.Counts) -> dict[str, Any]:
    """A batch as OpenAI's clients read it."""
    errors = {"object": "list", "data": row.errors} if row.errors else None
    return {
        "id": row.public_id,
        "object": "batch",
        "endpoint": row.endpoint,
        "model": row.model or None,
        "errors": errors,
        "input_file_id": row.input_file_id,
        "completion_window": batches.WINDOW,
        "status": row.status,
        "output_file_id": row.output_file_id or None,
        "error_file_id": row.error_file_id or None,
        "created_at": as_seconds(row.created_at),
        "in_progress_at": as_seconds(row.in_progress_at),
        "expires_at": as_seconds(row.expires_at),
        "finalizing_at": as_seconds(row.finalizing_at),
        "completed_at": as_seconds(row.completed_at),
        "failed_at": as_seconds(row.failed_at),
        "expired_at": as_seconds(row.expired_at),
        "cancelling_at": as_seconds(row.cancelling_at),
        "cancelled_at": as_seconds(row.cancelled_at),
        "request_counts": {"total": row.total, "completed": counts.completed, "failed": counts.failed},
        "metadata": row.details or None,
    }


class Batches(Resource):
    """An account's batches; another account's are not there."""

    prefix = "/v1/batches"

    def answer(self, caller: Caller, request: Request, rest: str) -> Answer:
        bearer = caller.authenticate(request.bearer)
        public_id, _, what = rest.partition("/")
        match request.method, bool(public_id), what:
            case "POST", False, _:
                return self._create(caller, bearer, request.read_json(caller.settings.max_body_bytes))
            case "GET", False, _:
                range = read_range(read_query(request.query), usual=20, most=MAX_BATCHES_LISTED)
                with reading(caller.context) as work:
                    found = batches.list_batches(work, bearer=bearer, range=range)
                    counts = batches.count_results(work, found.items)
                    shown = [show_batch(row, counts[row.id]) for row in found.items]
                    return Answer.of(as_list(shown, has_more=found.has_more))
            case "GET", True, "":
                with reading(caller.context) as work:
                    row = batches.get_batch(work, bearer=bearer, public_id=public_id)
                    return Answer.of(show_batch(row, batches.count_results(work, [row])[row.id]))
            case "POST", True, "cancel":
                with unit_of_work(caller.context) as work:
                    row = batches.cancel_batch(work, bearer=bearer, public_id=public_id)
                    return Answer.of(show_batch(row, batches.count_results(work, [row])[row.id]))
            case _, _, "" | "cancel":
                raise faults.wrong_method(request.method)
        raise faults.unknown_route(request.path[:200])

    def _create(self, caller: Caller, bearer: Bearer, said: Mapping[str, Any]) -> Answer:
        words = [said.get(name) for name in ("input_file_id", "endpoint", "completion_window")]
        if not all(isinstance(word, str) for word in words):
            raise faults.bad_request("A batch needs 'input_file_id', 'endpoint' and 'completion_window'.")
        input_file_id, endpoint, window = map(str, words)
        with unit_of_work(caller.context) as work:
            row = batches.create_batch(
                work,
                bearer=bearer,
                input_file_id=input_file_id,
                endpoint=endpoint,
                window=window,
                details=said.get("metadata"),
            )
            return Answer.of(show_batch(row, batches.Counts()))
