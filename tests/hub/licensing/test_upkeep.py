import logging
from datetime import timedelta

import pytest
from sqlalchemy import update

from hub.db.uow import unit_of_work
from hub.jobs.models import JobState
from hub.jobs.run import run_due
from hub.jobs.schedule import SCHEDULES
from hub.jobs.service import enqueue, get_job
from hub.licensing.events import LicenseExpiring
from hub.licensing.models import Installation, StoredRevocations
from hub.licensing.service import WITNESSES, check
from tests.support.licenses import NOW, install, make_license, plant

DAY = timedelta(days=1)
ONE = "6f1c7e0e-0000-4000-8000-000000000001"


@pytest.fixture
def heard(context):
    """The days of the warnings that were told."""
    days = []
    context.events.subscribe(LicenseExpiring, lambda event: days.append(event.days_left))
    return days


def test_each_mark_is_told_of_once(context, clock, heard):
    install(context, make_license(expire_time=NOW + 31 * DAY))
    for hours in range(0, 40 * 24, 6):
        clock.moment = NOW + timedelta(hours=hours)
        check(context)
    assert heard == [30, 14, 7, 3, 1]


def test_after_a_pause_only_the_mark_that_counts_now_is_told(context, clock, heard):
    install(context, make_license(expire_time=NOW + 31 * DAY))
    check(context)
    clock.moment = NOW + 26 * DAY
    check(context)
    check(context)
    assert heard == [5]


def test_a_renewal_starts_afresh_whether_it_keeps_the_id_or_not(context, clock, heard):
    install(context, make_license(id=ONE, expire_time=NOW + 2 * DAY))
    check(context)
    install(context, make_license(id=ONE, issued_at=NOW, expire_time=NOW + 60 * DAY))
    check(context)
    clock.moment = NOW + 31 * DAY
    check(context)
    install(context, make_license(expire_time=clock.moment + 20 * DAY))
    check(context)
    assert heard == [2, 29, 20]


def test_nobody_is_warned_of_what_has_no_end_or_is_over(context, clock, heard):
    check(context)
    install(context, make_license(expire_time=None))
    check(context)
    install(context, make_license(expire_time=NOW - DAY))
    assert check(context).state == "grace"
    clock.moment = NOW + 20 * DAY
    assert check(context).state == "expired"
    assert heard == []


def test_an_invalid_licence_is_an_alarm_in_the_log(context, caplog):
    plant(context, "edited")
    with caplog.at_level(logging.WARNING):
        assert check(context).state == "invalid"
    [alarm] = [record for record in caplog.records if record.message == "license_invalid"]
    assert (alarm.levelname, alarm.hub_fields["reason"]) == ("ERROR", "malformed")


def test_what_was_forged_is_in_the_log_once_an_hour_and_not_at_every_look(context, licensing, settings, caplog):
    install(context, make_license())
    (settings.home / "license-clock").write_text("2099-01-01T00:00:00+00:00 forged")
    context[WITNESSES].add("broken", lambda work: 1 / 0)
    with unit_of_work(context) as work:
        work.session.execute(update(Installation).values(high_water_signature="forged"))
        work.session.add(StoredRevocations(text="edited", issued_at=NOW, created_at=NOW))
    with caplog.at_level(logging.WARNING):
        licensing.refresh()
        assert caplog.records == []
        assert check(context).state == "valid"
    assert [record.message for record in caplog.records] == [
        *["license_clock_fault"] * 3,
        "license_revocations_rejected",
    ]


def test_the_job_runs_every_hour(context):
    assert context[SCHEDULES]["licensing.check"].next_after(NOW) - NOW <= timedelta(hours=1)
    install(context, make_license())
    with unit_of_work(context) as work:
        uuid = enqueue(work, "licensing.check").uuid
    run_due(context)
    with unit_of_work(context) as work:
        job = get_job(work, uuid)
    assert job.state == JobState.SUCCEEDED, job.error
    assert "valid: The licence is in force." in job.log
