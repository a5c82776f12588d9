"""Lists of repositories: order, search, further conditions, totals, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, false, select, text

from hub.accounts.models import Organization, User
from hub.accounts.policy import ANONYMOUS, Actor
from hub.base.context import Context
from hub.base.names import fold_name
from hub.base.paging import PageArgs
from hub.db.engine import DATABASE
from hub.db.totals import total_of
from hub.db.uow import reading, unit_of_work
from hub.repos import service
from hub.repos.models import Repository, RepositoryState
from hub.repos.searching import matches, search_text

Add = Callable[..., None]
Names = Callable[..., list[str]]


@pytest.fixture
def add(context: Context, make_user: Callable[..., User]) -> Add:
    """``add("name", like_count=3, age_h=1)``: a row of ada's as making a repository leaves it, without Git."""
    ada = make_user("ada")

    def add_row(name: str, *, age_h: int = 0, description: str = "", nickname: str = "", **fields: Any) -> None:
        with unit_of_work(context) as work:
            moment = work.now() - timedelta(hours=age_h)
            owner = fields.pop("owner", ada)
            values = {"kind": "model", "state": RepositoryState.READY, "created_by_id": ada.id, **fields}
            work.session.add(
                Repository(
                    name=name,
                    name_key=fold_name(name),
                    namespace_id=owner.namespace_id,
                    nickname=nickname,
                    description=description,
                    search_text=search_text(f"{owner.name}/{name}", nickname, description),
                    created_at=moment,
                    updated_at=moment,
                    **values,
                )
            )

    return add_row


@pytest.fixture
def names(context: Context) -> Names:
    """``names(search="x")``: the names on the page, in its order."""

    def list_names(actor: Actor = ANONYMOUS, kind: str | None = "model", **query: Any) -> list[str]:
        with reading(context) as work:
            page = service.list_repositories(work, actor=actor, kind=kind, **query)
        if "page" not in query:
            assert (page.total, page.is_estimate) == (len(page.items), False)
        return [repository.name for repository in page.items]

    return list_names


def test_each_sort_has_its_measure_and_the_newest_of_equals_comes_first(add: Add, names: Names) -> None:
    add("a", age_h=3, download_count=5, like_count=1, trending_score=0.5, git_size_bytes=3)
    add("b", age_h=2, download_count=5, like_count=7, trending_score=0.1, lfs_size_bytes=4)
    add("D", age_h=1, like_count=7, trending_score=0.2, git_size_bytes=2, lfs_size_bytes=2)
    add("c", age_h=1, download_count=9, like_count=1, trending_score=0.2, recent_like_count=1)
    expected = {
        "recently_update": ["c", "D", "b", "a"],
        "most_download": ["c", "b", "a", "D"],
        "most_favorite": ["D", "b", "c", "a"],
        "most_star": ["D", "b", "c", "a"],
        "trending": ["a", "c", "D", "b"],
        "most_likes7d": ["c", "D", "b", "a"],
        "size": ["D", "b", "a", "c"],
        "name": ["a", "b", "c", "D"],
        "created": ["c", "D", "b", "a"],
        "recently_create": ["c", "D", "b", "a"],
    }
    assert {sort: names(sort=sort) for sort in service.SORTS} == expected
    assert names() == expected["recently_update"]
    # Of all kinds together, too, which are put together from the lists of each.
    assert {sort: names(sort=sort, kind=None) for sort in service.SORTS} == expected


def test_each_sort_is_the_order_of_an_index() -> None:
    indexed = [tuple(index.columns.keys()) for index in Repository.__table__.indexes]  # type: ignore[attr-defined]
    for order in service.SORTS.values():
        assert len({expression.modifier for expression in order}) == 1
        assert ("kind", *(expression.element.key for expression in order)) in indexed


def test_a_list_of_all_kinds_is_in_one_order_over_its_pages(add: Add, names: Names) -> None:
    kinds = ("model", "dataset", "code", "model", "space", "model", "dataset")
    for number, kind in enumerate(kinds):
        add(f"r{number}", kind=kind, age_h=number)
    add("foreign", kind="of-a-plugin-that-is-gone")
    pages = [names(kind=None, page=PageArgs(page, 3)) for page in (1, 2, 3, 4)]
    assert pages == [["r0", "r1", "r2"], ["r3", "r4", "r5"], ["r6"], []]


def test_a_list_may_be_of_one_owner_and_source_and_take_conditions_from_above(
    add: Add, names: Names, make_organization: Callable[..., Organization]
) -> None:
    acme = make_organization("acme")
    add("mine", age_h=1)
    add("ours", owner=acme, source="huggingface")
    add("gone", owner=acme, state=RepositoryState.DELETING)
    assert names(namespace="ACME") == ["ours"]
    assert names(namespace="nobody") == names(source="opencsg") == []
    assert names(source="local") == ["mine"]
    assert names(where=[Repository.name != "mine"]) == ["ours"]
    assert names(where=[Repository.name != "mine", false()]) == []
    # Their statement is built once for all values, also where these are more or fewer.
    for asked, found in (
        (["mine"], ["mine"]),
        (["ours", "x"], ["ours"]),
        (["ours", "mine"], ["ours", "mine"]),
        ([], []),
    ):
        assert names(where=[Repository.name.in_(asked)]) == found


TEXTS = {
    "percent": "100% of a_b",
    "plain": "1000 of axb, Straße",
    "slash": r"back\slash",
    "llama-7B": "Größe der Übung",
    "zh": "基于中文的语言模型7b",
    "ja": "日本語モデル",
}


SEARCHES: tuple[tuple[str, list[str]], ...] = (
    ("", list(TEXTS)),
    ("100%", ["percent"]),
    ("a_b", ["percent"]),
    (r"k\s", ["slash"]),
    ("of 100", ["percent", "plain"]),
    ("OF xb,", ["plain"]),
    ("ÜBUNG größe", ["llama-7B"]),
    ("lama-7", ["llama-7B"]),
    ("ada/ll", ["llama-7B"]),
    # One or two letters: at the beginning of a word.
    ("7b", ["llama-7B"]),
    ("ll", ["llama-7B"]),
    ("am", []),
    ("a", list(TEXTS)),
    ("_", []),
    # One or two characters of a script without spaces: wherever they stand.
    ("模型", ["zh"]),
    ("型7", ["zh"]),
    ("モデ", ["ja"]),
    ("语", ["zh"]),
    ("語", ["ja"]),
    ("语言模型", ["zh"]),
    ("言型", []),
    ("ß", ["plain", "llama-7B"]),
)


def test_a_search_finds_each_of_its_words_as_it_is(add: Add, names: Names) -> None:
    for age_h, (name, description) in enumerate(TEXTS.items()):
        add(name, description=description, age_h=age_h)
    for search, found in SEARCHES:
        assert names(search=search) == found, search


def test_a_search_is_bounded(names: Names) -> None:
    assert names(search="x" * 100_000) == names(search="a b c " * 10_000) == names(search=" \t\n") == []


def test_a_total_is_counted_up_to_a_limit_and_estimated_beyond(
    context: Context, add: Add, count_queries: Callable[[], Any]
) -> None:
    for number in range(6):
        add(f"r{number}", description="word" if number < 3 else "")
    query = select(Repository.id).where(Repository.kind == "model")
    few = query.where(Repository.search_text.like("%word%"))
    is_sqlite = context[DATABASE].is_sqlite

    def total(asked: Any, page: PageArgs, found: int, *, queries: int) -> tuple[int, bool]:
        with reading(context) as work, count_queries() as sent:
            answer = total_of(work, asked, page, found, limit=3)
        assert len(sent) == queries
        return answer

    # Where the list ends on the page, nothing is counted.
    assert total(query, PageArgs(1, 50), 6, queries=0) == (6, False)
    assert total(query, PageArgs(2, 4), 2, queries=0) == (6, False)
    assert total(query, PageArgs(1, 4), 0, queries=0) == (0, False)
    # Nothing on a later page says nothing of the earlier ones.
    assert total(few, PageArgs(9, 2), 0, queries=1) == (3, False)
    assert total(few, PageArgs(1, 2), 2, queries=1) == (3, False)
    if is_sqlite:
        assert total(query, PageArgs(1, 2), 2, queries=1) == (6, False)
        return
    with context[DATABASE].engine.begin() as connection:
        connection.execute(text("ANALYZE repositories"))
    assert total(query, PageArgs(1, 2), 2, queries=1) == (6, True)
    # It serves again; a full page further on raises it.
    assert total(query, PageArgs(2, 2), 2, queries=0) == (6, True)
    assert total(query, PageArgs(5, 2), 2, queries=0) == (10, True)
    assert total(query.where(Repository.id > 0), PageArgs(1, 2), 2, queries=1)[1]


def test_a_page_takes_two_queries_and_one_more_for_an_owner(
    context: Context, add: Add, count_queries: Callable[[], Any]
) -> None:
    for number in range(4):
        add(f"r{number}")
    for queries, query in (
        (2, {"kind": "model", "page": PageArgs(1, 2)}),
        (2, {"search": "r1 ada", "page": PageArgs(1, 1)}),
        (3, {"namespace": "ada", "page": PageArgs(1, 2)}),
        (1, {"kind": "model", "search": "r1", "page": PageArgs(1, 2)}),
    ):
        with reading(context) as work, count_queries() as sent:
            page = service.list_repositories(work, actor=ANONYMOUS, **query)  # type: ignore[arg-type]
            for repository in page.items:
                assert repository.path.startswith("ada/")
                assert repository.created_by
                assert repository.created_by.nickname
        assert len(sent) == queries


def test_postgresql_reads_pages_and_searches_from_indexes(context: Context) -> None:
    database = context[DATABASE]
    if database.is_sqlite:
        pytest.skip("about PostgreSQL's plans")
    sent: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda *call: sent.append((call[2], call[3])))

    def plan_of(*off: str) -> str:
        statement, values = sent[-1]
        with database.engine.connect() as connection:
            # Of a table without rows every plan is as good as another, so those are ruled out that must not be.
            for name in ("seqscan", "sort", "incremental_sort", *off):
                connection.exec_driver_sql(f"SET LOCAL enable_{name} = off")
            return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values))

    with reading(context) as work:
        for sort, column in (
            ("recently_update", ""),
            ("trending", "trending_score_"),
            ("most_download", "download_count_"),
            ("most_star", "like_count_"),
        ):
            service.list_repositories(work, actor=ANONYMOUS, kind="model", sort=sort)
            wanted = f"Index Only Scan Backward using ix_repositories_kind_{column}updated_at_id"
            assert wanted in plan_of("bitmapscan"), sort
        for search in ("llama", "7b", "模型"):
            work.session.execute(select(Repository.id).where(*matches(search)))
            assert "Bitmap Index Scan on ix_repositories_search_text_trigram" in plan_of("indexscan"), search


def test_postgresql_plans_each_list_for_its_own_values(context: Context, add: Add) -> None:
    if context[DATABASE].is_sqlite:
        pytest.skip("about PostgreSQL's plans")
    for number in range(3):
        add(f"r{number}")
    with reading(context) as work:
        # Ten times are more than the driver and the server take to settle for one plan.
        for _ in range(11):
            service.list_repositories(work, actor=ANONYMOUS, kind="model", search="ada", page=PageArgs(1, 2))
        prepared = list(work.session.scalars(text("SELECT statement FROM pg_prepared_statements")))
    assert not [statement for statement in prepared if "search_text LIKE" in statement]
