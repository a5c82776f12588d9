"""Connections that are kept through the guard, against servers that say anything."""

import socket
import threading

import pytest

from hub.base.errors import Invalid
from hub.base.outgoing import AllowedHosts, Outgoing
from hub.base.outgoing.channels import Channels, NoAnswer, OwnChannels, Patience
from tests.support.wire import answer, serving

LOCAL = Outgoing(allowed=AllowedHosts(("127.0.0.1",)))


@pytest.fixture
def channels():
    channels = Channels(LOCAL)
    yield channels
    channels.close()


SHORT = Patience(connect_s=1, head_s=0.3, piece_s=0.3)


def _ask(channels, server, **more):
    with channels.open("POST", server.url("/v1?x=1"), **more) as exchange:
        body, _ = exchange.read(1000)
    return exchange.status, body


def test_one_connection_serves_many_requests_and_headers_are_sent(channels):
    with serving(lambda connection, _request: connection.sendall(answer(b"yes"))) as server:
        for number in range(3):
            assert _ask(channels, server, body=b"%d" % number, headers={"X-Key": "k"}) == (200, b"yes")
    assert server.connections == 1
    head, _, body = server.requests[2].partition(b"\r\n\r\n")
    assert body == b"2"
    assert head.split(b"\r\n")[:2] == [b"POST /v1?x=1 HTTP/1.1", b"Host: 127.0.0.1:%d" % server.port]
    assert b"X-Key: k" in head
    assert b"Content-Length: 1" in head


def test_pieces_come_as_the_server_sends_them(channels):
    may_go_on = threading.Event()

    def serve(connection, _request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        may_go_on.wait(5)
        connection.sendall(b"3\r\ntwo\r\n0\r\n\r\n")

    with serving(serve) as server, channels.open("GET", server.url()) as exchange:
        pieces = exchange.pieces()
        assert next(pieces) == b"one"
        may_go_on.set()
        assert list(pieces) == [b"two"]


def test_what_is_not_read_to_its_end_is_cut_off(channels):
    def serve(connection, _request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    with serving(serve) as server:
        with channels.open("GET", server.url()) as exchange:
            assert exchange.read(10) == (b"x" * 10, False)
        assert server.is_cut.wait(5)


def test_a_connection_that_the_server_has_closed_is_not_used_again(channels):
    def serve(connection, _request):
        connection.sendall(answer(b"yes"))
        return False

    with serving(serve) as server:
        assert _ask(channels, server) == (200, b"yes")
        assert server.is_cut.wait(5)
        assert _ask(channels, server) == (200, b"yes")
    assert server.connections == 2


def test_a_body_of_pieces_is_sent_and_an_answer_ends_with_its_connection(channels):
    def serve(connection, _request):
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
        return False

    with serving(serve) as server:
        found = _ask(channels, server, body=iter([b"ab", b"c"]), size_bytes=3)
    assert found == (200, b"until the end")
    assert server.requests[0].endswith(b"\r\n\r\nabc")


@pytest.mark.parametrize(
    "said, is_late",
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", False),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, False),
        (b"", False),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
    ],
)
def test_what_is_no_answer_is_told_in_time(channels, said, is_late):
    def serve(connection, _request):
        connection.sendall(said)
        if is_late is None:
            threading.Event().wait(1)
        connection.shutdown(socket.SHUT_WR)
        return False

    with serving(serve) as server, pytest.raises(NoAnswer) as caught:
        _ask(channels, server, patience=SHORT)
    assert caught.value.is_late == (is_late is None)
    assert caught.value.was_sent


def test_nobody_listens_and_nobody_may_be_asked(channels):
    with serving(lambda *_: None) as server:
        pass
    with pytest.raises(NoAnswer) as caught:
        _ask(channels, server)
    assert not caught.value.was_sent
    with pytest.raises(Invalid):
        _ask(Channels(Outgoing()), server)
    with pytest.raises(ValueError, match="end of a line"):
        _ask(channels, server, headers={"X": "a\r\nY: b"})


def test_continue_is_no_answer_yet_and_a_redirect_is_one(channels):
    def serve(connection, _request):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(answer(b"", status="302 Found", headers="Location: http://10.0.0.1/\r\n"))

    with serving(serve) as server, channels.open("GET", server.url()) as exchange:
        assert (exchange.status, exchange.headers["location"]) == (302, "http://10.0.0.1/")
        assert exchange.read(10) == (b"", True)


def test_the_hubs_own_servers_are_asked_once_they_were_named_and_nobody_elses_way_leads_there(channels):
    own = OwnChannels()
    with (
        serving(lambda connection, _request: connection.sendall(answer(b"own"))) as server,
        serving(lambda connection, _request: connection.sendall(answer(b"other"))) as other,
    ):
        with pytest.raises(Invalid) as caught:
            own.open("GET", server.url())
        assert caught.value.code == "outgoing_refused"
        assert server.connections == 0
        own.trust(server.url())
        assert _ask(own, server) == (200, b"own")
        for url in (other.url(), server.url().replace("127.0.0.1", "localhost"), server.url().replace("http", "https")):
            with pytest.raises(Invalid):
                own.open("GET", url)
        # The connection that is kept serves nobody who may not open one: a user's word is still refused.
        guarded = Channels(Outgoing())
        with pytest.raises(Invalid):
            guarded.open("GET", server.url())
        with own.open("GET", server.url()) as exchange:
            assert (own.count_busy(server.url("/x")), own.count_busy(other.url())) == (1, 0)
            exchange.read(10)
        assert own.count_busy(server.url()) == 0
        assert server.connections == 1
    own.close()
