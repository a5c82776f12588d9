"""The shapes of answers. Source: CSGHub contract, section 1.4."""

from __future__ import annotations

from flask import Flask

from hub.api.envelope import enveloped, messaged, ok, paged, plain
from hub.api.schemas import BranchSchema
from hub.http.platform import render_api_error


def test_empty_members_are_left_out() -> None:
    assert ok() == {"msg": "OK"}
    assert ok([], total=0) == {"msg": "OK", "data": []}
    assert ok([1], total=1) == {"msg": "OK", "data": [1], "total": 1}


def test_an_estimated_total_says_so_in_each_shape() -> None:
    assert ok([1], total=5, is_estimate=True)["total_is_estimate"] is True
    assert paged([1], 5, is_estimate=True)["data"]["total_is_estimate"] is True
    assert messaged([1], 5, is_estimate=True)["total_is_estimate"] is True
    assert "total_is_estimate" not in str((ok([1], total=5), paged([1], 5), messaged([1], 5)))


def test_the_other_list_shapes() -> None:
    assert paged([1], 5) == {"msg": "OK", "data": {"data": [1], "total": 5}}
    assert messaged([1], 5) == {"msg": "OK", "message": "OK", "data": [1], "total": 5}
    assert plain([], 0) == {"msg": "OK", "data": [], "total": 0}


def test_a_schema_is_enveloped_once() -> None:
    assert enveloped(BranchSchema, many=True) is enveloped(BranchSchema, many=True)


def test_errors_speak_the_platforms_codes_and_keep_the_word() -> None:
    with Flask(__name__).test_request_context():
        refused = render_api_error(404, "repository_not_found", "No.", {"x": 1})
        taken = render_api_error(409, "REPO-ERR-0", "Taken.", {})
    assert refused.json is not None
    assert (refused.status_code, refused.json["code"]) == (404, "REPO-ERR-3")
    assert refused.json["context"] == {"x": 1, "reason": "repository_not_found"}
    assert taken.json is not None
    assert (taken.status_code, taken.json["code"], "context" in taken.json) == (400, "REPO-ERR-0", False)
