"""What the master of the web server and its workers tell each other, in memory that they share."""

from __future__ import annotations

import mmap
import os
import signal
import struct


class Generations:
    """How often the workers were replaced.

    Any worker may find that it should be replaced; the first one of its generation tells the master.
    """

    _LAYOUT = struct.Struct("QQ")  # the generation of now, and the one that was asked for

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self._LAYOUT.size)
        self._own = 0

    def advance(self) -> None:
        """Begin the next generation; in the master, before it forks the new workers."""
        self._begin(self.current + 1)

    def go_back(self) -> None:
        """Take the last ``advance`` back; in the master, when the new workers have not started."""
        self._begin(self.current - 1)

    def _begin(self, number: int) -> None:
        self._own = number
        self._LAYOUT.pack_into(self._memory, 0, number, number)

    def join(self) -> None:
        """Belong to the generation of now; in a worker, before it loads what may become stale."""
        self._own = self.current

    @property
    def current(self) -> int:
        """The generation that was started last: its workers take new connections, or will when they can."""
        return int(self._LAYOUT.unpack_from(self._memory)[0])

    @property
    def is_replaced(self) -> bool:
        """Whether this worker's place is taken, so that it only ends what it has begun once it is told to."""
        return self.current > self._own

    def ask(self) -> None:
        """Have the master replace the workers; once a generation, but for two that ask in the same instant."""
        current, asked = self._LAYOUT.unpack_from(self._memory)
        if current == self._own and asked <= current:
            # The second word only: the first is the master's.
            struct.pack_into("Q", self._memory, struct.calcsize("Q"), current + 1)
            os.kill(os.getppid(), signal.SIGHUP)


class Signs:
    """What one worker tells the master and those that will replace it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 2)

    @property
    def is_ready(self) -> bool:
        """Whether it has loaded everything, and could take connections."""
        return bool(self._memory[0])

    @is_ready.setter
    def is_ready(self, value: bool) -> None:
        self._memory[0] = value

    @property
    def has_left(self) -> bool:
        """Whether it takes no more connections."""
        return bool(self._memory[1])

    @has_left.setter
    def has_left(self, value: bool) -> None:
        self._memory[1] = value
