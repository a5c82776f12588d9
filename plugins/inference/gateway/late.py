"""Calls whose end the database did not take: kept on disk, and written as soon as it does. None is lost, none counts
twice. Source: gateway contract, section 1.7."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import exc

from hub.plugin import Context, get_logger
from hub.plugin.errors import Unavailable
from hub.plugin.metering import Usage, write_usage
from plugins.inference.models import Call

log = get_logger(__name__)

# What says that the database is away, or too busy, and not that it refuses what it is told.
AWAY = (Unavailable, exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
_PAUSE_S = 5.0
_KEPT, _PARTLY, _REFUSED = ".json", ".part", ".refused"


class _Late(msgspec.Struct, frozen=True):
    """What is kept of a call: its event of usage, if it used anything, and its row."""

    usages: list[Usage]
    call: dict[str, Any]
    started_at: datetime


class LateCalls:
    """Those of one machine; one for a process, and several may write the same."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._folder = context.settings.home / "inference" / "late"
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def keep(self, usages: list[Usage], call: Mapping[str, Any]) -> None:
        """Return when a call is safe on disk. Raises OSError."""
        rest = dict(call)
        late = _Late(usages, rest, rest.pop("started_at"))
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{call['uuid']}{_PARTLY}"
        with path.open("wb") as file:
            file.write(msgspec.json.encode(late))
            file.flush()
            os.fsync(file.fileno())
        path.replace(path.with_suffix(_KEPT))
        log.warning("call_kept_for_later", request_id=call["request_id"])
        self.begin()

    def begin(self) -> None:
        """Write what is kept, beside everything else, until nothing is."""
        with self._lock:
            if self._thread is None and self._list():
                self._thread = threading.Thread(target=self._write_all, name="late-calls", daemon=True)
                self._thread.start()

    def write(self) -> None:
        """Write what is kept, as far as the database takes it now."""
        for path in self._list():
            try:
                late = msgspec.json.decode(path.read_bytes(), type=_Late)
                call = late.call | {"started_at": late.started_at}
                write_usage(self._context, *late.usages, beside={Call: [call]})
            except FileNotFoundError:
                continue  # another process has written it
            except AWAY as error:
                log.warning("calls_still_kept", error=type(error).__name__)
                return
            except Exception:
                # It would be refused for ever; whoever reads the log finds it.
                log.exception("kept_call_refused", file=path.name)
                path.replace(path.with_suffix(_REFUSED))
                continue
            path.unlink(missing_ok=True)

    def _list(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{_KEPT}"))

    def _write_all(self) -> None:
        while True:
            self.write()
            with self._lock:
                if not self._list():
                    self._thread = None
                    return
            time.sleep(_PAUSE_S)
