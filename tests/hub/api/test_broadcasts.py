"""The REST routes of broadcasts and client events, as clients of the platform see them."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.community.models import ClientEvent
from hub.db.uow import reading
from tests.hub.api.test_accounts import Caller, data, refusal

pytestmark = pytest.mark.any_database

NOBODY = (401, "AUTH-ERR-0")
DENIED = (403, "AUTH-ERR-2")


@pytest.fixture
def callers(client, make_user, make_token):
    """A caller each: nobody, ada, and root, who administers the hub."""
    tokens = {name: make_token(make_user(name, admin=name == "root"), "admin") for name in ("ada", "root")}
    return Caller(client), *(Caller(client, token) for token in tokens.values())


def test_one_broadcast_is_active_at_a_time(callers):
    nobody, ada, root = callers
    assert nobody.get("/broadcasts/active").json == {"msg": "OK"}
    body = {"content": "Maintenance on Sunday", "bc_type": "message", "theme": "dark", "status": "active"}
    for caller, expected in ((nobody, NOBODY), (ada, DENIED)):
        for method, path in (
            ("POST", "/admin/broadcasts"),
            ("GET", "/admin/broadcasts"),
            ("PUT", "/admin/broadcasts/1"),
            ("GET", "/admin/broadcasts/1"),
        ):
            assert refusal(caller.call(method, path, body if method != "GET" else None)) == expected
    first = data(root.post("/admin/broadcasts", body))
    assert {name: first[name] for name in body} == body
    assert data(nobody.get("/broadcasts/active")) == data(nobody.get(f"/broadcasts/{first['id']}")) == first
    draft = data(root.post("/admin/broadcasts", {"content": "Draft", "status": "inactive"}))
    assert data(nobody.get("/broadcasts/active"))["id"] == first["id"]
    # What is not yet, or no more, said to everybody is the administrators' own.
    address = f"/broadcasts/{draft['id']}"
    assert refusal(nobody.get(address)) == refusal(ada.get(address)) == (404, "SYS-ERR-3")
    assert data(root.get(f"/admin{address}")) == data(root.get(address)) == draft
    begun = data(root.put(f"/admin{address}", {"status": "active"}))
    assert (begun["content"], begun["bc_type"], begun["theme"]) == ("Draft", "banner", "light")
    assert data(nobody.get("/broadcasts/active"))["id"] == draft["id"]
    listed = root.get("/admin/broadcasts?per=1&page=2").json
    assert (listed["total"], [(one["id"], one["status"]) for one in listed["data"]]) == (2, [(first["id"], "inactive")])
    data(root.put(f"/admin{address}", {"status": "inactive"}))
    assert nobody.get("/broadcasts/active").json == {"msg": "OK"}
    assert refusal(root.put("/admin/broadcasts/999", {})) == (404, "SYS-ERR-3")
    assert root.get(f"/broadcasts/{'9' * 30}").status_code == 404
    for wrong in ({"content": ""}, {"content": "\0"}, {"bc_type": "song"}, {"theme": "pink"}, {"status": "x"}):
        assert root.put(f"/admin{address}", wrong).status_code == 400, wrong
        assert root.post("/admin/broadcasts", body | wrong).status_code == 400, wrong


def test_clients_report_their_use(callers, context):
    nobody, ada, _root = callers
    event = {"m": "space", "id": "space_card", "v": "1"}
    assert refusal(nobody.post("/events", [event])) == NOBODY
    # Who and from where is not the client's to say.
    data(ada.post("/events", [event | {"c_id": "root", "c_ip": "1.2.3.4"}, *[event | {"ext": "x" * 4096}] * 299]))
    data(ada.call("POST", "/events", []))
    with reading(context) as work:
        kept = work.session.scalars(select(ClientEvent).order_by(ClientEvent.id)).all()
        assert len(kept) == 300
        assert (kept[0].module, kept[0].event, kept[0].value, kept[0].extension) == ("space", "space_card", "1", "")
        assert (kept[0].user_id is None, kept[0].address) == (False, "127.0.0.1")
    for wrong, status in (
        ([event] * 301, 413),
        ([event | {"ext": "x" * 4097}], 400),
        ([event | {"m": ""}], 400),
        ([event, {"m": "x"}], 400),
        ([event | {"v": "a\0b"}], 400),
        ([event | {"ext": "\ud800"}], 400),
        (event, 400),
    ):
        assert ada.call("POST", "/events", wrong).status_code == status, wrong
    with reading(context) as work:
        assert len(work.session.scalars(select(ClientEvent.id)).all()) == 300


def test_a_broadcast_has_its_time(callers, clock):
    nobody, _, root = callers

    def at(hours):
        return (clock.now() + timedelta(hours=hours)).isoformat()

    now = data(root.post("/admin/broadcasts", {"content": "Now"}))
    later = data(root.post("/admin/broadcasts", {"content": "Later", "starts_at": at(1), "ends_at": at(2)}))
    assert data(nobody.get("/broadcasts/active"))["id"] == now["id"]
    assert nobody.get(f"/broadcasts/{later['id']}").status_code == 404
    clock.advance(3600)
    assert data(nobody.get("/broadcasts/active"))["id"] == later["id"]
    clock.advance(3600)
    # What came before it has ended with its beginning.
    assert nobody.get("/broadcasts/active").json == {"msg": "OK"}
    data(root.put(f"/admin/broadcasts/{later['id']}", {"ends_at": None}))
    assert data(nobody.get("/broadcasts/active"))["id"] == later["id"]
    body = {"content": "Odd", "starts_at": at(2), "ends_at": at(1)}
    assert refusal(root.post("/admin/broadcasts", body)) == (400, "broadcast_times")
