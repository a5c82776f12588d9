import pytest

from hub.accounts.models import Member, Role, WebSession
from hub.accounts.policy import SYSTEM
from hub.accounts.service.jwts import create_jwt
from hub.accounts.service.sessions import open_session
from hub.base.settings import Settings
from hub.db.uow import reading, unit_of_work
from hub.jobs.schedule import enqueue_due
from hub.jobs.service import enqueue
from tests.support.api import Caller, data, refusal


def test_administrators_switch_accounts_off_and_on_and_sign_them_out(context, clock, client, as_user, nobody):
    root, ada = as_user("root-1", admin=True), as_user("ada")
    with unit_of_work(context) as work:
        open_session(work, user=work.session.get_one(type(ada.user), ada.user.id))
        jwt, _ = create_jwt(work, actor=SYSTEM, user_uuid=ada.user.uuid)
    assert data(Caller(client, jwt).get("/whoami"))["username"] == "ada"
    clock.advance(1)
    data(root.delete("/admin/users/ada/sessions"))
    assert Caller(client, jwt).get("/whoami").status_code == 401
    with reading(context) as work:
        assert not work.session.query(WebSession).count()
    assert data(ada.get("/whoami"))["username"] == "ada"  # access tokens stay
    assert data(root.post("/admin/users/ada/deactivate"))["is_active"] is False
    assert ada.get("/whoami").status_code == 401
    assert [user["username"] for user in data(root.get("/admin/users?is_active=false"))["data"]] == ["ada"]
    assert data(root.get("/admin/users"))["total"] == 2
    assert data(root.post("/admin/users/ada/reactivate"))["is_active"] is True
    assert data(ada.get("/whoami"))["username"] == "ada"
    assert refusal(root.post("/admin/users/root-1/deactivate")) == (409, "last_site_admin")
    assert root.post("/admin/users/none/deactivate").status_code == 404
    for method, path in (("GET", "users"), ("POST", "users/root-1/deactivate"), ("DELETE", "users/root-1/sessions")):
        assert refusal(ada.call(method, f"/admin/{path}")) == (403, "AUTH-ERR-2")
        assert nobody.call(method, f"/admin/{path}").status_code == 401


@pytest.mark.any_database
def test_organisations_are_listed_with_their_members_counted(context, as_user, make_organization, count_queries):
    root, ada = as_user("root-1", admin=True), as_user("ada")
    organizations = [make_organization(name) for name in ("acme", "beta", "gamma")]
    with unit_of_work(context) as work:
        for user in (root.user, ada.user):
            ids = {"organization_id": organizations[0].id, "user_id": user.id}
            work.session.add(Member(**ids, role=Role.READ, created_at=work.now()))
    assert data(root.get("/admin/organizations?per=1"))["total"] == 3  # the token's use is noted with the first request
    with count_queries() as queries:
        page = data(root.get("/admin/organizations"))
    assert [(one["path"], one["member_count"]) for one in page["data"]] == [("acme", 2), ("beta", 0), ("gamma", 0)]
    few = len(queries)
    with count_queries() as queries:
        root.get("/admin/organizations?per=1")
    assert len(queries) == few
    assert ada.get("/admin/organizations").status_code == 403


def test_the_background_work_is_shown(context, clock, as_user):
    root, ada = as_user("root-1", admin=True), as_user("ada")
    assert all(one["last_run_at"] is None for one in data(root.get("/admin/schedules")))
    enqueue_due(context)
    with unit_of_work(context) as work:
        enqueue(work, "jobs.prune")
    clock.advance(60)
    queues = {queue["name"]: queue for queue in data(root.get("/admin/queues"))}
    assert set(queues) >= {"default", "index"}
    assert (queues["default"]["queued"], queues["default"]["failed"], queues["index"]["queued"]) == (1, 0, 0)
    assert queues["default"]["oldest_due_at"].startswith("2026-11-23T12:00:00")
    schedules = {schedule["name"]: schedule for schedule in data(root.get("/admin/schedules"))}
    assert schedules["jobs.prune"]["next_run_at"].startswith("2026-11-24T03:17:00")
    for path in ("queues", "schedules", "settings"):
        assert ada.get(f"/admin/{path}").status_code == 403


@pytest.mark.any_database
@pytest.mark.settings(secret_key="do-not-show-me" * 4, quota_bytes=7)
def test_the_settings_are_shown_without_secrets(as_user):
    answer = as_user("root-1", admin=True).get("/admin/settings")
    rows = {row["name"]: row for row in data(answer)}
    assert {name for name in rows if not name.startswith("plugin.")} == set(Settings.__dataclass_fields__)
    assert (rows["quota_bytes"]["value"], rows["secret_key"]["value"]) == (7, "********")
    assert "do-not-show-me" not in answer.text
