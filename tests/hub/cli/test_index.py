import json

import pytest
from sqlalchemy import func, select

from hub.assets.models_indexing import IndexStep
from hub.db.uow import reading
from hub.jobs.models import Job, JobState
from hub.jobs.run import run_due
from tests.support.cli import make_runner


# The command would load the plugins, whose steps the jobs of this process do not know.
@pytest.mark.settings(plugins_disabled="inference")
@pytest.mark.any_database
def test_the_index_is_looked_at_and_run_on_the_server(context, settings, make_user, make_repository):
    hub = make_runner(context, settings, "index")
    ada = make_user("ada")
    make_repository(ada, "thing")
    make_repository(ada, "data", kind="dataset")

    def waiting():
        with reading(context) as work:
            query = select(func.count()).where(Job.name == "assets.index", Job.state == JobState.QUEUED)
            return work.session.scalar(query)

    assert json.loads(hub("status", "ada/thing", "--json"))["state"] == "pending"
    assert "succeeded" in hub("run", "ada/thing", "--wait")
    found = json.loads(hub("status", "ada/thing", "--json"))
    assert (found["state"], {step["state"] for step in found["steps"]}) == ("done", {"done"})
    assert waiting() == 1
    assert "pending" in hub("status", "ada/data", "--kind", "dataset")
    assert "2 repositories" in hub("run", "--all")
    assert waiting() == 2
    run_due(context)
    with reading(context) as work:
        before = work.session.scalar(select(func.max(IndexStep.finished_at)))
    hub("run", "--all", "--force")
    run_due(context)
    with reading(context) as work:
        assert work.session.scalar(select(func.min(IndexStep.finished_at))) > before
    hub("run", status=2)
