"""Every step from one state to another, the legal and the illegal."""

from __future__ import annotations

import itertools

import pytest

from hub.compute.states import WORDS, Code
from hub.compute.transitions import Cause, may_follow

# The legal steps of the compute contract, 1.4, each state with those that may follow it; all others are refused.
_STEPS = {
    Cause.USER: """
        0: 0 26 27
        10: 26 27
        11: 26 27
        12: 0 26 27
        13: 0 26 27
        20: 26 27
        21: 0 26 27
        22: 26 27
        23: 26 27
        24: 0 26 27
        25: 26 27
        26: 0 27
        30: 0 27
        31: 0 27
    """,
    Cause.BUILDER: """
        0: 10
        10: 11 12 13
        11: 12 13
    """,
    Cause.DRIVER: """
        0: 20 21 22 23 24 25 30 31
        13: 20 21 22 23 24 25 30 31
        20: 20 21 22 23 24 25 30 31
        21: 20 21 22 23 24 25
        22: 20 21 22 23 24 25 30 31
        23: 20 22 23 24 25 30 31
        24: 20 22 23 24 25
        25: 20 22 23 24 25
    """,
}


def _legal(text: str) -> set[tuple[int, int]]:
    rows = (line.split(":") for line in text.split("\n") if line.strip())
    return {(int(old), int(new)) for old, news in rows for new in news.split()}


@pytest.mark.parametrize("cause", list(Cause))
def test_no_step_but_the_legal_ones_is_allowed(cause: Cause) -> None:
    allowed = {(old, new) for old, new in itertools.product(Code, Code) if may_follow(old, new, cause)}
    assert allowed == _legal(_STEPS[cause])


def test_what_is_stopped_cannot_fail_and_what_is_deleted_stays_so() -> None:
    assert not any(may_follow(Code.STOPPED, Code.DEPLOY_FAILED, cause) for cause in Cause)
    assert not any(may_follow(Code.DELETED, new, cause) for new in Code for cause in Cause)


def test_every_code_has_the_word_of_the_contract() -> None:
    words = {code.value: WORDS[code] for code in Code}
    assert words == {
        0: "Pending",
        10: "Building",
        11: "Building",
        12: "BuildingFailed",
        13: "Deploying",
        14: "Stopped",
        20: "Deploying",
        21: "DeployFailed",
        22: "Deploying",
        23: "Running",
        24: "RuntimeError",
        25: "Sleeping",
        26: "Stopped",
        27: "Deleted",
        28: "ResourceUnhealthy",
        30: "Succeeded",
        31: "Failed",
    }
