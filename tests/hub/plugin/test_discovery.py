import sys

import pytest

from hub.plugin.discovery import Installed, find_installed
from tests.support.plugins import make_migration, make_plugin


def test_an_installed_plugin_is_found_with_its_distribution_and_without_importing_it(bring):
    package = bring("alpha", source="raise SystemExit('imported')", distribution="acme-alpha", version="2.1")
    found = find_installed()["alpha"]
    assert found == Installed("alpha", "hub_test_alpha.plugin:Manifest", "acme-alpha", "2.1")
    assert found.package == package.name
    assert not [name for name in sys.modules if name.startswith("hub_test_alpha")]


def test_plugins_are_listed_by_name(bring):
    for name in ("gamma", "alpha", "beta"):
        bring(make_plugin(name))
    assert [name for name in find_installed() if name in ("alpha", "beta", "gamma")] == ["alpha", "beta", "gamma"]


def test_the_bundled_plugins_are_found_like_any_others():
    assert find_installed()["monitoring"].target == "plugins.monitoring.plugin:MonitoringPlugin"


def test_an_uninstalled_plugin_is_found_no_more(bring):
    package = bring(make_plugin("alpha"))
    assert "alpha" in find_installed()
    bring.remove(package)
    assert "alpha" not in find_installed()


def test_two_distributions_of_one_name_are_rivals(bring):
    bring(make_plugin("alpha"), distribution="acme-alpha")
    bring.add_distribution("other-alpha", {"hub.plugins": "alpha = zeta_alpha:Other"}, {"zeta_alpha.py": ""})
    bring.add_distribution("third-alpha", {"hub.plugins": "alpha = zeta_third:Third"}, {"zeta_third.py": ""})
    found = find_installed()["alpha"]
    assert found.distribution == "acme-alpha"
    assert found.rivals == ("other-alpha", "third-alpha")


def test_one_distribution_that_is_seen_twice_is_no_rival_of_itself(bring):
    """As in a checkout whose metadata lie beside the installed ones."""
    bring(make_plugin("alpha"))
    bring.add_distribution("hub-test-alpha-again", {"hub.plugins": "alpha = hub_test_alpha.plugin:Manifest"}, {})
    assert find_installed()["alpha"].rivals == ()


def test_a_distribution_without_metadata_is_found_all_the_same(bring):
    """Something has removed half of it; the rest must not keep the others from starting."""
    package = bring(make_plugin("alpha"))
    [metadata] = package.parent.glob("*.dist-info/METADATA")
    metadata.unlink()
    found = find_installed()["alpha"]
    assert (found.target, found.version) == ("hub_test_alpha.plugin:Manifest", "")


def test_a_folder_of_migrations_is_the_plugins_own_history(bring):
    package = bring("alpha", source="raise SystemExit('imported')", files=make_migration("0001_alpha"))
    branch = find_installed()["alpha"].find_branch()
    assert branch is not None
    assert (branch.name, branch.path) == ("alpha", package / "migrations")
    assert branch.version_table == "alembic_version_alpha"
    assert branch.owns("alpha_things")
    assert not branch.owns("alphabet")
    assert not branch.owns("alembic_version_alpha")
    assert "hub_test_alpha.plugin" not in sys.modules


def test_a_plugin_without_the_folder_has_no_history(bring):
    bring(make_plugin("alpha"))
    assert find_installed()["alpha"].find_branch() is None


@pytest.mark.parametrize("fault", ["raise RuntimeError('no')", "raise SystemExit(3)", "import = 1", "assert False"])
def test_a_package_above_that_cannot_be_imported_is_as_one_without_migrations(bring, fault):
    """Finding the folder of ``a.b`` imports ``a``; its faults are told when the plugin is loaded."""
    files = {
        "inner/__init__.py": "",
        "inner/plugin.py": "",
        **{f"inner/{k}": v for k, v in make_migration("1").items()},
    }
    bring("alpha", source="", files={"__init__.py": fault, **files})
    plugin = Installed("alpha", "hub_test_alpha.inner.plugin:Manifest", "hub-test-alpha", "1.0")
    assert plugin.find_branch() is None


@pytest.mark.parametrize("target", ["nowhere.plugin:Manifest", "Manifest", "plugin:Manifest", "..:Manifest"])
def test_a_target_that_leads_nowhere_has_no_history(target):
    assert Installed("alpha", target, "hub-test-alpha", "1.0").find_branch() is None
