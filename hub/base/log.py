"""Logs: a constant event name plus fields. Ids, never objects, never secrets."""

from __future__ import annotations

import contextvars
import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_fields: contextvars.ContextVar[Mapping[str, Any] | None] = contextvars.ContextVar("hub_log_fields", default=None)


def _write_trace(record: logging.LogRecord) -> bool:
    """Write an exception's trace down, without marks below the places in a line.

    To place the marks, Python 3.11 parses the line, and two threads that parse at once can make either fail with
    "AST constructor recursion depth mismatch": an error logged by one thread then breaks what another is loading.
    """
    if record.exc_info and record.exc_info[1] is not None and not record.exc_text:
        trace = traceback.TracebackException.from_exception(record.exc_info[1])
        _drop_places(trace)
        record.exc_text = "".join(trace.format()).rstrip("\n")
    return True


def _drop_places(trace: traceback.TracebackException) -> None:
    told = [trace]
    while told:
        one = told.pop()
        for frame in one.stack:
            frame.colno = frame.end_colno = None
        told += [other for other in (one.__cause__, one.__context__, *(one.exceptions or ())) if other is not None]


class HubLogger:
    """A thin face on ``logging`` that takes the event name and keyword fields."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)
        self._logger.addFilter(_write_trace)

    def _log(self, level: int, event: str, fields: dict[str, Any], exc_info: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            merged = {**(_fields.get() or {}), **fields}
            self._logger.log(level, event, exc_info=exc_info, extra={"hub_fields": merged})

    def debug(self, event: str, **fields: Any) -> None:
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._log(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """As ``error``, with the trace of the exception being handled."""
        self._log(logging.ERROR, event, fields, exc_info=True)


def get_logger(name: str) -> HubLogger:
    """The logger of a module: ``log = get_logger(__name__)``."""
    return HubLogger(name)


def bind(**fields: Any) -> contextvars.Token[Mapping[str, Any] | None]:
    """Add fields (request id, job id) to every line of the current request or job; undo with ``unbind``."""
    return _fields.set({**(_fields.get() or {}), **fields})


def unbind(token: contextvars.Token[Mapping[str, Any] | None]) -> None:
    """Drop the fields that the matching ``bind`` added."""
    _fields.reset(token)


def _trace_of(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    assert record.exc_info
    return record.exc_text or formatter.formatException(record.exc_info)


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        fields = getattr(record, "hub_fields", {})
        tail = "".join(f" {key}={value}" for key, value in fields.items())
        line = f"{moment} {record.levelname.lower():7} {record.name}: {record.getMessage()}{tail}"
        return f"{line}\n{_trace_of(self, record)}" if record.exc_info else line


class _JSONFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "hub_fields", {}),
        }
        if record.exc_info:
            line["trace"] = _trace_of(self, record)
        return json.dumps(line, default=str)


def configure(*, level: str = "info", style: str = "text") -> None:
    """Send the process's logs to standard error, one line each, as text or JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JSONFormatter() if style == "json" else _TextFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Libraries that narrate each step at level info.
    for name in ("alembic", "asyncssh", "urllib3", "rq"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
