"""Data sets as tables, as the platform's clients ask. CSGHub contract, section 4.7."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import select

from hub.accounts.policy import Actor
from hub.db.uow import unit_of_work
from hub.jobs.run import run_due
from hub.repos.files import FileEdit, commit_files
from hub.repos.models import Repository
from tests.hub.api.test_accounts import data, refusal

pytestmark = pytest.mark.any_database

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


@pytest.fixture
def corpus(context, make_repository, as_user):
    """ada's data set: Parquet with a picture, CSV that is still to be made, and a file that nothing can be made of."""
    caller = as_user("ada")
    repository = make_repository(caller.user, "corpus", kind="dataset")
    media = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table({"n": [*range(120)], "image": pa.array([{"bytes": PNG, "path": "x.svg"}] * 120, media)})
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    card = (
        b"---\nconfigs:\n- config_name: pets\n  data_files: pets.parquet\n"
        b"- config_name: texts\n  data_files: [{split: train, path: a.csv}, {split: test, path: b.csv}]\n---\n"
    )
    files = {"README.md": card, "pets.parquet": sink.getvalue(), "a.csv": b"t;u\n1;x\n", "b.csv": b""}
    edits = [FileEdit(path, content=content) for path, content in files.items()]
    actor = Actor.of_user(caller.user, via="session")
    caller.head = commit_files(
        context, actor=actor, repository_id=repository.id, message="Files", edits=edits
    ).commit_id
    return caller


def test_pages_of_rows_in_the_platforms_shape(corpus, nobody, context, client):
    base = "/datasets/ada/corpus"
    page = data(nobody.get(f"{base}/dataviewer/rows?config=pets&split=train&per=50&page=3"))
    assert (page["columns"], page["columns_type"][0], page["total"]) == (["n", "image"], "int64", 120)
    assert ([row[0] for row in page["rows"]], page["numbers"][0]) == ([*range(100, 120)], 100)
    assert (page["commit"], page["partial"], page["pending"]) == (corpus.head, False, False)
    found = data(nobody.get(f"{base}/dataviewer/rows?config=pets&split=train&where=n>=118&orderby=n desc"))
    assert ([row[0] for row in found["rows"]], found["numbers"], found["total"]) == ([119, 118], [119, 118], 2)
    assert found["sql"].startswith("SELECT * FROM")
    source = page["rows"][0][1]["src"]
    picture = nobody.get(source.removeprefix("/api/v1"))
    assert (picture.data, picture.mimetype) == (PNG, "image/png")
    assert picture.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    part = client.get(source, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.data) == (206, b"PNG")
    assert data(nobody.get(f"{base}/dataviewer/cell?config=pets&split=train&row=7&column=0"))["value"] == 7
    assert data(nobody.get(f"{base}/viewer/a.csv"))["rows"] == [["1;x"]]
    catalog = data(nobody.get(f"{base}/dataviewer/catalog"))
    assert [config["config_name"] for config in catalog["configs"]] == ["pets", "texts"]
    assert catalog["configs"][1]["data_files"][1] == {"split": "test", "path": ["b.csv"]}
    assert (catalog["status"], catalog["rows_num"]) == (1, 120) or catalog["status"] == 0
    assert catalog["dataset_info"][0]["splits"][0]["columns"][1]["feature"] == {"_type": "Image"}
    assert data(nobody.get(f"{base}/dataviewer/rows?config=texts&split=train"))["pending"]
    assert refusal(nobody.get(f"{base}/dataviewer/rows?config=texts&split=test"))[:2] == (422, "DAT-ERR-1")
    run_due(context)
    catalog = data(nobody.get(f"{base}/dataviewer/catalog"))
    assert catalog["status"] == 2
    assert [(each["split"], each["path"]) for each in catalog["failures"]] == [("test", "b.csv")]
    assert "b.csv" in catalog["logs"]


def test_what_is_asked_wrongly_or_by_others_is_refused(corpus, nobody, as_user, context, make_repository):
    base = "/datasets/ada/corpus/dataviewer"
    pets = "config=pets&split=train"
    eve = as_user("eve")
    for path in ("rows", "rows?config=pets", "rows?config=pets&split=train&per=501", "cell?config=pets&split=train"):
        assert nobody.get(f"{base}/{path}").status_code == 400
    for path in ("rows?config=pets&split=none", "rows?config=pets&split=train&ref=none", "catalog?ref=none"):
        assert nobody.get(f"{base}/{path}").status_code == 404
    assert nobody.get("/datasets/ada/corpus/viewer/README.md").status_code == 422
    assert nobody.get("/datasets/ada/corpus/viewer/none.csv").status_code == 404
    make_repository(eve.user, "thing")
    assert refusal(eve.get("/models/eve/thing/dataviewer/catalog"))[:2] == (404, "DAT-ERR-0")
    paths = [
        *(f"{base}/catalog", f"{base}/rows?{pets}", "/datasets/ada/corpus/viewer/pets.parquet"),
        *(f"{base}/cell?{pets}&row=0&column=0", f"{base}/media?{pets}&row=0&column=1"),
    ]
    with unit_of_work(context) as work:
        repository = work.session.scalars(select(Repository).where(Repository.name == "corpus")).one()
        repository.gate = "manual"
    assert {nobody.get(path).status_code for path in paths} == {401}
    assert {eve.get(path).status_code for path in paths} == {403}
    assert {corpus.get(path).status_code for path in paths} == {200}
    with unit_of_work(context) as work:
        repository = work.session.scalars(select(Repository).where(Repository.name == "corpus")).one()
        repository.gate, repository.is_private = "", True
    assert {eve.get(path).status_code for path in paths} == {404}
    assert eve.post(f"{base}/retry?config=pets&split=train").status_code == 404
    assert corpus.post(f"{base}/retry?config=pets&split=train").status_code == 200
