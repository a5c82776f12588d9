import json
import re
from datetime import date

import pytest

from hub.accounts.models import Namespace
from hub.accounts.policy import SYSTEM, Actor
from hub.accounts.service import get_user
from hub.accounts.service.verifications import ask_for_verification
from hub.assets.models_security import ScanState, SecurityFile, SecurityReport
from hub.community.models_reviews import Mail
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import JobState
from hub.jobs.run import run_due
from hub.jobs.service import JobSpec, enqueue, get_job, register
from hub.repos.models import Repository
from hub.repos.service import delete_repository
from hub.web.charts import make_day_chart
from hub.web.console import GROUPS
from tests.support.licenses import install, make_license

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html"}
SECTIONS = [section.name for _, sections in GROUPS for section in sections]
PAGES = [*SECTIONS, "schedules", "users/ada", "dashboard?part=figures"]


@pytest.fixture
def bearer(make_token):
    """``bearer(user)``: a browser's headers with somebody's token."""
    return lambda user: {**HTML, "Authorization": f"Bearer {make_token(user, 'admin')}"}


@pytest.fixture
def root(make_user, bearer):
    """An administrator's headers."""
    return bearer(make_user("root-1", admin=True))


def call(client, method, path, headers, body=None):
    return client.open(f"/api/v1{path}", method=method, headers={**headers, "Accept": "application/json"}, json=body)


@pytest.fixture
def world(context, make_user, make_organization, make_repository):
    """Some of everything that the console shows."""
    ada = make_user("ada")
    make_organization("acme")
    open_one = make_repository(ada, "open", description="<script>alert(1)</script>")
    make_repository(ada, "hidden", kind="dataset", private=True)
    gone = make_repository(ada, "gone")
    details = {"real_name": "<i>Ada</i>", "id_card_front": "https://example.org/1", "id_card_back": "javascript:1"}
    with unit_of_work(context) as work:
        delete_repository(work, actor=SYSTEM, repository_id=gone.id)
        user = get_user(work, "ada")
        ask_for_verification(work, actor=Actor.of_user(user, via="session"), subject=user, details=details)
        work.session.add(Mail(user_id=ada.id, notification_uuid="none", created_at=work.now()))
        report = SecurityReport(repository_id=open_one.id, commit_id="0" * 40, version="1", counts={})
        report.created_at = report.finished_at = work.now()
        work.session.add(report)
        work.session.flush()
        work.session.add(
            SecurityFile(
                report_id=report.id, position=1, path="a.pkl", size_bytes=1, content="git:1", treatment="",
                is_executable=False, state=ScanState.UNSAFE, reason="",
            )
        )  # fmt: skip
    return ada


@pytest.mark.each_database
def test_every_section_shows_what_there_is_and_nothing_of_it_is_markup(client, root, world):
    shown = {
        "users": "ada@example.org",
        "organizations": "acme",
        "verifications": "&lt;i&gt;Ada&lt;/i&gt;",
        "repositories": "/datasets/ada/hidden",
        "security": "/models/ada/open/security",
        "mail": "ada@example.org",
        "settings": "undelete_ttl_s",
        "users/ada": "/models/ada/open",
    }
    for section in PAGES:
        answer = client.get(f"/admin_panel/{section}", headers=root)
        assert answer.status_code == 200, section
        assert shown.get(section, "") in answer.text, section
        assert "<script>alert" not in answer.text
        assert 'href="javascript:' not in answer.text
    assert "+2 in 30 days" in client.get("/admin_panel/dashboard?part=figures", headers=root).text
    assert "ada/gone" not in client.get("/admin_panel/repositories", headers=root).text
    assert 'data-page="A-dashboard"' in client.get("/admin_panel", headers=root).text


def test_nobody_else_sees_any_of_it(client, bearer, world):
    ada = bearer(world)
    for section in [*PAGES, "jobs/none", "system/diagnostics.json"]:
        path = f"/admin_panel/{section}"
        assert client.get(path, headers=ada).status_code == 403, path
        assert client.get(path).status_code == 401, path
        assert client.get(path, headers=HTML).location.startswith("/login?next=/admin_panel/"), path
    assert "/admin_panel" not in client.get("/", headers=ada).text


def test_an_empty_hub_says_what_comes(client, root):
    for section in ("organizations", "verifications", "repositories", "security", "broadcasts", "mail", "jobs"):
        page = client.get(f"/admin_panel/{section}", headers=root).text
        assert 'data-state="empty"' in page, section
        assert 'data-testid="empty"' in page, section


def test_lists_cost_as_many_queries_however_long_they_are(
    client, root, make_user, make_organization, make_repository, count_queries
):
    def count(path):
        client.get(path, headers=root)
        with count_queries() as queries:
            assert client.get(path, headers=root).status_code == 200
        return len(queries)

    paths = [f"/admin_panel/{name}" for name in ("users", "organizations", "repositories", "storage", "dashboard")]
    paths += ["/admin_panel/repositories?sort=size", "/admin_panel/dashboard?part=figures"]
    for number in range(2):
        make_repository(make_user(f"one-{number}"))
        make_organization(f"org-{number}")
    few = [count(path) for path in paths]
    for number in range(3):
        make_repository(make_user(f"more-{number}"), kind="dataset")
        make_organization(f"more-org-{number}")
    assert [count(path) for path in paths] == few
    assert max(few) <= 14, few


def test_users_are_found_by_what_is_asked(client, root, make_user):
    make_user("ada")
    off = make_user("bob")
    assert call(client, "POST", f"/admin/users/{off.name}/deactivate", root).status_code == 200

    def names(query):
        page = client.get(f"/admin_panel/users?{query}", headers=root).text
        return re.findall(r'href="/admin_panel/users/([\w-]+)" data-testid="users.open"', page)

    assert names("") == ["ada", "bob", "root-1"]
    assert names("role=admin") == ["root-1"]
    assert names("state=off") == ["bob"]
    assert names("search=ad&role=user") == ["ada"]
    assert names("sort=username&order=desc") == ["root-1", "bob", "ada"]
    assert names("per=1&page=2") == ["bob"]
    assert names("search=nobody") == []
    assert call(client, "GET", "/admin/users?is_admin=true", root).json["data"]["total"] == 1


def test_a_password_link_is_made_for_who_has_lost_theirs(client, root, make_user):
    form = {"username": "ada", "email": "ada@example.org", "password": "correct-horse-battery"}
    assert call(client, "POST", "/users", root, form).status_code == 200
    made = call(client, "POST", "/admin/users/ada/password_link", root).json["data"]
    assert made["ttl_s"] == 3600
    body = {"token": made["url"].partition("token=")[2], "new_password": "battery-horse-correct"}
    assert client.put("/api/v1/password_resets", json=body).status_code == 200
    make_user("bob")
    refused = call(client, "POST", "/admin/users/bob/password_link", root)
    assert (refused.status_code, refused.json["code"]) == (409, "reset_impossible")


def test_a_quota_is_set_and_taken_back(context, client, root, make_user):
    make_user("ada")
    path = "/admin/namespaces/ada/quota"
    for value in (5, 0, None):
        assert call(client, "PUT", path, root, {"quota_bytes": value}).status_code == 200
        with reading(context) as work:
            assert work.session.query(Namespace).filter_by(path="ada").one().quota_bytes == value
    for odd in (-1, 2**63, "5", 1.5):
        assert call(client, "PUT", path, root, {"quota_bytes": odd}).status_code == 400
    assert call(client, "PUT", "/admin/namespaces/none/quota", root, {"quota_bytes": 1}).status_code == 404


@pytest.mark.each_database
def test_repositories_of_all_kinds_are_listed_by_size_and_brought_back(context, client, root, world):
    with unit_of_work(context) as work:
        work.session.query(Repository).filter_by(name="hidden").update({"lfs_size_bytes": 2**40})

    def paths(query=""):
        return [one["path"] for one in call(client, "GET", f"/admin/repositories?{query}", root).json.get("data", [])]

    assert sorted(paths()) == ["ada/hidden", "ada/open"]
    assert paths("sort=size") == ["ada/hidden", "ada/open"]
    assert (paths("private=true"), paths("type=model"), paths("archived=true")) == (["ada/hidden"], ["ada/open"], [])
    assert call(client, "GET", "/admin/repositories?sort=odd", root).status_code == 400
    [gone] = call(client, "GET", "/admin/repositories?deleted=true", root).json["data"]
    assert gone["path"] == "ada/gone"
    assert gone["purged_at"] > gone["deleted_at"]
    page = client.get("/admin_panel/repositories?deleted=1", headers=root).text
    api = re.search(r'data-api="/api/v1(/models/ada/gone/undelete)"', page)[1]
    assert call(client, "POST", api, root).status_code == 200
    assert len(paths()) == 3


def test_a_failed_job_is_shown_with_its_log_and_tried_again(context, client, root):
    def break_down(run):
        run.log("<b>The disk</b> is full.")
        raise ValueError("It broke.")

    register(context, JobSpec("test.break", break_down, max_attempts=1, queue="index"))
    with unit_of_work(context) as work:
        uuid = enqueue(work, "test.break").uuid
    run_due(context)
    listed = client.get("/admin_panel/jobs?state=failed&queue=index&name=test.break", headers=root).text
    assert f"/api/v1/admin/jobs/{uuid}/retry" in listed
    page = client.get(f"/admin_panel/jobs/{uuid}", headers=root).text
    assert "&lt;b&gt;The disk&lt;/b&gt; is full." in page
    assert "It broke." in page
    assert call(client, "GET", "/admin/jobs?queue=default", root).json.get("data") in (None, [])
    assert call(client, "POST", f"/admin/jobs/{uuid}/retry", root).status_code == 200
    with reading(context) as work:
        assert get_job(work, uuid).state == JobState.QUEUED
    part = client.get(f"/admin_panel/jobs/{uuid}", headers={**root, "HX-Request": "true"}).text
    assert "<html" not in part
    assert f"/api/v1/admin/jobs/{uuid}/cancel" in part
    assert client.get("/admin_panel/jobs/none", headers=root).status_code == 404


def test_a_periodic_job_runs_when_it_is_asked_for_and_once(client, root):
    first = call(client, "POST", "/admin/schedules/jobs.prune/run", root)
    again = call(client, "POST", "/admin/schedules/jobs.prune/run", root)
    assert (first.status_code, first.json["data"]["name"]) == (202, "jobs.prune")
    assert again.json["data"]["id"] == first.json["data"]["id"]
    assert call(client, "POST", "/admin/schedules/none/run", root).json["code"] == "schedule_not_found"


def test_broadcasts_are_changed_and_removed(client, root):
    made = call(client, "POST", "/admin/broadcasts", root, {"content": "<b>Soon</b>"}).json["data"]
    page = client.get(f"/admin_panel/broadcasts?edit={made['id']}", headers=root).text
    assert "&lt;b&gt;Soon&lt;/b&gt;</textarea>" in page
    assert call(client, "DELETE", f"/admin/broadcasts/{made['id']}", root).status_code == 200
    assert call(client, "DELETE", f"/admin/broadcasts/{made['id']}", root).status_code == 404


@pytest.mark.settings(secret_key="the-secret-of-this-hub", mail_url="smtp://me:the-password@mail.invalid")
def test_settings_and_diagnostics_tell_no_secret(client, root):
    page = client.get("/admin_panel/settings", headers=root).text
    assert "HUB_UNDELETE_TTL_S=604800" in page
    answer = client.get("/admin_panel/system/diagnostics.json", headers=root)
    assert {"plugins", "workers", "recent_failures", "migrations"} <= set(answer.json)
    found = json.loads(answer.text)
    assert {"versions", "checks", "settings", "queues", "figures", "migrations"} <= set(found)
    for text in (page, answer.text, client.get("/admin_panel/mail", headers=root).text):
        assert "the-secret" not in text
        assert "the-password" not in text
    narrowed = client.get("/admin_panel/settings?search=deleted+repository", headers=root).text
    assert narrowed.count('data-testid="settings.row"') == 1


def test_the_licence_in_force_is_shown(context, clock, client, root):
    assert "Community Edition" in client.get("/admin_panel/license", headers=root).text
    install(context, make_license(company="Acme <Ltd>"))
    page = client.get("/admin_panel/license", headers=root).text
    assert "Enterprise Edition" in page
    assert "Acme &lt;Ltd&gt;" in page


def test_a_chart_has_a_bar_for_each_day():
    chart = make_day_chart(
        {date(2026, 11, 23): 4, date(2026, 11, 1): 1, date(2026, 1, 1): 9}, last=date(2026, 11, 23), days=30
    )
    assert (len(chart.bars), chart.total) == (30, 5)
    assert (chart.bars[-1].value, chart.bars[-1].height) == (4, chart.height)
    assert chart.bars[0].height == 0
