"""A git child lives as long as the exchange that it serves, and no longer."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from hub.base.errors import Unavailable
from hub.git.pktline import FLUSH, encode
from hub.git.repository import init_repository
from hub.git.types import ZERO_OID, FileChange, RefChange, Signature
from hub.git.write import build_commit, update_refs
from hub.transport.exchange import GitExchange, GitSlots

ADA = Signature("Ada", "ada@example.org", datetime(2026, 5, 1, tzinfo=UTC))


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit on main."""
    path = tmp_path / "thing.git"
    init_repository(path)
    change = FileChange("put", "a.txt", b"content")
    commit = build_commit(path, parent=None, changes=[change], author=ADA, committer=ADA, message="First")
    update_refs(path, [RefChange("refs/heads/main", ZERO_OID, commit)])
    return path


@pytest.fixture
def slots():
    return GitSlots(1, wait_s=0.05)


class Body:
    """A request's body that comes when the test says so; without an end, or with one that is cut."""

    def __init__(self):
        self._pieces = []
        self._changed = threading.Condition()

    def send(self, *pieces):
        """Bytes come; None: the end; an exception: the client has gone."""
        with self._changed:
            self._pieces += pieces
            self._changed.notify_all()

    def __iter__(self):
        return self

    def __next__(self):
        with self._changed:
            while not self._pieces:
                self._changed.wait()
            piece = self._pieces.pop(0)
        if piece is None:
            raise StopIteration
        if isinstance(piece, BaseException):
            raise piece
        return piece


@pytest.fixture
def start(repository, slots):
    """Start git in the repository; every exchange is closed in the end."""
    exchanges = []

    def start(*arguments, **options):
        exchange = GitExchange(repository, *arguments, service="test", slots=slots, **{"timeout_s": 60.0, **options})
        exchanges.append(exchange)
        return exchange

    yield start
    for exchange in exchanges:
        exchange.close()


def is_free(slots):
    """Whether there is a place."""
    try:
        slots.take()
    except Unavailable:
        return False
    slots.give_back()
    return True


def test_what_git_says_comes_whole_and_the_place_is_free_again(start, slots):
    exchange = start("cat-file", "-p", "main:a.txt")
    assert not is_free(slots)
    assert b"".join(exchange) == b"content"
    assert is_free(slots)


def test_a_small_body_is_handed_over_at_once(start):
    assert (
        b"".join(start("hash-object", "--stdin", body=b"content")).strip()
        == b"6b584e8ece562ebffc15d38808cd6b98fc3d97ea"
    )


def test_a_body_that_is_still_coming_is_fed_as_it_comes(start):
    body = Body()
    exchange = start("cat-file", "--batch-check", body=body)
    body.send(b"main:a.txt\n")
    assert b"blob 7" in next(exchange)
    body.send(b"main\n", None)
    assert b"commit" in b"".join(exchange)


def test_a_client_that_leaves_while_git_speaks_ends_git(start, slots):
    body, ended = Body(), threading.Event()
    exchange = start("cat-file", "--batch-check", body=body, on_end=ended.set)
    exchange.close()
    assert ended.is_set()
    assert is_free(slots)
    assert list(exchange) == []
    body.send(None)


def test_a_client_that_leaves_while_it_sends_ends_git(start, slots):
    body, ended = Body(), threading.Event()
    exchange = start("cat-file", "--batch-check", body=body, on_end=ended.set)
    body.send(ConnectionResetError())
    assert list(exchange) == []
    assert ended.is_set()
    assert is_free(slots)


def test_a_response_that_was_never_begun_ends_git_too(start, slots):
    start("cat-file", "-p", "main:a.txt").close()
    assert is_free(slots)


def test_closing_twice_frees_one_place(start, slots):
    exchange = start("cat-file", "-p", "main:a.txt")
    assert b"".join(exchange)
    exchange.close()
    exchange.close()
    assert is_free(slots)


def test_git_that_stops_reading_does_not_stop_the_client_from_sending(start):
    body = Body()
    exchange = start("cat-file", "-p", "main:a.txt", body=body)
    body.send(*[b"x" * 65536] * 40, None)
    assert b"".join(exchange) == b"content"


def test_an_exchange_that_takes_too_long_is_ended(start, slots):
    body = Body()
    exchange = start("cat-file", "--batch-check", body=body, timeout_s=0.05)
    with pytest.raises(TimeoutError):
        list(exchange)
    assert is_free(slots)
    body.send(None)


def test_who_finds_no_place_is_told_when_to_come_back(start):
    start("cat-file", "--batch-check", body=Body())
    with pytest.raises(Unavailable) as refused:
        start("cat-file", "-p", "main:a.txt")
    assert refused.value.code == "git_busy"
    assert refused.value.details["retry_after_s"] > 0


def test_who_waits_gets_the_place_that_becomes_free(repository):
    slots = GitSlots(1, wait_s=30)
    slots.take()
    threading.Timer(0.05, slots.give_back).start()
    exchange = GitExchange(repository, "cat-file", "-p", "main:a.txt", service="test", slots=slots, timeout_s=60)
    assert b"".join(exchange) == b"content"


def test_a_repository_that_is_gone_takes_no_place(repository, start, slots):
    repository.rename(repository.with_name("away.git"))
    with pytest.raises(Exception, match="not there"):
        start("cat-file", "-p", "main:a.txt")
    assert is_free(slots)


def test_a_push_whose_last_byte_has_arrived_is_finished_without_its_client(repository, start):
    ended = threading.Event()
    main = (repository / "refs/heads/main").read_text().strip()
    # A new branch on a commit that is there: an empty pack.
    pack = bytes.fromhex("5041434b0000000200000000029d08823bd8a8eab510ad6ac75c823cfd3ed31e")
    command = encode(f"{ZERO_OID} {main} refs/heads/side\0 report-status".encode()) + FLUSH.value
    exchange = start(
        "receive-pack", "--stateless-rpc", ".", body=command + pack, outlives_client=True, on_end=ended.set
    )
    exchange.close()
    assert ended.wait(60)
    assert (repository / "refs/heads/side").read_text().strip() == main


def test_a_push_that_is_cut_off_is_not(repository, start):
    body, ended = Body(), threading.Event()
    command = encode(f"{ZERO_OID} {'1' * 40} refs/heads/side\0 report-status".encode()) + FLUSH.value
    exchange = start("receive-pack", "--stateless-rpc", ".", body=body, outlives_client=True, on_end=ended.set)
    body.send(command + b"PACK\0\0\0\2")
    exchange.close()
    assert ended.is_set()
    body.send(ConnectionResetError())
    assert not (repository / "refs/heads/side").exists()
