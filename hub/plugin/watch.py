"""Noticing that the licence asks for another set of plugins than this process started with.

Every process looks for itself, so every replica follows within seconds, whoever imported the licence and wherever.
What looks at the database alone also needs no Redis.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from hub.base.context import Context
from hub.base.log import get_logger
from hub.plugin.host import PLUGINS

log = get_logger(__name__)

LOOK_EVERY_S = 2.0


class Watch:
    """Looks every two seconds, and calls ``on_change`` once: the process is then to be replaced.

    turn: held during each look, by a process that forks meanwhile.
    """

    def __init__(
        self,
        context: Context,
        on_change: Callable[[], None],
        *,
        turn: contextlib.AbstractContextManager[object] | None = None,
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._context = context
        self._on_change = on_change
        self._turn = turn or contextlib.nullcontext()
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plugin-watch", daemon=True)

    def start(self) -> None:
        """Begin to look, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns when the last look is over."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

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
        if is_stale:
            log.info("plugins_changed")
            self._on_change()
        return is_stale
