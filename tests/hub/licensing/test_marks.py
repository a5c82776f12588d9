from datetime import timedelta

import pytest
from sqlalchemy import text, update

from hub.base.errors import Invalid
from hub.base.secrets import SECRET, Signer
from hub.db.uow import reading, unit_of_work
from hub.licensing.installation import installation
from hub.licensing.marks import find_high_water
from hub.licensing.models import Installation
from hub.licensing.service import WITNESSES, advance_clock
from tests.support.licenses import NOW, install, make_license
from tests.support.pushes import Workbench

DAY = timedelta(days=1)


def high_water(context):
    with reading(context) as work:
        return find_high_water(work)


def spoil_row(context, moment, signature="forged"):
    with unit_of_work(context) as work:
        work.session.execute(update(Installation).values(high_water_at=moment, high_water_signature=signature))


@pytest.fixture
def file(settings):
    return settings.home / "license-clock"


def test_marks_move_forward_only(context, clock, file):
    assert high_water(context) is None
    for offset, expected in ((0, 0), (5, 5), (3, 5), (6, 6)):
        clock.moment = NOW + offset * DAY
        advance_clock(context)
        assert high_water(context) == NOW + expected * DAY
    assert file.read_text().startswith("2026-11-29T12:00:00+00:00 ")


def test_a_clock_that_is_set_back_makes_the_licence_invalid_until_it_is_right_again(context, licensing, clock):
    install(context, make_license())
    clock.moment = NOW - DAY
    assert licensing.standing().state == "valid"
    clock.moment = NOW - DAY - timedelta(seconds=1)
    standing = licensing.standing()
    assert (standing.state, standing.reason, licensing.has("billing")) == ("invalid", "clock", False)
    assert "Set the clock right" in standing.message
    with pytest.raises(Invalid) as caught:
        install(context, make_license())
    assert caught.value.code == "license_clock"
    clock.moment = NOW
    assert licensing.has("billing")


def test_either_mark_alone_remembers(context, licensing, clock, file):
    install(context, make_license())
    content = file.read_text()
    clock.moment = NOW - 2 * DAY
    file.unlink()
    licensing.refresh()
    assert licensing.standing().reason == "clock"
    file.write_text(content)
    spoil_row(context, None)
    licensing.refresh()
    assert licensing.standing().reason == "clock"


@pytest.fixture
def fingerprint(context):
    """Of this installation."""
    with unit_of_work(context) as work:
        return installation(work).fingerprint


def run_ahead(context, clock, make_user, make_repository):
    """Let the clock jump for years and come back, with a push in between."""
    install(context, make_license())
    clock.moment = NOW + 400 * DAY
    advance_clock(context)
    make_repository(make_user("ada"))
    clock.moment = NOW


def test_a_licence_that_resets_the_clock_is_good_where_it_once_ran_ahead(
    context, licensing, clock, fingerprint, make_user, make_repository
):
    run_ahead(context, clock, make_user, make_repository)
    licensing.refresh()
    assert licensing.standing().reason == "clock"
    reset = make_license(issued_at=NOW, fingerprint=fingerprint, extra={"reset_clock": True})
    install(context, reset)
    assert licensing.standing().state == "valid"
    advance_clock(context)
    assert high_water(context) > NOW + DAY  # the push still says so
    licensing.refresh()
    assert licensing.standing().state == "valid"
    clock.moment = NOW - 2 * DAY
    assert licensing.standing().reason == "clock"
    # Imported again, it is no way back.
    with pytest.raises(Invalid, match="clock"):
        install(context, reset)


@pytest.mark.parametrize("members", [{"fingerprint": ...}, {"extra": {}}, {"issued_at": NOW - 900 * DAY}])
def test_no_other_licence_resets_the_clock(context, clock, fingerprint, make_user, make_repository, members):
    run_ahead(context, clock, make_user, make_repository)
    terms = {"issued_at": NOW, "fingerprint": fingerprint, "extra": {"reset_clock": True}} | members
    with pytest.raises(Invalid) as caught:
        install(context, make_license(**terms))
    assert caught.value.code == "license_clock"


@pytest.mark.parametrize("text", ["", "never", "2099-01-01T00:00:00+00:00 forged", "\0" * 1000, "ü x"])
def test_a_mark_that_is_forged_or_damaged_counts_as_none(context, licensing, file, text):
    install(context, make_license())
    file.write_text(text)
    spoil_row(context, NOW + 999 * DAY)
    licensing.refresh()
    assert licensing.standing().state == "valid"
    assert high_water(context) is None
    advance_clock(context)
    assert high_water(context) == NOW


def test_a_mark_is_signed_for_this_purpose(context, file):
    moment = "2099-01-01T00:00:00+00:00"
    file.write_text(f"{moment} {Signer(context[SECRET], 'another').sign(moment)}")
    assert high_water(context) is None


def test_a_home_that_cannot_be_written_to_stops_nothing(context, clock, file):
    file.mkdir()
    advance_clock(context)
    assert high_water(context) == NOW


def test_witnesses_are_heard_and_one_that_fails_is_passed_over(context, licensing, clock):
    def fail(work):
        raise RuntimeError

    context[WITNESSES].add("ledger", lambda work: NOW + 2 * DAY)
    context[WITNESSES].add("silent", lambda work: None)
    context[WITNESSES].add("broken", fail)
    context[WITNESSES].add("lost", lambda work: work.session.scalar(text("SELECT a FROM no_such_table")))
    assert high_water(context) == NOW + 2 * DAY
    clock.moment = NOW + 2 * DAY
    assert install(context, make_license()).standing.state == "valid"


def test_the_latest_push_bears_witness(context, licensing, clock, make_user, make_repository):
    install(context, make_license())
    clock.moment = NOW + 5 * DAY
    bench = Workbench(context, make_repository(make_user("ada"), "thing"))
    bench.update(bench.commit({"a.txt": b"a"}, message="late"))
    clock.moment = NOW + 3 * DAY
    licensing.refresh()
    assert licensing.standing().reason == "clock"
