"""The drivers that the contract is tried on, and workloads for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.base.context import Context
from hub.base.settings import Settings
from hub.compute.driver import ComputeDriver
from hub.compute.fake import FakeDriver
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
