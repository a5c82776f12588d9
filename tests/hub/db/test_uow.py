import threading

import pytest
from sqlalchemy import func, select, text

from hub.accounts.models import Namespace, NamespaceKind
from hub.base.errors import Invalid, Unavailable
from hub.db.engine import DATABASE, Database
from hub.db.uow import reading, unit_of_work


def add_namespace(work, path):
    namespace = Namespace(path=path, path_key=path, kind=NamespaceKind.USER, created_at=work.now())
    work.session.add(namespace)
    work.session.flush()
    return namespace


def count_namespaces(context):
    with reading(context) as work:
        return work.session.scalar(select(func.count()).select_from(Namespace))


def test_what_waits_for_the_commit_runs_after_it_and_in_order(context):
    seen = []
    with unit_of_work(context) as work:
        add_namespace(work, "ada")
        work.after_commit(lambda: seen.append(count_namespaces(context)))
        work.after_commit(lambda: seen.append("second"))
        assert seen == []
    assert seen == [1, "second"]


def test_a_rollback_drops_the_rows_and_what_waited(context):
    seen = []
    with pytest.raises(ValueError, match="no"), unit_of_work(context) as work:
        add_namespace(work, "ada")
        work.after_commit(lambda: seen.append(1))
        raise ValueError("no")
    assert seen == []
    assert count_namespaces(context) == 0


def test_a_failing_callback_does_not_undo_the_write_nor_stop_the_next(context):
    seen = []

    def fail():
        raise RuntimeError("late")

    with unit_of_work(context) as work:
        add_namespace(work, "ada")
        work.after_commit(fail)
        work.after_commit(lambda: seen.append(1))
    assert seen == [1]
    assert count_namespaces(context) == 1


def test_units_of_work_do_not_nest(context):
    with unit_of_work(context), pytest.raises(RuntimeError, match="already open"), unit_of_work(context):
        pass


def test_rows_can_be_read_after_the_unit_of_work_has_ended(context):
    with unit_of_work(context) as work:
        namespace = add_namespace(work, "ada")
    assert namespace.path == "ada"
    assert namespace.created_at.utcoffset().total_seconds() == 0


def test_many_writers_at_once_all_succeed(context):
    failures = []

    def write(number):
        try:
            for turn in range(5):
                with unit_of_work(context) as work:
                    # Reading before writing is what would dead-lock a transaction that is not immediate.
                    work.session.scalar(select(func.count()).select_from(Namespace))
                    add_namespace(work, f"n{number}-{turn}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert count_namespaces(context) == 30


def test_a_time_without_a_zone_is_refused(context):
    with pytest.raises(Exception, match="without a zone"), unit_of_work(context) as work:
        namespace = add_namespace(work, "ada")
        namespace.created_at = namespace.created_at.replace(tzinfo=None)
        work.session.flush()


def test_what_was_read_is_still_there_after_reading(context):
    with unit_of_work(context) as work:
        add_namespace(work, "ada")
    with reading(context) as work:
        namespace = work.session.scalars(select(Namespace)).one()
    assert namespace.path == "ada"


def test_a_reader_leaves_no_setting_behind_for_the_writer_after_it(context):
    for _ in range(2):
        assert count_namespaces(context) == 0
        with pytest.raises(ValueError, match="on purpose"), unit_of_work(context) as work:
            add_namespace(work, "ada")
            raise ValueError("on purpose")
    with unit_of_work(context) as work:
        add_namespace(work, "ada")
    assert count_namespaces(context) == 1


def test_a_connection_that_was_lost_while_nobody_used_it_is_replaced(context, monkeypatch):
    database = context[DATABASE]
    if database.is_sqlite:
        pytest.skip("a file is not lost")
    with reading(context) as work:
        lost = work.session.scalar(text("SELECT pg_backend_pid()"))
    other = Database(str(database.url.render_as_string(hide_password=False)))
    with other.engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": lost})
    other.dispose()
    # As after a second in which nobody asked.
    monkeypatch.setattr("hub.db.engine._TRUSTED_S", 0.0)
    with unit_of_work(context) as work:
        add_namespace(work, "ada")
        assert work.session.scalar(text("SELECT pg_backend_pid()")) != lost
    assert count_namespaces(context) == 1


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_number_that_no_column_holds_is_the_requests_fault(context, value):
    with reading(context) as work, pytest.raises(Invalid):
        work.session.scalar(select(Namespace.id).where(Namespace.id == value))


def test_who_loses_to_another_transaction_is_told_to_try_again(context, monkeypatch):
    database = context[DATABASE]
    with unit_of_work(context) as work:
        ids = [add_namespace(work, name).id for name in ("ada", "eve")]
    lost = []
    if database.is_sqlite:
        monkeypatch.setattr("hub.db.engine.SQLITE_WRITE_WAIT_S", 0.0)
        other = Database(str(database.url))
        with other.engine.connect() as holder:
            holder.execute(text("BEGIN IMMEDIATE"))
            with pytest.raises(Unavailable) as caught, unit_of_work(context):
                pass
            lost.append(caught.value)
            with pytest.raises(Unavailable) as caught, database.engine.connect() as connection:
                connection.execute(text("DELETE FROM namespaces"))
            lost.append(caught.value)
        other.dispose()
    else:
        barrier = threading.Barrier(2)

        def lock(first, second):
            try:
                with unit_of_work(context) as work:
                    for number, id in enumerate((first, second)):
                        work.session.execute(select(Namespace.id).where(Namespace.id == id).with_for_update())
                        if not number:
                            barrier.wait()
            except Unavailable as error:
                lost.append(error)

        threads = [threading.Thread(target=lock, args=pair) for pair in (ids, ids[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [error.details for error in lost] == [{"retry_after_s": 1}] * (2 if database.is_sqlite else 1)
    assert count_namespaces(context) == 2
