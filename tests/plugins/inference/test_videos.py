"""Videos: made elsewhere in their own time, asked about, read, cancelled, and paid for once."""

import io
import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from hub.base.clock import FixedClock
from hub.db.uow import reading, unit_of_work
from hub.metering.models import UsageEvent
from plugins.inference.catalogue import Prices
from plugins.inference.gateway.video_models import VideoTask
from plugins.inference.models import Upstream
from plugins.inference.money import Budget
from plugins.inference.unit_prices import PricedUnit, UnitPrice
from tests.support.jobs import run_now

from .conftest import answer
from .test_files import call, keep  # noqa: F401 - fixtures

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]

PRICES = Prices(
    units=(UnitPrice(PricedUnit.SECOND, 10), UnitPrice(PricedUnit.SECOND, 25, resolution="1280x720")),
)
PATH = "/v1/video/generations"


class _Studio:
    """Who makes videos. said: what it says of each when it is asked."""

    def __init__(self):
        self.said = {"status": "in_progress", "progress": 40}
        self.asked = []

    def __call__(self, connection, request):
        line, _, body = request.partition(b"\r\n")[0], None, request.partition(b"\r\n\r\n")[2]
        method, path, _ = line.decode().split(" ")
        self.asked.append((method, path, body))
        if path.endswith("/content?variant=thumbnail"):
            connection.sendall(answer(b"picture", headers="Content-Type: image/webp\r\n"))
        elif path.endswith("/content"):
            connection.sendall(answer(bytes(300_000), headers="Content-Type: video/mp4\r\n"))
        elif path.endswith("/cancel"):
            connection.sendall(answer(b"{}", status="404 No"))
        elif self.said is None:
            connection.sendall(answer(b"", status="404 No"))
        else:
            said = {"id": "up/1", "object": "video", "status": "queued", "prompt": "a cat"}
            said |= self.said if method == "GET" else {}
            connection.sendall(answer(json.dumps(said).encode(), status="202 Accepted" if method == "POST" else "200"))


@pytest.fixture
def studio(serve):
    """A studio, served as the model "tiny"."""
    made = _Studio()
    serve(made, prices=PRICES)
    return made


@pytest.fixture
def make(call):  # noqa: F811
    """``make(seconds=4)``: a video, as whoever asks for it is told of it."""

    def send(path=PATH, **more):
        return call("POST", path, json={"model": "tiny", "prompt": "a cat", "size": "1280x720"} | more)

    return send


def _later(hub, **more):
    hub.clock = FixedClock(hub.clock.now() + timedelta(**more))


def _events(hub):
    with reading(hub) as work:
        return list(work.session.scalars(select(UsageEvent)))


def test_a_video_is_made_elsewhere_and_paid_for_once(call, make, studio, hub, calls):  # noqa: F811
    made = make(seconds="8", odd=[1]).json
    assert (made["status"], made["model"], made["seconds"], made["progress"]) == ("queued", "tiny", "8", 0)
    assert json.loads(studio.asked[0][2])["odd"] == [1]
    assert studio.asked[0][:2] == ("POST", "/v1/videos")
    path = f"{PATH}/{made['id']}"
    # What it is going to cost counts as spent from the beginning.
    assert [call.cost_nano for call in calls()] == [8 * 25]
    assert call("GET", f"{path}/content").json["error"]["code"] == "video_not_ready"
    _later(hub, seconds=5)
    assert call("GET", path).json["progress"] == 40
    assert studio.asked[-1][:2] == ("GET", "/v1/videos/up%2F1")
    assert not _events(hub)
    studio.said = {"status": "completed", "seconds": "6", "url": "https://studio.example/secret"}
    _later(hub, seconds=70)
    run_now(hub, "inference.poll_videos")
    run_now(hub, "inference.poll_videos")
    done = call("GET", path).json
    assert (done["status"], done["progress"], done["seconds"], done["prompt"]) == ("completed", 100, "6", "a cat")
    assert done["completed_at"] - made["created_at"] >= 75
    assert "secret" not in json.dumps(done)
    [event] = _events(hub)
    assert (event.scene, event.unit, event.quantity, event.details["data_type"]) == (16, "second", 6, "video")
    assert [(call.uuid, call.cost_nano, call.usage_source) for call in calls()] == [(event.uuid, 6 * 25, "upstream")]
    content = call("GET", f"{path}/content")
    assert (content.content_type, len(content.data)) == ("video/mp4", 300_000)
    assert call("GET", f"{path}/content?variant=thumbnail").data == b"picture"


def test_videos_have_an_old_address_and_take_forms(call, studio, keep):  # noqa: F811
    data = {"model": "tiny", "prompt": "a cat", "seconds": "4", "input_reference": (io.BytesIO(b"png"), "a.png")}
    made = call("POST", "/v1/videos", data=data, content_type="multipart/form-data")
    assert made.headers["Deprecation"] == "@1784851200"
    assert made.headers["Link"] == f'<{PATH}>; rel="successor-version"'
    assert b'name="input_reference"; filename="a.png"' in studio.asked[0][2]
    shown = call("GET", f"/v1/videos/{made.json['id']}")
    assert shown.json["id"] == made.json["id"]
    assert shown.headers["Link"] == f'<{PATH}/{made.json["id"]}>; rel="successor-version"'
    assert "Deprecation" not in call("GET", f"{PATH}/{made.json['id']}").headers
    # A picture that is a file of the account's goes along.
    picture = keep(b"png", "a.png", purpose="vision").json["id"]
    asked = {"model": "tiny", "prompt": "a cat", "input_reference": {"file_id": picture}}
    assert call("POST", PATH, json=asked).status_code == 200
    assert json.loads(studio.asked[-1][2])["input_reference"] == {"image_url": "data:image/png;base64,cG5n"}
    asked["input_reference"] = {"file_id": "file-x"}
    assert call("POST", PATH, json=asked).json["error"]["code"] == "file_not_found"


def test_videos_of_others_are_not_there_and_odd_ones_are_refused(call, make, studio, make_key, make_user):  # noqa: F811
    made = make().json
    bob = make_key("bob", user=make_user("bob"))
    for method, rest in (("GET", ""), ("GET", "/content"), ("POST", "/cancel")):
        assert call(method, f"{PATH}/{made['id']}{rest}", key=bob).json["error"]["code"] == "video_not_found"
    assert call("DELETE", f"{PATH}/{made['id']}").status_code == 405
    assert call("GET", PATH).status_code == 405
    assert call("GET", f"{PATH}/a\0b").status_code == 404
    for odd in ({"seconds": 0}, {"seconds": "x"}, {"seconds": 10**6}, {"seconds": True}, {"model": ""}):
        assert make(**odd).status_code == 400, odd


def test_what_is_cancelled_or_not_made_costs_nothing(call, make, studio, hub, calls):  # noqa: F811
    cancelled, gone, failed, lost = (make().json["id"] for _ in range(4))
    assert call("POST", f"{PATH}/{cancelled}/cancel").json["status"] == "cancelled"
    assert [asked[:2] for asked in studio.asked[-2:]] == [
        ("POST", "/v1/videos/up%2F1/cancel"),
        ("DELETE", "/v1/videos/up%2F1"),
    ]
    _later(hub, seconds=5)
    studio.said = None
    found = call("GET", f"{PATH}/{gone}").json
    assert (found["status"], found["error"]["code"]) == ("failed", "not_found")
    studio.said = {"status": "failed", "error": {"code": "blocked", "message": "No cats.", "host": "secret"}}
    found = call("GET", f"{PATH}/{failed}").json
    assert (found["status"], found["error"]) == ("failed", {"code": "blocked", "message": "No cats."})
    studio.said = {"status": "in_progress"}
    _later(hub, hours=25)
    assert call("GET", f"{PATH}/{lost}").json["error"]["code"] == "expired"
    assert [call.cost_nano for call in calls()] == [0, 0, 0, 0]
    assert not _events(hub)
    asked = len(studio.asked)
    # Nobody is asked about what has ended.
    run_now(hub, "inference.poll_videos")
    assert call("POST", f"{PATH}/{failed}/cancel").json["status"] == "failed"
    assert len(studio.asked) == asked


def test_a_video_stays_with_its_upstream_and_is_held_for(call, make, studio, hub, make_key):  # noqa: F811
    key = make_key("poor", budgets=(Budget("1mo", 8 * 25 + 100),))
    asked = {"model": "tiny", "prompt": "a cat", "size": "1280x720", "seconds": 8}
    made = call("POST", PATH, json=asked, key=key).json
    assert call("POST", PATH, json=asked, key=key).json["error"]["code"] == "budget_exceeded"
    with unit_of_work(hub) as work:
        # Switched off, it goes on making what it has begun.
        work.session.execute(update(Upstream).values(is_enabled=False))
    _later(hub, seconds=5)
    studio.said = {"status": "completed"}
    assert call("GET", f"{PATH}/{made['id']}", key=key).json["status"] == "completed"
    with unit_of_work(hub) as work:
        work.session.execute(update(VideoTask).values(upstream_id=10**6))
    assert call("GET", f"{PATH}/{made['id']}/content", key=key).json["error"]["code"] == "upstream_gone"
