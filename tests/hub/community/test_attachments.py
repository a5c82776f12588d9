"""The room for attachments, on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from hub.base.errors import QuotaExceeded
from hub.community.models import Attachment
from hub.community.service import attachments
from hub.db.uow import reading

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 992


def test_many_at_once_find_no_more_room_than_there_is(context, make_user, actor_of, monkeypatch):
    actor = actor_of(make_user("bob"))
    monkeypatch.setattr(attachments, "MAX_TOTAL_BYTES", 2500)
    barrier = threading.Barrier(6)

    def chunks():
        barrier.wait(timeout=30)
        yield PNG

    def add(_):
        try:
            attachments.add_attachment(context, actor=actor, chunks=chunks())
        except QuotaExceeded:
            return 0
        return 1

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(add, range(6))) == 2
    with reading(context) as work:
        assert work.session.scalar(select(func.sum(Attachment.size_bytes))) == 2000
