"""ETags of the API's answers."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.any_database


def test_an_answer_that_the_client_has_is_not_sent_again(client, make_user, make_repository):
    make_repository(make_user())
    address = "/api/v1/models/ada/thing"
    first = client.get(address)
    etag = first.headers["ETag"]
    assert etag.startswith('W/"')
    assert first.headers["Cache-Control"] == "private, no-cache"

    again = client.get(address, headers={"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    assert client.head(address).headers["ETag"] == etag

    make_repository(make_user("bob"), "other")
    assert client.get("/api/v1/models", headers={"If-None-Match": etag}).status_code == 200


def test_errors_and_pages_carry_none(client):
    assert "ETag" not in client.get("/api/v1/models/ada/none").headers
    assert "ETag" not in client.get("/-/health").headers


def test_a_files_own_etag_stays(client, make_user, make_repository):
    make_repository(make_user())
    answer = client.get("/api/v1/models/ada/thing/resolve/README.md")
    assert not answer.headers["ETag"].startswith("W/")
