from datetime import UTC, datetime

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from hub.base.errors import RangeNotSatisfiable
from hub.http import errors
from hub.http.ranges import Content, FileChunks, disposition, parse_range, send_content

TEXT = b"0123456789"
MODIFIED = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "header,expected",
    [
        (None, None),
        ("", None),
        ("bytes=0-3", (0, 4)),
        (" bytes=9- ", (9, 1)),
        ("bytes=5-100", (5, 5)),
        ("bytes=-3", (7, 3)),
        ("bytes=-30", (0, 10)),
        ("bytes=-", None),
        ("bytes=4-2", None),
        ("bytes=0-1,4-5", None),
        ("bytes=a-b", None),
        (f"bytes=0-{'9' * 5000}", None),
        ("lines=0-3", None),
    ],
)
def test_one_range_is_read_and_what_cannot_be_read_is_ignored(header, expected):
    assert parse_range(header, len(TEXT)) == expected


@pytest.mark.parametrize(
    "header,size_bytes", [("bytes=10-", 10), ("bytes=99-100", 10), ("bytes=0-", 0), ("bytes=-0", 5)]
)
def test_a_range_that_begins_past_the_end_is_refused(header, size_bytes):
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, size_bytes)


@given(st.text(), st.integers(0, 1000))
def test_no_header_crashes_and_every_range_lies_inside(text, size_bytes):
    for header in (text, f"bytes={text}"):
        try:
            window = parse_range(header, size_bytes)
        except RangeNotSatisfiable:
            continue
        if window:
            start, length = window
            assert start >= 0
            assert length > 0
            assert start + length <= size_bytes


@pytest.fixture(params=["file", "store"])
def browser(request, tmp_path):
    """A client of a view that sends ten bytes, out of a file or out of a store."""
    path = tmp_path / "digits"
    path.write_bytes(TEXT)
    app = Flask("probe")
    app.testing = True
    errors.install(app)

    @app.get("/digits")
    def digits():
        content = Content(
            len(TEXT),
            "tag",
            lambda start, length: iter([TEXT[start : start + length]]),
            local_path=path if request.param == "file" else None,
            modified_at=MODIFIED,
        )
        return send_content(content, mimetype="text/plain", headers={"X-More": "1"})

    return app.test_client()


def test_the_whole_is_sent_with_what_a_client_needs_to_resume(browser):
    answer = browser.get("/digits")
    assert (answer.status_code, answer.data) == (200, TEXT)
    assert answer.headers["ETag"] == '"tag"'
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Length"] == "10"
    assert answer.headers["Last-Modified"] == "Mon, 23 Nov 2026 12:00:00 GMT"
    assert answer.headers["X-More"] == "1"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_part_is_sent_with_its_place(browser):
    answer = browser.get("/digits", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.data) == (206, b"234")
    assert answer.headers["Content-Range"] == "bytes 2-4/10"
    assert answer.headers["Content-Length"] == "3"


def test_a_head_says_the_size_and_sends_nothing(browser):
    answer = browser.head("/digits", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "10")


@pytest.mark.parametrize("known", ['"tag"', 'W/"tag"', '"other", "tag"', "*"])
def test_content_that_the_client_has_is_not_sent_again(browser, known):
    for headers in ({}, {"Range": "bytes=2-4"}, {"Range": "bytes=99-"}):
        answer = browser.get("/digits", headers={"If-None-Match": known, **headers})
        assert (answer.status_code, answer.data) == (304, b"")
        assert "Content-Range" not in answer.headers
    answer = browser.get("/digits", headers={"If-None-Match": '"other"'})
    assert (answer.status_code, answer.data) == (200, TEXT)


def test_a_range_counts_only_for_the_content_it_was_begun_with(browser):
    answer = browser.get("/digits", headers={"Range": "bytes=2-4", "If-Range": '"tag"'})
    assert (answer.status_code, answer.data) == (206, b"234")
    for span in ("bytes=2-4", "bytes=99-"):
        answer = browser.get("/digits", headers={"Range": span, "If-Range": '"other"'})
        assert (answer.status_code, answer.data) == (200, TEXT)


def test_a_range_past_the_end_is_answered_with_the_size(browser):
    answer = browser.get("/digits", headers={"Range": "bytes=10-"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */10")


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_every_file_name_survives_its_header(name):
    value = disposition(name)
    assert value.isascii()
    assert "\n" not in value
    assert "\r" not in value
    assert parse_options_header(value)[1]["filename"] == name


def test_a_file_is_closed_at_the_end_and_when_the_client_goes(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(TEXT)
    stream = path.open("rb")
    assert b"".join(FileChunks(stream, 4)) == TEXT[:4]
    assert stream.closed
    stream = path.open("rb")
    chunks = FileChunks(stream, 10)
    chunks.close()
    assert stream.closed
