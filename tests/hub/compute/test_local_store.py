"""What the supervisor stores of what instances used: one row a minute, for a while, and gone with the workload."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from hub.compute.local.store import Store

pytestmark = pytest.mark.any_database


def test_minutes_are_kept_for_a_while_and_go_with_the_workload(tmp_path: Path) -> None:
    with contextlib.closing(Store(tmp_path / "state.db")) as store:
        store.save_samples([("web", 0, 10, 100, 1), ("web", 1, 10, 50, 2), ("other", 0, 10, 7, 3)], oldest=0)
        store.save_samples([("web", 0, 11, 200, 4)], oldest=0)
        store.save_samples([("web", 0, 11, 300, 5)], oldest=0)  # said again by the next supervisor
        assert store.samples("web", 0, 0) == [(10, 100, 1), (11, 300, 5)]
        assert store.samples("web", 0, 11) == [(11, 300, 5)]
        store.save_samples([("web", 0, 12, 1, 1)], oldest=11)
        assert [row[0] for row in store.samples("web", 0, 0)] == [11, 12]
        assert store.samples("web", 1, 0) == [(10, 50, 2)]
        store.forget("web")
        assert (store.samples("web", 0, 0), store.samples("web", 1, 0)) == ([], [])
        assert store.samples("other", 0, 0) == [(10, 7, 3)]
