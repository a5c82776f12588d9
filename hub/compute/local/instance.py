"""One instance of a workload: started, asked for its health, started again, given up.

Source of the rules and their numbers: compute contract, 15.6.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from hub.base.errors import HubError
from hub.base.log import get_logger
from hub.compute.local.health import Probe
from hub.compute.local.keeping import (
    Keeping,
    Record,
    attach_keeper,
    end_leftovers,
    is_locked,
    launch_keeper,
    read_record,
)
from hub.compute.local.logreader import tail
from hub.compute.local.machine import Card
from hub.compute.local.orders import adopting_orders, build_orders, needs_port
from hub.compute.local.processes import Process, list_processes, send_signal
from hub.compute.reports import (
    INSTANCE_FAILED,
    INSTANCE_PENDING,
    INSTANCE_RUNNING,
    INSTANCE_SUCCEEDED,
    INSTANCE_TERMINATED,
)
from hub.compute.spec import Kind
from hub.compute.states import Reason, exit_reason

if TYPE_CHECKING:
    from hub.compute.local.workload import Workload

log = get_logger(__name__)

FOREVER = float("inf")
WINDOW_S = 600.0
MAX_RESTARTS = 5
MAX_TRIES = 3
MAX_DELAY_S = 60.0
JITTER = 0.2
# Without a question to ask, what lives so long is taken to serve.
LIVES_S = 1.0
FIRST_QUESTION_S, SLOWEST_QUESTION_S = 0.1, 5.0
MESSAGE_LINES = 40
_RECORD_LIMIT_S = 5.0


class Phase(StrEnum):
    """Where an instance stands. idle: not to run, or not yet. waiting: for its next try."""

    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    GAVE_UP = "gave_up"
    DONE = "done"


class Ending(StrEnum):
    """Why the supervisor has ended an instance; none: it ended by itself."""

    NONE = ""
    STOP = "stop"
    SHUTDOWN = "shutdown"
    READY_TIMEOUT = "ready_timeout"
    UNHEALTHY = "unhealthy"
    MEMORY = "memory"
    DISK = "disk"
    DEADLINE = "deadline"


_REASONS = {
    Ending.READY_TIMEOUT: Reason.READY_TIMEOUT,
    Ending.UNHEALTHY: "unhealthy",
    Ending.MEMORY: Reason.OUT_OF_MEMORY,
    Ending.DISK: Reason.DISK_FULL,
    Ending.DEADLINE: Reason.DEADLINE,
    Ending.SHUTDOWN: "interrupted",
}


@dataclass
class State:
    """What is remembered of an instance. launch: the number of its last start. early: tries that never got ready."""

    task_id: int = 0
    phase: Phase = Phase.IDLE
    launch: int = 0
    port: int = 0
    cards: list[str] = field(default_factory=list)
    started_at: float = 0.0
    was_ready: bool = False
    ending: Ending = Ending.NONE
    early: int = 0
    restarts: int = 0
    restarted_at: list[float] = field(default_factory=list)
    exit_code: int | None = None
    reason: str = ""
    message: str = ""

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> State:
        """As it was stored."""
        return cls(**{**facts, "phase": Phase(facts["phase"]), "ending": Ending(facts["ending"])})


class Instance:
    """One process of a workload, with its keeper while it has one."""

    def __init__(self, workload: Workload, number: int, state: State | None = None) -> None:
        self.workload = workload
        self.number = number
        self.state = state or State()
        self.keeping: Keeping | None = None
        # Processor time and moment of the last two looks, for the use of now.
        self.cpu_samples: list[tuple[float, float]] = []
        self.memory_bytes = 0
        self._house = workload.house
        self._control = self._house.places.control(workload.svc_name, number)
        self._due = 0.0
        self._began = 0.0
        self._probe: Probe | None = None
        self._probe_at = 0.0
        self._probe_wait_s = FIRST_QUESTION_S
        self._failures = 0

    @property
    def name(self) -> str:
        """By which people know it."""
        return f"{self.workload.svc_name}-{self.number}"

    @property
    def address(self) -> str:
        """Where it answers, while it serves."""
        return f"http://127.0.0.1:{self.state.port}"

    @property
    def is_serving(self) -> bool:
        """Whether it runs, as far as is known, and is to go on."""
        return self.keeping is not None and self.state.phase is Phase.RUNNING and not self.state.ending

    @property
    def is_kept(self) -> bool:
        """Whether anything of it runs."""
        return self.keeping is not None

    @property
    def word(self) -> str:
        """Its state as drivers say it."""
        if self.is_kept and self.state.ending:
            return "Terminating"
        if self.state.phase is Phase.DONE:
            return INSTANCE_SUCCEEDED if self.state.exit_code == 0 and not self.state.reason else INSTANCE_FAILED
        if self.state.phase is Phase.IDLE and not self._is_wanted():
            return INSTANCE_TERMINATED
        words = {Phase.RUNNING: INSTANCE_RUNNING, Phase.GAVE_UP: INSTANCE_FAILED}
        return words.get(self.state.phase, INSTANCE_PENDING)

    @property
    def holds_port(self) -> bool:
        """Whether its port is nobody else's: while anything of it runs or is to run again by itself."""
        has_ended = self.state.phase in (Phase.GAVE_UP, Phase.DONE) or self.workload.want == "stop"
        return bool(self.state.port) and (self.is_kept or not has_ended)

    def find_record(self) -> Record | None:
        """Which process it is, when it runs."""
        return self.keeping.find_record(self.state.launch) if self.keeping else None

    def _is_wanted(self) -> bool:
        return self.workload.wants(self.number)

    def _save(self) -> None:
        self._house.store.save_instance(self.workload.svc_name, self.number, asdict(self.state))

    # What is due

    def advance(self, now: float) -> float:
        """Do what is due; the moment (monotonic) at which to come again."""
        return self._advance_kept(now) if self.keeping else self._advance_idle(now)

    def _advance_idle(self, now: float) -> float:
        if self.state.task_id != self.workload.spec.task_id:
            self.state = State(task_id=self.workload.spec.task_id, port=self.state.port)
            self._due = 0.0
            self._save()
        if not self._is_wanted() or self.state.phase in (Phase.GAVE_UP, Phase.DONE):
            return FOREVER
        if now < self._due:
            return self._due
        return self._start(now)

    def _advance_kept(self, now: float) -> float:
        spec, state = self.workload.spec, self.state
        if state.ending:
            return FOREVER  # the keeper sees to it, and its end is told
        if not self._is_wanted() or state.task_id != spec.task_id:
            self.end(Ending.SHUTDOWN if self._house.is_stopping else Ending.STOP)
            return FOREVER
        record = self.find_record()
        if record is None:
            return now + 0.02
        if spec.kind is Kind.JOB:
            if state.phase is Phase.STARTING:
                self._set_ready()
            left_s = spec.deadline_s - (time.time() - record.started_at) if spec.deadline_s else FOREVER
            if left_s <= 0:
                self.end(Ending.DEADLINE)
            return now + left_s
        if state.phase is Phase.STARTING and spec.health and now >= self._began + spec.health.ready_timeout_s:
            self.end(Ending.READY_TIMEOUT)
            return FOREVER
        return self._ask(now)

    def _ask(self, now: float) -> float:
        health = self.workload.spec.health
        if health is None:
            if self.state.phase is Phase.STARTING and now >= self._began + LIVES_S:
                self._set_ready()
            return FOREVER if self.state.phase is Phase.RUNNING else self._began + LIVES_S
        if self._probe is not None:
            if now >= self._probe.deadline:
                self._probe.expire()
            return now if self._probe is None else self._probe.deadline
        if now < self._probe_at:
            return self._probe_at
        self._probe = Probe(
            self._house.selector,
            port=self.state.port,
            path=health.path,
            ok_below=health.ok_below,
            now=now,
            told=self._hear,
        )
        return self._probe.deadline

    def _hear(self, is_good: bool) -> None:
        self._probe = None
        health, now = self.workload.spec.health, time.monotonic()
        if health is None or self.state.ending:
            return
        if self.state.phase is Phase.STARTING:
            if is_good:
                self._set_ready()
            self._probe_at = now + (health.interval_s if is_good else self._probe_wait_s)
            self._probe_wait_s = min(self._probe_wait_s * 1.5, SLOWEST_QUESTION_S)
            return
        self._failures = 0 if is_good else self._failures + 1
        self._probe_at = now + health.interval_s
        if self._failures >= health.failures:
            self.end(Ending.UNHEALTHY)

    def _forget_probe(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
        self._probe, self._probe_at, self._probe_wait_s, self._failures = None, 0.0, FIRST_QUESTION_S, 0

    def _set_ready(self) -> None:
        self.state.phase, self.state.was_ready = Phase.RUNNING, True
        self.state.reason = self.state.message = ""
        self._save()
        self.workload.note_request()
        log.info("instance_ready", svc=self.workload.svc_name, instance=self.number, task_id=self.state.task_id)

    # The start

    def _start(self, now: float) -> float:
        workload, spec = self.workload, self.workload.spec
        cards = self._house.lease(self, spec.resources)
        if cards is None:
            return self._wait_for(Reason.NO_CAPACITY, "No card of that kind is free.")
        if spec.kind is Kind.JOB and not self._house.take_job_slot():
            return self._wait_for("queued", "Other jobs run before it.")
        try:
            port = self._house.allot_port(self) if needs_port(spec) else 0
            orders = self._orders(cards, port)
            if self.state.phase is Phase.IDLE:
                self.state.reason = self.state.message = ""  # it has waited for its turn
            self.state.launch = self._house.store.next("launch")
            self.state.phase, self.state.ending, self.state.exit_code = Phase.STARTING, Ending.NONE, None
            self.state.port, self.state.cards = port, [card.id for card in cards]
            self.state.started_at = time.time()
            # It is remembered before it happens: a keeper that nobody remembers is ended at the next start.
            self._save()
            self._launch(orders)
        except HubError as error:
            self._give_up(error.code, str(error))
            return FOREVER
        except OSError as error:
            self._ended(None, "start_failed", f"It cannot be started: {error.strerror}.")
            return FOREVER
        self._began = now
        self._forget_probe()
        log.info("instance_starts", svc=workload.svc_name, instance=self.number, task_id=self.state.task_id, port=port)
        return now + 0.02

    def _orders(self, cards: Sequence[Card], port: int) -> dict[str, Any]:
        workload = self.workload
        path = self._house.places.log(workload.svc_name, self.state.task_id, self.number)
        for directory in (self._control, path.parent):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return build_orders(
            workload.spec,
            control=self._control,
            log=path,
            port=port,
            cards=cards,
            secrets=workload.open_secrets(),
            mounts=workload.mounts,
            isolation=self._house.isolation,
            grace_s=self._house.settings.compute_stop_grace_s,
        )

    def _launch(self, orders: dict[str, Any]) -> None:
        orders = orders | {"launch": self.state.launch}
        self.keeping = launch_keeper(self._house.selector, self._control, orders, ended=self._keeper_ended)

    def _wait_for(self, reason: str, message: str) -> float:
        # All are asked again whenever something has ended.
        if self.state.reason != reason:
            self.state.reason, self.state.message = reason, message
            self._save()
        return FOREVER

    # The end

    def end(self, why: Ending) -> None:
        """End it; that it has ended is told later."""
        if self.keeping is None or self.state.ending:
            return
        self.state.ending = why
        self._save()
        self._forget_probe()
        self.keeping.tell(signal.SIGUSR1 if why in (Ending.MEMORY, Ending.DISK) else signal.SIGTERM)

    def _keeper_ended(self) -> None:
        keeping, self.keeping = self.keeping, None
        self._forget_probe()
        record = read_record(self._control)
        if keeping is not None and keeping.was_busy:
            # The keeper of an earlier start is still there: it is told to end, and then it is tried again.
            if record is not None and record.is_kept:
                keeper = next((one for one in list_processes() if one.pid == record.keeper_pid), None)
                if keeper is not None:
                    send_signal(keeper, signal.SIGTERM)
            self.state.phase, self._due = Phase.IDLE, time.monotonic() + 0.2
            return
        self._conclude(record if record is not None and record.launch == self.state.launch else None)

    def _conclude(self, record: Record | None) -> None:
        """The keeper is gone, or was never seen: take what it has left."""
        if record is None:
            self._ended(None, "", "")
        elif record.has_ended:
            self._ended(record.exit_code, record.error, record.message)
        elif record.is_running and not self.state.ending:
            self._take_over(record)
        else:
            end_leftovers(record, list_processes())
            self._ended(None, "", "")

    def _take_over(self, record: Record) -> None:
        """Its keeper has died under it; another reads on."""
        log.warning("keeper_lost", svc=self.workload.svc_name, instance=self.number)
        try:
            orders = self._orders(self._house.cards_of(self), self.state.port)
            self._launch(adopting_orders(orders, pid=record.pid, ticks=record.ticks, started_at=record.started_at))
        except (HubError, OSError):
            end_leftovers(record, list_processes())
            self._ended(None, "", "")

    def _ended(self, exit_code: int | None, error: str, message: str) -> None:
        state, ending = self.state, self.state.ending
        state.exit_code, state.ending, state.cards = exit_code, Ending.NONE, []
        self.cpu_samples.clear()
        self.memory_bytes = 0
        reason = _REASONS.get(ending) or error or ("ExitUnknown" if exit_code is None else exit_reason(exit_code))
        log.info("instance_ended", svc=self.workload.svc_name, instance=self.number, reason=reason, ending=str(ending))
        if ending is Ending.STOP or (ending is Ending.SHUTDOWN and self.workload.spec.kind is not Kind.JOB):
            state.phase = Phase.IDLE
        elif self.workload.spec.kind is Kind.JOB:
            is_good = exit_code == 0 and not ending
            state.phase = Phase.DONE
            state.reason, state.message = ("", "") if is_good else (reason, message or self._last_words())
        elif error or ending in (Ending.READY_TIMEOUT, Ending.DISK):
            # Another try would end the same way.
            self._give_up(reason, message or self._last_words())
            return
        else:
            self._try_again(reason)
        self._save()

    def _try_again(self, reason: str) -> None:
        state, now = self.state, time.time()
        state.restarted_at = [moment for moment in state.restarted_at if now - moment < WINDOW_S]
        if not state.was_ready:
            state.early += 1
        if state.early >= MAX_TRIES or len(state.restarted_at) >= MAX_RESTARTS:
            is_loop = state.was_ready and reason != Reason.OUT_OF_MEMORY
            self._give_up(Reason.CRASH_LOOP if is_loop else reason, f"{reason}\n{self._last_words()}".strip())
            return
        delay_s = min(self._house.settings.compute_restart_delay_ms / 1000 * 2 ** len(state.restarted_at), MAX_DELAY_S)
        delay_s *= random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - nobody gains by guessing it
        state.restarted_at.append(now)
        state.restarts += 1
        state.phase, state.reason, state.message = Phase.WAITING, reason, self._last_words()
        self._due = time.monotonic() + delay_s
        self._house.say(self, f"is started again in {delay_s:.1f} s: {reason}")

    def _give_up(self, reason: str, message: str) -> None:
        self.state.phase, self.state.reason, self.state.message = Phase.GAVE_UP, reason, message
        self.state.cards = []
        self._save()
        self._house.say(self, f"is not started again: {reason}")
        log.warning("instance_gave_up", svc=self.workload.svc_name, instance=self.number, reason=reason)

    def _last_words(self) -> str:
        return tail(self._house.places.log(self.workload.svc_name, self.state.task_id, self.number), MESSAGE_LINES)

    # After a restart of the supervisor

    def recover(self) -> None:
        """Find out what became of it while no supervisor ran."""
        record = read_record(self._control)
        if self.state.phase not in (Phase.STARTING, Phase.RUNNING):
            if self.state.phase is Phase.WAITING:
                self._due = 0.0
            self._clear(record)
            return
        deadline = time.monotonic() + _RECORD_LIMIT_S
        while (record is None or record.launch != self.state.launch) and is_locked(self._control):
            # Its keeper had just been started; it writes itself down in some hundredths of a second.
            if time.monotonic() > deadline or (record is not None and record.is_kept and not record.has_ended):
                break
            time.sleep(0.02)
            record = read_record(self._control)
        if record is None or record.launch != self.state.launch:
            self._clear(record)
            self._lose()
        elif not record.has_ended and record.is_kept:
            self.keeping = attach_keeper(self._house.selector, self._control, record, ended=self._keeper_ended)
            if self.keeping is None:
                self._conclude(read_record(self._control))
            self._began = time.monotonic() - max(0.0, time.time() - record.started_at)
            log.info("instance_adopted", svc=self.workload.svc_name, instance=self.number, pid=record.pid)
            if self.keeping is not None and self.state.ending:
                self.keeping.tell(signal.SIGTERM)
        elif record.has_ended or record.is_running:
            self._conclude(record)
        else:
            end_leftovers(record, list_processes())
            self._lose()

    def _lose(self) -> None:
        """The machine, or all of the hub at once, has gone down under it."""
        if self.workload.spec.kind is Kind.JOB:
            self.state.ending = self.state.ending or Ending.SHUTDOWN
            self._ended(None, "", "The hub or its machine has stopped while it ran.")
        else:
            self.state.phase, self.state.ending, self.state.cards = Phase.IDLE, Ending.NONE, []
            self._save()

    def _clear(self, record: Record | None) -> None:
        """End what an earlier start has left here."""
        if record is not None and record.is_kept:
            for process in list_processes():
                if process.pid == record.keeper_pid:
                    send_signal(process, signal.SIGTERM)
        elif record is not None and not record.has_ended:
            end_leftovers(record, list_processes())

    def members(self, processes: Sequence[Process]) -> list[Process]:
        """All its processes."""
        record = self.find_record()
        return record.members(processes) if record else []

    def let_go(self) -> None:
        """Leave it running; the next supervisor finds it."""
        self._forget_probe()
        if self.keeping is not None:
            self.keeping.let_go()
            self.keeping = None
