"""The REST routes of notifications, as clients of the platform see them."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.community.models import Notification, NotificationEvent, NotificationType
from hub.community.models_reviews import Mail
from hub.community.service.notifications import Notice, tell
from hub.db.base import new_uuid
from hub.db.uow import reading, unit_of_work
from hub.jobs.run import run_due
from hub.jobs.service import enqueue
from tests.hub.api.test_accounts import Caller, data, refusal

pytestmark = pytest.mark.any_database

NOBODY = (401, "AUTH-ERR-0")
DENIED = (403, "AUTH-ERR-2")


@pytest.fixture
def as_user(client, make_user, make_token):
    def make(name="ada", *, scope="admin", admin=False):
        user = make_user(name, admin=admin)
        caller = Caller(client, make_token(user, scope))
        caller.user = user
        return caller

    return make


@pytest.fixture
def tell_user(context):
    def send(user, title, type="system"):
        with unit_of_work(context) as work:
            tell(work, Notice(new_uuid(), NotificationType(type), title, url="/here"), [user.id])

    return send


def titles(answer):
    return [message["title"] for message in data(answer)["messages"]]


def test_an_inbox_is_read_searched_and_emptied(as_user, client, tell_user, clock):
    ada, bob = as_user("ada"), as_user("bob")
    for number in range(12):
        tell_user(ada.user, f"No {number}", "comment" if number % 2 else "system")
    tell_user(bob.user, "Not yours")
    inbox = data(ada.get("/notifications"))
    assert (inbox["unread_count"], inbox["total_count"], len(inbox["messages"])) == (12, 12, 10)
    first = inbox["messages"][0]
    assert first | {"id": 0, "msg_uuid": ""} == {
        "id": 0,
        "msg_uuid": "",
        "user_uuid": ada.user.uuid,
        "sender_uuid": "",
        "notification_type": "comment",
        "event": "comment",
        "is_archived": False,
        "title": "No 11",
        "summary": "",
        "content": "",
        "click_action_url": "/here",
        "template": "",
        "payload": {},
        "is_read": False,
        "read_at": None,
        "created_at": int(clock.now().timestamp()),
        "updated_at": int(clock.now().timestamp()),
    }
    assert titles(ada.get("/notifications?page=2&page_size=5&notification_type=comment")) == ["No 1"]
    assert titles(ada.get("/notifications?title=nO%201")) == ["No 11", "No 10", "No 1"]
    assert titles(ada.get("/notifications?title=%25")) == []
    ids = [message["id"] for message in inbox["messages"][:2]]
    theirs = data(bob.get("/notifications"))["messages"][0]["id"]
    clock.advance(60)
    data(ada.put("/notifications/read", {"ids": [*ids, theirs]}))
    assert (data(ada.get("/notifications/count")), data(bob.get("/notifications/count"))) == (10, 1)
    read = data(ada.get("/notifications"))["messages"][0]
    assert (read["is_read"], read["read_at"]) == (True, int(clock.now().timestamp()))
    assert len(titles(ada.get("/notifications?unread_only=true&page_size=100"))) == 10
    data(ada.put("/notifications/read", {"mark_all": True}))
    assert data(ada.get("/notifications/count")) == 0
    data(ada.put("/notifications/unread", {"ids": ids[:1]}))
    assert data(ada.get("/notifications/count")) == 1
    data(ada.delete("/notifications", {"ids": [*ids, theirs]}))
    assert data(ada.get("/notifications"))["total_count"] == 10
    data(ada.delete("/notifications", {"mark_all": True}))
    assert data(ada.get("/notifications")) == {"messages": [], "unread_count": 0, "total_count": 0}
    assert data(bob.get("/notifications/count")) == 1
    for query, status in (
        ("page_size=101", 400),
        ("page=0", 400),
        ("page_size=x", 400),
        ("notification_type=gossip", 400),
        ("title=a%00b", 400),
        ("title=" + "x" * 201, 400),
        ("unread_only=perhaps", 400),
    ):
        assert refusal(ada.get(f"/notifications?{query}")) == (status, "REQ-ERR-6"), query
    for body, expected in (
        ({}, (400, "REQ-ERR-4")),
        ({"ids": []}, (400, "REQ-ERR-4")),
        ({"ids": [2**63]}, (400, "REQ-ERR-6")),
        ({"ids": [1] * 1001}, (400, "REQ-ERR-6")),
    ):
        assert refusal(ada.put("/notifications/read", body)) == expected
    # Nobody has an inbox but who is signed in, and a token for reading leaves it as it is.
    nobody, reader = Caller(client), as_user("rea", scope="read")
    for path in ("", "/count", "/poll/5", "/setting", "/message-types"):
        assert refusal(nobody.get(f"/notifications{path}")) == NOBODY
        data(reader.get(f"/notifications{path}"))
    for method, path in (("PUT", "/read"), ("PUT", "/unread"), ("DELETE", "")):
        assert refusal(nobody.call(method, f"/notifications{path}", {"mark_all": True})) == NOBODY
        assert refusal(reader.call(method, f"/notifications{path}", {"mark_all": True})) == DENIED
    assert refusal(reader.put("/notifications/setting", {})) == DENIED


def test_a_poll_gives_each_message_once_and_keeps_quiet_hours(as_user, tell_user, clock):
    """The clock stands at 12:00 UTC, which is 20:00 in Shanghai."""
    ada = as_user("ada")
    for number in range(3):
        tell_user(ada.user, f"No {number}")

    def poll(limit, query=""):
        polled = data(ada.get(f"/notifications/poll/{limit}{query}"))
        return [message["title"] for message in polled["data"]], polled["next_poll_time"]

    later = [(clock.now() + timedelta(seconds=s)).isoformat() for s in (10, 60)]
    assert poll(2) == (["No 0", "No 1"], later[0])
    assert poll(500) == (["No 2"], later[1])
    assert poll(2) == ([], later[1])
    tell_user(ada.user, "Late")
    quiet = {"is_do_not_disturb_enabled": True, "do_not_disturb_start": "19:00", "do_not_disturb_end": "07:00"}
    data(ada.put("/notifications/setting", quiet | {"timezone": "Asia/Shanghai"}))
    assert poll(2)[0] == []
    assert poll(2, "?timezone=UTC")[0] == ["Late"]
    tell_user(ada.user, "Early")
    data(ada.put("/notifications/setting", {"do_not_disturb_end": "20:00"}))
    assert poll(2)[0] == ["Early"]
    assert refusal(ada.get("/notifications/poll/0")) == (400, "REQ-ERR-6")
    for zone in ("Mars/Olympus", "../../etc/passwd", "%00", "x" * 500):
        assert refusal(ada.get(f"/notifications/poll/5?timezone={zone}")) == (400, "REQ-ERR-6")


def test_who_only_looks_takes_nothing_from_the_polls(as_user, make_token, client, tell_user):
    ada = as_user("ada")
    reader = Caller(client, make_token(ada.user, "read"))
    tell_user(ada.user, "News")
    assert ada.call("HEAD", "/notifications/poll/5").status_code == 200
    for caller, given in ((reader, ["News"]), (reader, ["News"]), (ada, ["News"]), (ada, []), (reader, [])):
        assert [message["title"] for message in data(caller.get("/notifications/poll/5"))["data"]] == given


def test_what_one_wants_to_be_told_is_kept(as_user):
    ada = as_user("ada")
    types = data(ada.get("/notifications/message-types"))
    assert set(types) == {"system", "comment", "organization", "asset_management", "deployment"}
    setting = data(ada.get("/notifications/setting?timezone=Asia/Shanghai"))
    assert (setting["sub_notification_type"], setting["email_address"]) == (types, "ada@example.org")
    # As the platform's own pages send it.
    wanted = {
        "sub_notification_type": ["comment", "system"],
        "email_address": "ada@elsewhere.example",
        "is_email_notification_enabled": True,
        "message_ttl": 604800,
        "phone_number": "+49 30 1234",
        "is_sms_notification_enabled": False,
        "do_not_disturb_start": "22:00",
        "do_not_disturb_end": "07:30",
        "is_do_not_disturb_enabled": True,
        "timezone": "Europe/Berlin",
    }
    changed = data(ada.put("/notifications/setting", wanted))
    assert {name: changed[name] for name in wanted} == wanted
    assert changed["user_uuid"] == ada.user.uuid
    data(ada.put("/notifications/setting", {"sub_notification_type": []}))
    assert data(ada.get("/notifications/setting"))["sub_notification_type"] == []
    assert data(ada.get("/notifications/setting"))["timezone"] == "Europe/Berlin"
    for wrong in (
        {"sub_notification_type": ["gossip"]},
        {"email_address": "nobody"},
        {"message_ttl": -1},
        {"phone_number": "a\0b"},
        {"do_not_disturb_start": "25:00"},
        {"do_not_disturb_end": "7:00"},
        {"do_not_disturb_end": "07:00\n"},
        {"timezone": "Mars/Olympus"},
    ):
        assert ada.put("/notifications/setting", wrong).status_code == 400, wrong


def test_each_event_is_told_where_one_wants_it(as_user, context):
    ada = as_user("ada")

    def tell_ada(event):
        with unit_of_work(context) as work:
            notice = Notice(new_uuid(), NotificationEvent(event).type, event, event=event)
            tell(work, notice, [ada.user.id])

    everywhere = data(ada.get("/notifications/setting"))["channels"]
    assert everywhere == [f"web:{event.value}" for event in NotificationEvent]
    assert ada.put("/notifications/setting", {"channels": ["web:gossip"]}).status_code == 400
    chosen = ["web:mention", "web:system", "email:mention", "email:review_request"]
    setting = data(ada.put("/notifications/setting", {"channels": chosen}))
    assert (setting["channels"], setting["is_email_notification_enabled"]) == (chosen, True)
    assert setting["sub_notification_type"] == ["comment", "system"]
    for event in ("comment", "mention", "review_request", "organization"):
        tell_ada(event)
    assert titles(ada.get("/notifications?archived=false")) == ["mention"]
    assert titles(ada.get("/notifications?event=review_request")) == ["review_request"]
    assert data(ada.get("/notifications/count")) == 1
    with reading(context) as work:
        mailed = select(Notification.event).join(Mail, Mail.notification_uuid == Notification.uuid)
        assert sorted(work.session.scalars(mailed)) == ["mention", "review_request"]
    # What the platform's clients say means what it always did.
    types = {"sub_notification_type": ["organization"], "is_email_notification_enabled": False}
    assert data(ada.put("/notifications/setting", types))["channels"] == []
    assert data(ada.put("/notifications/setting", {"channels": ["web:organization"]}))["channels"] == [
        "web:organization"
    ]
    data(ada.put("/notifications/setting", {"is_email_notification_enabled": True}))
    assert data(ada.get("/notifications/setting"))["channels"] == ["web:organization", "email:organization"]


def test_what_is_put_away_is_read_and_out_of_sight_until_it_is_taken_back(as_user, tell_user, clock, context):
    ada, eve = as_user("ada"), as_user("eve")
    for title in ("one", "two", "three"):
        tell_user(ada.user, title)
    ids = {message["title"]: message["id"] for message in data(ada.get("/notifications"))["messages"]}
    data(eve.put("/notifications/archive", {"ids": [ids["one"]]}))
    assert titles(ada.get("/notifications?archived=true")) == []
    data(ada.put("/notifications/archive", {"ids": [ids["one"]]}))
    data(ada.put("/notifications/read", {"ids": [ids["two"]]}))
    data(ada.put("/notifications/archive", {"mark_all": True}))  # those that are read
    assert titles(ada.get("/notifications?archived=true")) == ["two", "one"]
    assert titles(ada.get("/notifications?archived=false")) == ["three"]
    assert data(ada.get("/notifications/count")) == 1
    data(ada.put("/notifications/unarchive", {"ids": [ids["two"]]}))
    assert titles(ada.get("/notifications?archived=false")) == ["three", "two"]
    # What is older than its reader keeps anything goes, read or not.
    data(ada.put("/notifications/setting", {"message_ttl": 2 * 86_400}))
    clock.advance(86_400)
    tell_user(ada.user, "new")
    clock.advance(86_401)
    with unit_of_work(context) as work:
        enqueue(work, "community.prune")
    run_due(context)
    assert titles(ada.get("/notifications")) == ["new"]


def test_administrators_send_messages(as_user, context):
    root, ada, bob = as_user("root", admin=True), as_user("ada"), as_user("bob")
    message = {"title": "Maintenance", "content": "On *Sunday*", "click_action_url": "/news"}
    assert refusal(ada.post("/notifications", message)) == DENIED
    data(root.post("/notifications", message | {"user_uuids": [bob.user.uuid], "notification_type": "organization"}))
    data(root.post("/notifications", message))
    run_due(context)
    assert (data(ada.get("/notifications/count")), data(bob.get("/notifications/count"))) == (1, 2)
    newest = data(bob.get("/notifications"))["messages"][0]
    assert (newest["sender_uuid"], newest["notification_type"]) == (root.user.uuid, "system")
    assert (newest["content"], newest["click_action_url"]) == ("On *Sunday*", "/news")
    assert refusal(root.post("/notifications", message | {"user_uuids": ["none"]})) == (404, "AUTH-ERR-1")
    for wrong in (
        {"user_uuids": []},
        {"title": ""},
        {"title": "\0"},
        {"content": " "},
        {"content": "x" * 10_001},
        {"summary": "a\0b"},
        {"notification_type": "gossip"},
        *(
            {"click_action_url": url}
            for url in ("javascript:alert(1)", "//evil.example", "///evil.example", "/\\evil.example", "http://[")
        ),
    ):
        assert root.post("/notifications", message | wrong).status_code == 400, wrong
