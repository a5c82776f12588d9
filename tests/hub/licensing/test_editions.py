import shutil

import pytest

from hub.base.settings import SettingsError
from hub.licensing.editions import licenses_path, load_editions, load_features


@pytest.fixture
def directory(tmp_path):
    """A copy of ``licenses/`` to spoil."""
    shutil.copytree(licenses_path(), tmp_path / "licenses")
    return tmp_path / "licenses"


def test_each_edition_says_what_it_carries():
    editions = load_editions()
    assert list(editions) == ["lite", "ce", "ee"]
    assert editions["lite"].plugins == ("inference", "xnet")
    assert "monitoring" in editions["ce"].plugins
    assert set(editions["lite"].plugins) <= set(editions["ce"].plugins)
    assert set(editions["ce"].plugins) <= set(editions["ee"].plugins)
    assert (editions["lite"].limits["users"], editions["ce"].limits["clusters"]) == (1, 1)
    assert set(editions["ee"].limits.values()) == {-1}
    assert all(edition.title and edition.features <= set(load_features()) for edition in editions.values())


def test_every_feature_of_the_contract_has_its_meaning():
    words = "billing sso.saml sso.ldap scim audit mcp.gateway gateway.budget multi_cluster vgpu multi_sync ha"
    assert set(load_features()) == {*words.split(), "moderation.advanced", "model_tree"}


@pytest.mark.parametrize(
    ("name", "change", "what"),
    [
        ("editions/ce.toml", "colour = 1\n", "colour"),
        ("editions/ce.toml", 'title = "Again"\n', "no valid TOML"),
        ("editions/lite.toml", None, "lacks lite.toml"),
        ("editions/ee.toml", 'title = "x"\nplugins = []\nfeatures = []\n', "limits"),
        ("editions/ee.toml", 'title = "x"\nplugins = "a"\nfeatures = []\n[limits]\n', "lists"),
        ("editions/ee.toml", 'title = "x"\nplugins = []\nfeatures = ["flying"]\n[limits]\n', "flying"),
        ("editions/ee.toml", 'title = "x"\nplugins = []\nfeatures = []\n[limits]\nusers = true\n', "number"),
        ("editions/ee.toml", 'title = "x"\nplugins = []\nfeatures = []\n[limits]\nmcp.gateway = 1\n', "quote"),
        ("features.toml", '"flying" = 1\n', "meaning"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_stops_the_start_and_is_named(directory, name, change, what):
    path = directory / name
    if change is None:
        path.unlink()
    else:
        path.write_text(change if change.startswith('title = "x"') else change + path.read_text())
    with pytest.raises(SettingsError, match=what):
        load_editions(directory)
