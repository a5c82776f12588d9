"""Whatever is wrong with a licence, the community edition works on."""

from datetime import timedelta

import pytest

from hub.accounts import service
from hub.accounts.policy import SYSTEM
from hub.db.uow import reading, unit_of_work
from hub.licensing.service import advance_clock, check
from tests.support.licenses import NOW, install, make_license, make_revocations, plant
from tests.support.pushes import Workbench

DAY = timedelta(days=1)
ONE = "6f1c7e0e-0000-4000-8000-000000000001"


def set_clock_back(context, clock):
    install(context, make_license())
    clock.moment = NOW + 2 * DAY
    advance_clock(context)
    clock.moment = NOW


def revoke(context, clock):
    install(context, make_license(id=ONE))
    install(context, make_revocations(ONE))


def expire(context, clock):
    install(context, make_license(expire_time=NOW + DAY))
    clock.moment = NOW + 16 * DAY


FAULTS = {
    "truncated": lambda context, clock: plant(context, make_license()[:-200]),
    "not a licence": lambda context, clock: plant(context, "hello"),
    "another product": lambda context, clock: plant(context, make_license(product="other")),
    "a future version": lambda context, clock: plant(context, make_license(version=7)),
    "two licences": lambda context, clock: plant(context, make_license() + make_license()),
    "another installation": lambda context, clock: plant(context, make_license(fingerprint="ab" * 32)),
    "not begun": lambda context, clock: plant(context, make_license(start_time=NOW + 9 * DAY)),
    "clock set back": set_clock_back,
    "revoked": revoke,
    "expired": expire,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_nothing_of_the_community_edition_stops(fault, context, licensing, clock, make_repository):
    fault(context, clock)
    licensing.refresh()
    assert licensing.standing().state in ("invalid", "expired")
    assert licensing.standing().message.count(".") >= 1
    assert (licensing.edition.name, licensing.has("billing"), licensing.limit("users")) == ("ce", False, None)
    for number in range(13):
        with unit_of_work(context) as work:
            user = service.create_user(work, actor=SYSTEM, name=f"user-{number}", email=f"u{number}@example.org")
    bench = Workbench(context, make_repository(user, "thing"))
    bench.update(bench.commit({"a.txt": b"a"}, message="works"))
    assert check(context).state in ("invalid", "expired")
    with reading(context) as work:
        assert service.list_users(work, actor=SYSTEM).total == 13
