"""Files in chunks, read as plain bytes, and what the core asks of who keeps them."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.accounts.policy import ANONYMOUS
from hub.base.errors import NotFound
from hub.db.uow import reading, unit_of_work
from hub.plugin.lfs import TicketRequest
from hub.repos.lfs.garbage import collect_garbage
from hub.repos.models import LFSLink
from plugins.xnet.models import File
from plugins.xnet.source import XnetSource
from tests.support.xet import BG4_LZ4, LZ4, STORED, start_xnet, store_file, store_xorb

SOURCE = XnetSource()


@pytest.fixture
def xnet(context):
    return start_xnet(context)


@pytest.fixture
def repository(xnet, make_user, make_repository):
    return make_repository(make_user("ada"))


def make_chunks(seed, count, size=3000):
    chance = random.Random(seed)
    # Half of each can be compressed.
    return [chance.randbytes(chance.randint(1, size)) + bytes(chance.randint(0, size)) for _ in range(count)]


@pytest.mark.any_database
def test_every_range_is_exact_whatever_the_compression_and_the_order_of_terms(xnet, repository):
    xorbs = [store_xorb(xnet, make_chunks(scheme, 5), scheme) for scheme in (STORED, LZ4, BG4_LZ4)]
    runs = [(xorbs[0], 0, 5), (xorbs[1], 2, 4), (xorbs[2], 0, 5), (xorbs[1], 2, 4), (xorbs[1], 3, 5), (xorbs[0], 4, 5)]
    file = store_file(xnet, repository.id, runs)
    size = len(file.content)
    assert b"".join(SOURCE.open_range(xnet, file.oid, 0, size)) == file.content

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(start=st.integers(0, size - 1), length=st.integers(0, size))
    def check(start, length):
        length = min(length, size - start)
        got = b"".join(SOURCE.open_range(xnet, file.oid, start, length))
        assert got == file.content[start : start + length]

    check()


@pytest.mark.any_database
def test_a_term_that_is_longer_than_what_is_read_at_once_comes_in_pieces(xnet, repository):
    chance = random.Random(7)
    chunks = [chance.randbytes(131072) for _ in range(80)]
    file = store_file(xnet, repository.id, [(store_xorb(xnet, chunks), 0, 80)])
    pieces = list(SOURCE.open_range(xnet, file.oid, 5, len(file.content) - 10))
    assert b"".join(pieces) == file.content[5:-5]
    assert max(len(piece) for piece in pieces) <= 1024 * 1024 < len(file.content)


def test_what_is_not_here_in_chunks_is_told_at_once(xnet):
    with pytest.raises(NotFound) as refusal:
        SOURCE.open_range(xnet, "ab" * 32, 0, 1)
    assert refusal.value.code == "lfs_object_not_found"
    assert not SOURCE.holds(xnet, "ab" * 32)


def test_ids_are_told_in_one_query_and_a_forgotten_content_goes_with_its_object(xnet, repository, clock, count_queries):
    xorb = store_xorb(xnet, make_chunks(1, 3))
    files = [store_file(xnet, repository.id, [(xorb, 0, end)]) for end in (1, 2)]
    oids = [file.oid for file in files]
    with reading(xnet) as work, count_queries() as queries:
        assert SOURCE.transfer_ids(work, [*oids, "ab" * 32]) == {file.oid: file.hash for file in files}
    assert len(queries) == 1
    # Somebody still holds them.
    SOURCE.forget(xnet, oids)
    assert all(SOURCE.holds(xnet, oid) for oid in oids)
    with unit_of_work(xnet) as work:
        work.session.query(LFSLink).filter(LFSLink.oid == oids[0]).delete()
    clock.advance(2 * 24 * 3600)
    collect_garbage(xnet, now=clock.now())
    assert [SOURCE.holds(xnet, oid) for oid in oids] == [False, True]
    with reading(xnet) as work:
        assert work.session.query(File).count() == 1


@pytest.mark.any_database
def test_a_ticket_leads_to_the_service_of_the_hub_that_the_client_reached(xnet, repository, clock):
    request = TicketRequest(ANONYMOUS, repository, "main", False, "https://hub.example")
    ticket = SOURCE.issue_ticket(xnet, request)
    assert ticket.url == "https://hub.example/xet"
    assert ticket.expires_at_s == int(clock.now().timestamp()) + 1800
