import json

import pytest
from click.testing import CliRunner

from hub.base.settings import Settings
from hub.cli import main as command


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Runs ``hub ARGS`` in this process on an empty home."""
    monkeypatch.setenv("HUB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HUB_LOG_LEVEL", "error")

    def run(*args):
        return CliRunner().invoke(command.cli, list(args))

    return run


def test_the_database_is_brought_up_to_date_once(hub):
    behind = hub("db", "status", "--json")
    assert (behind.exit_code, json.loads(behind.stdout)["current"]) == (1, [])
    assert "is up to date now" in hub("db", "upgrade").stdout
    assert "was up to date" in hub("db", "upgrade").stdout
    current = hub("db", "status", "--json")
    assert (current.exit_code, json.loads(current.stdout)["is_current"]) == (0, True)


def test_every_setting_is_shown_with_its_origin_and_no_secret(hub, monkeypatch):
    monkeypatch.setenv("HUB_SECRET_KEY", "do-not-show-me")
    monkeypatch.setenv("HUB_REDIS_URL", "redis://:hidden@127.0.0.1/0")
    shown = hub("config", "show", "--json")
    rows = {row["name"]: row for row in json.loads(shown.stdout)}
    assert {name for name in rows if not name.startswith("plugin.")} == set(Settings.__dataclass_fields__)
    assert (rows["secret_key"]["value"], rows["secret_key"]["origin"]) == ("********", "environment")
    assert rows["port"]["origin"] == "default"
    text = shown.stdout + hub("config", "show").stdout
    assert "do-not-show-me" not in text
    assert "hidden" not in text


def test_a_setting_that_cannot_be_used_is_named_without_a_trace(hub, monkeypatch):
    monkeypatch.setenv("HUB_PORT", "many")
    outcome = hub("config", "show")
    assert outcome.exit_code == 1
    assert "HUB_PORT" in outcome.output
    assert "Traceback" not in outcome.output


def test_a_command_on_a_database_without_tables_says_how_to_make_them(hub, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["hub", "user", "list"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 1
    assert "hub db upgrade" in capsys.readouterr().err


def test_help_lists_every_command_without_importing_any(hub):
    text = hub("--help").stdout
    for name in command.COMMANDS:
        assert name in text
