"""One workload of the supervisor: what is wanted of it, its instances, and what is said of both."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from hub.base.errors import Conflict, Failed
from hub.compute.local.instance import FOREVER, Instance, Phase, State
from hub.compute.local.scaling import Scale
from hub.compute.local.store import WorkloadRow
from hub.compute.reports import Instance as InstanceReport
from hub.compute.reports import Status
from hub.compute.spec import Kind, WorkloadSpec, parse_spec
from hub.compute.states import Code, Reason

if TYPE_CHECKING:
    from hub.compute.local.supervisor import Supervisor


_DRAIN_LOOK_S = 1.0


class Want(StrEnum):
    """What is wanted of a workload."""

    RUN = "run"
    SLEEP = "sleep"
    STOP = "stop"


class Workload:
    """A workload by its name; the specification is that of its latest start."""

    def __init__(
        self,
        house: Supervisor,
        spec: WorkloadSpec,
        *,
        number: int,
        sealed: str,
        secrets: Mapping[str, str] | None,
        mounts: Mapping[str, str],
    ) -> None:
        self.house = house
        self.spec = spec
        self.number = number
        self.mounts = dict(mounts)
        self.want = Want.RUN
        self.is_purged = False
        self.is_fresh = False
        self.instances: dict[int, Instance] = {}
        self._sealed = sealed
        self._secrets = dict(secrets or {})
        self._has_secrets = secrets is not None or not spec.secrets
        self._requested_at = time.monotonic()
        self._scale = Scale(window_s=house.settings.compute_scale_window_s)

    @classmethod
    def recall(cls, house: Supervisor, row: WorkloadRow, secrets: Mapping[str, str] | None) -> Workload:
        """As it was stored. secrets: its sealed ones, opened; None when they cannot be."""
        spec = parse_spec(row.spec)
        found = cls(house, spec, number=row.number, sealed=row.sealed, secrets=secrets, mounts=row.mounts)
        found.want = Want(row.state["want"])
        found.is_purged, found.is_fresh = row.state["is_purged"], row.state["is_fresh"]
        for number, state in sorted(house.store.instances(row.svc_name).items()):
            found.instances[number] = Instance(found, number, State.from_json(state))
        live = (Phase.STARTING, Phase.RUNNING)
        ran = [number + 1 for number, one in found.instances.items() if one.state.phase in live]
        found._scale.recall(min(max([*ran, found.least]), spec.replicas_max), time.monotonic())
        return found

    @property
    def svc_name(self) -> str:
        """Its name for good."""
        return self.spec.svc_name

    @property
    def least(self) -> int:
        """How many instances it has while it is to run, whatever is called."""
        return max(1, self.spec.replicas_min)

    @property
    def count(self) -> int:
        """How many instances it has while it is to run."""
        return min(max(self._scale.count, self.least), max(self.spec.replicas_max, self.least))

    @property
    def is_kept(self) -> bool:
        """Whether anything of it runs."""
        return any(instance.is_kept for instance in self.instances.values())

    @property
    def is_occupying(self) -> bool:
        """Whether what it asks for is taken."""
        gave_up = all(one.state.phase in (Phase.GAVE_UP, Phase.DONE) for one in self.instances.values())
        return self.is_kept or (self.want is Want.RUN and not (self.instances and gave_up))

    def wants(self, number: int) -> bool:
        """Whether an instance is to run."""
        is_to_run = self.want is Want.RUN and not self.is_purged and not self.is_fresh
        return is_to_run and (number < self.count or self._drains(number)) and not self.house.is_stopping

    def _drains(self, number: int) -> bool:
        """Whether an instance is one too many, and still answers."""
        instance = self.instances.get(number)
        if instance is None or not instance.is_serving or instance.state.task_id != self.spec.task_id:
            return False
        return self._scale.keeps(number, instance.address, time.monotonic())

    def open_secrets(self) -> Mapping[str, str]:
        """The values of its secrets. Raises Failed (``secrets_unreadable``)."""
        if not self._has_secrets:
            raise Failed(
                "Its secrets cannot be read any more: the hub has another secret key. Start it again.",
                code="secrets_unreadable",
            )
        return self._secrets

    def save(self) -> None:
        """Remember it as it is now."""
        self.house.store.save_workload(
            WorkloadRow(self.svc_name, self.number, self.spec.to_json(), self.mounts, self._sealed, self._state())
        )

    def _state(self) -> dict[str, Any]:
        return {"want": self.want, "is_purged": self.is_purged, "is_fresh": self.is_fresh}

    def _set(self, want: Want) -> None:
        if self.want is not want:
            self.want = want
            self._scale.rest()
            self.house.store.save_state(self.svc_name, self._state())

    # What it is told

    def renew(
        self, spec: WorkloadSpec, *, number: int, sealed: str, secrets: Mapping[str, str], mounts: Mapping[str, str]
    ) -> None:
        """Take a later start. Raises Conflict (``task_stale``) for an earlier one; the same one changes nothing."""
        if not self.is_purged:
            if spec.task_id < self.spec.task_id:
                raise Conflict("A later start of it is known.", code="task_stale", task_id=self.spec.task_id)
            if spec.task_id == self.spec.task_id:
                return
        # What was to be deleted is so before anything is started there again.
        self.is_fresh = self.is_fresh or self.is_purged
        self.is_purged = False
        self.spec, self.number, self.mounts = spec, number, dict(mounts)
        self._sealed, self._secrets, self._has_secrets = sealed, dict(secrets), True
        self.want = Want.RUN
        self.note_request()
        self.save()

    def stop(self) -> None:
        """End what runs. A job that has come to its end stays as it is."""
        if any(one.state.phase is Phase.DONE for one in self.instances.values()):
            return
        self._set(Want.STOP)

    def purge(self) -> None:
        """End what runs, and forget it."""
        self.is_purged = True
        self.house.store.save_state(self.svc_name, self._state())

    def wake(self) -> None:
        """Start what sleeps."""
        if self.want is Want.SLEEP and not self.is_purged:
            self.note_request()
            self._set(Want.RUN)

    def note_request(self) -> None:
        """Somebody uses it."""
        self._requested_at = time.monotonic()

    def note_calls(self, source: str, calls: Mapping[str, int]) -> None:
        """Somebody uses it, and says how many of their calls are under way, by the address of the instance."""
        self.note_request()
        self._scale.tell(source, calls, self._requested_at)

    # What is due

    def advance(self, now: float) -> float:
        """Do what is due; the moment (monotonic) at which to come again."""
        if self.is_fresh and not self.is_kept:
            self.house.throw_away(self.svc_name)
            self.instances.clear()
            self.is_fresh = False
            self.house.store.forget(self.svc_name)
            self.save()
        due = self._set_count(now)
        for number in range(self.count):
            self._scale.readmit(number)
            if number not in self.instances:
                self.instances[number] = Instance(self, number)
        due = min(due, self._fall_asleep(now))
        for instance in list(self.instances.values()):
            due = min(due, instance.advance(now))
        return due

    def _set_count(self, now: float) -> float:
        if self.want is not Want.RUN or self.spec.kind is Kind.JOB:
            return FOREVER
        due = self._scale.look(
            now, least=self.least, most=self.spec.replicas_max, room=lambda count: self.house.count_fitting(self, count)
        )
        # Until those that are too many have gone they are looked at again and again.
        is_draining = any(number >= self.count and one.is_serving for number, one in self.instances.items())
        return min(due, now + _DRAIN_LOOK_S) if is_draining else due

    def _fall_asleep(self, now: float) -> float:
        spec = self.spec
        is_serving = any(instance.is_serving for instance in self.instances.values())
        if self.want is not Want.RUN or spec.replicas_min or not spec.sleep_after_s or not is_serving:
            return FOREVER
        sleeps_at = self._requested_at + spec.sleep_after_s
        if now >= sleeps_at:
            self._set(Want.SLEEP)
        return sleeps_at

    # What is said of it

    def status(self) -> Status:
        """What is true of it now."""
        current = [one for number, one in self.instances.items() if number < self.count or one.is_kept]
        code, reason, message = self._code(current)
        serving = [one for one in current if one.is_serving]
        if self._scale.is_short and code is Code.RUNNING and not reason:
            reason, message = Reason.NO_CAPACITY, "There is no room for more instances; those that run go on."
        # Who is one too many gets no new calls.
        addresses = [one.address for one in serving if self.spec.port and one.number < self.count]
        has_ended = code in (Code.STOPPED, Code.SLEEPING)
        return Status(
            svc_name=self.svc_name,
            code=code,
            task_id=self.spec.task_id,
            reason=reason,
            message=message,
            endpoint=",".join(addresses) if code is Code.RUNNING else "",
            instances=() if has_ended else tuple(map(_report, current)),
            actual=len(serving),
            desired=self.count if self.want is Want.RUN and code not in (Code.SUCCEEDED, Code.FAILED) else 0,
        )

    def _code(self, current: list[Instance]) -> tuple[Code, str, str]:
        told = next(((one.state.reason, one.state.message) for one in current if one.state.reason), ("", ""))
        if self.want is not Want.RUN:
            if not self.is_kept:
                return (Code.SLEEPING if self.want is Want.SLEEP else Code.STOPPED), "", ""
            was_running = any(one.state.phase is Phase.RUNNING for one in current)
            return (Code.RUNNING if was_running else Code.DEPLOYING), "stopping", ""
        # What belongs to an earlier start says nothing about this one.
        ours = [one for one in current if one.state.task_id == self.spec.task_id]
        phases = [one.state.phase for one in ours]
        if self.spec.kind is Kind.JOB and Phase.DONE in phases:
            is_good = ours[0].state.exit_code == 0 and not ours[0].state.reason
            return (Code.SUCCEEDED if is_good else Code.FAILED), *told
        if any(one.is_serving for one in ours):
            return Code.RUNNING, *told
        if phases and all(phase is Phase.GAVE_UP for phase in phases):
            was_ready = any(one.state.was_ready for one in ours)
            if self.spec.kind is Kind.JOB:
                return Code.FAILED, *told
            return (Code.RUNTIME_ERROR if was_ready else Code.DEPLOY_FAILED), *told
        return Code.DEPLOYING, *(told if ours else ("", ""))


def _report(instance: Instance) -> InstanceReport:
    state = instance.state
    return InstanceReport(
        name=instance.name,
        status=instance.word,
        started_at=datetime.fromtimestamp(state.started_at, UTC) if state.started_at else None,
        restarts=state.restarts,
        exit_code=state.exit_code,
    )
