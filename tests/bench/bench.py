"""The stage of a benchmark: a hub as `hub serve` starts it, an account, a scratch directory, and the result's form."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.bench.measure import run
from tests.bench.peers import Peer, git_daemon
from tests.support.hub import Account, HubServer


@dataclass(frozen=True)
class Outcome:
    """One line of the table. ratio: None where there is no peer, and ``ours`` itself is judged."""

    measure: str
    ours: str
    peer: str
    ratio: float | None
    reach: str
    is_met: bool
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A benchmark by name; it may give several lines."""

    name: str
    title: str
    measure: Callable[[Bench], list[Outcome]]


class Bench:
    """What the rows share; everything is started when the first row asks for it and stopped at the end."""

    def __init__(self, stack: ExitStack, directory: Path, *, settings: dict[str, Any], rounds: int) -> None:
        self.stack = stack
        self.directory = directory
        self.settings = settings
        self.rounds = rounds
        self._numbers = itertools.count()

    def scratch(self, name: str = "scratch") -> Path:
        """A path that is not there yet."""
        return self.directory / f"{name}{next(self._numbers)}"

    def new_hub(self) -> HubServer:
        """A hub that is not started yet, with a home of its own."""
        return HubServer(self.scratch("home"), self.settings)

    @cached_property
    def hub(self) -> HubServer:
        """The running hub."""
        return self.stack.enter_context(self.new_hub())

    @property
    def hub_pid(self) -> int:
        assert self.hub.process is not None
        return self.hub.process.pid

    @cached_property
    def account(self) -> Account:
        return self.hub.create_user("ada")

    @cached_property
    def repositories(self) -> Path:
        """The directory that the peers serve."""
        path = self.scratch("repositories")
        path.mkdir()
        return path

    @cached_property
    def daemon(self) -> Peer:
        """``git daemon`` over ``repositories``."""
        return self.stack.enter_context(git_daemon(self.repositories))

    def publish(self, source: Path, name: str) -> tuple[str, str]:
        """Bring a repository to the hub and to the peers' directory, once; return its address and its name there."""
        path = f"models/{self.account.name}/{name}"
        if not (self.repositories / f"{name}.git").exists():
            self.account.create_repository(name)
            run("git", "-C", source, "push", "--quiet", "--force", self.account.address(path), "main")
            shutil.copytree(source, self.repositories / f"{name}.git")
        return f"{self.hub.url}/{path}.git", f"{name}.git"

    def clone(self, address: str) -> None:
        """Clone and throw the clone away."""
        target = self.scratch("clone")
        run("git", "clone", "--quiet", address, target)
        shutil.rmtree(target)
