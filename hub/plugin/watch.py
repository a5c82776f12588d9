"""Noticing that another set of plugins would start now than this process started with.

Every process looks for itself, so every replica follows within seconds, whoever imported the licence and wherever.
What looks at the database alone also needs no Redis. Before a process gives up what it has, the start of its successor
is rehearsed: a setting that was mistyped meanwhile, or a plugin that cannot start, must not take the forge down.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from hub.base.context import Context
from hub.base.log import get_logger
from hub.plugin.host import PLUGINS

log = get_logger(__name__)

LOOK_EVERY_S = 2.0
# After a rehearsal that has failed; whoever mends what was wrong need not wait for long.
REHEARSE_EVERY_S = 10.0
_STOP_PATIENCE_S = 3.0


class Watch:
    """Looks every two seconds, and calls ``on_change`` once: the process is then to be replaced.

    rehearse: why a successor would not start, or an empty text. turn: held during each look, by a process that forks
    meanwhile.
    """

    def __init__(
        self,
        context: Context,
        on_change: Callable[[], None],
        *,
        rehearse: Callable[[], str] = str,
        turn: contextlib.AbstractContextManager[object] | None = None,
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._context = context
        self._on_change = on_change
        self._rehearse = rehearse
        self._next_rehearsal_s = 0.0
        self._turn = turn or contextlib.nullcontext()
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plugin-watch", daemon=True)

    def start(self) -> None:
        """Begin to look, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns when the last look is over, or a moment later when that rehearses a start."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            # Whoever is told to stop has little time, and a rehearsal that nobody waits for ends by itself.
            self._thread.join(_STOP_PATIENCE_S)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                if self.look():
                    return
            except Exception:
                # A database that is away for a moment; the set stays as it is.
                log.exception("plugin_watch_failed")

    def look(self) -> bool:
        """One look; whether the set has changed, in which case ``on_change`` has been called."""
        with self._turn:
            is_stale = self._context[PLUGINS].is_stale()
        if not is_stale or time.monotonic() < self._next_rehearsal_s:
            return False
        reason = self._rehearse()
        if reason:
            self._next_rehearsal_s = time.monotonic() + REHEARSE_EVERY_S
            log.error("plugins_cannot_change", reason=reason)
            return False
        log.info("plugins_changed")
        self._on_change()
        return True
