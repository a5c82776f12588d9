import json

import pytest

from hub.assets.models_lineage import RelationType
from hub.assets.service import relations, runs
from hub.assets.service.runs import Link
from hub.base.errors import NotFound
from tests.support.cli import make_runner

pytestmark = pytest.mark.any_database


def test_lineage_and_runs_are_shown(context, settings, make_user, make_repository, actor_of):
    hub = make_runner(context, settings)
    ada = make_user("ada")
    thing = make_repository(ada, "thing")
    relations.create_relation(
        context,
        actor=actor_of(ada),
        repository_id=thing.id,
        type=RelationType.FINETUNE,
        kind="model",
        path="far/base",
        is_external=True,
    )
    assert "model:ada/thing  finetune  model:far/base (elsewhere)  person" in hub("lineage", "show", "ada/thing")
    graph = json.loads(hub("lineage", "show", "models/ada/thing", "--depth", "5", "--direction", "up", "--json"))
    assert [edge["type"] for edge in graph["edges"]] == ["finetune"]
    hub("lineage", "show", "datasets/ada/thing", refused=NotFound)
    hub("lineage", "show", "nonsense/ada/thing", status=2)

    inputs = [Link("model", "ada/thing", role="model")]
    uuid = runs.create_run(context, actor=actor_of(ada), type="evaluation", title="How good", inputs=inputs)
    assert uuid in hub("run", "list", "--repository", "models/ada/thing", "--state", "queued")
    assert json.loads(hub("run", "list", "--type", "training", "--json")) == []
    shown = json.loads(hub("run", "show", uuid))
    assert (shown["title"], shown["inputs"][0]["repository"]) == ("How good", "model:ada/thing")
