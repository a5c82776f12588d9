"""Calls whose client has hung up, of providers that charge for the whole answer in any case: it is read to its end, so
that the provider's own count is booked. Source: gateway contract, section 1.7."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator

from plugins.inference.catalogue import Served, Server
from plugins.inference.gateway.calls import Relay
from plugins.inference.gateway.faults import ClientGone
from plugins.inference.gateway.ledger import Ledger
from plugins.inference.gateway.tokenizers import family_of
from plugins.inference.settings import InferenceSettings

MAX_DRAINS = 256


def drain_s_of(served: Served, server: Server, settings: InferenceSettings, *, is_stream: bool) -> int:
    """How long an upstream is heard once the client is gone. What engines do is not worth it: they stop when they are
    cut off, and nobody charges for the rest."""
    if is_stream:
        return server.drain_s
    return 0 if server.is_own or family_of(served, server) else settings.answer_timeout_s


class Drains:
    """How many calls are read to their end without a client; one for a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

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


class Watch:
    """Looks whether a call's client is still there, and lets the call go on without where that is worth it.

    drain_s: of the upstream that is asked now.
    """

    def __init__(self, check: Callable[[], None], drains: Drains, ledger: Ledger) -> None:
        """check: raises ClientGone."""
        self._check, self._drains, self._ledger = check, drains, ledger
        self._until: float | None = None
        self.drain_s = 0

    def begin(self) -> None:
        """An upstream is about to be asked; for nobody none is. Raises ClientGone."""
        self.drain_s = 0
        if self._until is not None:
            raise ClientGone
        self._check()

    def __call__(self) -> None:
        """Raises ClientGone when the call has ended for that."""
        if self._until is None:
            try:
                return self._check()
            except ClientGone:
                if not self.leave():
                    raise
        if self.is_over:
            raise ClientGone

    def leave(self) -> bool:
        """The client is gone. Whether the upstream is heard all the same."""
        if self._until is None:
            if not self.drain_s or self._ledger.is_finished or not self._drains.begin():
                return False
            self._until = time.monotonic() + self.drain_s
            self._ledger.is_left = True
            self._ledger.at_end.append(self._drains.end)
        return True

    @property
    def is_over(self) -> bool:
        """Whether the upstream has been heard for as long as it may be."""
        return self._until is not None and time.monotonic() > self._until


class DrainedRelay:
    """A stream as its client sees it; when that leaves, it may go on without."""

    def __init__(self, relay: Relay, watch: Watch) -> None:
        self._relay, self._watch = relay, watch
        self._pieces = relay.events()
        self._is_draining = False

    def events(self) -> Generator[bytes, None, None]:
        """As ``Relay`` says."""
        try:
            # Not "yield from", which would close what is to go on.
            for piece in self._pieces:  # noqa: UP028
                yield piece
        except GeneratorExit:
            self.close()
            raise

    def close(self) -> None:
        """As ``Relay`` says."""
        if self._is_draining:
            return
        if self._watch.leave():
            self._is_draining = True
            threading.Thread(target=self._drain, name="drain", daemon=True).start()
        else:
            self._end()

    def _drain(self) -> None:
        try:
            for _ in self._pieces:
                if self._watch.is_over:
                    break
        finally:
            self._end()

    def _end(self) -> None:
        self._pieces.close()
        self._relay.close()
