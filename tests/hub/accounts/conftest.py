from contextlib import contextmanager

import pytest
from sqlalchemy import event

from hub.db.engine import DATABASE


@pytest.fixture
def count_queries(context):
    """``with count_queries() as queries:`` collects the statements that the block sends, without BEGIN and the like."""

    @contextmanager
    def collect():
        seen = []

        def note(_connection, _cursor, statement, *_rest):
            if statement.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
                seen.append(statement)

        engine = context[DATABASE].engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(engine, "before_cursor_execute", note)

    return collect
