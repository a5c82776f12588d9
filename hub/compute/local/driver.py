"""The driver ``local``: asks the supervisor of this home, and reads the logs itself. It keeps nothing of its own."""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub.base.context import Context
from hub.base.errors import Invalid
from hub.base.secrets import load_secret
from hub.base.settings import Settings
from hub.compute.driver import ComputeDriver
from hub.compute.local import rpc
from hub.compute.local.logreader import Follower, find_logs, read_last
from hub.compute.local.places import Places
from hub.compute.local.sealing import seal
from hub.compute.reports import Accelerator, History, Instance, LogLine, Node, Sample, Status, Usage
from hub.compute.spec import WorkloadSpec, check_secrets
from hub.compute.states import Code

_CALL_LIMIT_S = 10.0
_LOOK_EVERY_S = 0.25
# A gateway says of every request that there was one; once in a while is enough to keep a workload awake.
_TOUCH_EVERY_S = 1.0
_MAX_TOUCHED = 10_000
_MAX_DIGITS = 4  # of an instance's number


class LocalDriver(ComputeDriver):
    """Workloads as processes of this machine. ``endpoint`` lists those of all instances, with commas between."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = Places.of(settings)
        self._touched: dict[str, float] = {}

    @classmethod
    def from_context(cls, context: Context) -> LocalDriver:
        """A driver for this hub's home."""
        return cls(context.settings)

    def _call(self, name: str, **arguments: Any) -> Any:
        return rpc.call(self._places.root, name, arguments, timeout_s=_CALL_LIMIT_S)

    def _ask(self, name: str, nothing: Any = None, **arguments: Any) -> Any:
        """As ``_call``; where nothing was ever run the answer is known, and no supervisor is bothered."""
        return self._call(name, **arguments) if self._places.state.exists() else nothing

    def run(self, spec: WorkloadSpec, *, secrets: Mapping[str, str], mounts: Mapping[str, Path] | None = None) -> None:
        """Start a workload. Its secrets lie on disk only sealed."""
        check_secrets(spec, secrets)
        missing = {mount.target for mount in spec.mounts} - set(mounts or {})
        if missing:
            raise Invalid(f"The snapshot {min(missing)!r} is missing.", code="spec_invalid", field="mounts")
        sealed = seal(load_secret(self._settings), secrets)
        paths = {mount.target: str((mounts or {})[mount.target]) for mount in spec.mounts}
        self._call("run", spec=spec.to_json(), secrets=dict(secrets), sealed=sealed, mounts=paths)

    def stop(self, svc_name: str) -> None:
        """End its processes in order."""
        self._ask("stop", svc_name=svc_name)

    def purge(self, svc_name: str) -> None:
        """End its processes, delete its logs and its work directory."""
        self._ask("purge", svc_name=svc_name)

    def statuses(self, svc_names: Collection[str]) -> dict[str, Status]:
        """What is known of each."""
        found = self._ask("statuses", [], svc_names=list(svc_names)) if svc_names else []
        return {facts["svc_name"]: _parse_status(facts) for facts in found}

    def names(self) -> set[str]:
        """All that the supervisor knows."""
        return set(self._ask("names", []))

    def wake(self, svc_name: str) -> None:
        """Start what is asleep."""
        self._ask("wake", svc_name=svc_name)

    def touch(self, svc_name: str, *, calls: Mapping[str, int] | None = None) -> None:
        """Keep it awake; the supervisor hears of it once a second at most, and of calls whenever they are told."""
        now = time.monotonic()
        if calls is None and now - self._touched.get(svc_name, float("-inf")) < _TOUCH_EVERY_S:
            return
        if len(self._touched) >= _MAX_TOUCHED:
            self._touched.clear()
        self._touched[svc_name] = now
        if calls is None:
            self._ask("touch", svc_name=svc_name)
        else:
            # Each process tells of its own; another one of that number comes only when this one has ended.
            self._ask("touch", svc_name=svc_name, source=str(os.getpid()), calls=dict(calls))

    def usage(self, svc_name: str) -> Usage | None:
        """What it used in the last seconds."""
        facts = self._ask("usage", svc_name=svc_name)
        return Usage(at=datetime.now(UTC), **facts) if facts is not None else None

    def history(self, svc_name: str, instance: str, *, since: datetime) -> History | None:
        """What one instance used, by the minute, and from the supervisor's own looks."""
        name, _, number = instance.rpartition("-")
        if name != svc_name or not number.isdecimal() or not number.isascii() or len(number) > _MAX_DIGITS:
            return None
        facts = self._ask("history", svc_name=svc_name, number=int(number), since=since.timestamp())
        if facts is None:
            return None
        samples = (Sample(datetime.fromtimestamp(at, UTC), cpu, memory) for at, cpu, memory in facts["samples"])
        return History(facts["endpoint"], tuple(samples))

    def nodes(self) -> Sequence[Node]:
        """This machine."""
        facts = self._call("node")
        cards = tuple(Accelerator(**each) for each in facts.pop("accelerators"))
        return [Node(**facts, accelerators=cards)]

    def logs(
        self,
        svc_name: str,
        *,
        instance: str = "",
        since: datetime | None = None,
        follow: bool = False,
        limit: int = 1000,
    ) -> Iterator[LogLine | None]:
        """What it printed; of several instances by time."""
        if self.status(svc_name) is None:
            return
        if follow:
            yield from self._follow(svc_name, instance, since, limit)
            return
        lists = [read_last(path, limit=limit, since=since) for path in self._logs_of(svc_name, instance).values()]
        merged = list(heapq.merge(*lists, key=lambda line: line.at))
        yield from merged[-limit:] if limit else ()

    def _logs_of(self, svc_name: str, instance: str) -> dict[int, Path]:
        found = find_logs(self._places.root / "logs" / svc_name)
        return {number: path for number, path in found.items() if instance in ("", f"{svc_name}-{number}")}

    def _follow(self, svc_name: str, instance: str, since: datetime | None, limit: int) -> Iterator[LogLine | None]:
        followers: dict[Path, Follower] = {}
        quiet, is_first, is_over = 0, True, False
        try:
            while True:
                # Asked before reading, so that what was printed before the end is read after it.
                is_over = not self._is_alive(svc_name) if is_first or quiet % 4 == 3 else is_over
                found = self._logs_of(svc_name, instance).values()
                lists = []
                for path in found:
                    if path not in followers:
                        followers[path] = Follower(path)
                        lists.append(followers[path].begin(limit if is_first else 1_000_000, since))
                    else:
                        lists.append(followers[path].read())
                for gone in set(followers) - set(found):
                    followers.pop(gone).close()
                lines = list(heapq.merge(*lists, key=lambda line: line.at))
                yield from lines[-limit:] if is_first and limit else lines
                is_first = False
                if is_over:
                    return
                quiet = 0 if lines else quiet + 1
                if quiet and quiet % 4 == 0:
                    yield None
                time.sleep(_LOOK_EVERY_S)
        finally:
            for follower in followers.values():
                follower.close()

    def _is_alive(self, svc_name: str) -> bool:
        status = self.status(svc_name)
        return status is not None and status.code in (Code.DEPLOYING, Code.RUNNING)


def _parse_status(facts: dict[str, Any]) -> Status:
    instances = tuple(
        Instance(**{**each, "started_at": datetime.fromisoformat(each["started_at"]) if each["started_at"] else None})
        for each in facts["instances"]
    )
    return Status(**{**facts, "code": Code(facts["code"]), "instances": instances})
