"""Labels that a process remembers for moments."""

import pytest

from hub.accounts.policy import SYSTEM
from hub.assets import service
from hub.assets.models import Tag
from hub.assets.service.known import KNOWN_LABELS
from hub.db.uow import reading, unit_of_work

pytestmark = pytest.mark.any_database
MASK = ("task", "fill-mask")


def find(context, name=MASK):
    with reading(context) as work:
        return context[KNOWN_LABELS].find(work, "model", [name])


def add_label(work, name):
    moment = work.now()
    label = Tag(scope="model", category="task", name=name, created_at=moment, updated_at=moment)
    work.session.add(label)
    work.session.flush()
    return label


def test_what_is_known_is_not_asked_for_again_until_it_is_old(context, count_queries):
    with count_queries() as queries:
        found = find(context)[MASK]
        assert find(context) == {MASK: found}
        with reading(context) as work:
            assert context[KNOWN_LABELS].get(work, [found.id]) == {found.id: found}
    assert len(queries) == 1
    context[KNOWN_LABELS]._memory.until = 0.0
    with count_queries() as queries:
        assert find(context) == {MASK: found}
    assert len(queries) == 1


def test_a_change_is_told_at_once(context):
    label = find(context)[MASK]
    with unit_of_work(context) as work:
        service.update_label(work, actor=SYSTEM, label_id=label.id, show_name="Masks")
        assert find(context)[MASK].show_name == label.show_name
    assert find(context)[MASK].show_name == "Masks"


def test_what_was_asked_before_a_change_is_not_remembered_after_it(context):
    known = context[KNOWN_LABELS]

    class Slow:
        """A reader whose question is answered just before somebody's change is committed."""

        is_reading = True

        def rows(self, *question):
            with reading(context) as work:
                answer = work.rows(*question)
            known.forget()
            return answer

    assert known.find(Slow(), "model", [MASK])
    assert not known._memory.by_name


def test_what_a_writer_sees_may_be_taken_back_and_is_not_remembered(context):
    with pytest.raises(ZeroDivisionError), unit_of_work(context) as work:
        label = add_label(work, "brand-new")
        assert context[KNOWN_LABELS].get(work, [label.id])[label.id].name == "brand-new"
        raise ZeroDivisionError
    assert find(context, ("task", "brand-new")) == {}
