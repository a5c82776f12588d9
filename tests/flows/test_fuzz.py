"""Generated requests to every operation of the API: none breaks the hub, and every answer is as it is described."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from hub.api.description import operations_of
from tests.support.fuzz import EXCLUDED, Fuzzer, make_fuzzer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fuzzer() -> Iterator[Fuzzer]:
    with make_fuzzer() as fuzzer:
        yield fuzzer


def count_operations(fuzzer: Fuzzer, only: str = "") -> int:
    """How many operations a run must try."""
    excluded = re.compile("|".join(EXCLUDED))
    document = fuzzer.hub.api.get("/api/openapi.json").json
    paths = [path for path, _, _ in operations_of(document)]
    return len([path for path in paths if not excluded.search(path) and re.search(only, path)])


def test_as_a_user(fuzzer: Fuzzer) -> None:
    outcome = fuzzer.run(fuzzer.owner, examples=3, phases=("examples", "fuzzing"))
    assert outcome.failures == ""
    assert outcome.tested == count_operations(fuzzer)


def test_as_an_administrator_where_others_may_not(fuzzer: Fuzzer) -> None:
    only = "/admin/|/licenses|/verify|/tags|/jwt|/users|/labels|downloads$|opweight$"
    outcome = fuzzer.run(fuzzer.hub.administrator, examples=3, phases=("examples", "fuzzing"), only=only)
    assert outcome.failures == ""
    assert outcome.tested == count_operations(fuzzer, only)


def test_as_nobody(fuzzer: Fuzzer) -> None:
    outcome = fuzzer.run(None, examples=1, phases=("examples", "fuzzing"))
    assert outcome.failures == ""
    assert outcome.tested == count_operations(fuzzer)
