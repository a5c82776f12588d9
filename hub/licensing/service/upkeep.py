"""What the hourly job does: the licence judged afresh, the clock's marks moved, administrators warned in time."""

from __future__ import annotations

from hub.base.context import Context
from hub.base.events import publish
from hub.base.log import get_logger
from hub.db.uow import UnitOfWork, unit_of_work
from hub.licensing.events import LicenseExpiring
from hub.licensing.installation import lock_row
from hub.licensing.judge import LicenseState, Standing
from hub.licensing.marks import advance_marks, find_high_water
from hub.licensing.service.face import LICENSING
from hub.licensing.snapshot import find_revocations

log = get_logger(__name__)

# Days before the end at which administrators are told. Source: gateways contract, section 5.3, state "expiring".
NOTICE_DAYS = (30, 14, 7, 3, 1)


def check(context: Context) -> Standing:
    """Judge the licence afresh, and tell of what an administrator must know. May run at any time, and twice."""
    licensing = context[LICENSING]
    licensing.refresh()
    with unit_of_work(context) as work:
        find_high_water(work, log_faults=True)
        find_revocations(work, licensing.verifier, log_faults=True)
        advance_marks(work)
        standing = licensing.standing(work)
        _warn_of_end(work, standing)
    license_id = standing.license.id if standing.license else ""
    if standing.state is LicenseState.INVALID:
        log.error("license_invalid", reason=standing.reason, license_id=license_id)
    elif standing.notices:
        log.warning("license_notice", state=standing.state.value, days_left=standing.days_left, license_id=license_id)
    return standing


def _warn_of_end(work: UnitOfWork, standing: Standing) -> None:
    license, days_left = standing.license, standing.days_left
    if not standing.is_in_force or license is None or days_left is None or days_left <= 0:
        return
    row = lock_row(work)
    if row.noticed_license_id != license.id or days_left > NOTICE_DAYS[0]:
        row.noticed_license_id, row.noticed_days = license.id, None
    mark = min((days for days in NOTICE_DAYS if days_left <= days), default=None)
    if mark is not None and (row.noticed_days is None or mark < row.noticed_days):
        row.noticed_days = mark
        publish(work, LicenseExpiring(license.id, days_left))
