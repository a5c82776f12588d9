"""A connection of `hub gateway`, spoken to over a pair of sockets."""

import hashlib
import os
import socket
import threading

import pytest

from hub.http.connection import MAX_HEAD_BYTES, Connection

MIB = 1024 * 1024


def application(environ, start_response):
    """Says what it was asked, in the way that the path names."""
    path, source = environ["PATH_INFO"], environ["wsgi.input"]
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return iter([b"one", b"", b"two"])
    if path == "/unread":
        start_response("413 Content Too Large", [("Content-Length", "3")])
        return [b"no\n"]
    if path == "/broken":
        raise ValueError("its own fault")
    if path == "/split":
        start_response("200 OK", [("X-Name", "value\r\nX-Other: value")])
        return [b"never"]
    if path == "/short":
        start_response("200 OK", [("Content-Length", "9")])
        return [b"four"]
    try:
        body = source.read()
    except OSError as error:
        body = str(error).encode()
    said = [environ["REQUEST_METHOD"], path, environ["QUERY_STRING"], environ.get("HTTP_X_THING", "-")]
    text = " ".join([*said, str(len(body)), hashlib.sha256(body).hexdigest()[:8]]).encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]


@pytest.fixture
def client():
    """The client's end of a connection that is served in a thread."""
    ours, theirs = socket.socketpair()
    ours.settimeout(20)

    def serve():
        with theirs:
            Connection(theirs, application, {}, is_serving=lambda: True, tell_waiting=lambda waits: None).serve()

    thread = threading.Thread(target=serve)
    thread.start()
    yield ours
    ours.close()
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def stream(client):
    """What the client is sent."""
    with client.makefile("rb") as file:
        yield file


def request(method, path, *headers, body=b""):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: hub", *headers, "", ""]).encode() + body


def read_head(stream):
    status = int(stream.readline().split()[1])
    lines = iter(stream.readline, b"\r\n")
    return status, {name.lower(): value.strip() for name, _, value in (line.decode().partition(":") for line in lines)}


def read_answer(stream):
    status, headers = read_head(stream)
    return status, stream.read(int(headers["content-length"])).decode()


def said(method, path, body=b"", *, query="", thing="-"):
    return 200, f"{method} {path} {query} {thing} {len(body)} {hashlib.sha256(body).hexdigest()[:8]}"


@pytest.mark.parametrize("piece_bytes", [1, 50, 10_000_000])
def test_requests_are_answered_in_turn_however_they_are_cut(client, stream, piece_bytes):
    body = b"b" * (300 if piece_bytes == 1 else 200_000)
    sent = (
        request("GET", "/a%20b?c=d", "X-Thing: 1", "x-thing: 2", "X_Thing: 3")
        + request("POST", "/sized", f"Content-Length: {len(body)}", body=body)
        + request("POST", "/chunked", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
        + request("GET", "/more", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings")
        + request("HEAD", "/head")
        + request("GET", "/last", "Connection: close")
    )
    writer = threading.Thread(
        target=lambda: [client.sendall(sent[at : at + piece_bytes]) for at in range(0, len(sent), piece_bytes)]
    )
    writer.start()
    assert read_answer(stream) == said("GET", "/a b", query="c=d", thing="1,2")
    assert read_answer(stream) == said("POST", "/sized", body)
    assert read_answer(stream) == said("POST", "/chunked", b"abcde")
    assert read_answer(stream) == said("GET", "/more")
    assert read_head(stream)[0] == 200
    assert read_answer(stream) == said("GET", "/last")
    assert stream.read() == b""
    writer.join()


def test_a_stream_leaves_in_chunks_and_ends_with_the_connection_for_an_old_client(client, stream):
    client.sendall(request("GET", "/stream") + b"GET /stream HTTP/1.0\r\n\r\n")
    assert read_head(stream)[1]["transfer-encoding"] == "chunked"
    assert stream.read(21) == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    assert read_head(stream)[1]["connection"] == "close"
    assert stream.read() == b"onetwo"


def test_a_client_that_asks_whether_to_go_on_is_told_once(client, stream):
    client.sendall(request("POST", "/sized", "Content-Length: 5", "Expect: 100-continue"))
    assert [stream.readline(), stream.readline()] == [b"HTTP/1.1 100 Continue\r\n", b"\r\n"]
    client.sendall(b"hello")
    assert read_answer(stream) == said("POST", "/sized", b"hello")


def test_who_sends_what_nobody_wants_comes_to_read_why(client, stream):
    size = 20 * MIB
    client.sendall(request("POST", "/unread", f"Content-Length: {size}"))
    client.sendall(os.urandom(MIB) * (size // MIB))
    status, headers = read_head(stream)
    assert (status, headers["connection"], stream.read()) == (413, "close", b"no\n")


@pytest.mark.parametrize(
    "sent",
    [
        # What a proxy before us might read differently.
        request("POST", "/", "Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        request("POST", "/", "Content-Length: 5", "Content-Length: 6", body=b"hello!"),
        request("POST", "/", "Content-Length: +5", body=b"hello"),
        request("POST", "/", "Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
        request("POST", "/", "Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
        request("GET", "/", "X-Thing: a\r\n folded"),
        request("GET", "/", "X-Thing: a\0b"),
        b"GET / HTTP/1.1\nHost: hub\n\n",
        b"GET /\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(client, stream, sent):
    client.sendall(sent + request("GET", "/smuggled"))
    status, headers = read_head(stream)
    assert (status, headers["connection"]) == (400, "close")
    assert stream.read() == b"400 Bad Request"


@pytest.mark.parametrize("headers", [["X-Thing: " + "x" * MAX_HEAD_BYTES], [f"X-{number}: x" for number in range(101)]])
def test_a_head_has_an_end(client, stream, headers):
    client.sendall(request("GET", "/", *headers))
    assert read_head(stream)[0] == 431


def test_a_body_that_is_cut_off_is_not_taken_for_a_whole_one(client, stream):
    client.sendall(request("POST", "/sized", "Content-Length: 50", body=b"half"))
    client.shutdown(socket.SHUT_WR)
    assert read_answer(stream) == said("POST", "/sized", b"the request's body was cut off")


def test_chunks_that_are_none_are_not_taken_for_the_end(client, stream):
    client.sendall(request("POST", "/chunked", "Transfer-Encoding: chunked", body=b"3\r\nabcX\r\n0\r\n\r\n"))
    assert read_answer(stream) == said("POST", "/chunked", b"the request's body was cut off")
    assert stream.read() == b""


@pytest.mark.parametrize("path", ["/broken", "/split"])
def test_an_application_that_fails_is_an_error_and_the_end(client, stream, path):
    client.sendall(request("GET", path) + request("GET", "/more"))
    status, headers = read_head(stream)
    assert (status, headers["connection"], headers.get("x-other")) == (500, "close", None)
    assert stream.read() == b""


def test_a_body_shorter_than_promised_ends_the_connection(client, stream):
    client.sendall(request("GET", "/short") + request("GET", "/more"))
    assert read_head(stream)[1]["content-length"] == "9"
    assert stream.read() == b"four"
