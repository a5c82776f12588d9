"""Tables become Parquet on a ref of their own, once for each content."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import select

from hub.accounts.policy import SYSTEM, Actor
from hub.assets.service import parquet as service
from hub.assets.viewer import arrow, writing
from hub.db.uow import reading
from hub.repos.contents import open_file
from hub.repos.files import FileEdit, commit_files
from hub.repos.models import LFSLink, LFSObject, Repository

pytestmark = pytest.mark.any_database


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
def read(context, data_set):
    """``read("default/train/0000.parquet")``: the rows of a file on the ref."""

    def rows(path):
        file = open_file(context, data_set, actor=SYSTEM, path=path, revision=service.REF)
        return parquet.read_table(io.BytesIO(b"".join(file.open_range(0, file.size_bytes)))).to_pylist()

    return rows


def as_parquet(rows):
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def test_csv_and_json_are_converted_once_for_each_content(context, data_set, write, read):
    lines = b"".join(json.dumps({"a": number, "b": [str(number)]}).encode() + b"\n" for number in range(3))
    card = (
        b"---\nconfigs:\n- config_name: csv\n  sep: ';'\n  data_files: 'c/*.csv'\n"
        b"- config_name: json\n  data_files: [{split: train, path: j/train.jsonl}, {split: test, path: j/list.json}]\n"
        b"---\n"
    )
    files = {
        "README.md": card,
        "c/1.csv": b"name;n\nAda;1\n",
        "c/2.csv": b"name;n\n\xc3\x84da;2\n",
        "j/train.jsonl": lines,
        "j/list.json": b'[{"a": 7, "b": []}]',
    }
    head = write(files)
    seen = []
    assert service.convert(context, repository_id=data_set.id, note=lambda *at: seen.append(at)).startswith("3 files")
    assert seen[-1][0] == seen[-1][1] == sum(map(len, files.values())) - len(card)
    assert read("csv/train/0000.parquet") == [{"name": "Ada", "n": 1}, {"name": "Äda", "n": 2}]
    assert read("json/train/0000.parquet")[2] == {"a": 2, "b": ["2"]}
    assert read("json/test/0000.parquet") == [{"a": 7, "b": []}]
    found = service.find_converted(context, data_set)
    assert (found.source_commit, found.failed, found.is_partial) == (head, [], False)
    assert found.configs[0].features == {
        "name": {"dtype": "string", "_type": "Value"},
        "n": {"dtype": "int64", "_type": "Value"},
    }
    assert [config.splits[0].rows for config in found.configs] == [2, 3]
    # Another commit with the same tables changes nothing, and is what the ref stands for.
    later = write({"notes.txt": b"More"})
    assert service.convert(context, repository_id=data_set.id) == "The tables are the same."
    assert service.current_commit(context, data_set, found) == later
    write({"c/1.csv": b"name;n\nBob;3\n"})
    assert service.current_commit(context, data_set, found) == head
    service.convert(context, repository_id=data_set.id)
    assert read("csv/train/0000.parquet")[0] == {"name": "Bob", "n": 3}
    assert service.find_converted(context, data_set).commit_id != found.commit_id


def test_parquet_is_the_same_content_at_another_name(context, data_set, write, read):
    write({"data/train-00000-of-00001.parquet": as_parquet([{"a": 1}, {"a": 2}])})
    assert service.convert(context, repository_id=data_set.id).startswith("1 files")
    [config] = service.find_converted(context, data_set).configs
    assert (config.is_same, config.splits[0].rows) == (True, 2)
    assert config.features == {"a": {"dtype": "int64", "_type": "Value"}}
    old = open_file(context, data_set, actor=SYSTEM, path="data/train-00000-of-00001.parquet")
    new = open_file(context, data_set, actor=SYSTEM, path="default/train/0000.parquet", revision=service.REF)
    assert old.lfs is not None
    assert (old.entry.oid, old.etag) == (new.entry.oid, new.etag)


def test_what_was_converted_before_is_let_go(context, data_set, write):
    def convert(content):
        write({"train.csv": content})
        service.convert(context, repository_id=data_set.id)
        return open_file(context, data_set, actor=SYSTEM, path="default/train/0000.parquet", revision=service.REF)

    def held():
        with reading(context) as work:
            rows = work.session.execute(
                select(LFSLink.oid, LFSObject.size_bytes)
                .join(LFSObject, LFSObject.oid == LFSLink.oid)
                .where(LFSLink.repository_id == data_set.id)
            ).all()
            size = work.session.scalar(select(Repository.lfs_size_bytes).where(Repository.id == data_set.id))
        assert size == sum(row.size_bytes for row in rows)
        return {row.oid for row in rows}

    first = convert(b"a\n1\n")
    # Somebody keeps the very same content, in a commit that is no branch's last.
    same = b"".join(first.open_range(0, first.size_bytes))
    write({"kept.parquet": same}, branch="main", new_branch="kept")
    commit_files(
        context, actor=SYSTEM, repository_id=data_set.id, message="Gone",
        edits=[FileEdit("kept.parquet", action="delete")], branch="kept",
    )  # fmt: skip
    second, third = convert(b"a\n2\n"), convert(b"a\n3\n")
    assert held() == {first.etag, third.etag}
    assert second.etag not in held()

    def stop(done, total):
        if done == total:
            raise RuntimeError("stopped")

    write({"train.csv": b"a\n4\n"})
    with pytest.raises(RuntimeError, match="stopped"):
        service.convert(
            context, repository_id=data_set.id, note=lambda done, total: done == total and stop(done, total)
        )
    assert held() == {first.etag, third.etag}


def test_what_cannot_be_read_is_told_and_spoils_nothing(context, data_set, write, read):
    write(
        {
            "train.csv": b"a,b\n1,2\n",
            "test.csv": b"a,b\n1,2,3\n",
            "validation.csv": b"",
        }
    )
    service.convert(context, repository_id=data_set.id)
    found = service.find_converted(context, data_set)
    assert [split.name for split in found.configs[0].splits] == ["train"]
    assert {failure.split for failure in found.failed} == {"test", "validation"}
    assert all(failure.reason for failure in found.failed)
    assert read("default/train/0000.parquet") == [{"a": 1, "b": 2}]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b'{"a": 1}\n{"a": "x"}\n',
        b'[{"a": 1}, 2]',
        b"[" * 100_000,
        b"PAR1 not",
        b"\xff\xfe\x00",
        b'{"a": 1}\n' + b"\0",
    ],
)
@pytest.mark.parametrize("format", ["json", "csv", "parquet"])
def test_broken_files_are_refused_in_words(tmp_path, content, format):
    source = arrow.Source("x", len(content), lambda start, length: iter([content[start : start + length]]))
    try:
        if format == "parquet":
            arrow.describe_parquet([source])
        else:
            arrow.write_parquet(
                [source], format=format, delimiter="", folder=tmp_path, max_bytes=10**6, take=lambda path: None
            )
    except arrow.UnreadableTable as error:
        assert str(error)


def of_columns(count):
    """Tables of so many columns, each in its own way."""
    names = [f"c{number}" for number in range(count)]
    rows = [json.dumps({name: 1}) for name in names]
    yield "csv", "\ufeff\n\n" + ",".join(f'"{name}\n"' for name in names) + "\n" + ",".join("1" * count) + "\n"
    yield "json", json.dumps(dict.fromkeys(names, 1)) + "\n"
    yield "json", "\n".join(rows) + "\n"
    yield "json", "".join(rows) + "\n"
    yield "json", json.dumps({"c": [{"d": dict.fromkeys(names[2:], 1)}]}) + "\n"
    yield "json", f"[{','.join(rows)}]"


def test_a_table_of_very_many_columns_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow, "MAX_COLUMNS", 30)
    for count in (30, 31):
        for format, text in of_columns(count):
            content = text.encode()

            def open_range(start, length, content=content):
                return (content[at : at + 7] for at in range(start, start + length, 7))

            source = arrow.Source("x", len(content), open_range)
            options = {"format": format, "delimiter": "", "folder": tmp_path, "max_bytes": 10**6}
            if count == 30:
                assert arrow.write_parquet([source], **options, take=lambda path: None).rows in (1, 30)
            else:
                with pytest.raises(arrow.UnreadableTable, match="30 columns"):
                    arrow.write_parquet([source], **options, take=lambda path: None)
    wide = as_parquet([dict.fromkeys(map(str, range(31)), 1)])
    lying = wide[:-8] + b"\xff" * 4 + b"PAR1"
    for content in (wide, lying):
        source = arrow.Source("x", len(content), lambda start, length, c=content: iter([c[start : start + length]]))
        with pytest.raises(arrow.UnreadableTable, match=r"columns|of itself"):
            arrow.describe_parquet([source])


def test_large_tables_are_written_in_files_and_cut_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(writing, "GROUP_BYTES", 2000)
    monkeypatch.setattr(writing, "FILE_BYTES", 1)
    lines = b"".join(json.dumps({"a": number}).encode() + b"\n" for number in range(2000))
    source = arrow.Source("x.jsonl", len(lines), lambda start, length: iter([lines[start : start + length]]))

    def convert(max_bytes):
        taken = []
        written = arrow.write_parquet(
            [source], format="json", delimiter="", folder=tmp_path, max_bytes=max_bytes, take=taken.append
        )
        return written, [row["a"] for path in taken for row in parquet.read_table(path).to_pylist()], len(taken)

    written, rows, count = convert(10**6)
    assert (written.rows, written.is_partial, rows) == (2000, False, list(range(2000)))
    assert count > 3
    written, rows, _ = convert(5000)
    assert written.is_partial
    assert rows == list(range(len(rows)))
    assert 300 < len(rows) < 1000


def test_tables_that_go_take_the_ref_with_them(context, data_set, write):
    write({"train.csv": b"a\n1\n"})
    service.convert(context, repository_id=data_set.id)
    actor_edit = [FileEdit("train.csv", action="delete")]
    commit_files(context, actor=SYSTEM, repository_id=data_set.id, message="Gone", edits=actor_edit)
    assert service.convert(context, repository_id=data_set.id) == "There are no tables any more."
    assert service.find_converted(context, data_set) is None
    assert service.convert(context, repository_id=data_set.id) == "There are no tables."
