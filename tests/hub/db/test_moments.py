import pytest

from hub.db.moments import MAX_KEPT, remembered
from hub.db.uow import reading, unit_of_work

pytestmark = pytest.mark.any_database


@pytest.fixture
def ask(context):
    """``ask()``: what is remembered under a key, and else the number of the reading."""
    readings = []

    def read():
        readings.append(1)
        return len(readings)

    def find(key="key"):
        with reading(context) as work:
            return remembered(work, key, read, for_s=5)

    return find


def write(context):
    with unit_of_work(context):
        pass


def test_what_was_read_is_told_until_its_moment_is_over(clock, ask):
    assert (ask(), ask(), ask("another"), ask()) == (1, 1, 2, 1)
    clock.advance(4)
    assert ask() == 1
    clock.advance(2)
    assert (ask(), ask()) == (3, 3)
    clock.advance(-60)  # a machine's clock that is set right
    assert ask() == 4


def test_who_writes_forgets_it_and_what_was_being_read_meanwhile(context, clock, ask):
    assert ask() == 1
    write(context)
    assert ask() == 2

    def read_while_others_write():
        write(context)
        return "old"

    with reading(context) as work:
        assert remembered(work, "raced", read_while_others_write, for_s=5) == "old"
        assert remembered(work, "raced", lambda: "new", for_s=5) == "new"


def test_a_unit_of_work_that_writes_reads_for_itself(context, clock, ask):
    assert ask() == 1
    with unit_of_work(context) as work:
        assert remembered(work, "key", lambda: "mine", for_s=5) == "mine"
        assert ask() == 1


def test_it_does_not_grow_without_end(clock, ask):
    for number in range(MAX_KEPT):
        ask(number)
    assert ask(0) == 1
    ask("one more")
    assert ask(0) > MAX_KEPT
