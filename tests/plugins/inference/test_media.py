"""Pictures, sound, scanned pages and moderation through the gateway: what is passed on, what is counted."""

import io
import json
import re
import tracemalloc
import wave

import pytest
from sqlalchemy import select
from werkzeug.test import Client, EnvironBuilder

from hub.db.uow import reading
from hub.metering.models import UsageEvent
from plugins.inference.catalogue import Prices
from plugins.inference.gateway.app import create_gateway
from plugins.inference.gateway.audio_lengths import find_seconds
from plugins.inference.gateway.multipart import FilePart, Form, plain_name
from plugins.inference.money import Budget
from plugins.inference.unit_prices import PricedUnit, UnitPrice

from .conftest import answer

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]

PRICES = Prices(
    units=(
        UnitPrice(PricedUnit.IMAGE, 100),
        UnitPrice(PricedUnit.IMAGE, 300, resolution="1024x1024"),
        UnitPrice(PricedUnit.IMAGE, 700, resolution="1024x1024", quality="hd"),
        UnitPrice(PricedUnit.SECOND, 10),
        UnitPrice(PricedUnit.CHARACTER, 2),
        UnitPrice(PricedUnit.PAGE, 5),
    )
)


def _json(**body):
    return answer(json.dumps(body).encode(), headers="Content-Type: application/json\r\n")


def _sound(seconds):
    data = io.BytesIO()
    with wave.open(data, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(int(seconds * 16_000)))
    return data.getvalue()


def _parts(request):
    """The parts of a form that an upstream was sent: heads and contents."""
    head, _, body = request.partition(b"\r\n\r\n")
    boundary = re.search(rb"boundary=([0-9a-f]{32})\r\n", head)[1]
    assert head.endswith(f"\r\nContent-Length: {len(body)}".encode())
    *parts, end = body.split(b"--" + boundary)[1:]
    assert end == b"--\r\n"
    return [part[2:-2].partition(b"\r\n\r\n")[::2] for part in parts]


@pytest.fixture
def post(gateway, make_key):
    """``post("/v1/audio/speech", model="tiny")``: JSON; with ``files={"file": (bytes, name)}``: a form."""
    key = make_key("media")

    def send(path, *, files=None, key=key, **fields):
        headers = {"Authorization": f"Bearer {key}"}
        if files is None:
            return Client(gateway).post(path, json=fields, headers=headers)
        data = fields | {name: (io.BytesIO(content), filename) for name, (content, filename) in files.items()}
        return Client(gateway).post(path, data=data, headers=headers, content_type="multipart/form-data")

    send.headers = {"Authorization": f"Bearer {key}"}
    return send


@pytest.fixture
def events(hub):
    """``events()``: what was counted, the first one first."""

    def read():
        with reading(hub) as work:
            return list(work.session.scalars(select(UsageEvent).order_by(UsageEvent.id)))

    return read


def _counted(event):
    return event.scene, event.unit, event.quantity, event.details.get("data_type")


def test_pictures_are_paid_for_by_their_size_and_quality(post, serve, calls, events):
    server = serve(_json(created=1, data=[{"b64_json": "AA"}] * 2, size="1024x1024"), prices=PRICES)
    assert post("/v1/images/generations", model="tiny", prompt="a cat", n=3, quality="HD", odd=1).json["data"][1]
    assert post("/v1/images/generations", model="tiny", prompt="a cat").status_code == 200
    assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2]) == {
        "model": "tiny-v1",
        "prompt": "a cat",
        "n": 3,
        "quality": "HD",
        "odd": 1,
    }
    assert b"POST /v1/images/generations " in server.requests[0]
    assert [call.cost_nano for call in calls()] == [2 * 700, 2 * 300]
    assert _counted(events()[0]) == (16, "count", 2, "image")
    assert events()[0].details["resolution"] == "1024x1024"


def test_a_form_is_written_anew_for_the_upstream(post, serve, calls):
    server = serve(_json(data=[{"url": "x"}]), prices=PRICES)
    picture = bytes(range(256)) * 1200
    files = {"image": (picture, "../../etc/a.png"), "mask": (b"mask", "mask.png")}
    assert (
        post("/v1/images/edits", files=files, model="tiny", prompt="ünder\r\nwater", size="512x512").status_code == 200
    )
    parts = _parts(server.requests[0])
    assert parts[-2][0].startswith(b'Content-Disposition: form-data; name="image"; filename="a.png"\r\n')
    assert parts[-2][1] == picture
    assert b'name="mask"' in parts[-1][0]
    fields = {re.search(rb'name="(\w+)"$', head)[1]: value for head, value in parts[:-2]}
    assert fields == {b"model": b"tiny-v1", b"prompt": "ünder\r\nwater".encode(), b"size": b"512x512"}
    assert [call.cost_nano for call in calls()] == [100]


def test_recordings_are_paid_for_by_the_second(post, serve, calls, events):
    said = [
        _json(text="hello", duration=7.2),
        _json(text="hello", usage={"type": "duration", "seconds": 4}),
        _json(text="hello", usage={"type": "tokens", "input_tokens": 9}),
        answer(b"1\n00:00:00,000 --> 00:00:01,000\nhello\n", headers="Content-Type: text/plain\r\n"),
        _json(text="hello", duration="for ever"),
    ]
    server = serve(lambda connection, _request: connection.sendall(said.pop(0)), prices=PRICES)
    sound = {"file": (_sound(2.5), "a.wav")}
    assert post("/v1/audio/transcriptions", files=sound, model="tiny").json["text"] == "hello"
    post("/v1/audio/transcriptions", files=sound, model="tiny")
    post("/v1/audio/translations", files=sound, model="tiny")
    text = post("/v1/audio/transcriptions", files=sound, model="tiny", response_format="srt")
    assert (text.content_type, text.text[:1]) == ("text/plain; charset=utf-8", "1")
    post("/v1/audio/transcriptions", files={"file": (b"x" * 9000, "noise")}, model="tiny")
    assert [(call.cost_nano, call.usage_source) for call in calls()] == [
        (80, "upstream"),
        (40, "upstream"),
        (30, "header"),
        (30, "header"),
        (30, "estimate"),
    ]
    assert _counted(events()[0]) == (16, "second", 8, "audio")
    assert b"POST /v1/audio/translations " in server.requests[2]
    assert (b'Content-Disposition: form-data; name="response_format"', b"srt") in _parts(server.requests[3])


def test_a_transcription_streams(post, serve, calls):
    told = [
        {"type": "transcript.text.delta", "delta": "hel"},
        {"type": "transcript.text.done", "text": "hello", "usage": {"type": "duration", "seconds": 3}},
    ]
    body = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in told).encode()
    serve(answer(body, headers="Content-Type: text/event-stream\r\n"), prices=PRICES)
    broken = b'data: {"type": "transcript.text.delta"}\n\ndata: {"error": {"message": "secret"}}\n\n'
    serve(answer(broken, headers="Content-Type: text/event-stream\r\n"), "broken", prices=PRICES)
    sound = {"file": (_sound(1), "a.wav")}
    response = post("/v1/audio/transcriptions", files=sound, model="tiny", stream="true")
    assert response.content_type.startswith("text/event-stream")
    assert response.data == body
    response = post("/v1/audio/transcriptions", files=sound, model="broken", stream="true")
    assert "upstream_error" in response.text
    assert "secret" not in response.text
    assert [(call.status, call.cost_nano, call.is_stream) for call in calls()] == [(200, 30, True), (502, 0, True)]


def test_speech_is_passed_through_and_paid_for_by_the_character(post, serve, calls, events):
    sound = bytes(1_000_000)
    serve(answer(sound, headers="Content-Type: audio/wav\r\n"), prices=PRICES)
    serve(answer(b"<html>", headers="Content-Type: text/html\r\n"), "odd", prices=PRICES)

    def break_off(connection, _request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: 9\r\n\r\nhalf")
        return False

    serve(break_off, "half", prices=PRICES)
    response = post("/v1/audio/speech", model="tiny", input="grüße", voice="alloy")
    assert (response.content_type, response.data == sound) == ("audio/wav", True)
    assert response.headers["x-gateway-response-cost"] == "0.000000010"
    assert post("/v1/audio/speech", model="odd", input="x", voice="alloy").json["error"]["code"] == "upstream_error"
    with pytest.raises(ConnectionResetError):
        _ = post("/v1/audio/speech", model="half", input="x", voice="alloy").data
    assert post("/v1/audio/speech", model="tiny", voice="alloy").json["error"]["param"] == "input"
    assert [(call.status, call.cost_nano) for call in calls()] == [(200, 10), (502, 0), (502, 0)]
    assert [_counted(event) for event in events()] == [(16, "character", 5, "audio")]


def test_a_listener_who_hangs_up_pays_for_what_was_spoken(gateway, make_key, serve, calls):
    serve(answer(bytes(1_000_000), headers="Content-Type: audio/wav\r\n"), prices=PRICES)
    environ = EnvironBuilder(
        "/v1/audio/speech",
        method="POST",
        json={"model": "tiny", "input": "hello"},
        headers={"Authorization": f"Bearer {make_key()}"},
    ).get_environ()
    gateway(environ, lambda _status, _headers: None).close()
    assert [(call.status, call.cost_nano) for call in calls()] == [(499, 10)]


def test_pages_and_texts_to_be_judged(post, serve, calls, events, hub):
    serve(_json(text="page", usage={"pages": 3}), "scans", prices=PRICES)
    assert post("/v1/ocr", files={"file": (b"%PDF", "a.pdf")}, model="scans", page_ranges="1-3").json["text"] == "page"
    assert _counted(events()[0]) == (16, "count", 3, "ocr")
    assert calls()[0].cost_nano == 15
    # Another process, for this one believes for a while what it has found.
    nobody = Client(create_gateway(hub)).post("/v1/moderations", json={"input": "hello"}, headers=post.headers)
    assert (nobody.status_code, nobody.json["error"]["code"]) == (503, "model_not_running")
    serve(_json(id="m", model="tiny-v1", results=[{"flagged": False}]), "judge", task="text-moderation")
    judged = post("/v1/moderations", input="hello")
    assert (judged.json["model"], judged.json["results"]) == ("judge", [{"flagged": False}])


def test_what_is_held_is_the_most_that_may_be_asked(post, serve, make_key):
    serve(_json(data=[{}]), prices=PRICES)
    key = make_key("poor", budgets=(Budget("1mo", 650),))

    def ask(**more):
        return post("/v1/images/generations", key=key, model="tiny", prompt="x", **more).status_code

    # Nobody says which size or quality: the dearest may come.
    assert [ask(), ask(size="1024x1024", quality="low"), ask(size="256x256"), ask(n=7, size="256x256")] == [
        429,
        200,
        200,
        429,
    ]


@pytest.mark.parametrize(
    "content_type, body, found",
    [
        ("application/json", b"{}", 400),
        ("multipart/form-data", b"", 400),
        ('multipart/form-data; boundary=x"y', b"", 400),
        ("multipart/form-data; boundary=xx", b"--yy\r\n\r\n--yy--", 400),
        ("multipart/form-data; boundary=xx", b"--xx\r\nContent-Disposition: form-data\r\n\r\n1\r\n--xx--\r\n", 400),
        ("multipart/form-data; boundary=xx", b'--xx\r\nContent-Disposition: form-data; name="model"\r\n\r\nt', 400),
        (
            "multipart/form-data; boundary=xx",
            b'--xx\r\nContent-Disposition: form-data; name="model"\r\n\r\ntiny\r\n--xx--\r\n',
            400,
        ),
        (
            "multipart/form-data; boundary=xx",
            b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nsound\r\n--xx--\r\n',
            400,
        ),
        (
            "multipart/form-data; boundary=xx",
            b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"a" * 2_000_000 + b"\r\n--xx--\r\n",
            400,
        ),
        (
            "multipart/form-data; boundary=xx",
            b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 150 + b"--xx--\r\n",
            400,
        ),
    ],
)
def test_forms_that_are_none_are_refused(gateway, make_key, serve, content_type, body, found):
    serve(_json(text="never"))
    response = Client(gateway).post(
        "/v1/audio/transcriptions",
        data=body,
        content_type=content_type,
        headers={"Authorization": f"Bearer {make_key()}"},
    )
    assert (response.status_code, response.json["error"]["type"]) == (found, "invalid_request_error")


@pytest.mark.parametrize("gateway_settings", [{"media_requests_per_minute": 1}])
def test_an_account_asks_for_so_many_of_each_kind(post, serve, make_key):
    serve(_json(data=[{}]))
    asked = {"model": "tiny", "prompt": "a cat", "input": "hello"}
    assert post("/v1/images/generations", **asked).status_code == 200
    refused = post("/v1/images/generations", key=make_key("other"), **asked)
    assert (refused.status_code, refused.json["error"]["code"]) == (429, "rate_limit_exceeded")
    assert "images/generations" in refused.json["error"]["message"]
    # Another kind, and what is no medium, has its own.
    assert post("/v1/images/edits", files={"image": (b"x", "x.png")}, **asked).status_code == 200
    assert [post("/v1/embeddings", **asked).status_code for _ in range(3)] == [200] * 3


class _Endless(io.RawIOBase):
    """A body of zeros that has no end."""

    taken = 0

    def read(self, size=-1):
        self.taken += size
        return bytes(size)


def test_a_form_of_200_megabytes_is_refused_and_never_whole_in_memory(gateway, make_key, hub):
    head = b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    headers = {"Authorization": f"Bearer {make_key()}"}

    def post(body, **environ):
        builder = EnvironBuilder("/v1/audio/transcriptions", method="POST", headers=headers)
        environ = {
            **builder.get_environ(),
            "CONTENT_TYPE": "multipart/form-data; boundary=xx",
            "wsgi.input": body,
            **environ,
        }
        said = []
        [body] = gateway(environ, lambda status, _headers: said.append(status))
        return int(said[0][:3]), json.loads(body)["error"]["code"]

    untouched = _Endless()
    refused = post(untouched, CONTENT_LENGTH=str(200 * 2**20))
    assert (refused, untouched.taken) == ((413, "request_too_large"), 0)

    class Unannounced(_Endless):
        def read(self, size=-1):
            return super().read(size) if self.taken else (super().read(len(head)), head)[1]

    endless = Unannounced()
    tracemalloc.start()
    try:
        refused = post(endless, **{"wsgi.input_terminated": True})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused == (413, "request_too_large")
    assert 100 * 2**20 < endless.taken < 101 * 2**20
    assert peak < 8 * 2**20
    assert not list((hub.settings.home / "incoming").iterdir())


def test_lengths_come_from_headers_and_hostile_ones_have_none():
    assert find_seconds(io.BytesIO(_sound(2.5)), "a.wav") == 2.5
    for name, data in (
        ("a.wav", b"RIFF\xff\xff\xff\xffWAVE" + b"junk\0\0\0\0" * 2_000_000),
        ("a.flac", b"fLaC" + b"\x01\0\0\0" * 2_000_000),
        ("a.mp3", b"ID3\x03\0\0\x7f\x7f\x7f\x7f"),
        ("", b""),
    ):
        assert find_seconds(io.BytesIO(data), name) is None


def test_what_parts_are_called_ends_no_line_and_no_quotes():
    part = FilePart('a"b', 'c"\r\nd', "text/plain", io.BytesIO(b"x"), 1)
    encoded = Form([("e\r\n", "f")], [part]).encode()
    body = b"".join(encoded.pieces())
    assert len(body) == encoded.size_bytes
    assert b'name="e%0D%0A"\r\n' in body
    assert b'name="a%22b"; filename="c%22%0D%0Ad"\r\n' in body


@pytest.mark.parametrize(
    "given, kept",
    [("../../a.wav", "a.wav"), ("C:\\x\\b.mp3", "b.mp3"), ("..", "file"), ("", "file"), ("a\r\nb\0.ogg", "ab.ogg")],
)
def test_names_of_files_lead_nowhere(given, kept):
    assert plain_name(given) == kept
