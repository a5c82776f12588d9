"""How many requests a client may make, and what it is told of it."""

from __future__ import annotations

import time

import pytest

from hub.http.limits import RequestLimiter

pytestmark = pytest.mark.any_database


@pytest.mark.settings(rate_limit_account=3, rate_limit_address=2)
def test_addresses_and_tokens_have_limits_of_their_own(client, clock, make_user, make_token):
    user = make_user()
    token, other = make_token(user), make_token(user)

    first = client.get("/api/v1/models")
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("2", "1")
    assert 0 < int(first.headers["RateLimit-Reset"]) <= 60
    assert int(first.headers["X-RateLimit-Reset"]) > time.time()
    client.get("/api/v1/models", headers={"Authorization": "Bearer 0000"})  # a bad credential counts for its address
    refused = client.get("/api/v1/models")
    assert refused.status_code == 429
    assert refused.json["code"] == "REQ-ERR-10"
    assert refused.json["error"] == refused.json["msg"]
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert refused.headers["Retry-After"] == refused.headers["RateLimit-Reset"]

    mine = {"Authorization": f"Bearer {token}"}
    assert [client.get("/api/v1/whoami", headers=mine).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert client.get("/api/v1/whoami", headers={"Authorization": f"Bearer {other}"}).status_code == 200


@pytest.mark.settings(rate_limit_account=1)
def test_more_tokens_are_not_more_requests_without_end(client, clock, make_user, make_token):
    user = make_user()
    tokens = [make_token(user) for _ in range(6)]
    answers = [client.get("/api/v1/whoami", headers={"Authorization": f"Bearer {token}"}) for token in tokens]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429, 429]


@pytest.mark.settings(rate_limit_account=1, rate_limit_address=1)
def test_transfers_are_not_counted(client, make_user, make_repository):
    make_repository(make_user())
    for _ in range(3):
        assert client.get("/api/v1/models/ada/thing/resolve/README.md").status_code == 200
        assert client.get("/-/health").status_code == 200


@pytest.mark.settings(rate_limit_address=1)
def test_what_tells_of_tables_is_counted_under_either_host(client, clock):
    asked = "splits?dataset=ada/none"
    assert client.get(f"/-/datasets-server/{asked}").headers["RateLimit-Remaining"] == "0"
    refused = client.get(f"/{asked}", base_url="http://datasets-server.localhost")
    assert (refused.status_code, client.get("/api/v1/models").status_code) == (429, 429)


@pytest.mark.settings(rate_limit_account=0, rate_limit_address=0)
def test_zero_is_no_limit(client):
    assert "RateLimit-Limit" not in client.get("/api/v1/models").headers


def test_web_processes_count_together_and_go_on_without_redis(redis_url, clock):
    one, two = RequestLimiter(redis_url, clock), RequestLimiter(redis_url, clock)
    assert [limiter.count("token:1", 2).is_over for limiter in (one, two, one)] == [False, False, True]
    nobody = RequestLimiter("redis://127.0.0.1:1", clock)
    assert [nobody.count("token:1", 2).is_over for _ in range(3)] == [False, False, True]


def test_who_is_far_from_the_limit_is_told_to_redis_in_batches(redis_url, clock):
    limiters = [RequestLimiter(redis_url, clock) for _ in range(4)]
    allowed = 0
    while not (standing := limiters[allowed % 4].count("token:3", 1000)).is_over:
        allowed += 1
        # Each process keeps a hundredth of what is left to itself, and knows of the others what it was last told.
        assert abs(standing.remaining - (1000 - allowed)) <= 2 * 4 * 10
    assert 1000 <= allowed <= 1000 + 4 * 10


def test_what_was_counted_fades_out_and_what_was_refused_does_not_count(redis_url, clock):
    limiter = RequestLimiter(redis_url, clock)

    def count() -> tuple[bool, int, int]:
        standing = limiter.count("token:2", 4)
        return standing.is_over, standing.remaining, standing.reset_s

    clock.advance(40)
    assert [count() for _ in range(6)] == [*((False, left, 20) for left in (3, 2, 1, 0)), (True, 0, 20), (True, 0, 20)]
    # Of the next minute 27 seconds have passed: two of the four still count, one of them for 3 seconds more.
    clock.advance(47)
    assert [count() for _ in range(3)] == [(False, 1, 3), (False, 0, 3), (True, 0, 3)]
    clock.advance(300)
    assert count() == (False, 3, 33)
