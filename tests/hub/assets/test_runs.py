"""Runs: what was done with repositories at pinned commits, and the relations that it leaves."""

import threading

import pytest
from sqlalchemy import select

from hub.accounts import service as accounts
from hub.accounts.models import Role
from hub.accounts.policy import ANONYMOUS, SYSTEM
from hub.assets.events import RunFinished
from hub.assets.models_lineage import Relation, RelationOrigin, RelationType, Run, RunState
from hub.assets.runtypes import RunType, add_run_type
from hub.assets.service import lineage, relations, runs
from hub.assets.service.claims import Claim, set_read_relations
from hub.assets.service.runs import Link
from hub.base.errors import Conflict, Denied, Invalid, NotFound, NotSignedIn
from hub.base.paging import PageArgs
from hub.db.uow import reading, unit_of_work
from hub.plugin import runs as seam
from hub.repos.files import FileEdit, commit_files
from hub.repos.models import Repository
from hub.repos.service import rename_repository

T = RelationType


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def things(ada, make_repository):
    """A base model, a model made from it, and the data."""
    return make_repository(ada, "base"), make_repository(ada, "tuned"), make_repository(ada, "data", kind="dataset")


def edges(context, repository, actor=SYSTEM):
    with reading(context) as work:
        row = work.session.get(Repository, repository.id)
        graph = lineage.find_lineage(work, actor=actor, repository=row, direction=lineage.Direction.UP)
    paths = {node.id: node.path for node in graph.nodes}
    return {(edge.type, paths[edge.target]): edge for edge in graph.edges}


def test_a_run_pins_goes_its_way_and_leaves_trusted_relations(context, ada, things, actor_of):
    base, tuned, _data = things
    actor = actor_of(ada)
    told = []
    context.events.subscribe(RunFinished, told.append)
    inputs = [Link("model", "ADA/base", role="base"), Link("datasets", "ada/data", role="train", file_path="a.csv"),
              Link(name="s3 bucket")]  # fmt: skip
    uuid = seam.create_run(context, actor=actor, type="training", inputs=inputs, parameters={"epochs": 3})
    with reading(context) as work:
        pinned = {seen.target: seen.link.commit_id for seen in runs.links_of(
            work, actor=actor, runs=[runs.get_run(work, actor=actor, uuid=uuid)]).popitem()[1]}  # fmt: skip
    assert [len(pinned[target]) for target in (("model", "ada/base"), ("dataset", "ada/data"), None)] == [40, 40, 0]
    edit = [FileEdit("new", content=b"x")]
    commit_files(context, actor=actor, repository_id=base.id, branch="main", message="Go on", edits=edit)

    def step(state, **options):
        runs.update_run(context, actor=actor, uuid=uuid, state=state, is_trusted=True, **options)

    # Nobody but the platform says how its run goes on, or records one for it.
    with pytest.raises(Denied):
        runs.update_run(context, actor=actor, uuid=uuid, state=RunState.RUNNING, outputs=[Link("model", "ada/base")])
    runs.create_run(context, actor=actor, type="training", client_id="finetune:1")
    with pytest.raises(Conflict):
        seam.create_run(context, actor=actor, type="training", client_id="finetune:1")

    with pytest.raises(Conflict):
        step(RunState.SUCCEEDED)
    seam.start_run(context, actor=actor, uuid=uuid)
    step(RunState.RUNNING, metrics={"loss": 0.5})
    with pytest.raises(Conflict):
        step(RunState.QUEUED)
    assert edges(context, tuned) == {}
    with unit_of_work(context) as work:
        # The card says one of them, too, and its owner does not believe it.
        row = work.session.get(Repository, tuned.id)
        set_read_relations(work, repository=row, claims=[Claim(T.FINETUNE, "model", "ada/base")])
        [relation] = relations.list_own_relations(work, actor=actor, repository=row)
        relations.update_relation(work, actor=actor, repository=row, relation_id=relation.id, is_denied=True)
    outputs = [Link("model", "ada/tuned")]
    seam.finish_run(context, actor=actor, uuid=uuid, outputs=outputs, metrics={"accuracy": 0.9})
    found = edges(context, tuned)
    assert set(found) == {(T.FINETUNE, "ada/base"), (T.TRAINED_ON, "ada/data")}
    edge = found[T.FINETUNE, "ada/base"]
    assert (edge.origin, edge.is_trusted, edge.run) == (RelationOrigin.RUN, True, uuid)
    assert (edge.target_commit, len(edge.source_commit)) == (pinned["model", "ada/base"], 40)
    seam.finish_run(context, actor=actor, uuid=uuid)
    for change in ({"state": RunState.FAILED}, {"metrics": {"x": 1}}, {"outputs": outputs}):
        with pytest.raises(Conflict):
            runs.update_run(context, actor=actor, uuid=uuid, is_trusted=True, **change)
    assert len(told) == 1
    # Who says the same does not move the platform's pins.
    relations.create_relation(context, actor=actor, repository_id=tuned.id, type=T.FINETUNE, kind="model",
                              path="ada/base", target_revision="main")  # fmt: skip
    assert edges(context, tuned)[T.FINETUNE, "ada/base"].target_commit == pinned["model", "ada/base"]

    # A second one of the same, deleted again; then the first: the card's word is left, and a rename changes nothing.
    again = seam.create_run(context, actor=actor, type="training", inputs=inputs, outputs=outputs)
    seam.start_run(context, actor=actor, uuid=again)
    seam.finish_run(context, actor=actor, uuid=again)
    assert edges(context, tuned)[T.FINETUNE, "ada/base"].run == again
    with unit_of_work(context) as work:
        rename_repository(work, actor=actor, repository_id=base.id, name="older")
    for left, run in ((again, uuid), (uuid, None)):
        with unit_of_work(context) as work:
            runs.delete_run(work, actor=actor, uuid=left)
        found = edges(context, tuned)
        edge = found[T.FINETUNE, "ada/older"]
        assert (edge.run, edge.is_trusted) == (run, run is not None)
    assert set(found) == {(T.FINETUNE, "ada/older")}
    assert found.popitem()[1].origin == RelationOrigin.PERSON


def test_who_reports_a_run_says_no_more_than_they_may(context, ada, things, make_user, make_repository, actor_of):
    base, _tuned, _data = things
    eve, actor = actor_of(make_user("eve")), actor_of(ada)
    secret = make_repository(ada, "secret", private=True)
    take = [Link("model", "ada/base"), Link("dataset", "ada/data")]

    def create(who=eve, type="evaluation", **options):
        return runs.create_run(context, actor=who, type=type, **options)

    with pytest.raises(NotSignedIn):
        create(ANONYMOUS)
    for options, error in (
        ({"namespace": "ada"}, Denied),
        ({"namespace": "none"}, NotFound),
        ({"type": "nonsense"}, Invalid),
        ({"inputs": [Link("model", "ada/secret")]}, NotFound),
        ({"outputs": [Link("model", "ada/base")]}, Denied),
        ({"inputs": [Link("model", "ada/base", revision="none")]}, NotFound),
        ({"inputs": [Link("model", "ada/base", name="x")]}, Invalid),
        ({"inputs": [Link()]}, Invalid),
        ({"inputs": [Link(name="x")] * 51}, Invalid),
        ({"parameters": {"x": "y" * 70_000}}, Invalid),
        ({"parameters": {"\0": 1}}, Invalid),
        ({"environment": {"x": [float("nan")]}}, Invalid),
        ({"log_url": "javascript:1"}, Invalid),
    ):
        with pytest.raises(error):
            create(**options)

    def go(uuid, who):
        for state in (RunState.RUNNING, RunState.SUCCEEDED):
            runs.update_run(context, actor=who, uuid=uuid, state=state)

    # Of a stranger's measuring nothing is said on the model's page; of its owner's it is, as reported.
    go(create(inputs=take), eve)
    assert edges(context, base) == {}
    own = create(actor, inputs=[*take, Link("model", "ada/secret")], is_private=False)
    go(own, actor)
    edge = edges(context, base)[T.EVALUATED_ON, "ada/data"]
    assert (edge.is_trusted, edge.run) == (False, own)
    with reading(context) as work:
        run = runs.get_run(work, actor=eve, uuid=own)
        assert [seen.target for seen in runs.links_of(work, actor=eve, runs=[run])[run.id]] == [
            ("model", "ada/base"),
            ("dataset", "ada/data"),
        ]

        def found(who, **options):
            return [each.type for each in runs.list_runs(work, actor=who, page=PageArgs(), **options).items]

        row = work.session.get(Repository, base.id)
        assert found(ANONYMOUS) == found(ANONYMOUS, repository=row) == ["evaluation"]
        assert len(found(eve)) == len(found(SYSTEM, repository=row)) == 2
        assert found(eve, namespace="eve", state=RunState.QUEUED) == []
        assert found(eve, repository=row, commit_id="a" * 40) == []
        with pytest.raises(NotFound):
            found(eve, repository=work.session.get(Repository, secret.id))
    with unit_of_work(context) as work, pytest.raises(Denied):
        runs.delete_run(work, actor=eve, uuid=own)
    with pytest.raises(Denied):
        runs.update_run(context, actor=eve, uuid=own, title="Mine")
    private = create(actor)
    for who in (eve, ANONYMOUS):
        with pytest.raises(NotFound):
            runs.update_run(context, actor=who, uuid=private, title="Mine")
    # What the owner denies stays so, whoever reports it again.
    with unit_of_work(context) as work:
        row = work.session.get(Repository, base.id)
        relations.delete_relation(work, actor=actor, repository=row, relation_id=edge.id)
    go(create(actor, inputs=take), actor)
    assert edges(context, base) == {}


def test_two_at_once_make_one_run_and_end_it_once(context, ada, things, actor_of):
    actor = actor_of(ada)
    uuids, ends = [], []
    add_run_type(context, RunType("press", "Press", outputs={"": T.DERIVED_FROM}))

    def create():
        uuids.append(runs.create_run(context, actor=actor, type="press", client_id="job-1", inputs=[Link(name="x")]))

    def end(state):
        try:
            runs.update_run(context, actor=actor, uuid=uuids[0], state=state, outputs=[Link("model", "ada/tuned")])
            ends.append(state)
        except Conflict:
            pass

    def together(*calls):
        threads = [threading.Thread(target=call, args=args) for call, *args in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    together((create,), (create,))
    assert len(set(uuids)) == 1
    with pytest.raises(Conflict):
        runs.create_run(context, actor=actor, type="training", client_id="job-1")
    runs.update_run(context, actor=actor, uuid=uuids[0], state=RunState.RUNNING)
    together((end, RunState.SUCCEEDED), (end, RunState.FAILED))
    with reading(context) as work:
        [run] = work.session.scalars(select(Run)).all()
        assert [run.state] == ends
        assert len(runs.links_of(work, actor=actor, runs=[run])[run.id]) == 2
        assert work.session.scalars(select(Relation.id)).all() == []


def test_an_organisations_runs_go_with_it(context, ada, things, make_organization, actor_of):
    base, _tuned, _data = things
    acme = make_organization("acme")
    with unit_of_work(context) as work:
        accounts.add_member(work, actor=SYSTEM, organization=acme, user=ada, role=Role.OWNER)
    take = [Link("model", "ada/base"), Link("dataset", "ada/data")]
    uuid = runs.create_run(context, actor=actor_of(ada), type="evaluation", namespace="acme", inputs=take)
    for state in (RunState.RUNNING, RunState.SUCCEEDED):
        runs.update_run(context, actor=actor_of(ada), uuid=uuid, state=state)
    assert len(edges(context, base)) == 1
    with unit_of_work(context) as work:
        found = accounts.get_organization(work, "acme")
        accounts.delete_organization(work, actor=actor_of(ada), organization=found)
    assert edges(context, base) == {}
    with reading(context) as work:
        assert work.session.scalars(select(Run.id)).all() == []
