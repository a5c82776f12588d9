"""Contents that came whole are cut into chunks in the background. Source: Xet contract, section 9.2.

The clients' own library does it, against this hub's own service: so a converted content is cut, checked and
registered as if a client had sent it, and its hash is told to nobody before that is done.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import urllib3
from sqlalchemy import delete, select

from hub.plugin import Context, get_logger
from hub.plugin.db import insert_new, reading, unit_of_work
from hub.plugin.errors import Failed, Unavailable
from hub.plugin.jobs import JobRun, enqueue
from hub.plugin.lfs import PlainContent, drop_plain_copy, plain_contents, take_over
from hub.plugin.objects import get_store, incoming_folder
from hub.plugin.policy import SYSTEM
from hub.plugin.settings import settings_of
from plugins.xnet.models import File, Release
from plugins.xnet.settings import XnetSettings
from plugins.xnet.tickets import Claims, TicketScope, sign_ticket

log = get_logger(__name__)

JOB = "xnet.convert_objects"
SOURCE = "xnet"
_PAGE = 500
# After so long the job asks for itself again: others that wait for the worker get their turn.
_TURN_S = 60.0
# A ticket lasts as long as the job may.
_TICKET_S = 12 * 3600
_LOOK_S = 10.0
# Whoever was sent to a plain copy has read it by then, whatever the addresses of the hub live.
_RELEASE_GRACE = timedelta(hours=6)


def convert(run: JobRun, *, after: str = "") -> None:
    """The job: cut what is not yet in chunks, by oid, from the one after ``after`` on.

    Each content is done or not done: the job may be killed at any time. One that cannot be cut is passed over until
    the next round. Raises Unavailable when the service cannot be reached.
    """
    context = run.context
    settings = settings_of(context, XnetSettings)
    drop_released_copies(context)
    if not settings.convert:
        return
    turn_ends = time.monotonic() + _TURN_S
    done = done_bytes = failed = 0
    with Converter(run) as converter:
        for content, is_converted in _list_contents(context, settings, after):
            run.check_cancelled()
            if time.monotonic() >= turn_ends:
                _go_on(context, after)
                break
            after = content.oid
            if not is_converted:
                try:
                    converter.convert(content, done_bytes)
                except Exception as error:
                    _require_service(context)
                    failed += 1
                    run.log(f"{content.oid}: {error}")
                    log.warning("xnet_conversion_failed", oid=content.oid, error=str(error))
                    continue
                done, done_bytes = done + 1, done_bytes + content.size_bytes
                run.progress(done_bytes, None, "bytes")
            if not settings.keep_plain_copies:
                release_plain_copy(context, content.oid)
    run.log(f"Cut {done} contents of {done_bytes} bytes into chunks; {failed} failed.")


def _list_contents(context: Context, settings: XnetSettings, after: str) -> Iterator[tuple[PlainContent, bool]]:
    """What lies whole in the object store, by oid, and whether it is in chunks, too, where that matters."""
    in_chunks = select(File.oid)
    while page := list(
        plain_contents(
            context,
            after=after,
            min_size_bytes=settings.min_convert_bytes,
            limit=_PAGE,
            except_for=in_chunks if settings.keep_plain_copies else None,
        )
    ):
        with reading(context) as work:
            known = {*work.session.scalars(in_chunks.where(File.oid.in_([found.oid for found in page])))}
        for content in page:
            yield content, content.oid in known
        after = page[-1].oid


def _require_service(context: Context) -> None:
    """Return when `hub web` answers, so that it was the content that failed. Raises Unavailable."""
    try:
        answer = urllib3.request(
            "GET", f"{context.settings.effective_internal_url}/-/ready", timeout=_LOOK_S, retries=False
        )
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable("`hub web` does not answer at the hub's internal_url.") from error
    if answer.status != 200:
        raise Unavailable(f"`hub web` is not ready: it answers {answer.status}.")


def _go_on(context: Context, after: str) -> None:
    with unit_of_work(context) as work:
        enqueue(work, JOB, args={"after": after}, unique_key=f"{JOB}:next")


class Converter:
    """The clients' library at work. It is loaded when the first content is to be cut, and keeps nothing on disk."""

    def __init__(self, run: JobRun) -> None:
        self._run = run
        self._context = run.context
        self._stack = ExitStack()
        self._session: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def convert(self, content: PlainContent, done_bytes: int) -> None:
        """Cut one content; when it returns, the content is registered. done_bytes: of those before, for the progress.

        Raises whatever the library does; Failed when the content is not registered all the same.
        """
        expires_at_s = int(self._context.clock.now().timestamp()) + _TICKET_S
        claims = Claims.of(
            SYSTEM,
            scope=TicketScope.WRITE,
            repository_id=content.repository_id,
            base_url=self._context.settings.effective_internal_url,
            expires_at_s=expires_at_s,
        )

        def report(progress: Any, _items: Any) -> None:
            self._run.progress(done_bytes + progress.total_bytes_completed, None, "bytes")

        commit = self._open_session().new_upload_commit(
            endpoint=f"{claims.base_url}/xet",
            token=sign_ticket(self._context, claims),
            token_expiry_unix_secs=expires_at_s,
            progress_callback=report,
            progress_interval_ms=1000,
        )
        try:
            self._send(commit, content)
            commit.wait_to_finish()
        except BaseException:
            commit.abort()
            raise
        with reading(self._context) as work:
            if work.session.scalar(select(File.oid).where(File.oid == content.oid)) is None:
                raise Failed("The service has taken the content and does not have it.")

    def _send(self, commit: Any, content: PlainContent) -> None:
        store = get_store(self._context)
        path = store.local_path(content.key)
        if path is not None:
            commit.start_upload_file(str(path), sha256=content.oid)
            return
        stream = commit.start_upload_stream(sha256=content.oid)
        for piece in store.open_range(content.key, 0, content.size_bytes):
            self._run.check_cancelled()
            stream.write(piece)
        stream.finish()

    def _open_session(self) -> Any:
        if self._session is None:
            # What it remembers of chunks from run to run could name some that are gone by then.
            folder = self._stack.enter_context(incoming_folder(self._context))
            self._stack.enter_context(_environment(HF_XET_CACHE=str(folder), HF_HUB_DISABLE_TELEMETRY="1"))
            import hf_xet  # deliberate: of the whole hub, only this job pays for it

            self._session = hf_xet.XetSession()
        return self._session


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def release_plain_copy(context: Context, oid: str) -> None:
    """Read a content from its chunks from now on; its plain copy goes when those who read it now are done.

    Killed at any moment, it leaves the content readable, and a later run does the rest.
    """
    with unit_of_work(context) as work:
        is_here = work.session.scalar(select(File.oid).where(File.oid == oid)) is not None
        if is_here and take_over(work, oid, source=SOURCE):
            insert_new(work.session, Release, [{"oid": oid, "released_at": work.now()}])


def drop_released_copies(context: Context) -> int:
    """Remove the plain copies that were released some time ago; how many they were."""
    grace = max(_RELEASE_GRACE, timedelta(seconds=context.settings.lfs_url_ttl_s))
    with reading(context) as work:
        due = select(Release.oid).where(Release.released_at < work.now() - grace)
        oids = work.session.scalars(due).all()
    for oid in oids:
        with unit_of_work(context) as work:
            drop_plain_copy(work, oid)
            work.session.execute(delete(Release).where(Release.oid == oid))
    return len(oids)
