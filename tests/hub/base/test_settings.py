import dataclasses

import pytest

from hub.base.secrets import Signer, load_secret
from hub.base.settings import Settings, SettingsError, environment_of, load


def test_a_variable_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    (tmp_path / "hub.toml").write_text('port = 9000\nhost = "0.0.0.0"\n')
    loaded = load({"HUB_HOME": str(tmp_path), "HUB_PORT": "9001"})
    assert (loaded.settings.port, loaded.settings.host) == (9001, "0.0.0.0")
    assert loaded.origins["port"] == "environment"
    assert loaded.origins["host"] == "file"
    assert loaded.origins["base_url"] == "default"


def test_an_unknown_key_in_the_file_stops_the_start(tmp_path):
    (tmp_path / "hub.toml").write_text("prot = 9000\n")
    with pytest.raises(SettingsError, match="no setting 'prot'"):
        load({"HUB_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("name", "value"), [("HUB_PORT", "many"), ("HUB_REGISTRATION", "perhaps"), ("HUB_QUOTA_BYTES", "1.5")]
)
def test_a_value_of_the_wrong_type_stops_the_start_and_is_named(tmp_path, name, value):
    with pytest.raises(SettingsError, match=name):
        load({"HUB_HOME": str(tmp_path), name: value})


def test_a_broken_file_stops_the_start(tmp_path):
    (tmp_path / "hub.toml").write_text("port = = 1")
    with pytest.raises(SettingsError, match="TOML"):
        load({"HUB_HOME": str(tmp_path)})


def test_a_child_process_gets_the_very_same_settings(tmp_path):
    settings = load({"HUB_HOME": str(tmp_path), "HUB_PORT": "9001", "HUB_STORAGE_DIRECT": "no"}).settings
    assert load(environment_of(settings)).settings == settings


def test_a_child_process_tells_where_the_settings_came_from(tmp_path):
    (tmp_path / "hub.toml").write_text("port = 9001")
    parent = load({"HUB_HOME": str(tmp_path), "HUB_LOG_LEVEL": "error"})
    child = load(environment_of(parent.settings, parent.origins))
    assert dict(child.origins) == dict(parent.origins)
    told = [child.origins[name] for name in ("port", "log_level", "edition")]
    assert told == ["file", "environment", "default"]


def test_every_setting_has_its_line_of_help():
    assert [item.name for item in dataclasses.fields(Settings) if not item.metadata.get("help")] == []


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_postgresql_is_reached_by_psycopg_however_its_address_is_spelled(scheme):
    settings = Settings(database_url=f"{scheme}://u@h/d")
    assert settings.effective_database_url == "postgresql+psycopg://u@h/d"


def test_addresses_follow_host_and_port_unless_set():
    assert Settings(host="0.0.0.0", port=81).effective_base_url == "http://127.0.0.1:81"
    assert Settings(base_url="https://hub.example/").effective_base_url == "https://hub.example"
    assert Settings(base_url="https://hub.example/").effective_ssh_host == "hub.example"


def test_the_secret_is_made_once_and_readable_by_its_owner_only(tmp_path):
    settings = Settings(home=tmp_path)
    assert load_secret(settings) == load_secret(settings)
    assert len(load_secret(settings)) >= 48
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_a_signature_holds_for_its_text_purpose_and_key_only():
    signer = Signer(b"key", "lfs")
    signature = signer.sign("text")
    assert signer.verify("text", signature)
    assert not signer.verify("texT", signature)
    assert not signer.verify("text", signature[:-1])
    assert not signer.verify("text", "ü")
    assert not Signer(b"key", "push").verify("text", signature)
    assert not Signer(b"yek", "lfs").verify("text", signature)


def test_the_file_may_list_what_a_variable_separates_by_commas(tmp_path):
    file = tmp_path / "hub.toml"
    file.write_text('plugins = ["alpha", "beta"]\n')
    assert load({}, file=file).settings.plugins == "alpha,beta"


@pytest.mark.parametrize("line", ['plugins = [["alpha"]]', "port = [1]", "host = {}", "port = 2026-11-23"])
def test_a_value_that_is_not_a_single_one_is_refused(tmp_path, line):
    file = tmp_path / "hub.toml"
    file.write_text(f"{line}\n")
    with pytest.raises(SettingsError, match="not a single value"):
        load({}, file=file)
