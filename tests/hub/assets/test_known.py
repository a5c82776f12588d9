"""Labels that a process remembers for moments."""

import pytest

from hub.accounts.policy import SYSTEM
from hub.assets import service
from hub.assets.models import Tag, TagOrigin
from hub.assets.search.choices import find_choices
from hub.assets.service.known import KNOWN_LABELS
from hub.db.uow import reading, unit_of_work
from hub.repos.models import Repository

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


def ask(context):
    """What a list by a task asks: labels that are called so elsewhere count, too."""
    with reading(context) as work:
        service.with_labels(work, scope="model", labels=[(*MASK, "")])
        return find_choices(work, scopes=["model"], choices=[("task", (MASK[1],))])[0].tag_ids


def test_that_a_further_label_is_not_there_is_known_until_it_comes(context, count_queries, make_user, make_row):
    thing = make_row(make_user())
    with count_queries() as queries:
        first = [ask(context), ask(context)]
    assert (len(queries), len(first[0]), first[0]) == (1, 1, first[1])
    with unit_of_work(context) as work:
        repository = work.session.get_one(Repository, thing.id)
        service.set_card_labels(work, repository=repository, labels=[("other", MASK[1])], origin=TagOrigin.CARD)
    assert len(ask(context)) == 2


def test_that_what_was_asked_for_is_not_there_is_not_remembered(context, count_queries):
    name = ("task", "brand-new")
    with count_queries() as queries:
        assert find(context, name) == find(context, name) == {}
    assert len(queries) == 2
    with unit_of_work(context) as work:
        label = add_label(work, name[1])
        id = label.id
    assert find(context, name)[name].id == id
