"""What a push brings to the search, and what it leaves alone."""

import tracemalloc

import pytest
from sqlalchemy import select, text

from hub.assets.indexing import INDEXERS, IndexRun
from hub.assets.models_search import SearchCard, SearchContent, SearchFile
from hub.assets.search.indexer import index_search
from hub.assets.search.texts import card_text, is_read, lines_with, snippet_of
from hub.assets.search.words import question, row_of, words_of, written
from hub.db.engine import DATABASE
from hub.db.uow import reading, unit_of_work
from hub.jobs.run import run_due
from hub.repos.files import FileEdit, commit_files
from hub.repos.models import Repository


def _words(text, **options):
    return " ".join(words_of(text, **options))


def test_texts_are_cut_into_words():
    code = "listRepositories HTTPServer2 max_len 8B foo.bar"
    assert _words(code, is_code=True) == "list repositories http server2 max len 8b foo bar"
    assert _words("PyTorch LLaMA-7b naïve") == "pytorch llama 7b naïve"
    assert _words("自然语言 x") == "自然 然语 语言 言 x"
    assert _words("a" * 65) == ""
    rows = [row_of("foo_bars", is_code=True), row_of("语言处理"), row_of("x1", is_negated=True)]
    assert question(rows, for_sqlite=True) == '("foo bars" * AND "语言 言处 处理") NOT ("x1")'
    assert question(rows, for_sqlite=False) == "('foo' <-> 'bars':*) & ('语言' <-> '言处' <-> '处理') & !('x1')"
    assert question(rows[2:], for_sqlite=True) == ""
    assert row_of("---") is None
    assert written(["a", "b", "a"], for_sqlite=False) == "'a':1,3 'b':2"
    # More than a tsvector holds: UTF-16 has 130,000 pairs in a file.
    assert written([f"{n:06x}" for n in range(131_000)], for_sqlite=False).count(":") == 90_910


def test_what_nobody_wrote_is_not_read_and_a_card_is_shown_without_its_markup():
    read = ["src/a.py", "README.md", "Makefile", "docs/vendors.md"]
    passed = ["node_modules/a.js", "a/vendor/b.go", "yarn.lock", "x.min.js", "data.csv", "tokenizer.json"]
    assert [path for path in (*read, *passed) if is_read(path, 10)] == read
    assert not is_read("a.py", 0)
    assert not is_read("a.py", 2**20)
    card = "---\na: b\n---\n# Title\n![x](y.png) [link](http://z) <b>bold</b>\n```py\nf(1)\n```\n|a|\n|--|\n<!-- no -->"
    assert card_text(card) == "Title x link bold f(1) a"
    assert card_text("<script>alert(1)") == ""
    # Which a rule within a rule would take an hour to find no rule.
    assert card_text(" " * 200_000 + "x") == "x"
    assert snippet_of("x " * 500 + "here " + "y " * 500, ["here"]).strip("…").split().count("here") == 1
    assert lines_with("a\nfooBar = 1\nb", [row_of("foo_bar", is_code=True)]) == [(2, "fooBar = 1")]


@pytest.fixture
def people(make_user, make_repository, context, actor_of):
    ada = make_user("ada")
    thing = make_repository(ada, "thing")

    def push(*edits, is_indexed=True):
        actor = actor_of(ada)
        made = commit_files(context, actor=actor, repository_id=thing.id, message="x", edits=edits, branch="main")
        if is_indexed:
            run_due(context)
        return made.commit_id

    return thing, push


def _found(context, word):
    """The paths whose content holds the word, as the database's own index says."""
    asked = question([row_of(word, is_code=True)], for_sqlite=context[DATABASE].is_sqlite)
    matches = (
        "c.id IN (SELECT rowid FROM search_contents_fts WHERE search_contents_fts MATCH :asked)"
        if context[DATABASE].is_sqlite
        else "c.words @@ CAST(:asked AS tsquery)"
    )
    with reading(context) as work:
        query = f"SELECT f.path FROM search_files f JOIN search_contents c ON c.id = f.content_id WHERE {matches}"
        return sorted(work.session.scalars(text(query), {"asked": asked}))


def test_a_push_is_found_what_did_not_change_is_not_read_again_and_what_goes_is_gone(context, people):
    thing, push = people
    same = b"def quokka(): return 1\n"
    push(
        FileEdit("README.md", content="---\nlicense: mit\n---\n# 自然语言处理 **wombat**".encode()),
        FileEdit("a.py", content=same),
        FileEdit("b/c.py", content=same),
        FileEdit("bin.dat", content=b"quokka\0"),
    )
    assert _found(context, "quokka") == ["a.py", "b/c.py"]
    assert _found(context, "语言处理") == ["README.md"]
    with reading(context) as work:
        before = dict(work.rows(select(SearchContent.blob_id, SearchContent.id)))
        assert work.session.get(SearchCard, thing.id).body == "自然语言处理 wombat"

    push(
        FileEdit("d.py", "move", source="a.py"),
        FileEdit("b/c.py", content=b"numbat = 1"),
        FileEdit("README.md", "delete"),
    )
    assert _found(context, "quokka") == ["d.py"]
    assert _found(context, "numbat") == ["b/c.py"]
    with reading(context) as work:
        after = dict(work.rows(select(SearchContent.blob_id, SearchContent.id)))
        assert work.session.get(SearchCard, thing.id) is None
    # The content that stayed is the same row; the card's is gone, the new one there.
    assert len(after) == len(before)
    assert len(after.items() & before.items()) == len(before) - 1

    with unit_of_work(context) as work:
        work.session.execute(text("DELETE FROM repositories"))
    with reading(context) as work:
        assert not work.session.scalars(select(SearchFile.id)).all()
        if context[DATABASE].is_sqlite:
            assert not work.session.scalar(
                text("SELECT count(*) FROM search_contents_fts WHERE search_contents_fts MATCH 'numbat'")
            )


class _CutOff(IndexRun):
    """A run whose process ends when it is about to show what it has read."""

    def note(self, done, total=None, unit="files"):
        pass

    def finish(self, work):
        raise KeyboardInterrupt


@pytest.mark.any_database
def test_many_files_take_little_memory_and_a_run_that_is_cut_off_shows_nothing(context, people):
    thing, push = people
    files = [FileEdit(f"src/{n}.py", content=f"value{n}x {'q' * 60}\n".encode() * 300) for n in range(160)]
    push(FileEdit("a.py", content=b"wombat = 1"))
    commit = push(*files, is_indexed=False)
    with reading(context) as work:
        row = work.session.get(Repository, thing.id)
    tracemalloc.start()
    with pytest.raises(KeyboardInterrupt):
        index_search(_CutOff(context, row, commit, "", context[INDEXERS]["search"], None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 2**20
    assert _found(context, "value77x") == []
    assert _found(context, "wombat") == ["a.py"]
    run_due(context)
    assert _found(context, "value77x") == ["src/77.py"]
    assert _found(context, "wombat") == ["a.py"]
