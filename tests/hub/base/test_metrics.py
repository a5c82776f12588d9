import pytest

from hub.base.metrics import METRICS, Metric
from hub.base.registry import RegistryError
from hub.plugin.host import PLUGINS
from hub.plugin.manifest import Plugin
from tests.support.plugins import make_plugin, start_host


def read_nothing(_context):
    return ()


@pytest.mark.parametrize(
    "name", ["", "hub notes", "hub_ümlaut", 'hub_"', "hub_x\ny 99", "1hub", "__name__", "hub:notes", "Hub", "hub_x\n"]
)
def test_a_name_that_would_spoil_the_text_of_the_figures_is_refused(name):
    with pytest.raises(ValueError, match="a name has"):
        Metric(name, "Help.", read_nothing)


@pytest.mark.parametrize("labels", [("a b",), ("__name__",), ("",), ("x", "x"), ("Shelf",), ("x\n",)])
def test_labels_that_would_spoil_it_are_refused(labels):
    with pytest.raises(ValueError, match="labels"):
        Metric("hub_notes", "Help.", read_nothing, labels=labels)


def test_a_plugin_with_such_a_figure_is_broken(context, bring):
    class Alpha(make_plugin("alpha"), Plugin):
        """Alpha"""

        def metrics(self):
            return (Metric("hub_alpha notes", "Help.", read_nothing),)

    bring(Alpha)
    start_host(context, plugins="alpha")
    assert "'hub_alpha notes'" in context[PLUGINS].find("alpha").reason


def test_a_name_has_one_owner(context):
    with pytest.raises(RegistryError, match="hub_users"):
        context[METRICS].add("hub_users", Metric("hub_users", "Again.", read_nothing), owner="alpha")
