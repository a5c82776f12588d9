import threading

import pytest

from hub.plugin.services import find
from tests.support.plugins import make_plugin, start_host

pytestmark = pytest.mark.any_database


class Counter:
    """What a plugin offers."""

    def __init__(self, context):
        self.context = context


def test_what_a_plugin_offers_is_found_by_others(context, bring):
    bring(make_plugin("alpha", services={"counter": Counter}))
    start_host(context, plugins="alpha")
    found = find(context, "counter")
    assert isinstance(found, Counter)
    assert found.context is context


def test_it_is_made_once_and_not_before_somebody_asks(context, bring):
    made = []
    bring(make_plugin("alpha", services={"counter": lambda context: made.append(1) or Counter(context)}))
    start_host(context, plugins="alpha")
    assert made == []
    assert find(context, "counter") is find(context, "counter")
    assert made == [1]


def test_many_who_ask_at_once_get_the_same(context, bring):
    bring(make_plugin("alpha", services={"counter": Counter}))
    start_host(context, plugins="alpha")
    gate, found = threading.Barrier(8), []

    def ask():
        gate.wait(10)
        found.append(find(context, "counter"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(one) for one in found}) == 1


def test_one_that_cannot_be_made_is_tried_again(context, bring):
    tries = []

    def make(context):
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return Counter(context)

    bring(make_plugin("alpha", services={"counter": make}))
    start_host(context, plugins="alpha")
    with pytest.raises(OSError, match="not yet"):
        find(context, "counter")
    assert isinstance(find(context, "counter"), Counter)


@pytest.mark.parametrize(
    "asked", [{}, {"plugins": "alpha", "plugins_disabled": "alpha"}, {"plugins": "beta"}, {"plugins": "alpha,gamma"}]
)
def test_what_nobody_who_runs_offers_is_none(context, bring, asked):
    bring(make_plugin("alpha", services={"counter": Counter}, feature="alpha.x"))
    bring(make_plugin("beta"))
    bring(make_plugin("gamma", services={"counter": Counter}, requires=("alpha",)))
    start_host(context, **asked)
    assert find(context, "counter") is None


def test_without_a_host_nothing_is_offered(context):
    assert find(context, "counter") is None


def test_a_service_that_is_made_of_itself_is_told_instead_of_waiting_for_ever(context, bring):
    bring(make_plugin("alpha", services={"counter": lambda context: find(context, "counter")}))
    start_host(context, plugins="alpha")
    with pytest.raises(RuntimeError, match="made of itself"):
        find(context, "counter")


def test_one_whose_object_is_none_is_made_once_as_any_other(context, bring):
    made = []
    bring(make_plugin("alpha", services={"nothing": made.append}))
    start_host(context, plugins="alpha")
    assert find(context, "nothing") is find(context, "nothing") is None
    assert made == [context]
