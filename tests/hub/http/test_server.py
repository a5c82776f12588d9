"""The web server as a process, spoken to over sockets."""

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.support.processes import accepts_connections, free_port, kill_family, wait_until

ROOT = Path(__file__).resolve().parents[3]
MIB = 1024 * 1024


class Web:
    """The server around the tests' application."""

    def __init__(self, directory):
        self.directory = directory
        self.port = free_port()
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HUB_")}
        given = {"HUB_HOME": str(directory), "HUB_PORT": str(self.port), "TEST_DIRECTORY": str(directory)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.web"], env=kept | given, cwd=ROOT, start_new_session=True
        )
        wait_until(lambda: accepts_connections(self.port), what="the server")

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=120)
        return contextlib.closing(connection)

    def answerer(self):
        """The id of the worker that answers now, by its own word; it may leave right after it."""
        with self.connect() as connection:
            return int(ask(connection, get("/"))[1])

    def worker(self):
        """The worker's process."""
        return psutil.Process(self.answerer())

    def starts(self):
        """The ids of the workers that have begun to start, in turn."""
        return [int(line) for line in (self.directory / "starts").read_text().split()]

    def reload(self):
        """Have the worker replaced; returns when the next one has begun to start."""
        count = len(self.starts())
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(self.starts()) > count, what="the next worker to begin")


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    server = Web(tmp_path_factory.mktemp("web"))
    yield server
    kill_family(server.process.pid)
    server.process.wait(60)


@pytest.fixture
def own_web(tmp_path):
    """A server that the test may stop."""
    server = Web(tmp_path)
    yield server
    kill_family(server.process.pid)
    server.process.wait(60)


@pytest.fixture
def content(web):
    """What ``/file`` sends: 3 MiB and a bit, no two parts alike."""
    data = b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(98_400))
    (web.directory / "file").write_bytes(data)
    return data


def get(path, *headers):
    return request("GET", path, *headers)


def request(method, path, *headers, body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: hub", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def read_answer(stream):
    """(status, body) of the next answer of known length."""
    status = int(stream.readline().split()[1])
    length = 0
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status, stream.read(length)


def ask(connection, data):
    connection.sendall(data)
    return read_answer(connection.makefile("rb"))


def test_a_file_arrives_whole_and_the_connection_goes_on(web, content):
    with web.connect() as connection:
        for _ in range(3):
            assert ask(connection, get("/file")) == (200, content)
        assert ask(connection, get("/"))[0] == 200


def test_a_part_of_a_file_arrives_from_the_streams_position(web, content):
    with web.connect() as connection:
        assert ask(connection, get("/file?1000000-2000")) == (200, content[1_000_000:1_002_000])
        assert ask(connection, get("/file?5-0")) == (200, b"")
        assert ask(connection, get("/"))[0] == 200


def test_requests_sent_ahead_are_answered_in_turn(web, content):
    body = b"y" * 100_000
    upload = request("PUT", "/upload", f"Content-Length: {len(body)}", body=body)
    with web.connect() as connection:
        stream = connection.makefile("rb")
        connection.sendall(get("/file") + upload + get("/file?7-9") + get("/"))
        assert read_answer(stream) == (200, content)
        assert read_answer(stream) == (200, f"100000 {hashlib.sha256(body).hexdigest()}".encode())
        assert read_answer(stream) == (200, content[7:16])
        assert read_answer(stream)[0] == 200


def test_a_file_shorter_than_promised_ends_the_connection(web, content):
    with web.connect() as connection:
        connection.sendall(get(f"/file?0-{len(content) + 10}"))
        received = b"".join(iter(lambda: connection.recv(MIB), b""))
        assert received.endswith(content[-1000:])


def test_head_sends_no_body(web, content):
    with web.connect() as connection:
        connection.sendall(request("HEAD", "/file") + get("/"))
        stream = connection.makefile("rb")
        assert stream.readline().split()[1] == b"200"
        while stream.readline().strip():
            pass
        assert read_answer(stream)[0] == 200


@pytest.mark.parametrize("piece_bytes", [1, 1000, 65_536, 1_048_576])
@pytest.mark.parametrize("size", [1, 70_000, 300_001])
def test_a_body_of_known_length_is_read_in_pieces_of_any_size(web, size, piece_bytes):
    body = os.urandom(size)
    with web.connect() as connection:
        for _ in range(2):
            answer = ask(connection, request("PUT", f"/upload?{piece_bytes}", f"Content-Length: {size}", body=body))
            assert answer == (200, f"{size} {hashlib.sha256(body).hexdigest()}".encode())


@pytest.mark.parametrize("chunk_bytes", [1, 777, 70_000])
def test_a_chunked_body_is_read_whole(web, chunk_bytes):
    body = os.urandom(3 * chunk_bytes + 5)
    chunks = [body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)]
    coded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    with web.connect() as connection:
        for _ in range(2):
            answer = ask(connection, request("PUT", "/upload", "Transfer-Encoding: chunked", body=coded))
            assert answer == (200, f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode())


def test_a_chunked_body_is_handed_on_as_it_arrives(web):
    with web.connect() as connection:
        connection.sendall(request("PUT", "/line", "Transfer-Encoding: chunked", body=b"6\r\nfirst\n\r\n"))
        assert read_answer(connection.makefile("rb")) == (200, b"first\n")


def test_a_body_without_bytes_is_empty(web):
    empty = (200, f"0 {hashlib.sha256().hexdigest()}".encode())
    with web.connect() as connection:
        assert ask(connection, request("PUT", "/upload", "Content-Length: 0")) == empty
        assert ask(connection, request("PUT", "/upload", "Transfer-Encoding: chunked", body=b"0\r\n\r\n")) == empty
        assert ask(connection, request("PUT", "/upload")) == empty


@pytest.mark.parametrize(
    "cut_off",
    [
        request("PUT", "/upload", "Content-Length: 1000", body=b"only this"),
        request("PUT", "/upload", "Transfer-Encoding: chunked", body=b"100\r\nonly this"),
    ],
    ids=["length", "chunked"],
)
def test_a_body_that_is_cut_off_is_never_taken_for_a_whole_one(web, cut_off):
    note = web.directory / "failed-ClientDisconnected"
    note.unlink(missing_ok=True)
    with web.connect() as connection:
        connection.sendall(cut_off)
    wait_until(note.exists, what="the application to hear of it")


def test_malformed_chunks_are_refused_and_the_connection_ends(web):
    with web.connect() as connection:
        answer = ask(connection, request("PUT", "/upload", "Transfer-Encoding: chunked", body=b"zz\r\nwhat\r\n"))
        assert answer == (400, b"BadRequest")
        connection.sendall(get("/"))
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(10) == b""


def test_a_client_that_asks_before_sending_is_told_to_go_on(web):
    with web.connect() as connection:
        stream = connection.makefile("rb")
        connection.sendall(request("PUT", "/upload", "Content-Length: 5", "Expect: 100-continue"))
        assert stream.readline() == b"HTTP/1.1 100 Continue\r\n"
        stream.readline()
        connection.sendall(b"hello")
        assert read_answer(stream) == (200, f"5 {hashlib.sha256(b'hello').hexdigest()}".encode())


def test_a_body_that_the_application_did_not_read_is_skipped(web):
    refused = request("PUT", "/unread", "Content-Length: 200000", body=b"z" * 200_000)
    with web.connect() as connection:
        assert ask(connection, refused) == (403, b"not read")
        assert ask(connection, get("/"))[0] == 200


def test_a_short_answer_arrives_in_one_piece(web):
    with web.connect() as connection:
        for _ in range(20):
            connection.sendall(get("/unread"))
            assert connection.recv(MIB).endswith(b"\r\n\r\nnot read")


def test_the_first_piece_of_a_slow_answer_does_not_wait_for_the_next(own_web):
    with own_web.connect() as connection:
        connection.sendall(get("/wait"))
        assert connection.recv(MIB).endswith(b"\r\n\r\no")
        (own_web.directory / "go").touch()
        assert connection.recv(MIB) == b"k"


def test_the_answer_is_closed_when_the_client_goes(web):
    note = web.directory / "closed"
    note.unlink(missing_ok=True)
    with web.connect() as connection:
        connection.sendall(get("/endless"))
        assert connection.recv(1000)
    wait_until(note.exists, what="the answer to be closed")


def test_a_reload_is_heard_while_the_transfers_of_replaced_workers_still_run(own_web):
    content = hashlib.sha256(b"content").digest() * (1 << 19)  # 16 MiB: more than the sockets hold
    (own_web.directory / "file").write_bytes(content)
    workers = [own_web.answerer()]
    with contextlib.ExitStack() as stack:
        transfers = []
        for _ in range(3):
            connection = stack.enter_context(own_web.connect())
            connection.sendall(get("/file", "Connection: close"))
            transfers.append(connection.makefile("rb"))
            assert transfers[-1].readline().split()[1] == b"200"
            own_web.process.send_signal(signal.SIGHUP)
            wait_until(lambda: own_web.answerer() not in workers, what="a new worker to answer")
            # From now on nobody else answers.
            workers.append(own_web.answerer())
            assert {own_web.answerer() for _ in range(20)} == {workers[-1]}
        assert all(psutil.pid_exists(pid) for pid in workers)
        for stream in transfers:
            assert stream.read().endswith(content)
    wait_until(lambda: not any(map(is_alive, workers[:-1])), what="the replaced workers to end")
    assert is_alive(workers[-1])


def test_the_end_cuts_off_the_transfers_of_replaced_workers_too(own_web):
    (own_web.directory / "file").write_bytes(bytes(16 * MIB))
    first = own_web.answerer()
    with own_web.connect() as connection:
        connection.sendall(get("/file"))
        assert connection.recv(100)
        own_web.process.send_signal(signal.SIGHUP)
        wait_until(lambda: own_web.answerer() != first, what="a new worker to answer")
        own_web.process.send_signal(signal.SIGQUIT)
        assert own_web.process.wait(90) == 0
        wait_until(lambda: not is_alive(first), what="the replaced worker to end")


def is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_fast_download_does_not_keep_others_waiting(web):
    with (web.directory / "file").open("wb") as file:
        file.truncate(4096 * MIB)  # sparse: it takes no room
    with web.connect() as fast, web.connect() as other:
        fast.sendall(get("/file"))
        received = 0
        while received < 4096 * MIB:
            received += len(fast.recv(4 * MIB))
            if received % (256 * MIB) < MIB:
                assert ask(other, get("/"))[0] == 200
                if received > 1024 * MIB:
                    break
    (web.directory / "file").unlink()


def test_large_transfers_take_no_memory(web):
    size = 512 * MIB
    worker = web.worker()
    with (web.directory / "file").open("wb") as file:
        file.truncate(size)
    piece = bytes(MIB)

    def transfer(length):
        with web.connect() as connection:
            connection.sendall(request("PUT", "/upload", f"Content-Length: {length}"))
            for _ in range(length // MIB):
                connection.sendall(piece)
            assert read_answer(connection.makefile("rb"))[0] == 200
        with web.connect() as connection:
            connection.sendall(get(f"/file?0-{length}"))
            received = 0
            while received < length:
                received += len(connection.recv(MIB))

    transfer(16 * MIB)
    before = worker.memory_info().rss
    transfer(size)
    assert worker.memory_info().rss - before < 16 * MIB
    (web.directory / "file").unlink()


def test_headers_over_the_limit_are_refused(web):
    with web.connect() as connection:
        assert ask(connection, get("/", f"X-Long: {'x' * 20_000}"))[0] == 431
    with web.connect() as connection:
        connection.sendall(get("/" + "x" * 20_000))
        assert connection.makefile("rb").readline().split()[1] == b"414"


def test_a_reload_lets_running_answers_end_and_brings_a_new_worker(own_web):
    first = own_web.answerer()
    with own_web.connect() as connection:
        connection.sendall(get("/wait"))
        wait_until((own_web.directory / "waiting").exists, what="the answer to begin")
        own_web.process.send_signal(signal.SIGHUP)
        wait_until(lambda: own_web.answerer() != first, what="the new worker")
        (own_web.directory / "go").touch()
        assert read_answer(connection.makefile("rb")) == (200, b"ok")
    wait_until(lambda: not psutil.pid_exists(first), what="the old worker to be gone")


def test_the_worker_of_now_answers_until_the_next_one_can(own_web):
    first = own_web.answerer()
    (own_web.directory / "hold").touch()
    own_web.reload()
    assert [own_web.answerer() for _ in range(50)] == [first] * 50
    (own_web.directory / "hold").unlink()
    answers = [first]
    while answers[-1] == first:  # each is an answer: none is refused or cut off
        answers.append(own_web.answerer())
    answers += [own_web.answerer() for _ in range(50)]
    # Not one of the old worker's after the first of the new one's.
    assert answers == sorted(answers, key=own_web.starts().index)
    assert own_web.starts() == [first, answers[-1]]


def test_requests_under_way_at_a_reload_are_answered(own_web):
    answers, failures, stop = [], [], threading.Event()

    def go_on():
        while not stop.is_set():
            try:
                answers.append(own_web.answerer())
            except Exception as error:
                failures.append(repr(error))

    clients = [threading.Thread(target=go_on) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for _ in range(3):
            current = own_web.answerer()
            own_web.reload()
            wait_until(lambda current=current: own_web.answerer() != current, what="the next worker to answer")
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert not failures
    # Each but the last, which had no time to, has answered.
    assert set(own_web.starts()[:-1]) <= set(answers) <= set(own_web.starts())


def test_where_the_next_worker_does_not_start_the_one_of_now_stays(own_web):
    first = own_web.answerer()
    (own_web.directory / "broken").touch()
    own_web.reload()
    failed = own_web.starts()[-1]
    wait_until(lambda: not psutil.pid_exists(failed), what="the failed start to be seen")
    assert {own_web.answerer() for _ in range(20)} == {first}
    # Nor does the server try again and again.
    assert own_web.starts() == [first, failed]
    (own_web.directory / "broken").unlink()
    own_web.reload()
    wait_until(lambda: own_web.answerer() not in (first, failed), what="the next worker to answer")


def test_who_asks_for_a_reload_during_one_gets_another(own_web):
    first = own_web.answerer()
    (own_web.directory / "hold").touch()
    own_web.reload()
    # The next worker may have read already what this one is asked for.
    own_web.process.send_signal(signal.SIGHUP)
    assert own_web.answerer() == first
    (own_web.directory / "hold").unlink()
    wait_until(lambda: len(own_web.starts()) == 3, what="the second reload")
    wait_until(lambda: own_web.answerer() == own_web.starts()[-1], what="its worker to answer")
    wait_until(lambda: not any(map(is_alive, own_web.starts()[:-1])), what="those before to end")


def test_a_stop_during_a_reload_ends_all(own_web):
    first = own_web.answerer()
    (own_web.directory / "hold").touch()
    own_web.reload()
    own_web.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not is_alive(first), what="the worker of now to end")
    (own_web.directory / "hold").unlink()  # a start is not cut off: it ends, and answers nobody
    assert own_web.process.wait(90) == 0
    assert not any(map(is_alive, own_web.starts()))


def test_a_stop_lets_running_answers_end_and_waits_for_no_idle_connection(own_web):
    with own_web.connect() as idle, own_web.connect() as busy:
        assert ask(idle, get("/"))[0] == 200
        busy.sendall(get("/wait"))
        wait_until((own_web.directory / "waiting").exists, what="the answer to begin")
        own_web.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not accepts_connections(own_web.port), what="the port to be closed")
        (own_web.directory / "go").touch()
        assert read_answer(busy.makefile("rb")) == (200, b"ok")
        began = time.monotonic()
        assert own_web.process.wait(90) == 0
        assert time.monotonic() - began < 10
        assert idle.recv(1) == b""


def test_a_killed_master_takes_its_worker_along(own_web):
    worker = own_web.worker()
    own_web.process.kill()
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, what="the worker to go")


# What the worker relies on: waiting for PostgreSQL lets other requests run.
_WAIT_BESIDE = """
from gevent import monkey
monkey.patch_all()
import sys, gevent
from sqlalchemy import text
from hub.db.engine import Database
turns = 0
def count():
    global turns
    while True:
        turns += 1
        gevent.sleep(0.01)
counter = gevent.spawn(count)
with Database(sys.argv[1]).engine.connect() as connection:
    before = turns
    connection.execute(text("SELECT pg_sleep(2)"))
    print(turns - before)
"""


def test_waiting_for_postgresql_lets_other_requests_run(postgresql):
    url = postgresql.url("postgres").replace("postgresql://", "postgresql+psycopg://")
    command = [sys.executable, "-c", _WAIT_BESIDE, url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) >= 5


_TURNS = """
from gevent import monkey
monkey.patch_all()
import gevent, socket
from hub.http.gevent_worker import ZeroCopySocket

def serve(name, end):
    for _ in range(5):
        end.is_between_requests = True
        end.recv(1)
        turns.append(name)

turns, kept, served = [], [], []
for name in "abc":
    ours, theirs = socket.socketpair()
    theirs.sendall(b"12345")  # whose next request is always there already
    kept.append(theirs)
    end = ZeroCopySocket(ours.family, ours.type, ours.proto, fileno=ours.detach())
    served.append(gevent.spawn(serve, name, end))
gevent.joinall(served)
print("".join(turns))
"""


def test_who_asks_at_once_again_lets_others_come_first():
    done = subprocess.run([sys.executable, "-c", _TURNS], cwd=ROOT, capture_output=True, text=True, check=True)
    turns = done.stdout.strip()
    assert [set(turns[at : at + 3]) for at in range(0, 15, 3)] == [set("abc")] * 5, turns
