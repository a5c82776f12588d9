import pytest

from hub.base.context import Context, Key
from hub.base.events import EventBus
from hub.base.registry import Registry, RegistryError
from hub.base.settings import Settings


def test_a_second_contribution_of_a_name_is_refused_naming_both_owners():
    registry = Registry("asset kinds")
    registry.add("model", 1)
    with pytest.raises(RegistryError, match="'model' of sample is already taken by hub"):
        registry.add("model", 2, owner="sample")


def test_nothing_is_added_after_the_start():
    registry = Registry("asset kinds")
    registry.freeze()
    with pytest.raises(RegistryError, match="after the start"):
        registry.add("model", 1)


def test_contributions_keep_their_order_and_owner():
    registry = Registry("numbers")
    registry.add("two", 2)
    registry.add("one", 1, owner="sample")
    assert list(registry) == ["two", "one"]
    assert [entry.owner for entry in registry.entries()] == ["hub", "sample"]
    assert (registry["one"], registry.find("three"), "two" in registry, len(registry)) == (1, None, True, 2)


def test_a_context_value_is_provided_once(tmp_path):
    context, key = Context(Settings(home=tmp_path)), Key("room.value")
    assert key not in context
    context.provide(key, 7)
    assert context[key] == 7
    with pytest.raises(RuntimeError, match=r"room\.value"):
        context.provide(key, 8)


def test_a_failing_listener_does_not_keep_the_event_from_the_next():
    bus, heard = EventBus(), []

    def fail(event):
        raise ValueError(event)

    bus.subscribe(int, fail)
    bus.subscribe(int, heard.append)
    bus.deliver(3)
    assert heard == [3]
