"""Requests that a client may repeat."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from hub.db.uow import unit_of_work
from hub.http.models import IdempotencyKey
from tests.support.jobs import run_now


@pytest.fixture
def post(client, make_user, make_token):
    """``post(key, **body)``: create a model as ada."""
    headers = {"Authorization": f"Bearer {make_token(make_user())}"}

    def send(key, path="/api/v1/models", **body):
        return client.post(path, json=body, headers={**headers, "Idempotency-Key": key})

    return send


def test_a_repeated_create_happens_once(post):
    first, again = post("k1", name="thing"), post("k1", name="thing")
    assert first.status_code == again.status_code == 200
    assert again.data == first.data
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_key_belongs_to_one_request(post):
    assert post("k1", name="thing").status_code == 200
    assert post("k1", name="other").status_code == 422
    assert post("k1", path="/api/v1/datasets", name="thing").status_code == 422
    assert post("k2", name="thing").json["code"] == "REPO-ERR-0"


def test_an_answer_goes_to_nobody_but_who_was_given_it(client, make_user, make_token):
    user = make_user()
    body, address = {"permission": "admin"}, "/api/v1/token/git/ci"

    def send(scope):
        headers = {"Authorization": f"Bearer {make_token(user, scope)}", "Idempotency-Key": "k1"}
        return client.post(address, json=body, headers=headers)

    assert send("admin").status_code == 200
    assert send("read").status_code == 422


def test_what_was_refused_may_be_tried_again(post):
    assert post("k1", name="-").status_code == 400
    assert post("k1", name="thing").status_code == 200


def test_a_request_at_work_is_not_begun_again_unless_its_process_died(context, post):
    assert post("k1", name="thing").status_code == 200
    with unit_of_work(context) as work:
        work.session.execute(update(IdempotencyKey).values(status=None))
    assert post("k1", name="thing").status_code == 409
    with unit_of_work(context) as work:
        work.session.execute(update(IdempotencyKey).values(created_at=work.now() - timedelta(hours=1)))
    assert post("k1", name="thing").json["code"] == "REPO-ERR-0"  # begun again: the first one did create it


@pytest.mark.any_database
def test_answers_with_secrets_are_kept_sealed(context, post, client):
    answer = client.get("/api/v1/models")
    assert answer.status_code == 200
    token = post("k1", path="/api/v1/users", username="bob", email="bob@example.org", password="correct horse")
    assert token.status_code == 403  # not kept
    post("k2", name="secret-thing")
    with unit_of_work(context) as work:
        rows = work.session.scalars(select(IdempotencyKey)).all()
        assert [row.key for row in rows] == ["k2"]
        assert "secret-thing" not in rows[0].body


@pytest.mark.any_database
@pytest.mark.parametrize("key", ["", "x" * 256, "\u00e4"])
def test_odd_keys_are_refused(post, key):
    assert post(key, name="thing").status_code == 400


@pytest.mark.any_database
def test_old_answers_are_forgotten(context, post):
    post("k1", name="thing")
    with unit_of_work(context) as work:
        work.session.execute(update(IdempotencyKey).values(created_at=work.now() - timedelta(days=2)))
    run_now(context, "http.prune_idempotency_keys")
    with unit_of_work(context) as work:
        assert work.session.scalars(select(IdempotencyKey)).all() == []
