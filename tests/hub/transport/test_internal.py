"""What the hooks may say, and who may say it."""

from __future__ import annotations

import pytest

from hub.accounts.models import AccessToken, User
from hub.accounts.policy import Actor
from hub.accounts.service import deactivate_user, revoke_token
from hub.db.uow import reading, unit_of_work
from hub.git.types import ZERO_OID, RefChange
from hub.repos.models import PushState, Repository
from hub.transport.internal import TICKET_HEADER
from hub.transport.tickets import issue_ticket
from tests.support.pushes import MAIN, Workbench


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def bench(context, ada, make_repository):
    return Workbench(context, make_repository(ada, "thing"))


@pytest.fixture
def hook(client, context, bench, ada):
    """Call the endpoint as a hook of a push by ada does."""
    _, signed = issue_ticket(
        context, actor=Actor.of_user(ada, via="password"), repository_id=bench.repository.id, via="http"
    )

    def call(name, *changes, ticket=signed, quarantine="", body=None):
        lines = [quarantine, *(f"{change.old} {change.new} {change.ref}" for change in changes), ""]
        data = "\n".join(lines).encode("utf-8", "surrogateescape") if body is None else body
        return client.post(f"/-/internal/{name}", data=data, headers={TICKET_HEADER: ticket})

    return call


def test_a_push_is_asked_for_and_then_told_of(hook, bench):
    change = bench.update(bench.commit())
    assert (hook("pre-receive", change).status_code, bench.pushes()[0].state) == (200, PushState.PENDING)
    bench.git("update-ref", change.ref, change.new)
    assert (hook("post-receive", change).status_code, bench.pushes()[0].state) == (200, PushState.APPLIED)
    assert bench.pushes()[0].via == "http"


def test_a_hook_that_asks_twice_makes_one_push(hook, bench):
    change = bench.update(bench.commit())
    for _ in range(2):
        assert hook("pre-receive", change).status_code == 200
    assert len(bench.pushes()) == 1


def test_a_refusal_is_the_text_for_the_pusher(hook, bench):
    answer = hook("pre-receive", bench.update(ZERO_OID))
    assert answer.status_code == 403
    assert answer.content_type == "text/plain; charset=utf-8"
    assert "default branch" in answer.text
    assert not bench.pushes()


@pytest.mark.parametrize("name", ["pre-receive", "post-receive"])
@pytest.mark.parametrize("ticket", ["", "forged.ticket"])
def test_without_a_ticket_nobody_is_heard(hook, bench, name, ticket):
    change = bench.update(bench.commit())
    assert hook(name, change, ticket=ticket).status_code == 403
    assert not bench.pushes()


def test_who_lost_the_account_meanwhile_pushes_no_more(hook, bench, context, ada, make_user):
    root = Actor.of_user(make_user("root", admin=True), via="session")
    with unit_of_work(context) as work:
        deactivate_user(work, actor=root, user=work.session.get_one(User, ada.id))
    assert hook("pre-receive", bench.update(bench.commit())).status_code == 403


def test_a_token_that_was_revoked_meanwhile_pushes_no_more(hook, bench, context, ada, make_token):
    make_token(ada)
    with reading(context) as work:
        token = work.session.query(AccessToken).one()
    actor = Actor.of_user(ada, via="token", scope=token.scope, token_id=token.id)
    _, signed = issue_ticket(context, actor=actor, repository_id=bench.repository.id, via="http")
    change = bench.update(bench.commit())
    assert hook("pre-receive", change, ticket=signed).status_code == 200
    with unit_of_work(context) as work:
        owner = work.session.get_one(User, ada.id)
        revoke_token(work, actor=Actor.of_user(owner, via="session"), user=owner, name=token.name)
    refused = hook("pre-receive", change, ticket=signed)
    assert refused.status_code == 403
    assert "revoked" in refused.text


def test_a_repository_deleted_meanwhile_takes_no_push(hook, bench, context):
    change = bench.update(bench.commit())
    with unit_of_work(context) as work:
        work.session.get_one(Repository, bench.repository.id).deleted_at = work.now()
    assert hook("pre-receive", change).status_code == 404


@pytest.mark.parametrize(
    "place",
    ["/etc", "/", "objects", "objects/pack", "objects/../refs", "objects/tmp_objdir-nothing", "refs/tmp_objdir-x", "."],
)
def test_only_this_repository_s_quarantine_is_looked_into(hook, bench, place):
    (bench.path / "refs" / "tmp_objdir-x").mkdir()
    quarantine = place if place.startswith("/") else str(bench.path / place)
    assert hook("pre-receive", bench.update(bench.commit()), quarantine=quarantine).status_code == 403


def test_a_quarantine_that_leads_elsewhere_is_refused(hook, bench, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = bench.path / "objects" / "tmp_objdir-incoming-x"
    link.symlink_to(tmp_path / "elsewhere")
    assert hook("pre-receive", bench.update(bench.commit()), quarantine=str(link)).status_code == 403


def test_objects_in_quarantine_are_seen(hook, bench):
    new = bench.commit({"big.bin": b"x" * 11_000_000})
    place = bench.path / "objects" / "tmp_objdir-incoming-x"
    place.mkdir()
    for folder in (bench.path / "objects").glob("??"):
        folder.rename(place / folder.name)
    change = bench.update(new)
    refused = hook("pre-receive", change, quarantine=str(place))
    assert refused.status_code == 413
    assert "big.bin" in refused.text


@pytest.mark.parametrize("body", [b"", b"\n", b"/somewhere\n", b"\na b\n", b"\nabc\n", b"/\0\na b c\n", b"a b c"])
def test_what_no_hook_sends_is_refused(hook, body):
    assert hook("pre-receive", body=body).status_code == 400


def test_a_ref_of_bytes_that_are_no_text_is_refused(hook, bench):
    change = RefChange("refs/heads/\udcff", ZERO_OID, bench.head)
    assert hook("pre-receive", change).status_code == 400
    assert set(bench.refs) == {MAIN}
