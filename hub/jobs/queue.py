"""The courier: carries the ids of committed jobs to workers. It may lose them; the sweep sends them again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import redis

from hub.base.context import Key
from hub.base.log import get_logger
from hub.base.settings import Settings
from hub.db.uow import UnitOfWork
from hub.jobs.models import Job, JobState

if TYPE_CHECKING:
    from rq import Queue

log = get_logger(__name__)

REDIS: Key[redis.Redis] = Key("jobs.redis")

# What RQ calls in the worker: named by path, so that senders need not import it.
RUN_FUNCTION = "hub.jobs.worker.run_job"
STOPPED_FUNCTION = "hub.jobs.worker.settle_stopped"

# After a refused connection the next sends leave the job to the sweep at once, instead of waiting for a time-out each.
_PAUSE_S = 3.0
_CONNECT_TIMEOUT_S = 2.0
_SOCKET_TIMEOUT_S = 10.0
_MAX_CONNECTIONS = 50
# RQ's own limit comes after the worker's, which it only backs up; its records of failed runs are for debugging.
_FAILURE_TTL_S = 24 * 3600


class JobQueue(Protocol):
    """What carries jobs. Neither method raises when the courier is away: the database has the truth."""

    def send(self, job: Job) -> bool:
        """Hand a committed, queued job to a worker; False when it could not be handed over now."""

    def stop(self, job: Job) -> None:
        """Tell the worker that runs the job to end it. The request is in the row, too, should this be lost."""


QUEUE: Key[JobQueue] = Key("jobs.queue")


def send_after_commit(work: UnitOfWork, job: Job) -> None:
    """Hand the job to a worker once the unit of work has committed; without a queue it waits in the database."""
    if QUEUE not in work.context:
        return
    queue = work.context[QUEUE]

    def send() -> None:
        queue.send(job)

    work.after_commit(send)


def redis_url(settings: Settings) -> str:
    """The address of Redis: the setting, else the one that this home's ``hub serve`` runs (or would run)."""
    if settings.redis_url:
        return settings.redis_url
    try:
        return (settings.run_path / "redis.url").read_text().strip()
    except FileNotFoundError:
        return f"unix://{settings.run_path / 'redis.sock'}"


def connect(settings: Settings, *, is_waiting: bool = False) -> redis.Redis:
    """A client for Redis. It connects at the first command, so Redis need not run yet.

    Of many commands at once some wait for a connection. is_waiting: for commands that wait on the server; they have
    no time limit of the client's.
    """
    pool = redis.BlockingConnectionPool.from_url(
        redis_url(settings),
        max_connections=_MAX_CONNECTIONS,
        timeout=_SOCKET_TIMEOUT_S,
        socket_connect_timeout=_CONNECT_TIMEOUT_S,
        socket_timeout=None if is_waiting else _SOCKET_TIMEOUT_S,
        health_check_interval=30,
    )
    return redis.Redis.from_pool(pool)


def delivery_id(job: Job) -> str:
    """RQ's id for one delivery: the job's uuid and the number of the attempt that it asks for."""
    attempt = job.attempt if job.state == JobState.RUNNING else job.attempt + 1
    return f"{job.uuid}-{attempt}"


class RedisQueue:
    """Carries jobs through RQ. Arguments travel as JSON: nothing that comes out of Redis is unpickled."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._away_until = 0.0

    def rq_queue(self, name: str) -> Queue:
        """RQ's queue of that name."""
        import rq  # deliberate: a web worker pays for RQ at its first job, not at its start

        return rq.Queue(name, connection=self._client, serializer="json")

    def send(self, job: Job) -> bool:
        if time.monotonic() < self._away_until:
            return False
        from rq import Callback

        try:
            self.rq_queue(job.queue).enqueue_call(
                RUN_FUNCTION,
                args=(job.uuid,),
                job_id=delivery_id(job),
                timeout=job.timeout_s,
                result_ttl=0,
                failure_ttl=_FAILURE_TTL_S,
                description=f"{job.name} {job.uuid}",
                on_stopped=Callback(STOPPED_FUNCTION),
            )
        except (redis.RedisError, OSError) as error:
            self._away_until = time.monotonic() + _PAUSE_S
            log.warning("job_not_sent", job=job.uuid, name=job.name, reason=type(error).__name__)
            return False
        return True

    def stop(self, job: Job) -> None:
        from rq.command import send_stop_job_command
        from rq.exceptions import InvalidJobOperation, NoSuchJobError

        try:
            send_stop_job_command(self._client, delivery_id(job), serializer="json")
        except (InvalidJobOperation, NoSuchJobError, redis.RedisError, OSError) as error:
            # The run sees the request in its row a few seconds later.
            log.info("job_stop_not_sent", job=job.uuid, reason=type(error).__name__)

    def waiting(self, name: str) -> set[str]:
        """The delivery ids that wait in the queue of that name. Raises redis.RedisError."""
        return {as_text(item) for item in self._client.lrange(self.rq_queue(name).key, 0, -1)}


def as_text(value: bytes | str) -> str:
    """What Redis answered, as text."""
    return value.decode() if isinstance(value, bytes) else value


class InlineQueue:
    """Runs each job in this process as soon as its unit of work has committed: for Lite and for tests.

    run: ``lambda uuid: execute(context, uuid)``, from ``hub.jobs.run``.
    """

    def __init__(self, run: Callable[[str], None]) -> None:
        self._run = run

    def send(self, job: Job) -> bool:
        self._run(job.uuid)
        return True

    def stop(self, job: Job) -> None:
        """Nothing to do: whoever could cancel the job waits for its end."""
