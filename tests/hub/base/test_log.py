import json
import logging

import pytest

from hub.base import log


def test_a_json_line_carries_the_event_its_fields_and_what_was_bound(capsys):
    before = logging.getLogger().handlers[:]
    try:
        log.configure(level="info", style="json")
        token = log.bind(request_id="r1")
        log.get_logger("hub.test").info("push_recorded", repo_id=7)
        log.unbind(token)
        log.get_logger("hub.test").debug("not_shown")
        line = json.loads(capsys.readouterr().err)
    finally:
        logging.basicConfig(handlers=before or None, force=True)
    assert (line["event"], line["repo_id"], line["request_id"], line["level"]) == ("push_recorded", 7, "r1", "info")


def test_a_text_line_ends_with_the_trace_of_the_exception(capsys):
    before = logging.getLogger().handlers[:]
    try:
        log.configure()
        try:
            raise ValueError("no luck")
        except ValueError:
            log.get_logger("hub.test").exception("job_failed", job_id=3)
        text = capsys.readouterr().err
    finally:
        logging.basicConfig(handlers=before or None, force=True)
    assert "job_failed job_id=3" in text
    assert text.rstrip().endswith("ValueError: no luck")


def test_writing_a_trace_parses_no_code(capsys, monkeypatch):
    before = logging.getLogger().handlers[:]
    # What logging itself would call; two threads that parse at once disturb each other in Python 3.11.
    monkeypatch.setattr("ast.parse", lambda *_: pytest.fail("a line of code was parsed"))
    try:
        log.configure()
        try:
            try:
                {}["a"] + [][1]
            except KeyError:
                raise ValueError("no luck".strip() + str(1 / 0)) from None
        except ZeroDivisionError:
            log.get_logger("hub.test").exception("job_failed")
        text = capsys.readouterr().err
    finally:
        logging.basicConfig(handlers=before or None, force=True)
    assert "KeyError" in text
    assert "~" not in text
    assert text.rstrip().endswith("ZeroDivisionError: division by zero")
