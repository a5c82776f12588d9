"""The ticket of a push: made by the hub, sent back by the hooks, good for one push."""

from __future__ import annotations

import base64
import json

import pytest

from hub.accounts.models import TokenScope
from hub.accounts.policy import Actor
from hub.base.clock import FixedClock
from hub.base.context import Context
from hub.base.errors import Denied
from hub.base.secrets import SECRET, Signer
from hub.base.settings import Settings
from hub.transport.tickets import hook_environment, issue_ticket, read_ticket

ADA = Actor(user_id=7, name="ada", scope=TokenScope.WRITE, via="token", token_id=9)


@pytest.fixture
def hub(tmp_path, clock: FixedClock) -> Context:
    """A context with a secret and a clock."""
    context = Context(Settings(home=tmp_path, git_timeout_s=60), clock=clock)
    context.provide(SECRET, b"secret of this test")
    return context


def test_a_ticket_comes_back_as_it_was_issued(hub):
    ticket, signed = issue_ticket(hub, actor=ADA, repository_id=3, via="http")
    assert read_ticket(hub, signed) == ticket
    assert (ticket.user_id, ticket.token_id, ticket.repository_id, ticket.via) == (7, 9, 3, "http")
    assert ticket.token_scope == TokenScope.WRITE


def test_every_push_has_a_ticket_of_its_own(hub):
    first, second = (issue_ticket(hub, actor=ADA, repository_id=3, via="ssh")[0] for _ in range(2))
    assert first.push_uuid != second.push_uuid


def test_a_password_s_ticket_has_no_scope(hub):
    ticket, _ = issue_ticket(hub, actor=Actor(user_id=7, via="password"), repository_id=3, via="http")
    assert ticket.token_scope is None


def test_a_ticket_outlives_the_longest_transfer_and_not_much_more(hub, clock):
    _, signed = issue_ticket(hub, actor=ADA, repository_id=3, via="http")
    clock.advance(60)
    read_ticket(hub, signed)
    clock.advance(301)
    with pytest.raises(Denied, match="push again"):
        read_ticket(hub, signed)


def edited(signed: str, **changes: object) -> str:
    payload, _, signature = signed.partition(".")
    members = json.loads(base64.urlsafe_b64decode(payload)) | changes
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode() + "." + signature


def test_an_edited_ticket_is_refused(hub):
    _, signed = issue_ticket(hub, actor=ADA, repository_id=3, via="http")
    with pytest.raises(Denied):
        read_ticket(hub, edited(signed, repository_id=4))


@pytest.mark.parametrize("text", ["", ".", "x", "e30=.x", "e30=", "\u00e4.\u00e4"])
def test_what_is_no_ticket_is_refused(hub, text):
    with pytest.raises(Denied):
        read_ticket(hub, text)


def test_a_signature_for_another_purpose_does_not_pass(hub):
    _, signed = issue_ticket(hub, actor=ADA, repository_id=3, via="http")
    payload = signed.partition(".")[0]
    with pytest.raises(Denied):
        read_ticket(hub, f"{payload}.{Signer(hub[SECRET], 'lfs-transfer').sign(payload)}")


def test_the_hooks_get_what_they_need_and_nothing_more(hub):
    _, signed = issue_ticket(hub, actor=ADA, repository_id=3, via="http")
    assert set(hook_environment(hub, signed)) == {
        "HUB_PYTHON",
        "HUB_INTERNAL_URL",
        "HUB_PUSH_TICKET",
        "HUB_PUSH_TIMEOUT_S",
    }
