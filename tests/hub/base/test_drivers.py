import sys

import pytest

from hub.base.drivers import DRIVER_GROUPS, DriverGroup, InstalledDriver, list_drivers, load_driver
from hub.base.settings import SettingsError
from hub.objects.store import STORAGE_DRIVERS

MODULE = """
from tests.hub_test_pens import Pen


class Quill(Pen):
    pass


class Stone:
    pass


stone = Stone()
"""


class Pen:
    """What the drivers of these tests derive."""


GROUP = DriverGroup("hub.test.pens", Pen, "pen")


@pytest.fixture
def pens(bring, monkeypatch):
    """``pens(quill="hub_test_pens_x:Quill")``: a distribution with these drivers."""
    # The module of this very file, by a name that the drivers can import.
    monkeypatch.setitem(sys.modules, "tests.hub_test_pens", sys.modules[__name__])

    def add(distribution="acme-pens", **drivers):
        lines = "\n".join(f"{name} = {target}" for name, target in drivers.items())
        bring.add_distribution(distribution, {"hub.test.pens": lines}, {"hub_test_pens_x.py": MODULE})

    return add


def test_installed_drivers_are_listed_by_name_without_importing_them(pens):
    pens(quill="hub_test_pens_x:Quill", biro="hub_test_pens_gone:Biro")
    assert list_drivers("hub.test.pens") == [
        InstalledDriver("biro", "hub_test_pens_gone:Biro", "acme-pens"),
        InstalledDriver("quill", "hub_test_pens_x:Quill", "acme-pens"),
    ]
    assert "hub_test_pens_x" not in sys.modules


def test_a_group_without_drivers_has_an_empty_list():
    assert list_drivers("hub.test.nothing") == []


def test_the_driver_that_is_named_is_loaded_and_no_other(pens):
    pens(quill="hub_test_pens_x:Quill", biro="hub_test_pens_gone:Biro")
    found = load_driver(GROUP, "quill")
    assert (found.__name__, issubclass(found, Pen)) == ("Quill", True)


def test_a_name_that_nobody_has_is_told_with_those_that_there_are(pens):
    pens(quill="hub_test_pens_x:Quill", biro="hub_test_pens_gone:Biro")
    with pytest.raises(SettingsError, match="there is no pen 'pencil'; installed are: biro, quill"):
        load_driver(GROUP, "pencil")


def test_a_group_without_drivers_says_so():
    with pytest.raises(SettingsError, match="there is no pen 'quill'; installed are: none"):
        load_driver(GROUP, "quill")


@pytest.mark.parametrize(
    "target, reason",
    [
        ("hub_test_pens_gone:Biro", "cannot be loaded: No module named 'hub_test_pens_gone'"),
        ("hub_test_pens_x:Nothing", "cannot be loaded: .*'Nothing'"),
        ("hub_test_pens_x:Stone", "does not derive Pen"),
        ("hub_test_pens_x:stone", "does not derive Pen"),
    ],
)
def test_a_driver_that_is_none_is_told_with_the_reason(pens, target, reason):
    pens(quill=target)
    with pytest.raises(SettingsError, match=f"the pen 'quill' {reason}"):
        load_driver(GROUP, "quill")


@pytest.mark.parametrize("fault", ["1 / 0", "assert False, 'no'", "raise SystemExit('no')", "def broken(:"])
def test_a_driver_whose_module_fails_in_any_way_is_told_with_the_reason(bring, fault):
    bring.add_distribution("acme-pens", {"hub.test.pens": "quill = hub_test_bad:Quill"}, {"hub_test_bad.py": fault})
    with pytest.raises(SettingsError, match="the pen 'quill' cannot be loaded: "):
        load_driver(GROUP, "quill")


def test_two_distributions_with_a_driver_of_one_name_are_both_named(pens):
    """Which of them comes first would be chance."""
    pens(quill="hub_test_pens_x:Quill")
    pens("other-pens", quill="hub_test_pens_x:Stone")
    with pytest.raises(SettingsError, match="several distributions bring a pen 'quill': acme-pens, other-pens"):
        load_driver(GROUP, "quill")


def test_the_hubs_own_stores_are_drivers_of_a_group(context):
    assert context[DRIVER_GROUPS]["hub.storage"] is STORAGE_DRIVERS
    assert {"file", "s3"} <= {driver.name for driver in list_drivers("hub.storage")}
