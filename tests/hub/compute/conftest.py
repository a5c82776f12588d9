"""The drivers that the contract is tried on, and workloads for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.accounts.models import Organization, User
from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.settings import Settings
from hub.compute.driver import ComputeDriver
from hub.compute.fake import FakeDriver
from hub.compute.machines import MACHINES
from hub.compute.models import Workload
from hub.compute.service.workloads import create_workload
from hub.compute.spec import WorkloadSpec
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.run import execute
from tests.support.compute import LocalCompute


@pytest.fixture
def bare_context(tmp_path: Path) -> Context:
    """What a driver needs of a hub: its settings and its clock."""
    return Context(Settings(home=tmp_path))


@pytest.fixture
def fake_driver(bare_context: Context) -> Iterator[ComputeDriver]:
    """The driver that runs nothing, on a home of its own."""
    driver = FakeDriver.from_context(bare_context)
    yield driver
    driver.close()


@pytest.fixture
def local_compute(tmp_path: Path) -> Iterator[LocalCompute]:
    """The driver that starts processes, with a supervisor on a home of its own."""
    compute = LocalCompute(tmp_path)
    try:
        yield compute.start()
    finally:
        compute.close()


@pytest.fixture
def local_driver(local_compute: LocalCompute) -> ComputeDriver:
    """The driver of ``local_compute``."""
    return local_compute.driver


@pytest.fixture(params=["fake", "local"])
def driver(request: pytest.FixtureRequest) -> ComputeDriver:
    """Each driver in turn, with nothing running: of the fixture ``NAME_driver``."""
    found: ComputeDriver = request.getfixturevalue(f"{request.param}_driver")
    return found


@pytest.fixture
def other(driver: ComputeDriver, bare_context: Context) -> Iterator[ComputeDriver]:
    """A second object of the same driver, as another process has it."""
    second = type(driver).from_context(bare_context)
    yield second
    second.close()


@pytest.fixture
def run_jobs(context: Context) -> Iterator[Callable[[], list[str]]]:
    """``run_jobs()`` does what waits on the queue of workloads, as a worker would; the names, in their order."""

    def run() -> list[str]:
        done: list[str] = []
        while True:
            with reading(context) as work:
                waiting = select(Job).where(
                    Job.queue == "compute", Job.state == JobState.QUEUED, Job.run_after <= work.now()
                )
                job = work.session.scalar(waiting.order_by(Job.id).limit(1))
            if job is None:
                return done
            execute(context, job.uuid)
            done.append(job.name)

    yield run
    # Whoever has asked for the endpoint of a workload has begun to answer there.
    if context.settings.compute == "fake":
        context[MACHINES].driver.close()


@pytest.fixture
def make_workload(context: Context) -> Callable[..., Workload]:
    """``make_workload(user, serving())``: a workload in the user's namespace, for nothing in particular."""

    def make(owner: User, spec: WorkloadSpec, *, organization: Organization | None = None, **members: Any) -> Workload:
        with unit_of_work(context) as work:
            return create_workload(
                work,
                actor=Actor.of_user(owner, via="session"),
                namespace=(organization or owner).namespace,
                **{"purpose": "tests", "spec": spec} | members,
            )

    return make
