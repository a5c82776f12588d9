"""Events are written once, whoever tells them how often, and read by each reader once."""

import random
import threading
from dataclasses import replace

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DatabaseError

from hub.base.errors import Invalid, NotFound
from hub.db.uow import reading, unit_of_work
from hub.metering.models import UsageDay, UsageEvent
from hub.metering.service import USAGE_READERS, UsageWriter, add_up_anew, record, replay, tell_readers
from hub.metering.usage import Power, Unit


def _tell(context, usages):
    with unit_of_work(context) as work:
        return record(work, usages)


def _rename(context, before, after):
    with unit_of_work(context) as work:
        work.session.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))


def _sums(context):
    with reading(context) as work:
        query = select(
            UsageDay.owner_uuid,
            UsageDay.day,
            UsageDay.customer_id,
            func.sum(UsageDay.events),
            func.sum(UsageDay.quantity),
            func.sum(UsageDay.prompt_tokens),
        )
        rows = work.rows(query.group_by(UsageDay.owner_uuid, UsageDay.day, UsageDay.customer_id))
        return {tuple(map(str, row[:3])): tuple(map(int, row[3:])) for row in rows}


def test_all_events_told_twice_and_shuffled_give_the_same_totals(context, make_usage):
    usages = [
        make_usage(f"owner-{number % 3}", number=number, prompt=number, customer_id=f"s-{number % 2}")
        for number in range(1, 61)
    ]
    assert _tell(context, usages) == 60
    tell_readers(context)
    before = _sums(context)
    assert sum(events for events, _, _ in before.values()) == 60
    assert sum(prompt for _, _, prompt in before.values()) == sum(range(1, 61))
    again = usages * 2
    random.Random(7).shuffle(again)
    for start in range(0, len(again), 17):
        assert _tell(context, again[start : start + 17]) == 0
    tell_readers(context)
    assert _sums(context) == before
    # From the events alone, in whatever order they were written, the same comes out.
    with unit_of_work(context) as work:
        add_up_anew(work)
    assert _sums(context) == {}
    tell_readers(context)
    assert _sums(context) == before


def test_many_requests_share_transactions_and_each_waits_for_its_own(context, make_usage):
    writer, seen, times = UsageWriter(context), [], set()

    def call(number):
        usage = make_usage("owner", number=number)
        writer.write(usage)
        with reading(context) as work:
            query = select(UsageEvent.recorded_at).where(UsageEvent.uuid == usage.id)
            times.update(work.session.scalars(query))
            seen.append(number)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(1, 41)]
    with unit_of_work(context) as work:
        # While somebody else writes, they come together.
        work.session.execute(update(UsageEvent).values(quantity=0))
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [*range(1, 41)]
    # All of a transaction were recorded at one moment.
    assert 1 <= len(times) < 40


def test_who_writes_hears_of_what_the_database_refused_and_the_next_is_written(context, make_usage):
    writer = UsageWriter(context)
    with pytest.raises(Invalid):
        writer.write(make_usage("owner", quantity=-1))
    lost = make_usage("owner" * 3)
    _rename(context, "usage_events", "elsewhere")
    with pytest.raises(DatabaseError):
        writer.write(lost)
    _rename(context, "elsewhere", "usage_events")
    writer.write(lost)
    with reading(context) as work:
        assert work.session.scalars(select(UsageEvent.uuid)).all() == [lost.id]


@pytest.mark.any_database
@pytest.mark.parametrize(
    "change",
    [
        {"id": "7"},
        {"id": "{00000000-0000-4000-8000-000000000001}"},
        {"quantity": 2**60},
        {"customer_id": "x" * 256},
        {"resource_name": "a\0b"},
        {"details": {str(number): number for number in range(41)}},
    ],
)
def test_what_cannot_be_stored_is_refused_as_a_whole(context, make_usage, change):
    good = make_usage("owner")
    with pytest.raises(Invalid):
        _tell(context, [good, replace(make_usage("owner"), **change)])
    with reading(context) as work:
        assert work.session.scalars(select(UsageEvent.id)).all() == []


def test_a_reader_that_fails_hears_the_same_again_and_holds_up_no_other(context, make_usage):
    heard, told = [], []

    def fail_once(work, usages):
        told.append([usage.id for usage in usages])
        if len(told) == 1:
            raise ValueError("the reader's own fault")
        heard.extend(usage.id for usage in usages)

    context[USAGE_READERS].add("acme", fail_once)
    usages = [make_usage("owner", number=number) for number in range(1, 4)]
    _tell(context, usages)
    tell_readers(context)
    assert (heard, len(_sums(context))) == ([], 1)
    tell_readers(context)
    tell_readers(context)
    assert heard == [usage.id for usage in usages]
    assert len(told) == 2
    with unit_of_work(context) as work:
        replay(work, "acme")
        with pytest.raises(NotFound):
            replay(work, "nobody")
    tell_readers(context)
    assert heard == [usage.id for usage in usages] * 2


def test_a_late_commit_with_a_smaller_id_is_heard_of(context, make_usage):
    """Ids are given before the commit: what was numbered first may be seen last."""
    heard = []
    context[USAGE_READERS].add("acme", lambda work, usages: heard.extend(usage.id for usage in usages))
    late, early = make_usage("owner", number=1), make_usage("owner", number=2)
    _tell(context, [early])
    tell_readers(context)
    with unit_of_work(context) as work:
        work.session.execute(update(UsageEvent).values(id=1000))
    _tell(context, [late])
    with unit_of_work(context) as work:
        work.session.execute(update(UsageEvent).where(UsageEvent.uuid == late.id).values(id=1))
    tell_readers(context)
    assert heard == [early.id, late.id]


@pytest.mark.any_database
def test_time_is_summed_with_what_was_held(context, make_usage):
    _tell(
        context,
        [make_usage("owner", unit=Unit.SECOND, quantity=3600, power=Power(2000, 4096, 500, "A10"), prompt=0)],
    )
    tell_readers(context)
    with reading(context) as work:
        row = work.session.scalars(select(UsageDay)).one()
        assert (row.cpu_millis_seconds, row.memory_mib_seconds) == (7_200_000, 4096 * 3600)
        assert (row.gpu_millis_seconds, row.gpu_model) == (1_800_000, "A10")
