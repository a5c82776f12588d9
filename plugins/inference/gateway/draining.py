"""Streams whose client has hung up, of providers that charge for the whole answer in any case: the rest is read, so
that the provider's own count is booked. Source: gateway contract, section 1.7."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator

from plugins.inference.gateway.calls import Relay
from plugins.inference.gateway.faults import ClientGone
from plugins.inference.gateway.ledger import Ledger

MAX_DRAINS = 256


class Watch:
    """Looks whether the client is still there: a call's ``check``. drain_s: so long the upstream is heard all the same
    once it is gone."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._until: float | None = None
        self.drain_s = 0

    def __call__(self) -> None:
        """Raises ClientGone."""
        if self._until is None:
            try:
                return self._check()
            except ClientGone:
                if not self.drain_s:
                    raise
                self.leave()
        if self.is_over:
            raise ClientGone

    def leave(self) -> None:
        """The client is gone."""
        if self._until is None:
            self._until = time.monotonic() + self.drain_s

    @property
    def is_over(self) -> bool:
        """Whether the upstream has been heard for as long as it may be."""
        return self._until is not None and time.monotonic() > self._until


class Drains:
    """How many streams are read to their end without a client; one for a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def guard(self, relay: Relay, ledger: Ledger, watch: Watch, drain_s: int) -> Relay:
        """The stream as its client sees it; when that leaves, it goes on without."""
        watch.drain_s = drain_s
        return _Drained(self, relay, ledger, watch)

    def begin(self) -> bool:
        """Whether there is room for one more; then ``end`` follows."""
        with self._lock:
            if self._count >= MAX_DRAINS:
                return False
            self._count += 1
            return True

    def end(self) -> None:
        with self._lock:
            self._count -= 1


class _Drained:
    def __init__(self, drains: Drains, relay: Relay, ledger: Ledger, watch: Watch) -> None:
        self._drains, self._relay, self._ledger, self._watch = drains, relay, ledger, watch
        self._is_draining = False

    def events(self) -> Generator[bytes, None, None]:
        pieces = self._relay.events()
        try:
            # Not "yield from", which would close what is to go on.
            for piece in pieces:  # noqa: UP028
                yield piece
        except GeneratorExit:
            if self._drains.begin():
                self._ledger.is_left = self._is_draining = True
                self._watch.leave()
                threading.Thread(target=self._drain, args=(pieces,), name="drain", daemon=True).start()
            else:
                pieces.close()
            raise

    def _drain(self, pieces: Generator[bytes, None, None]) -> None:
        try:
            for _ in pieces:
                if self._watch.is_over:
                    break
        finally:
            pieces.close()
            self._relay.close()
            self._drains.end()

    def close(self) -> None:
        if not self._is_draining:
            self._relay.close()
