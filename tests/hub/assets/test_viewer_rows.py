"""Rows of data sets of every format, at any revision."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile

import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from hub.accounts.policy import SYSTEM, Actor
from hub.assets.viewer.features import describe_columns, media_of
from hub.assets.viewer.rows import Asked, open_media, read_cell, read_rows
from hub.assets.viewer.streams import FirstLines
from hub.assets.viewer.tables import find_catalogue
from hub.base.errors import NotFound, Unprocessable
from hub.jobs.run import run_due
from hub.repos.files import FileEdit, commit_files

pytestmark = pytest.mark.any_database

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


DOG = "pets/dog/3.png"
WAV = b"RIFF\0\0\0\0WAVEfmt " + b"\0" * 100


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def data_set(make_repository, ada):
    return make_repository(ada, "corpus", kind="dataset")


@pytest.fixture
def write(context, ada, data_set):
    def commit(files, **options):
        edits = [FileEdit(path, content=content) for path, content in files.items()]
        actor = Actor.of_user(ada, via="session")
        return commit_files(
            context, actor=actor, repository_id=data_set.id, message="Files", edits=edits, **options
        ).commit_id

    return commit


@pytest.fixture
def look(context, data_set):
    def read(split="train", config="default", **options):
        asked = Asked(config, split, options.pop("revision", ""), options.pop("path", ""))
        return read_rows(context, data_set, asked, actor=SYSTEM, **options)

    return read


def as_parquet(rows, **options):
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), sink, **options)
    return sink.getvalue()


def as_arrow(rows, make):
    table = pa.Table.from_pylist(rows)
    sink = io.BytesIO()
    with make(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def zipped(files):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


def tarred(files, mode="w"):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return sink.getvalue()


LINES = b'{"a": 1, "b": "x"}\n{"a": 2, "b": "\xc3\xa4"}\n'
ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "ä"}]
SHOWN = [[1, "x"], [2, "ä"]]
CSV = "a,b\n1,x\n2,ä\n"
FORMATS = {
    "train.csv": CSV.encode(),
    "bom.csv": b"\xef\xbb\xbf" + CSV.encode(),
    "utf16.csv": CSV.encode("utf-16"),
    "latin.csv": CSV.encode("latin-1"),
    "train.tsv": CSV.replace(",", "\t").encode(),
    "train.json": json.dumps(ROWS, indent=2).encode(),
    "object.json": json.dumps({"version": 1, "data": ROWS}, indent=2).encode(),
    "train.jsonl": LINES,
    "train.arrow": as_arrow(ROWS, ipc.new_file),
    "stream.arrow": as_arrow(ROWS, ipc.new_stream),
    "train.parquet": as_parquet(ROWS),
    "train.csv.gz": gzip.compress(CSV.encode()),
    "train.jsonl.zst": pa.compress(LINES, "zstd", asbytes=True),
    "train.zip": zipped({"__MACOSX/x": b"", "in/1.csv": CSV[:8].encode(), "in/2.csv": "a,b\n2,ä\n".encode()}),
    "train.tar": tarred({"1.jsonl": LINES}),
    "train.tar.gz": tarred({"./1.json": json.dumps(ROWS).encode()}, "w:gz"),
}


def test_files_of_every_format_have_the_same_rows_before_and_after_they_are_made(write, look, context, data_set):
    write(FORMATS)
    for path in FORMATS:
        first = look("", "", path=path)
        assert (path, first.rows) == (path, SHOWN)
        assert first.is_pending == (path != "train.parquet")
        assert first.is_total_exact
    run_due(context)
    for path in FORMATS:
        page = look("", "", path=path)
        assert (path, page.rows, page.total, page.is_pending, page.is_partial) == (path, SHOWN, 2, False, False)
        assert look("", "", path=path, offset=1, limit=1).rows == SHOWN[1:]
    assert [look("", "", path=path).notes for path in ("train.csv", "latin.csv")] == [
        [],
        [("latin.csv", "It is no UTF-8; it was read as LATIN-1.")],
    ]


def test_pictures_and_sounds_are_references(write, look, context, data_set, make_repository):
    card = b"""---
configs:
- config_name: folder
  data_files: 'pets/**'
- config_name: said
  data_files: 'said/**'
- config_name: zip
  data_files: 'pets.zip'
- config_name: web
  data_files: 'web.tar'
- config_name: inside
  data_files: 'inside.parquet'
---
"""
    media = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table(
        {
            "image": pa.array(
                [{"bytes": PNG, "path": "x.png"}, None, {"bytes": None, "path": "pets/dog/3.png"}], media
            ),
            "speech": pa.array([{"bytes": WAV, "path": None}] * 3, media),
            "chat": [[{"role": "user", "content": "Hello"}]] * 3,
        }
    )
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    write(
        {
            "README.md": card,
            "pets/cat/1.png": PNG,
            "pets/cat/2.png": PNG + b"2",
            "pets/dog/3.png": PNG + b"3",
            "said/1.wav": WAV,
            "said/metadata.csv": b"file_name,text\n1.wav,Hello\n",
            "pets.zip": zipped({"cat/1.png": PNG, "dog/2.png": PNG + b"2"}),
            "web.tar": tarred({"a/1.json": b'{"n": 1}', "a/1.png": PNG, "a/2.json": b'{"n": 2}', "a/2.png": PNG}),
            "inside.parquet": sink.getvalue(),
        }
    )

    def fetch(config, row, column):
        found = open_media(context, data_set, Asked(config, "train"), actor=SYSTEM, row=row, column=column)
        return found.mimetype, found.content.read(0, found.content.size_bytes)

    for _ in range(2):
        assert [row[0]["path"] for row in look(config="folder").rows] == [
            *("pets/cat/1.png", "pets/cat/2.png", "pets/dog/3.png"),
        ]
        assert [row[1] for row in look(config="folder").rows] == ["cat", "cat", "dog"]
        assert look(config="said").rows == [[{"_type": "audio", "path": "said/1.wav"}, "Hello"]]
        assert fetch("folder", 1, 0) == ("image/png", PNG + b"2")
        assert fetch("said", 0, 0) == ("audio/wav", WAV)
        assert [row[1] for row in look(config="zip").rows] == ["cat", "dog"]
        assert [row[1:] for row in look(config="web").rows] == [
            [{"n": 1}, {"_type": "image", "path": "a/1.png"}],
            [{"n": 2}, {"_type": "image", "path": "a/2.png"}],
        ]
        run_due(context)
    assert fetch("zip", 1, 0) == ("image/png", PNG + b"2")
    assert fetch("web", 1, 2) == ("image/png", PNG)
    page = look(config="inside")
    assert page.rows[0] == [
        {"_type": "image", "path": "x.png"},
        {"_type": "audio", "path": ""},
        [{"role": "user", "content": "Hello"}],
    ]
    assert page.rows[1][0] is None
    assert fetch("inside", 0, 0) == ("image/png", PNG)
    assert fetch("inside", 2, 0) == ("image/png", PNG + b"3")
    assert fetch("inside", 0, 1) == ("audio/wav", WAV)
    for row, column in ((1, 0), (0, 2), (3, 0), (0, 9)):
        with pytest.raises(NotFound):
            fetch("inside", row, column)
    kinds = [column.feature for column in page.columns]
    assert kinds[0] == {"_type": "Image"}
    assert kinds[1] == {"_type": "Audio"}
    assert set(kinds[2]["feature"]) == {"role", "content"}


def test_each_page_of_any_revision(write, look, context, data_set):
    rows = [{"n": number, "text": f"row {number}"} for number in range(1000)]
    old = write(
        {
            "data/train-00000-of-00002.parquet": as_parquet(rows[:600], row_group_size=100),
            "data/train-00001-of-00002.parquet": as_parquet(rows[600:]),
            "data/test-00000-of-00001.parquet": b"PAR1 and no more",
        }
    )
    new = write({"data/train-00001-of-00002.parquet": as_parquet([{"other": 1}])})
    for offset in (0, 95, 599, 950, 1000, 5000):
        page = look(revision=old, offset=offset, limit=10)
        assert page.rows == [[row["n"], row["text"]] for row in rows[offset : offset + 10]]
        assert [*page.numbers] == [row["n"] for row in rows[offset : offset + 10]]
        assert (page.total, page.commit_id, page.is_partial) == (1000, old, False)
    page = look(offset=590, limit=100)
    assert (len(page.rows), page.total, page.is_partial, page.commit_id) == (10, 600, True, new)
    assert page.unread[0][0] == "data/train-00001-of-00002.parquet"
    with pytest.raises(Unprocessable, match="PAR1"):
        look("test")
    with pytest.raises(NotFound):
        look("validation")
    found = find_catalogue(context, data_set, actor=SYSTEM)
    assert [(each.split, each.path) for each in found.failures] == [
        ("train", "data/train-00001-of-00002.parquet"),
        ("test", "data/test-00000-of-00001.parquet"),
    ]
    assert [(split.state, split.num_rows) for split in found.configs[0].splits] == [("ready", 600), ("failed", None)]
    cell = read_cell(context, data_set, Asked("default", "train", old), actor=SYSTEM, row=700, column=1)
    assert cell == "row 700"


def test_large_cells_are_cut_and_shown_whole_when_asked(write, look, context, data_set):
    long = "ä" * 100_000
    values = [{"text": long, "list": [long], "bytes": b"\0" * 200_000, "n": 2**60, "x": float("nan")}]
    write({"train.parquet": as_parquet(values)})
    page = look()
    text, nested, data, number, not_number = page.rows[0]
    assert page.cut == [[0, 0], [0, 1]]
    assert 100_000 < len(text.encode()) <= 100 * 1024
    assert isinstance(nested, str)
    assert (data["size"], number, not_number) == (200_000, 2**60, "NaN")
    asked = Asked("default", "train")
    assert read_cell(context, data_set, asked, actor=SYSTEM, row=0, column=0) == long
    assert read_cell(context, data_set, asked, actor=SYSTEM, row=0, column=1) == [long]


def test_wide_tables_and_those_that_name_a_column_as_duckdb_does(write, look, context):
    write(
        {
            "train.parquet": as_parquet([{f"c{at}": row for at in range(600)} for row in range(20)], row_group_size=7),
            "test.parquet": as_parquet(
                [{"file_row_number": 7, "A": 1, "a": 2}, {"file_row_number": 8, "A": 3, "a": 4}]
            ),
        }
    )
    page = look(offset=5, limit=4)
    assert [row[599] for row in page.rows] == [5, 6, 7, 8]
    page = look("test", offset=1)
    assert ([column.name for column in page.columns], page.rows) == (["file_row_number", "A", "a"], [[8, 3, 4]])


def test_of_an_endless_line_little_is_held():
    source = io.BytesIO(b"a" * 20_000_000)
    assert FirstLines(source, 1 << 62, 1_000_000).read(1) == b"a"
    assert source.tell() < 2_000_000


def test_what_a_file_says_of_its_columns_is_believed_where_it_can_be_told():
    said = {"label": {"names": ["cat"], "_type": "ClassLabel"}, "odd": {"dtype": "\ud800", "_type": "Value"}}
    said |= {"number": {"dtype": float("nan")}, "type": {"_type": ["Image"]}}
    deep = {"x": 1}
    for _ in range(100):
        deep = {"x": deep}
    text = json.dumps({"info": {"features": said | {"deep": deep}}})
    whole = [(name, pa.int64()) for name in ("label", "odd", "number", "deep")]
    schema = pa.schema([*whole, ("type", pa.struct([("_type", pa.int64())]))], metadata={"huggingface": text})
    columns = describe_columns(schema)
    plain = {"dtype": "int64", "_type": "Value"}
    assert [column["feature"] for column in columns[:4]] == [said["label"], plain, plain, plain]
    assert media_of(columns) == media_of(describe_columns(schema.remove_metadata())) == {}
