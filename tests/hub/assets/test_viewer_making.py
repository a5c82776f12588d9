"""Tables that are made once for each content, and files that nothing can be made of."""

from __future__ import annotations

import io
import os
import zipfile

import pyarrow as pa
import pytest
from pyarrow import ipc, parquet
from sqlalchemy import delete, func, select, update

from hub.accounts.policy import SYSTEM, Actor
from hub.assets.models_viewer import TableState, ViewerTable
from hub.assets.viewer import making
from hub.assets.viewer.child import CHILDREN, ReadingFailed
from hub.assets.viewer.parts import Content
from hub.assets.viewer.rows import Asked, read_rows, try_again
from hub.assets.viewer.tables import find_catalogue
from hub.base.errors import Conflict, Denied, NotFound, Unprocessable
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.run import run_due
from hub.jobs.service import enqueue
from hub.objects.store import STORE
from hub.repos.files import FileEdit, commit_files
from hub.repos.models import LFSLink

LFS = b"*.arrow filter=lfs diff=lfs merge=lfs -text\n"
TABLE = Asked("default", "train")


@pytest.fixture
def people(make_user):
    return {name: make_user(name) for name in ("ada", "bob")}


@pytest.fixture
def write(context, people):
    def commit(repository, files):
        edits = [FileEdit(path, content=content) for path, content in files.items()]
        actor = Actor.of_user(people["ada"], via="session")
        return commit_files(context, actor=actor, repository_id=repository.id, message="Files", edits=edits).commit_id

    return commit


@pytest.fixture
def make_data_set(make_repository, people):
    return lambda name="corpus": make_repository(people["ada"], name, kind="dataset")


@pytest.fixture
def look(context):
    def read(repository, asked=TABLE, actor=SYSTEM, **options):
        return read_rows(context, repository, asked, actor=actor, **options)

    return read


def as_arrow(rows):
    table = pa.Table.from_pylist(rows)
    sink = io.BytesIO()
    with ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def tables_in(context):
    with reading(context) as work:
        return work.session.scalars(select(ViewerTable).order_by(ViewerTable.digest)).all()


def jobs_in(context):
    with reading(context) as work:
        return work.session.scalar(select(func.count()).where(Job.name == making.MAKE))


def keys_in(context):
    return sorted(info.key for info in context[STORE].list(making.PREFIX))


@pytest.fixture
def no_conversion(context):
    """Let nothing be made by the conversion that follows a push."""

    def forget():
        with unit_of_work(context) as work:
            work.session.execute(delete(Job).where(Job.name == "assets.convert_parquet"))

    return forget


def test_a_table_is_made_once_for_each_content(context, write, look, make_data_set, no_conversion, monkeypatch, clock):
    repository, other = make_data_set(), make_data_set("other")
    old = write(repository, {".gitattributes": LFS, "train.arrow": as_arrow([{"a": 1}, {"a": 2}])})
    write(repository, {"notes.txt": b"Nothing"})
    write(other, {".gitattributes": LFS, "train.arrow": as_arrow([{"a": 1}, {"a": 2}])})
    no_conversion()
    for _ in range(2):
        assert look(repository).is_pending
        assert look(other).is_pending
    assert jobs_in(context) == 1
    # The worker is killed when its files are in the store, and before the row says so.
    with monkeypatch.context() as patch:
        patch.setattr(making, "_finish", _die)
        with pytest.raises(_Died):
            run_due(context)
    assert [(table.state, table.facts) for table in tables_in(context)] == [(TableState.RUNNING, {})]
    stray = keys_in(context)
    assert len(stray) == 1
    with unit_of_work(context) as work:
        work.session.execute(
            update(Job).where(Job.name == making.MAKE).values(state=JobState.QUEUED, run_after=work.now())
        )
    run_due(context)
    [table] = tables_in(context)
    assert (table.state, table.num_rows) == (TableState.READY, 2)
    for asked in (TABLE, Asked("default", "train", old)):
        page = look(repository, asked)
        assert (page.rows, page.is_pending, page.digest) == ([[1], [2]], False, table.digest)
    assert look(other).rows == [[1], [2]]
    assert jobs_in(context) == 1
    # A file that is lost from the store is made again.
    [key] = [part["key"] for part in table.facts["parts"]]
    context[STORE].delete(key)
    with pytest.raises(Conflict):
        look(repository)
    assert look(repository).is_pending
    run_due(context)
    assert look(repository).rows == [[1], [2]]
    # Whoever names a content without having it sees nothing of it.
    with unit_of_work(context) as work:
        work.session.execute(delete(LFSLink).where(LFSLink.repository_id == other.id))
    with pytest.raises(Unprocessable):
        look(other)
    for key in keys_in(context):
        os.utime(context[STORE].local_path(key), (clock.now().timestamp(),) * 2)
    # What no table names goes, in time; then the table itself, when nobody has looked at it for long.
    context.clock.advance(25 * 3600)
    _prune(context)
    assert keys_in(context) == sorted({*keys_in(context)} - {*stray})
    assert len(keys_in(context)) == 1
    look(repository)
    context.clock.advance(20 * 24 * 3600)
    _prune(context)
    assert len(tables_in(context)) == 1
    context.clock.advance(20 * 24 * 3600)
    _prune(context)
    assert (tables_in(context), keys_in(context)) == ([], [])
    assert look(repository).is_pending


class _Died(BaseException):
    pass


def _die(*_):
    raise _Died


def _prune(context):
    with unit_of_work(context) as work:
        enqueue(work, "assets.prune_tables")
    run_due(context)


@pytest.mark.any_database
def test_what_cannot_be_made_says_why_and_is_tried_again(context, write, look, make_data_set, no_conversion, people):
    repository = make_data_set()
    write(
        repository,
        {
            "train/1.csv": b"a,b\n1,x\n",
            "train/2.csv": b"a,b\n2,y\n3,z,\0\n",
            "test/1.csv": b"",
            "test/2.jsonl": b"{",
            "validation/1.csv": b"a\n1\n",
        },
    )
    no_conversion()
    page = look(repository)
    assert (page.rows, page.is_partial) == ([[1, "x"]], True)
    with pytest.raises(Unprocessable, match=r"[Ee]mpty"):
        look(repository, Asked("default", "test"))
    run_due(context)
    page = look(repository)
    assert (page.rows, page.total, page.is_partial, page.is_pending) == ([[1, "x"]], 1, True, False)
    [(path, reason)] = page.unread
    assert (path, "Row #3: Expected 2 columns, got 3: 3,z,\\0" in reason) == ("train/2.csv", True)
    found = find_catalogue(context, repository, actor=SYSTEM)
    states = {split.name: (split.state, bool(split.reason)) for split in found.configs[0].splits}
    assert states == {"train": ("ready", False), "validation": ("pending", False), "test": ("failed", True)}
    assert {(failure.split, failure.path) for failure in found.failures} == {
        ("train", "train/2.csv"),
        ("test", "test/1.csv"),
    }
    with pytest.raises(Unprocessable):
        look(repository, Asked("default", "test"))
    count = jobs_in(context)
    with pytest.raises(NotFound):
        try_again(context, repository, Asked("default", "none"), actor=SYSTEM)
    with pytest.raises(Denied):
        try_again(context, repository, Asked("default", "test"), actor=Actor.of_user(people["bob"], via="session"))
    assert jobs_in(context) == count
    try_again(context, repository, Asked("default", "test"), actor=Actor.of_user(people["ada"], via="session"))
    assert jobs_in(context) == count + 1
    # A job that came to nothing is no table that is waited for.
    with unit_of_work(context) as work:
        failed = {"state": JobState.FAILED, "error": "The worker was killed."}
        work.session.execute(update(Job).where(Job.name == making.MAKE).values(**failed))
    with pytest.raises(Unprocessable, match="was killed"):
        look(repository, Asked("default", "test"))


@pytest.mark.any_database
def test_files_that_differ_are_fitted_or_left_out(context, write, look, make_data_set, no_conversion):
    texts, lines = make_data_set("texts"), make_data_set("lines")
    files = [b"a,b,c\n1,1,1\n", b"a,b,c\n2.5,x,\n", b"a,c\n3,3\n", b"a,d\n4,4\n"]
    write(texts, {f"train/{number}.csv": content for number, content in enumerate(files)})
    files = [b'{"a": 1}\n', b'{"a": "x"}\n', b'{"a": 3}\n']
    write(lines, {f"train/{number}.jsonl": content for number, content in enumerate(files)})
    no_conversion()
    for _ in range(2):
        page = look(texts)
        assert page.rows == [[1.0, "1", 1], [2.5, "x", None], [3.0, None, 3]]
        assert [path for path, _ in page.unread] == ["train/3.csv"]
        page = look(lines)
        assert (page.rows, page.is_partial) == ([[1], [3]], True)
        assert [path for path, _ in page.unread] == ["train/1.jsonl"]
        run_due(context)


@pytest.mark.any_database
def test_what_the_default_branch_has_as_parquet_is_not_made_again(context, write, look, make_data_set):
    repository = make_data_set()
    write(repository, {"train.jsonl": b"".join(b'{"a": %d}\n' % number for number in range(1000))})
    run_due(context)
    page = look(repository, offset=998)
    assert (page.rows, page.total, page.is_pending) == ([[998], [999]], 1000, False)
    assert (tables_in(context), jobs_in(context)) == ([], 0)


def nested(depth):
    return b'{"a": ' + b"[" * depth + b"]" * depth + b"}"


def lying_parquet():
    sink = io.BytesIO()
    parquet.write_table(pa.table({"a": [*range(1000)], "b": ["x" * 100] * 1000}), sink)
    data = bytearray(sink.getvalue())
    middle = len(data) // 2
    data[8:middle] = b"\xff" * (middle - 8)
    return bytes(data)


def bomb():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("1.csv", b"a\n" + b"1" * 20_000_000)
    return sink.getvalue()


HOSTILE = {
    "endless.csv": (b"a" * 1_000_000, "131072 bytes"),
    "deep.json": (b"[" * 10_000, "too deep"),
    "deep.jsonl": (nested(10_000), "too deep"),
    "wide.parquet": (None, "columns"),
    "lying.parquet": (lying_parquet(), "lying.parquet: "),
    "short.parquet": (b"PAR1" + b"\xff\xff\xff\x7fPAR1", "too much"),
    "no.zip": (b"PK\x03\x04" + b"\0" * 30, "archive"),
    "bomb.zip": (bomb(), "1.csv"),
    "broken.csv.gz": (b"\x1f\x8b" + b"\0" * 30, ""),
    "no.arrow": (b"ARROW1\0\0" + b"\xff" * 100, ""),
    "quote.csv": (b'a,b\n"' + b"x\n" * 10_000_000, "MiB"),
}


@pytest.mark.any_database
def test_hostile_files_are_refused_in_words_and_spoil_nothing(context, write, look, make_data_set, no_conversion):
    repository = make_data_set()
    sink = io.BytesIO()
    parquet.write_table(pa.table({f"c{number}": [1] for number in range(5_001)}), sink)
    contents = {path: content or sink.getvalue() for path, (content, _) in HOSTILE.items()}
    write(repository, {**contents, "good.csv": b"a\n1\n"})
    no_conversion()
    for _ in range(2):
        for path, (_, word) in HOSTILE.items():
            with pytest.raises(Unprocessable) as refused:
                page = look(repository, Asked(path=path))
                # Nothing of the beginning is a whole row.
                assert (page.is_pending, page.is_partial, page.rows) == (True, True, [])
                raise Unprocessable(word)
            assert word in str(refused.value)
            assert "Traceback" not in str(refused.value)
        assert look(repository, Asked(path="good.csv")).rows == [[1]]
        run_due(context)


@pytest.mark.any_database
@pytest.mark.any_database
def test_a_small_archive_does_not_become_a_huge_table():
    assert making.limit_of(4 * 1024**2, most_bytes=5 * 1024**3) < 1024**3
    assert making.limit_of(1024**3, most_bytes=5 * 1024**3) == 5 * 1024**3


def test_what_is_away_for_now_is_not_remembered_and_where_it_lay_not_told(tmp_path):
    away = Content("a.parquet", "e", 100, lambda *_: [], tmp_path / "gone")
    with pytest.raises(ReadingFailed) as failed:
        CHILDREN.call("describe", {"etags": ["e"]}, [away], deadline_s=60)
    assert (str(failed.value), failed.value.is_passing) == ("Its content is not there.", True)
