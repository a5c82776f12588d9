from datetime import timedelta

from sqlalchemy import func, select

from hub.accounts.models import WebSession
from hub.accounts.service import open_session
from hub.db.uow import reading, unit_of_work
from hub.jobs.run import run_due
from hub.jobs.schedule import SCHEDULES
from hub.jobs.service import enqueue


def test_the_hourly_job_forgets_sessions_that_have_ended_and_no_others(context, clock, make_user):
    user = make_user("ada")
    with unit_of_work(context) as work:
        open_session(work, user=user, address="", user_agent="old")
    clock.advance(context.settings.session_ttl_s - timedelta(hours=1).total_seconds())
    with unit_of_work(context) as work:
        open_session(work, user=user, address="", user_agent="new")
    clock.advance(timedelta(hours=2).total_seconds())
    with unit_of_work(context) as work:
        enqueue(work, context[SCHEDULES]["accounts.expire_sessions"].job)
    assert run_due(context) == 1
    with reading(context) as work:
        assert work.session.scalar(select(func.count()).select_from(WebSession)) == 1
        assert work.session.scalar(select(WebSession.user_agent)) == "new"
