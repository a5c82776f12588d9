"""What comes from what: what cards and files say, names that lead somewhere later, and the graph."""

import json
import threading

import pytest
from sqlalchemy import select

from hub.accounts.policy import ANONYMOUS, SYSTEM
from hub.assets.models_lineage import Relation, RelationOrigin, RelationType
from hub.assets.service import lineage, relations
from hub.assets.service.ancestry import Files, claims_in
from hub.assets.service.cards import read_metadata
from hub.assets.service.claims import Claim, set_read_relations
from hub.base.errors import Conflict, Denied, NotFound
from hub.db.uow import reading, unit_of_work
from hub.jobs.run import run_due
from hub.repos.files import FileEdit, commit_files
from hub.repos.models import Repository
from hub.repos.service import create_repository, delete_repository, purge_repository, rename_repository

T = RelationType


@pytest.fixture
def ada(make_user):
    return make_user("ada")


def bases(card, files=None):
    return [
        (claim.type, claim.path) for claim in claims_in(read_metadata(f"---\n{card}\n---"), kind="model", files=files)
    ]


@pytest.mark.any_database
def test_how_a_model_was_made_is_what_the_card_says_else_what_the_files_do():
    assert bases("base_model: [a/b, gpt2, ../x, 'a/b/c', 5]") == [(T.MERGE, "a/b"), (T.MERGE, "gpt2")]
    assert bases("base_model: a/b") == bases("base_model: a/b\nbase_model_relation: nonsense") == [(T.FINETUNE, "a/b")]
    assert bases("base_model: a/b\ntags: [mergekit]") == [(T.MERGE, "a/b")]
    assert bases("base_model: a/b\nlibrary_name: PEFT") == [(T.ADAPTER, "a/b")]
    assert bases("base_model: a/b", Files(has_gguf=True)) == [(T.QUANTIZED, "a/b")]
    quantised = Files(config={"quantization_config": {"bits": 4}})
    assert bases("base_model: a/b", quantised) == [(T.QUANTIZED, "a/b")]
    assert bases("base_model: a/b\nbase_model_relation: merge", quantised) == [(T.MERGE, "a/b")]
    adapter = Files(adapter={"base_model_name_or_path": "a/b"}, has_gguf=True)
    [inferred] = claims_in({}, kind="model", files=adapter)
    assert (inferred.type, inferred.path, inferred.read_as) == (T.ADAPTER, "a/b", RelationOrigin.INFERRED)
    assert bases("base_model: c/d", adapter) == [(T.ADAPTER, "c/d")]
    for path in ("/srv/models/llama", "./out/x", "llama", 5):
        assert bases("tags: [x]", Files(adapter={"base_model_name_or_path": path})) == []


@pytest.mark.any_database
def test_a_card_says_more_than_a_base():
    results = {"results": [{"dataset": {"type": "a/test", "revision": "a" * 40}}, {"dataset": 5}, 5]}
    card = {"datasets": ["a/data"], "new_version": "a/two", "codes": "a/code", "model-index": [results, {}, 7]}
    assert claims_in(card, kind="model") == [
        Claim(T.TRAINED_ON, "dataset", "a/data"),
        Claim(T.USES, "code", "a/code"),
        Claim(T.NEW_VERSION, "model", "a/two"),
        Claim(T.EVALUATED_ON, "dataset", "a/test", target_commit="a" * 40),
    ]
    assert claims_in({"source_datasets": ["original", "extended|squad"]}, kind="dataset") == [
        Claim(T.DERIVED_FROM, "dataset", "squad")
    ]
    assert claims_in({"models": "a/b", "duplicated_from": "a/demo"}, kind="space") == [
        Claim(T.USES, "model", "a/b"),
        Claim(T.DERIVED_FROM, "space", "a/demo"),
    ]
    for odd in (
        {"model-index": {"a": 1}},
        {"model-index": [{"results": "x"}]},
        {"datasets": {"a": "b"}},
        {"models": 5},
    ):
        assert claims_in(odd, kind="model") == []


@pytest.mark.any_database
def test_a_name_leads_where_it_is_put_and_what_the_owner_denies_stays_denied(
    context, ada, make_user, make_repository, actor_of
):
    actor, meta = actor_of(ada), make_user("meta")
    thing = make_repository(ada, "thing")

    def push(card, **files):
        edits = [FileEdit("README.md", content=f"---\n{card}\n---\n".encode())]
        edits += [FileEdit(f"{name}.json", content=json.dumps(content).encode()) for name, content in files.items()]
        commit_files(context, actor=actor, repository_id=thing.id, branch="main", message="Say it", edits=edits)
        run_due(context)

    def shown(**options):
        with reading(context) as work:
            row = work.session.get(Repository, thing.id)
            graph = lineage.find_lineage(work, actor=ANONYMOUS, repository=row, **options)
        paths = {node.id: (node.path, node.is_external) for node in graph.nodes}
        return {(edge.type, *paths[edge.target], edge.origin) for edge in graph.edges if edge.source == graph.root}

    def own():
        with reading(context) as work:
            row = work.session.get(Repository, thing.id)
            rows = relations.list_own_relations(work, actor=actor, repository=row)
            return {(row.type, row.named): row for row in rows}

    def correct(relation, **change):
        with unit_of_work(context) as work:
            row = work.session.get(Repository, thing.id)
            relations.update_relation(work, actor=actor, repository=row, relation_id=relation.id, **change)

    card = "base_model: Meta/Llama\ndatasets: [squad, ada/data]"
    push(card)
    elsewhere = {(T.FINETUNE, "Meta/Llama", True, "card"), (T.TRAINED_ON, "squad", True, "card"),
                 (T.TRAINED_ON, "ada/data", True, "card")}  # fmt: skip
    assert shown() == elsewhere
    # It appears, moves, is deleted and gone for good: the card goes on naming it.
    llama = create_repository(context, actor=SYSTEM, namespace=meta.name, name="llama", kind="model")
    create_repository(context, actor=SYSTEM, namespace="ada", name="data", kind="dataset", private=True)
    run_due(context)
    here = elsewhere - {(T.FINETUNE, "Meta/Llama", True, "card")} | {(T.FINETUNE, "meta/llama", False, "card")}
    # Whether there is a private one is not told.
    assert shown() == here
    with unit_of_work(context) as work:
        rename_repository(work, actor=SYSTEM, repository_id=llama.id, name="llama-2")
    push(card, other=1)
    assert (T.FINETUNE, "meta/llama-2", False, "card") in shown()

    # What the owner says is not so stays away, however the card's words are read.
    correct(own()[T.FINETUNE, "Meta/Llama"], is_denied=True)
    push(card, adapter_config={"r": 8})
    assert shown() == elsewhere - {(T.FINETUNE, "Meta/Llama", True, "card")}
    assert own()[T.ADAPTER, "Meta/Llama"].is_denied
    push("datasets: [squad]")
    push(card)
    assert not [edge for edge in shown() if "lama" in edge[1]]
    correct(own()[T.ADAPTER, "Meta/Llama"], is_denied=False)
    assert (T.ADAPTER, "meta/llama-2", False, "card") in shown()
    correct(own()[T.ADAPTER, "Meta/Llama"], type=T.DISTILLED, note="By hand.")
    push(card, other=2)
    assert {edge for edge in shown() if "lama" in edge[1]} == {(T.DISTILLED, "meta/llama-2", False, "person")}
    push("tags: [x]")
    assert shown() == {(T.DISTILLED, "meta/llama-2", False, "person")}

    # Deleted, it is a name again, for whatever comes there; who had no name for it forgets it with its rows.
    push(card)
    other = make_repository(ada, "other")
    with unit_of_work(context) as work:
        row = work.session.get(Repository, other.id)
        relations.add_relation(work, actor=actor, repository=row, kind="model", path="meta/llama-2")
        delete_repository(work, actor=SYSTEM, repository_id=llama.id)
    run_due(context)
    assert (T.DISTILLED, "Meta/Llama", True, "person") in shown()
    create_repository(context, actor=SYSTEM, namespace="meta", name="llama", kind="model")
    run_due(context)
    assert (T.DISTILLED, "meta/llama", False, "person") in shown()
    with unit_of_work(context) as work:
        work.session.get(Repository, llama.id).deleted_at = context.clock.now().replace(year=2000)
    assert purge_repository(context, repository_id=llama.id)
    with reading(context) as work:
        assert work.session.scalars(select(Relation.id).where(Relation.source_id == other.id)).all() == []


def test_a_graph_of_three_levels_takes_as_many_queries_whatever_is_in_it(
    context, ada, make_row, actor_of, make_user, count_queries
):
    eve = make_user("eve")
    rows = {name: make_row(ada, name) for name in ("root", "a", "b", "c", "d", "base")}
    secret = make_row(eve, "secret", is_private=True)
    behind, data = make_row(eve, "behind"), make_row(ada, "data", "dataset")
    pairs = [("a", "root"), ("b", "root"), ("c", "a"), ("d", "c"), ("root", "d"), ("root", "base")]

    def relate(work, source, target, type=T.FINETUNE, **columns):
        work.session.add(
            Relation(source_id=source.id, target_id=target.id, type=type, created_at=work.now(), **columns)
        )

    def find(actor=ANONYMOUS, **options):
        with reading(context) as work, count_queries() as queries:
            root = work.session.get(Repository, rows["root"].id)
            graph = lineage.find_lineage(work, actor=actor, repository=root, **options)
        paths = {node.id: node.path or node.id for node in graph.nodes}
        edges = {(paths[edge.source], paths[edge.target], edge.type) for edge in graph.edges}
        return graph, edges, len(queries)

    with unit_of_work(context) as work:
        for source, target in pairs:
            relate(work, rows[source], rows[target])
        relate(work, secret, rows["root"], T.ADAPTER, note="of eve/secret", source_commit="a" * 40)
        relate(work, behind, secret)
        # Two at once between the same two, and one that is denied.
        relate(work, rows["a"], data, T.TRAINED_ON)
        relate(work, rows["a"], data, T.EVALUATED_ON)
        relate(work, rows["b"], data, T.TRAINED_ON, is_denied=True)
    graph, edges, count = find(depth=3)
    tree = {(f"ada/{source}", f"ada/{target}", T.FINETUNE) for source, target in pairs}
    # "up" from the root goes through d and c, as a circle does; what is private leads nowhere, and has no name.
    both = {("ada/a", "ada/data", T.TRAINED_ON), ("ada/a", "ada/data", T.EVALUATED_ON)}
    assert edges == tree | {("private:1", "ada/root", T.ADAPTER)}
    [hidden] = [node for node in graph.nodes if node.is_private]
    assert (hidden.kind, hidden.path, hidden.repository_id) == ("", "", None)
    [edge] = [edge for edge in graph.edges if edge.source == hidden.id]
    assert (edge.note, edge.source_commit) == ("", "")
    assert graph.counts == {"finetune": 2}
    assert (graph.nodes[0].path, graph.nodes[0].parents, graph.nodes[0].children) == ("ada/root", 2, 3)
    assert find(depth=4, direction=lineage.Direction.UP)[1] == tree - {("ada/b", "ada/root", T.FINETUNE)} | both
    assert find(actor_of(eve), depth=2, types=[T.ADAPTER])[1] == {("eve/secret", "ada/root", T.ADAPTER)}
    assert find(actor_of(eve))[0].counts == {"finetune": 2, "adapter": 1}
    assert find(direction=lineage.Direction.UP)[1] == {
        ("ada/root", "ada/d", T.FINETUNE),
        ("ada/root", "ada/base", T.FINETUNE),
    }

    with unit_of_work(context) as work:
        for number in range(40):
            child = make_child(work, ada, number)
            relate(work, child, rows[("root", "a", "b", "c")[number % 4]], T.QUANTIZED)
    many, _, queries = find(depth=3)
    assert len(many.nodes) == len(graph.nodes) + 40
    # Two for each level and direction, and four.
    assert count <= queries <= 16
    assert many.counts == {"finetune": 2, "quantized": 10}
    assert not many.is_truncated

    # A private one that is named looks as if it were nowhere: what the platform says of it would tell.
    names = {"named_kind": "model", "named": "eve/secret", "named_key": "eve/secret", "read_as": "card"}
    with unit_of_work(context) as work:
        relate(work, rows["root"], secret, T.MERGE, is_said=False, is_trusted=True, target_commit="b" * 40, **names)
    [edge] = [edge for edge in find()[0].edges if edge.type == T.MERGE]
    assert (edge.target, edge.is_trusted, edge.target_commit) == ("external:model:eve/secret", False, "")


def make_child(work, ada, number):
    now = work.now()
    name = f"child-{number}"
    row = Repository(kind="model", namespace_id=ada.namespace_id, name=name, name_key=name, state="ready",
                     created_at=now, updated_at=now)  # fmt: skip
    work.session.add(row)
    work.session.flush()
    return row


def test_a_graph_is_bounded_and_says_so(context, ada, make_row, monkeypatch):
    monkeypatch.setattr(lineage, "MAX_NODES", 4)
    monkeypatch.setattr(lineage, "MAX_EDGES", 6)
    root = make_row(ada, "root")
    with unit_of_work(context) as work:
        for number in range(8):
            child = make_child(work, ada, number)
            work.session.add(Relation(source_id=child.id, target_id=root.id, type=T.MERGE, created_at=work.now()))
        names = [Claim(T.TRAINED_ON, "dataset", f"far/away{number}") for number in range(3)]
        set_read_relations(work, repository=work.session.get(Repository, root.id), claims=names)
    with reading(context) as work:
        graph = lineage.find_lineage(work, actor=ANONYMOUS, repository=work.session.get(Repository, root.id))
    assert (len(graph.nodes), graph.is_truncated) == (4, True)
    known = {node.id for node in graph.nodes}
    assert all({edge.source, edge.target} <= known for edge in graph.edges)
    assert graph.counts == {"merge": 8}


def test_the_writers_correct_and_two_at_once_say_it_once(context, ada, make_repository, make_user, actor_of):
    eve, actor = make_user("eve"), actor_of(ada)
    thing, data = make_repository(ada, "thing"), make_repository(ada, "data", kind="dataset")
    told = []

    def relate(who=actor, **options):
        asked = {"type": T.TRAINED_ON, "kind": "dataset", "path": "ada/data"} | options
        told.append(relations.create_relation(context, actor=who, repository_id=thing.id, **asked))

    threads = [threading.Thread(target=relate, kwargs={"target_revision": "main"}) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 2
    assert len(set(told)) == 1
    for outsider, error in ((actor_of(eve), Denied),):
        with pytest.raises(error):
            relate(outsider)
    with pytest.raises(NotFound):
        relate(path="ada/none")
    with pytest.raises(NotFound):
        relate(target_revision="none")
    relate(path="ada/none", is_external=True)
    relate(path="ADA/none", is_external=True)
    assert told[-1] == told[-2]
    with unit_of_work(context) as work:
        row = work.session.get(Repository, thing.id)
        first = work.session.get(Relation, told[0])
        assert (first.target_id, len(first.target_commit)) == (data.id, 40)
        work.session.get(Relation, told[0]).is_trusted = True
        with pytest.raises(Conflict):
            relations.delete_relation(work, actor=actor, repository=row, relation_id=told[0])
        relations.delete_relation(work, actor=actor, repository=row, relation_id=told[-1])
        assert work.session.scalars(select(Relation.id)).all() == [told[0]]
