"""Videos under way: shown, asked about where they are made, cancelled, read, and paid for once they are there.

Source: gateway contract, section 1.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from sqlalchemy import select, update

from hub.plugin import Context, get_logger
from hub.plugin.db import UnitOfWork, reading, unit_of_work
from hub.plugin.errors import HubError, NotFound
from hub.plugin.jobs import JobRun
from hub.plugin.metering import Usage, record
from hub.plugin.outgoing import Exchange, NoAnswer, Patience, get_channels
from plugins.inference.catalogue import Prices, find_server
from plugins.inference.gateway import faults
from plugins.inference.gateway.caller import Caller
from plugins.inference.gateway.calls import Answer, Resource
from plugins.inference.gateway.routing import endpoint_of
from plugins.inference.gateway.units import UnitUse, plain_word, read_quantity
from plugins.inference.gateway.video_models import VideoTask
from plugins.inference.gateway.wire import Request
from plugins.inference.keys import Bearer
from plugins.inference.models import Call
from plugins.inference.unit_prices import PricedUnit, read_prices

log = get_logger(__name__)

PREFIX, OLD_PREFIX = "/v1/video/generations", "/v1/videos"
QUEUED, IN_PROGRESS, COMPLETED, FAILED, CANCELLED = "queued", "in_progress", "completed", "failed", "cancelled"
RUNNING = (QUEUED, IN_PROGRESS)
# What upstreams call them.
_STATUSES = {
    **{word: word for word in (QUEUED, IN_PROGRESS, COMPLETED, FAILED, CANCELLED)},
    **dict.fromkeys(("pending", "submitted", "created"), QUEUED),
    **dict.fromkeys(("running", "processing", "generating"), IN_PROGRESS),
    **dict.fromkeys(("succeeded", "success", "done"), COMPLETED),
    **dict.fromkeys(("error", "expired"), FAILED),
    "canceled": CANCELLED,
}
# Of what upstreams say of a video, that much is kept and shown.
_SHOWN = ("prompt", "size", "seconds", "quality", "progress", "remixed_from_video_id", "expires_at", "usage", "error")
_MAX_SAID_BYTES = 64 * 1024
# Source: section 1.9.
POLLED_AT_ONCE, GIVEN_UP_AFTER = 100, timedelta(hours=24)
# Whoever asks how a video is gets the upstream's word, but not more often than so.
_FRESH = timedelta(seconds=2)
_PATIENCE = Patience(5.0, 10.0, 10.0)
_ID = re.compile(r"video_[0-9a-f]{32}\Z")
_DEPRECATED_AT_S = 1784851200
_CONTENT_PATIENCE = Patience(5.0, 120.0, 60.0)


def route_of(url: str) -> str:
    """Where an upstream makes videos: as its address says, else as OpenAI does."""
    return "video/generations" if url.partition("?")[0].rstrip("/").endswith("/video/generations") else "videos"


def deprecated(successor: str) -> list[tuple[str, str]]:
    """The headers of an old address."""
    return [("Deprecation", f"@{_DEPRECATED_AT_S}"), ("Link", f'<{successor}>; rel="successor-version"')]


def read_task(said: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """An upstream's words on a video: its status, and what of the rest is shown. What is odd is left out."""
    status = _STATUSES.get(str(said.get("status") or "").lower(), IN_PROGRESS)
    seen = {name: said[name] for name in _SHOWN if said.get(name) is not None}
    progress = seen.get("progress")
    if not isinstance(progress, int) or isinstance(progress, bool) or not 0 <= progress <= 100:
        seen.pop("progress", None)
    error = seen.pop("error", None)
    if isinstance(error, Mapping):
        seen["error"] = {name: str(error.get(name) or "")[:500] for name in ("code", "message")}
    try:
        text = msgspec.json.encode(seen)
    except (RecursionError, ValueError, TypeError):
        return status, {}
    return status, seen if len(text) <= _MAX_SAID_BYTES and b"\\u0000" not in text else {}


def show_task(row: VideoTask) -> dict[str, Any]:
    """A video as OpenAI's clients read it."""
    finished = None if row.finished_at is None else int(row.finished_at.timestamp())
    said = {name: value for name, value in row.said.items() if name != "error"}
    shown = said | {
        "id": row.public_id,
        "object": "video",
        "created_at": int(row.created_at.timestamp()),
        "completed_at": finished if row.status == COMPLETED else None,
        "status": row.status,
        "model": row.model,
        "size": row.size or said.get("size"),
        "seconds": str(row.seconds),
        "progress": 100 if row.status == COMPLETED else row.progress or 0,
    }
    if row.status == FAILED:
        shown["error"] = row.said.get("error") or {"code": row.fail_code, "message": "The video was not made."}
    return shown


def get_task(work: UnitOfWork, *, bearer: Bearer, public_id: str) -> VideoTask:
    """A video of the key's account. Raises NotFound (``video_not_found``)."""
    query = select(VideoTask).where(VideoTask.public_id == public_id, VideoTask.namespace_id == bearer.namespace_id)
    found = work.session.scalar(query) if _ID.match(public_id) else None
    if found is None:
        raise NotFound("There is no such video.", code="video_not_found")
    return found


def _open(
    context: Context,
    row: VideoTask,
    method: str = "GET",
    rest: str = "",
    query: str = "",
    patience: Patience = _PATIENCE,
) -> Exchange:
    """Ask the upstream that makes it, whatever the model's upstreams are now. Raises NoAnswer, HubError."""
    with reading(context) as work:
        server = find_server(work, row.upstream_id)
    if server is None:
        raise NotFound("Who makes this video is known no more.", code="upstream_gone")
    base, _, own_query = endpoint_of(server.url, route_of(server.url)).partition("?")
    queries = "&".join(filter(None, (own_query, query)))
    url = f"{base}/{quote(row.provider_id, safe='')}{rest}" + (f"?{queries}" if queries else "")
    return get_channels(context).open(method, url, headers=server.headers, patience=patience)


def refresh(context: Context, row: VideoTask) -> VideoTask:
    """Ask how a video is that is under way, and write it down; the row as it is then."""
    now = context.clock.now()
    status, seen, code = row.status, dict(row.said), ""
    try:
        with _open(context, row) as exchange:
            body, is_whole = exchange.read(_MAX_SAID_BYTES * 4, timeout_s=10.0)
        if exchange.status in (404, 410):
            status, code = FAILED, "not_found"
        elif exchange.status == 200 and is_whole:
            said = msgspec.json.decode(body)
            status, seen = read_task(said) if isinstance(said, dict) else (status, seen)
    except NotFound as error:
        status, code = FAILED, error.code
    except (NoAnswer, HubError, msgspec.DecodeError, RecursionError) as error:
        log.warning("video_not_told", video=row.public_id, reason=type(error).__name__)
    if status in RUNNING and now - row.created_at > GIVEN_UP_AFTER:
        status, code = FAILED, "expired"
    return conclude(context, row.id, status, seen, code=code)


def conclude(context: Context, id: int, status: str, seen: Mapping[str, Any], *, code: str = "") -> VideoTask:
    """Write down how a video is. When it is there, it is paid for; when there will be none, its call costs nothing.

    Of two at once one does so: what has ended stays as it ended.
    """
    with unit_of_work(context) as work:
        row = work.session.get_one(VideoTask, id, with_for_update=True)
        if row.status not in RUNNING:
            return row
        row.status, row.said, row.checked_at = status, dict(seen), work.now()
        row.progress = seen.get("progress", row.progress)
        if status in RUNNING:
            return row
        row.finished_at, row.fail_code = work.now(), code
        if status == COMPLETED:
            _pay(work, row)
        else:
            _book(work, row, quantity=0, cost_nano=0, source="")
        log.info("video_ended", video=row.public_id, status=status, code=code)
        return row


def _pay(work: UnitOfWork, row: VideoTask) -> None:
    row.seconds = read_quantity(row.said.get("seconds")) or row.seconds
    row.size = plain_word(row.said.get("size")) or row.size
    use = UnitUse(PricedUnit.SECOND, row.seconds, row.size, source="upstream", medium="video")
    row.cost_nano = use.cost_nano(Prices(units=read_prices(row.booking["prices"])))
    row.published_at = work.now()
    measure = use.measure
    event = Usage(
        row.event_uuid,
        row.owner_uuid,
        measure.scene,
        measure.unit,
        measure.quantity,
        row.created_at,
        resource_id=row.booking["resource_id"],
        resource_name=row.booking["resource_name"],
        customer_id=row.booking["resource_name"],
        user_id=row.user_id,
        token_id=row.key_id,
        details={**row.booking["details"], **measure.details},
    )
    record(work, [event])
    _book(work, row, quantity=row.seconds, cost_nano=row.cost_nano, source="upstream")


def _book(work: UnitOfWork, row: VideoTask, *, quantity: int, cost_nano: int, source: str) -> None:
    """What its call cost after all."""
    query = update(Call).where(Call.uuid == row.event_uuid)
    query = query.values(quantity=quantity, cost_nano=cost_nano, usage_source=source)
    work.session.execute(query.execution_options(synchronize_session=False))


def cancel(context: Context, row: VideoTask) -> VideoTask:
    """Have a video made no more, as far as its upstream lets itself be told; one that has ended stays as it is."""
    if row.status not in RUNNING:
        return row
    for method, rest in (("POST", "/cancel"), ("DELETE", "")):
        try:
            with _open(context, row, method, rest) as exchange:
                exchange.read(_MAX_SAID_BYTES, timeout_s=5.0)
            if exchange.status not in (404, 405):
                break
        except (NoAnswer, HubError) as error:
            log.warning("video_not_cancelled", video=row.public_id, reason=type(error).__name__)
            break
    return conclude(context, row.id, CANCELLED, row.said)


def poll_videos(run: JobRun) -> None:
    """The job: ask about those that were not asked about for longest."""
    context = run.context
    before = context.clock.now() - _FRESH
    with reading(context) as work:
        query = select(VideoTask).where(VideoTask.status.in_(RUNNING), VideoTask.checked_at < before)
        rows: Sequence[VideoTask] = work.session.scalars(
            query.order_by(VideoTask.checked_at).limit(POLLED_AT_ONCE)
        ).all()
    for number, row in enumerate(rows):
        run.check_cancelled()
        run.progress(number, len(rows), "videos")
        refresh(context, row)


class _Content:
    """A video's bytes on their way to the client."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        try:
            with self._exchange:
                yield from self._exchange.pieces()
        except NoAnswer as error:
            raise ConnectionResetError("the upstream broke off") from error

    def close(self) -> None:
        self._exchange.close()


class VideoTasks(Resource):
    """An account's videos; another account's are not there."""

    prefix = PREFIX

    def answer(self, caller: Caller, request: Request, rest: str) -> Answer:
        bearer = caller.authenticate(request.bearer)
        public_id, _, what = rest.partition("/")
        with reading(caller.context) as work:
            row = get_task(work, bearer=bearer, public_id=public_id)
        match request.method, what:
            case "GET", "":
                if row.status in RUNNING and caller.context.clock.now() - row.checked_at >= _FRESH:
                    row = refresh(caller.context, row)
                answer = Answer.of(show_task(row))
            case "POST", "cancel":
                answer = Answer.of(show_task(cancel(caller.context, row)))
            case "GET", "content":
                answer = self._content(caller, request, row)
            case _, "" | "cancel" | "content":
                raise faults.wrong_method(request.method)
            case _:
                raise faults.unknown_route(request.path[:200])
        if self.prefix == OLD_PREFIX:
            answer.headers += deprecated(f"{PREFIX}/{rest}")
        return answer

    def _content(self, caller: Caller, request: Request, row: VideoTask) -> Answer:
        if row.status != COMPLETED:
            raise faults.bad_request("The video is not there; ask for its status.", code="video_not_ready")
        variant = request.query if request.query in ("variant=thumbnail", "variant=spritesheet") else ""
        try:
            exchange = _open(caller.context, row, rest="/content", query=variant, patience=_CONTENT_PATIENCE)
        except NoAnswer as error:
            raise faults.no_answer(error) from error
        kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
        if exchange.status != 200:
            exchange.close()
            raise faults.upstream_failed()
        shown = (
            kind if kind.startswith(("video/", "image/")) and kind != "image/svg+xml" else "application/octet-stream"
        )
        return Answer(_Content(exchange), shown, headers=[("X-Content-Type-Options", "nosniff")])


class OldVideoTasks(VideoTasks):
    """The same under the address that OpenAI's clients know."""

    prefix = OLD_PREFIX
