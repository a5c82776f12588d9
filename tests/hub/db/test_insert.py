"""Inserting what may already be there."""

from __future__ import annotations

from sqlalchemy import func, select

from hub.accounts.models import Namespace, NamespaceKind
from hub.db.insert import insert_missing, insert_new
from hub.repos.models import LFSObject


def test_only_what_is_new_is_inserted_and_counted(work):
    rows = [{"oid": f"{number:064x}", "size_bytes": number, "created_at": work.now()} for number in range(3)]
    assert insert_new(work.session, LFSObject, rows[:2]) == 2
    assert insert_new(work.session, LFSObject, rows) == 1
    assert insert_new(work.session, LFSObject, rows) == 0
    assert insert_new(work.session, LFSObject, []) == 0


def test_rows_that_the_database_numbers_are_counted_too(work):
    def named(path):
        return {"path": path, "path_key": path, "kind": NamespaceKind.USER, "created_at": work.now()}

    assert insert_new(work.session, Namespace, [named("ada"), named("bob")]) == 2
    assert insert_new(work.session, Namespace, [named("bob"), named("eve")]) == 1


def test_what_is_missing_is_inserted_and_what_is_there_stays(work):
    def of_size(size):
        return [{"oid": f"{number:064x}", "size_bytes": size, "created_at": work.now()} for number in range(size)]

    for size in (2, 3, 0):
        insert_missing(work.session, LFSObject, of_size(size))
    query = select(LFSObject.size_bytes).order_by(LFSObject.oid)
    assert work.session.scalars(query).all() == [2, 2, 3]


def test_more_rows_than_one_statement_takes(work):
    rows = [{"oid": f"{number:064x}", "size_bytes": 1, "created_at": work.now()} for number in range(20_001)]
    assert insert_new(work.session, LFSObject, rows) == 20_001
    assert work.session.scalar(select(func.count()).select_from(LFSObject)) == 20_001
