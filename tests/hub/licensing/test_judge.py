from datetime import datetime, timedelta

import pytest

from hub.base.errors import Invalid
from hub.licensing.judge import Audience, Facts, LicenseState, judge
from hub.licensing.verify import Verifier
from tests.support.licenses import KEYRING, NOW, make_license

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
BOUND = "ab" * 32


def licensed(**members):
    return Verifier(KEYRING).read_license(make_license(**members))


def state_at(now, **members):
    return judge(licensed(**members), now, Facts()).state


def test_without_a_licence_there_is_nothing_to_say():
    standing = judge(None, NOW, Facts())
    assert (standing.state, standing.edition_name, standing.notices) == (LicenseState.NONE, "ce", ())
    assert not standing.is_in_force


@pytest.mark.parametrize(
    ("offset", "state"),
    [
        (-30 * DAY - SECOND, LicenseState.VALID),
        (-30 * DAY, LicenseState.EXPIRING),
        (-SECOND, LicenseState.EXPIRING),
        (0 * DAY, LicenseState.GRACE),
        (1 * DAY, LicenseState.GRACE),
        (14 * DAY, LicenseState.GRACE),
        (14 * DAY + SECOND, LicenseState.EXPIRED),
        (15 * DAY, LicenseState.EXPIRED),
    ],
)
def test_time_takes_a_licence_from_valid_to_expired(offset, state):
    assert state_at(NOW + offset, expire_time=NOW) == state


def test_without_grace_a_licence_is_expired_as_soon_as_its_end_is_past():
    assert state_at(NOW - SECOND, expire_time=NOW, grace_days=0) == LicenseState.EXPIRING
    assert state_at(NOW + SECOND, expire_time=NOW, grace_days=0) == LicenseState.EXPIRED


def test_a_licence_begins_at_its_start_and_not_a_second_earlier():
    assert state_at(NOW, start_time=NOW) == LicenseState.VALID
    standing = judge(licensed(start_time=NOW + SECOND), NOW, Facts())
    assert (standing.state, standing.reason) == (LicenseState.INVALID, "not_started")


@pytest.mark.parametrize(("users", "state"), [(0, "valid"), (10, "valid"), (11, "valid"), (12, "over_seats")])
def test_seats_may_be_passed_by_the_overage_and_no_further(users, state):
    standing = judge(licensed(max_user=10), NOW, Facts(usage={"users": users}))
    assert standing.state == state
    assert standing.is_in_force


def test_the_overage_is_rounded_down_and_may_be_none():
    assert licensed(max_user=5).seats == 5
    assert licensed(max_user=19).seats == 20
    assert licensed(max_user=10, overage_pct=0).seats == 10
    assert licensed(max_user=-1).seats is None


@pytest.mark.parametrize(
    ("usage", "state"),
    [
        ({"nodes": 2, "gpus": 8}, "valid"),
        ({"nodes": 3}, "over_capacity"),
        ({"gpus": 9}, "over_capacity"),
        ({"nodes": 3, "users": 12}, "over_seats"),
    ],
)
def test_nodes_and_gpus_have_no_overage(usage, state):
    standing = judge(licensed(max_node=2, max_gpu=8), NOW, Facts(usage=usage))
    assert standing.state == state
    assert judge(licensed(), NOW, Facts(usage={"nodes": 999, "gpus": 999})).state == "valid"
    assert judge(licensed(max_gpu=0), NOW, Facts(usage={"gpus": 1})).state == "over_capacity"


def test_the_graver_state_stands():
    crowded = Facts(usage={"users": 12, "nodes": 3})
    ending = licensed(expire_time=NOW + DAY, max_node=2)
    over = licensed(expire_time=NOW - DAY, max_node=2)
    gone = licensed(expire_time=NOW - 15 * DAY, max_node=2)
    assert judge(ending, NOW, crowded).state == "over_seats"
    assert judge(over, NOW, crowded).state == "over_seats"
    assert judge(over, NOW, Facts(usage={"nodes": 3})).state == "over_capacity"
    assert judge(gone, NOW, crowded).state == "expired"
    assert judge(gone, NOW, Facts(revoked={gone.id: ""})).state == "invalid"


@pytest.mark.parametrize(
    ("facts", "reason", "word"),
    [
        (Facts(fingerprint="cd" * 32), "fingerprint", "another installation"),
        (Facts(), "fingerprint", "hub license request"),
        (Facts(fingerprint=BOUND, is_genuine=False), "fingerprint", "secret"),
        (Facts(fingerprint=BOUND, high_water=NOW + DAY + SECOND), "clock", "clock right"),
        (Facts(fingerprint=BOUND, is_superseded=True), "superseded", "newer"),
    ],
)
def test_what_does_not_fit_this_hub_makes_a_bound_licence_invalid(facts, reason, word):
    standing = judge(licensed(fingerprint=BOUND), NOW, facts)
    assert (standing.state, standing.reason, standing.edition_name) == (LicenseState.INVALID, reason, "ce")
    assert word in standing.message
    assert not standing.is_in_force


def test_a_bound_licence_is_good_at_home_and_a_floating_one_anywhere():
    assert judge(licensed(fingerprint=BOUND), NOW, Facts(fingerprint=BOUND)).state == "valid"
    assert judge(licensed(), NOW, Facts(fingerprint="cd" * 32, is_genuine=False)).state == "valid"


def test_a_clock_may_go_back_by_a_day_and_no_further():
    assert judge(licensed(), NOW, Facts(high_water=NOW + DAY)).state == "valid"
    assert judge(licensed(), NOW, Facts(high_water=NOW + DAY + SECOND)).reason == "clock"


def test_a_revoked_licence_is_invalid_and_says_why():
    license = licensed()
    standing = judge(license, NOW, Facts(revoked={license.id: "unpaid"}))
    assert (standing.reason, "unpaid" in standing.message) == ("revoked", True)


def test_a_perpetual_licence_covers_releases_until_its_maintenance_ends():
    until = datetime.fromisoformat("2026-06-01T00:00:00+00:00")
    license = licensed(expire_time=None, maintenance_until=until)
    assert judge(license, NOW, Facts(build_date=until)).state == "valid"
    assert judge(license, NOW + 4000 * DAY, Facts(build_date=until)).days_left is None
    assert judge(license, NOW, Facts(build_date=until + SECOND)).reason == "maintenance"
    assert judge(licensed(expire_time=None), NOW, Facts(build_date=NOW)).state == "valid"


def test_a_text_that_cannot_be_read_is_invalid_by_the_name_of_its_fault():
    fault = Invalid("The signature does not fit.", code="license_signature")
    standing = judge(None, NOW, Facts(fault=fault))
    assert (standing.state, standing.reason, standing.message) == ("invalid", "signature", str(fault))


@pytest.mark.parametrize(
    ("offset", "days"), [(30 * DAY, 30), (29.5 * DAY, 30), (SECOND, 1), (0 * DAY, 0), (-DAY, -1), (-1.5 * DAY, -1)]
)
def test_days_left_are_rounded_up(offset, days):
    assert judge(licensed(expire_time=NOW + offset), NOW, Facts()).days_left == days


@pytest.mark.parametrize(
    ("facts", "offset", "audience"),
    [
        (Facts(), 3 * DAY, Audience.ADMIN),
        (Facts(), -DAY, Audience.EVERYONE),
        (Facts(), -15 * DAY, Audience.ADMIN),
        (Facts(high_water=NOW + 9 * DAY), 3 * DAY, Audience.ADMIN),
        (Facts(usage={"users": 99}), 99 * DAY, Audience.ADMIN),
        (Facts(), 99 * DAY, None),
    ],
)
def test_notices_reach_those_whom_they_concern(facts, offset, audience):
    standing = judge(licensed(expire_time=NOW + offset), NOW, facts)
    assert [notice.audience for notice in standing.notices] == ([audience] if audience else [])
    assert all(notice.text == standing.message for notice in standing.notices)


def test_the_edition_is_the_licences_only_while_it_is_in_force_and_never_on_lite():
    assert judge(licensed(), NOW, Facts()).edition_name == "ee"
    assert judge(licensed(edition="ce"), NOW, Facts()).edition_name == "ce"
    assert judge(licensed(expire_time=NOW - 15 * DAY), NOW, Facts()).edition_name == "ce"
    assert judge(licensed(), NOW, Facts(default_edition="lite")).edition_name == "lite"
