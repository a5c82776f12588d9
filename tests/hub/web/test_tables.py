"""Data sets as tables in pages, and lineage as a graph and a list."""

from __future__ import annotations

import io
import json
import re
from html import unescape

import pyarrow as pa
import pytest
from pyarrow import parquet

from hub.accounts.policy import Actor
from hub.assets.viewer.tables import Column
from hub.base.clock import SystemClock
from hub.jobs.run import run_due
from hub.repos.files import FileEdit, commit_files
from hub.web.tables import bars_of, classes_of, joined, top_of

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html"}
PART = HTML | {"HX-Request": "true"}


@pytest.fixture
def corpus(context, make_user, make_repository):
    """ada's data set: 120 rows of numbers, texts, conversations and nothing."""
    ada = make_user("ada")
    repository = make_repository(ada, "corpus", kind="dataset")
    table = pa.table(
        {
            "n": [*range(120)],
            "text": ["<script>alert(1)</script>", *("word " * 200 for _ in range(119))],
            "talk": [[{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day"}]] * 120,
            "none": pa.array([None] * 120, pa.string()),
        }
    )
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    edits = [FileEdit("data/train.parquet", content=sink.getvalue())]
    actor = Actor.of_user(ada, via="session")
    commit_files(context, actor=actor, repository_id=repository.id, message="Rows", edits=edits, branch="main")
    return repository


def test_rows_are_shown_paged_sorted_filtered_and_one_by_one(client, see, corpus):
    base = "/datasets/ada/corpus/viewer"
    assert client.get(base, headers=HTML).headers["Location"] == f"{base}/default/train"
    page = see(f"{base}/default/train")
    assert page.count('data-testid="viewer.row"') == 50
    assert "120 rows" in page
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert 'class="own"' in page  # a turn of the conversation
    assert page.count("word word") == 49 * 30  # of a long text, its beginning
    last = see(f"{base}/default/train?page=3&row=119")
    assert last.count('data-testid="viewer.row"') == 20
    assert 'data-testid="viewer.panel"' in last
    found = see(f"{base}/default/train?where=%22n%22+%3E%3D+117&orderby=%22n%22+DESC")
    assert re.findall(r'viewer-numeric">(\d+)<', found) == ["119", "118", "117"]
    assert found.count('data-testid="viewer.chip"') == 2
    none = see(f"{base}/default/train?search=nothing+like+it")
    assert 'data-state="empty"' in none
    wrong = see(f"{base}/default/train?where=DROP+TABLE")
    assert 'data-state="error"' in wrong
    assert "query_invalid" in wrong
    see(f"{base}/default/nowhere", status=404)
    see("/models/ada/corpus/viewer", status=404)


def test_statistics_come_afterwards_and_lead_to_their_rows(context, see, corpus):
    context.clock = SystemClock()
    address = "/datasets/ada/corpus/viewer/default/train?part=statistics"
    waiting = see(address, PART)
    assert 'hx-trigger="load delay:2s"' in waiting
    run_due(context)
    done = see(address, PART)
    assert "hx-get" not in done
    bars = [unescape(link) for link in re.findall(r'href="([^"]+)" data-testid="viewer.bar"', done)]
    assert len(bars) >= 20
    found = see(bars[0])
    assert 0 < found.count('data-testid="viewer.row"') < 20
    # A browser that opens the address of a part gets the page.
    assert "<html" in see(address)


def test_what_is_private_or_no_data_set_has_no_tables(client, see, make_user, make_repository, corpus):
    make_repository(make_user("bob"), "secret", kind="dataset", private=True)
    see("/datasets/bob/secret/viewer", status=404)
    see("/datasets/bob/secret/viewer/default/train", status=404)
    see("/datasets/bob/secret/lineage", status=404)


def test_bars_tell_how_to_find_their_rows():
    number = {"name": 'a"b', "kind": "integer", "measured": "value"}
    bars = bars_of({**number, "histogram": {"hist": [1, 3], "bin_edges": [0, 5, 9]}})
    assert [bar.where for bar in bars] == ['"a""b" >= 0 AND "a""b" < 5', '"a""b" >= 5 AND "a""b" <= 9']
    assert [bar.share for bar in bars] == [1 / 3, 1.0]
    length = bars_of({"name": "t", "measured": "length", "histogram": {"hist": [2], "bin_edges": [1, 4]}})
    assert length[0].where == 'length("t") >= 1 AND length("t") <= 4'
    truth = bars_of({"name": "is", "kind": "boolean", "frequencies": {"false": 1, "true": 2}})
    assert [bar.where for bar in truth] == ['"is" = TRUE', '"is" = FALSE']
    names = classes_of({"_type": "ClassLabel", "names": ["cat", "dog"]})
    pets = bars_of({"name": "pet", "kind": "class", "frequencies": {"dog": 2, "7": 1}}, names)
    assert [bar.where for bar in pets] == ['"pet" = 1', ""]
    assert classes_of(Column("pet", "int64", None).feature) == []
    top = top_of({"name": "t", "top": [{"value": "it's", "count": 2}, {"value": "once", "count": 1}]})
    assert [bar.where for bar in top] == ["\"t\" = 'it''s'"]
    assert joined('"a" = 1 OR "a" = 2', '"b" = 3') == '("a" = 1 OR "a" = 2) AND "b" = 3'
    assert joined("", '"b" = 3') == '"b" = 3'


def test_lineage_is_a_list_and_a_graph(context, client, see, make_user, make_repository, make_token):
    ada = make_user("ada")
    base, tuned = make_repository(ada, "base"), make_repository(ada, "tuned")
    make_repository(ada, "hidden", private=True)
    headers = {"Authorization": f"Bearer {make_token(ada, 'write')}"}
    empty = see("/models/ada/tuned/lineage")
    assert 'data-state="empty"' in empty
    for path in (base.path, "ada/hidden"):
        body = {"type": "finetune", "kind": "model", "path": path, "note": "<b>"}
        answer = client.post("/api/v1/models/ada/tuned/lineage/relations", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
    page = see("/models/ada/tuned/lineage")
    assert page.count('data-testid="lineage.row"') == 2
    assert 'href="/models/ada/base"' in page
    assert "ada/hidden" not in page
    assert "&lt;b&gt;" in page
    assert 'data-testid="lineage.add"' not in page
    # The drawing says the same words as the list.
    chinese = see("/models/ada/tuned/lineage", HTML | {"Accept-Language": "zh"})
    drawn = json.loads(chinese.partition('id="lineage-data">')[2].partition("</script>")[0])
    assert {node["kind"] for node in drawn["nodes"] if node["title"]} == {"模型"}
    assert drawn["words"][drawn["edges"][0]["type"]] in chinese.partition('data-testid="lineage.table"')[2]
    own = see("/models/ada/tuned/lineage?depth=3&direction=up&type=finetune", HTML | headers)
    assert own.count('data-testid="lineage.deny"') == 2
    assert see("/models/ada/tuned/lineage?type=quantized&depth=x").count('data-testid="lineage.row"') == 0
    assert tuned.path == "ada/tuned"


def test_findings_are_told_file_by_file(context, see, make_user, make_repository, make_token):
    ada = make_user("ada")
    thing = make_repository(ada, "thing")
    empty = see("/models/ada/thing/security")
    assert "Not looked through yet" in empty
    token = f"hf_{'aB3dE6gH1jK4mN7pQ0rS2tU5vW8xYzCfIl'}"
    edits = [FileEdit("keys.txt", content=f"\n{token}\n".encode()), FileEdit("a.txt", content=b"a")]
    actor = Actor.of_user(ada, via="session")
    commit_files(context, actor=actor, repository_id=thing.id, message="Keys", edits=edits, branch="main")
    run_due(context)
    page = see("/models/ada/thing/security")
    assert page.count('data-testid="security.row"') >= 3
    found = see("/models/ada/thing/security?state=suspicious")
    assert found.count('data-testid="security.row"') == 1
    assert "#L2" not in found
    own = see(
        "/models/ada/thing/security?state=suspicious", HTML | {"Authorization": f"Bearer {make_token(ada, 'write')}"}
    )
    assert "#L2" in own
    assert 'data-testid="security.scan"' in own
    assert 'data-state="empty"' in see("/models/ada/thing/security?state=unsafe")
