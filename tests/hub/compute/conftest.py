"""The drivers that the contract is tried on, and workloads for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.base.context import Context
from hub.base.settings import Settings
from hub.compute.driver import ComputeDriver
from hub.compute.fake import FakeDriver


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


@pytest.fixture(params=["fake"])
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
