"""Scripts on pages of other origins."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.any_database

ORIGIN = {"Origin": "https://app.example.org"}


def test_a_page_elsewhere_may_call_the_api_without_cookies(client):
    asked = {**ORIGIN, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization, x-odd"}
    question = client.options("/api/v1/models", headers=asked)
    assert question.status_code == 204
    assert question.headers["Access-Control-Allow-Origin"] == "*"
    assert question.headers["Access-Control-Allow-Headers"] == "authorization, x-odd"
    assert "PUT" in question.headers["Access-Control-Allow-Methods"]

    for address in ("/api/v1/models", "/hf/api/models/ada/none"):
        answer = client.get(address, headers=ORIGIN)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "X-Error-Code" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_what_is_no_api_is_not_for_pages_elsewhere(client):
    assert "Access-Control-Allow-Origin" not in client.get("/", headers=ORIGIN).headers
    assert "Access-Control-Allow-Origin" not in client.get("/api/v1/models").headers
