import logging
import re

import pytest
from flask import Blueprint, Flask, Response, redirect
from werkzeug.exceptions import abort

from hub.base import errors as hub_errors
from hub.base.errors import HubError, NotFound, NotSignedIn, RangeNotSatisfiable, RateLimited
from hub.http import errors
from hub.http.paging import page_args


@pytest.fixture
def app():
    """An application whose view raises what a test puts into ``app.config["raise"]``."""
    app = Flask("probe")
    errors.install(app)
    dialect = Blueprint("dialect", __name__, url_prefix="/dialect")
    errors.speak(dialect, lambda status, code, message, details: Response(f"{code}: {message}", status))

    def fail():
        raise app.config["raise"]

    app.add_url_rule("/", "root", fail)
    dialect.add_url_rule("/", "root", fail)
    app.add_url_rule("/moved", "moved", lambda: redirect("/elsewhere"))
    app.add_url_rule("/abort", "abort", lambda: abort(Response("ready", 409)))
    app.add_url_rule("/page", "page", lambda: vars(page_args()))
    app.register_blueprint(dialect)
    return app


def error_classes():
    return [value for value in vars(hub_errors).values() if isinstance(value, type) and issubclass(value, HubError)]


def test_every_error_has_a_status_of_its_own_or_its_parents():
    assert {errors.status_of(cls("x")) for cls in error_classes()} <= {*range(400, 500), 500, 503}
    assert errors.status_of(hub_errors.FeatureLocked("x")) == 403
    assert errors.status_of(type("Special", (NotFound,), {})("x")) == 404


def test_an_error_is_told_in_the_platforms_words(app):
    app.config["raise"] = NotFound("There is none.", code="thing_not_found", name="x")
    answer = app.test_client().get("/", headers={"X-Request-ID": "abc-1"})
    assert answer.status_code == 404
    assert answer.json == {
        "code": "thing_not_found",
        "msg": "There is none.",
        "context": {"name": "x"},
        "trace_id": "abc-1",
    }


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"X-Amzn-Trace-Id": "0f1e-2d"}, "0f1e-2d"),
        ({"X-Amzn-Trace-Id": "0f1e-2d", "X-Request-ID": "abc"}, "abc"),
        ({"X-Amzn-Trace-Id": "0f1e-2d", "X-Request-ID": "a b"}, "0f1e-2d"),
        ({"X-Amzn-Trace-Id": "Root=1;x"}, None),
        ({"X-Amzn-Trace-Id": "x" * 65}, None),
        ({"X-Amzn-Trace-Id": "\u0661"}, None),
    ],
)
def test_a_request_has_the_id_that_its_client_gave_it(app, headers, told):
    app.config["raise"] = NotFound("There is none.")
    answer = app.test_client().get("/", headers=headers)
    assert answer.json["trace_id"] == answer.headers["X-Request-ID"]
    if told is not None:
        assert answer.json["trace_id"] == told
    else:
        assert re.fullmatch(r"[0-9a-f]{16}", answer.json["trace_id"])


def test_a_blueprint_speaks_its_own_dialect(app):
    app.config["raise"] = NotFound("There is none.", code="thing_not_found")
    answer = app.test_client().get("/dialect/")
    assert (answer.status_code, answer.text) == (404, "thing_not_found: There is none.")


def test_some_errors_bring_headers(app):
    client = app.test_client()
    app.config["raise"] = RateLimited("Slow down.", retry_after_s=7)
    assert client.get("/").headers["Retry-After"] == "7"
    app.config["raise"] = RangeNotSatisfiable("No.", size_bytes=10)
    assert client.get("/").headers["Content-Range"] == "bytes */10"
    app.config["raise"] = NotSignedIn("Who?")
    assert client.get("/").headers["WWW-Authenticate"].startswith("Bearer")


def test_errors_of_the_framework_look_the_same(app):
    client = app.test_client()
    missing, wrong = client.get("/nowhere"), client.delete("/")
    assert (missing.status_code, missing.json["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json["code"]) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["Allow"]


def test_redirects_and_ready_answers_pass(app):
    client = app.test_client()
    assert (client.get("/moved").status_code, client.get("/moved").headers["Location"]) == (302, "/elsewhere")
    assert (client.get("/abort").status_code, client.get("/abort").text) == (409, "ready")


def test_an_unknown_fault_tells_the_log_everything_and_the_client_nothing(app, caplog):
    caplog.set_level(logging.ERROR)
    app.config["raise"] = RuntimeError("the secret is xyzzy")
    answer = app.test_client().get("/")
    assert (answer.status_code, answer.json["code"]) == (500, "internal")
    assert "xyzzy" not in answer.text
    assert answer.json["trace_id"] in answer.json["msg"]
    assert "the secret is xyzzy" in caplog.text


def test_an_unknown_fault_is_raised_in_tests(app):
    app.testing = True
    app.config["raise"] = RuntimeError("fault")
    with pytest.raises(RuntimeError):
        app.test_client().get("/")


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "ä", "<script>"])
def test_a_request_id_that_is_not_plain_is_replaced(app, given):
    app.config["raise"] = NotFound("x")
    answer = app.test_client().get("/", headers={"X-Request-ID": given})
    assert answer.json["trace_id"] != given
    assert answer.json["trace_id"].isalnum()


@pytest.mark.parametrize(
    "query,expected", [("", (1, 50)), ("page=3&per=100", (3, 100)), ("page=&per=", (1, 50)), ("per=1", (1, 1))]
)
def test_a_page_is_read(app, query, expected):
    answer = app.test_client().get(f"/page?{query}").json
    assert (answer["page"], answer["per"]) == expected


@pytest.mark.parametrize(
    "query", ["page=0", "per=101", "per=0", "page=-1", "page=x", "per=1.5", "page=9999999", "page=%C2%B2", "page=1e3"]
)
def test_a_page_out_of_bounds_names_the_parameter(app, query):
    answer = app.test_client().get(f"/page?{query}")
    assert (answer.status_code, answer.json["code"]) == (400, "REQ-ERR-6")
    assert answer.json["context"] == {"query": query.split("=")[0]}
