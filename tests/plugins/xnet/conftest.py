"""A hub with the plugin, and those who send to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from hub.accounts.models import User
from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.db.uow import reading
from hub.objects.store import STORE
from hub.plugin.lfs import TicketRequest
from hub.repos.models import LFSLink, LFSObject, Repository
from plugins.xnet.formats.hashes import Hash, hash_to_text
from plugins.xnet.source import XnetSource
from tests.support.xet import open_service, start_xnet


@dataclass
class Sender:
    """Somebody with a ticket for a repository, and the CAS service before them."""

    client: FlaskClient
    actor: Actor
    repository: Repository
    headers: dict[str, str]

    def send_xorb(self, name: Hash | str, body: bytes, *, prefix: str = "default") -> TestResponse:
        """Upload a xorb under a hash."""
        text = name if isinstance(name, str) else hash_to_text(name)
        return self.client.post(f"/xet/v1/xorbs/{prefix}/{text}", data=body, headers=self.headers)

    def send_shard(self, body: bytes, *, version: int = 1) -> TestResponse:
        """Upload a shard."""
        return self.client.post(f"/xet/v{version}/shards", data=body, headers=self.headers)

    def ask_for(self, chunk: Hash) -> TestResponse:
        """Ask what the hub has around a chunk."""
        return self.client.get(f"/xet/v1/chunks/default-merkledb/{hash_to_text(chunk)}", headers=self.headers)


@pytest.fixture
def service(context: Context) -> FlaskClient:
    """The CAS service of a hub in this process."""
    return open_service(start_xnet(context))


@pytest.fixture
def make_sender(context: Context, service: FlaskClient, make_repository: Callable[..., Repository]) -> Any:
    """``make_sender(user, repository=None, is_write=True)``: a sender to a repository, a new one unless it is given."""

    def make(user: User, repository: Repository | None = None, *, is_write: bool = True, **fields: Any) -> Sender:
        actor = Actor.of_user(user, via="session")
        repository = repository or make_repository(user, **fields)
        request = TicketRequest(actor, repository, "main", is_write, "http://localhost")
        token = XnetSource().issue_ticket(context, request).token
        return Sender(service, actor, repository, {"Authorization": f"Bearer {token}"})

    return make


@pytest.fixture
def count_rows(context: Context) -> Callable[[], dict[str, int]]:
    """``count_rows()``: how many rows each table has that uploads write, and how many objects the store has."""

    def count() -> dict[str, int]:
        from plugins.xnet.models import Chunk, File, FileXorb, Xorb

        with reading(context) as work:
            found = {
                table.__tablename__: work.session.scalar(select(func.count()).select_from(table)) or 0
                for table in (Xorb, File, FileXorb, Chunk, LFSObject, LFSLink)
            }
        return {**found, "objects": sum(1 for prefix in ("xet/", "staging/") for _ in context[STORE].list(prefix))}

    return count
