import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.base.settings import SectionValues, SettingsError, load
from hub.cli.main import cli
from hub.plugin import setting
from hub.plugin.host import PLUGINS
from hub.plugin.settings import settings_of
from tests.support.plugins import make_plugin, start_host

pytestmark = pytest.mark.any_database


@dataclass(frozen=True)
class AlphaSettings:
    """All types that there are."""

    word: str = setting("plain", "a word")
    count: int = setting(3, "how many", unit="things")
    keep_s: int = setting(60, "how long", unit="seconds")
    is_on: bool = setting(False, "whether")
    secret: str = setting("", "a word that nobody may see", secret=True)

    def __post_init__(self):
        if self.count < 0:
            raise ValueError("count must not be negative")


@dataclass(frozen=True)
class BetaSettings:
    """Settings of another plugin."""

    word: str = setting("beta's", "a word")


ALPHA = make_plugin("alpha", settings=AlphaSettings)


@pytest.fixture
def given(context, bring, tmp_path):
    """``given(file="...", HUB_ALPHA_WORD="x")``: the settings of the plugin alpha, as an operator has set them."""
    bring(ALPHA)

    def start(*, file="", plugins="alpha", **environ):
        path = tmp_path / "hub.toml"
        path.write_text(file)
        start_host(context, load(environ, file=path).sections, plugins=plugins)
        return settings_of(context, AlphaSettings)

    return start


def test_without_a_word_of_the_operator_the_defaults_stand(context, given):
    assert given() == AlphaSettings()
    assert set(context[PLUGINS].settings_origins()["alpha"].values()) == {"default"}


def test_values_come_from_the_file_and_the_environment_which_wins(context, given):
    found = given(
        file='[plugin.alpha]\nword = "file"\ncount = 7\nis_on = true\n',
        HUB_ALPHA_WORD="environment",
        HUB_ALPHA_KEEP_S="9",
    )
    assert found == AlphaSettings(word="environment", count=7, keep_s=9, is_on=True)
    assert context[PLUGINS].settings_origins()["alpha"] == {
        "word": "environment",
        "count": "file",
        "keep_s": "environment",
        "is_on": "file",
        "secret": "default",
    }


@pytest.mark.parametrize(
    "raw, value", [("1", True), ("yes", True), ("ON", True), ("0", False), ("no", False), ("", False)]
)
def test_a_yes_or_no_is_read_from_words(given, raw, value):
    assert given(HUB_ALPHA_IS_ON=raw).is_on is value


@pytest.mark.parametrize(
    "values, reason",
    [
        (
            {"file": "[plugin.alpha]\nwrod = 1\n"},
            r"\[plugin\.alpha\] wrod: the plugin 'alpha' has no setting 'wrod'; it has: word",
        ),
        ({"HUB_ALPHA_WROD": "1"}, "HUB_ALPHA_WROD: the plugin 'alpha' has no setting 'wrod'"),
        ({"file": '[plugin.alpha]\ncount = "many"\n'}, r"\[plugin\.alpha\] count: 'many' cannot be used"),
        ({"HUB_ALPHA_COUNT": "many"}, "HUB_ALPHA_COUNT: 'many' cannot be used"),
        ({"file": "[plugin.alpha]\ncount = true\n"}, "count: 'True' cannot be used"),
        ({"file": "[plugin.alpha]\ncount = [1]\n"}, r"count: '\[1\]' cannot be used: not a single value"),
        ({"file": "[plugin.alpha]\nword = {x = 1}\n"}, "word: .* cannot be used: not a single value"),
        ({"HUB_ALPHA_IS_ON": "perhaps"}, "HUB_ALPHA_IS_ON: 'perhaps' cannot be used: not a yes or no"),
        ({"HUB_ALPHA_COUNT": "-1"}, "settings of the plugin 'alpha': count must not be negative"),
        ({"file": '[plugin.nowhere]\nword = "x"\n'}, r"\[plugin\.nowhere\]: no plugin of that name is installed"),
        ({"file": "plugin = 3\n"}, "'plugin' holds tables only"),
        ({"file": "[plugin]\nalpha = 3\n"}, "'plugin' holds tables only"),
        ({"file": '[alpha]\nword = "x"\n'}, "there is no setting 'alpha'"),
    ],
)
def test_a_mistake_stops_the_start_and_is_named(given, values, reason):
    with pytest.raises(SettingsError, match=reason):
        given(**values)


def test_a_plugin_without_settings_has_no_section(bring, given):
    bring(make_plugin("beta"))
    with pytest.raises(SettingsError, match=r"\[plugin\.beta\]: the plugin has no settings"):
        given(file="[plugin.beta]\nword = 1\n", plugins="alpha,beta")


def test_the_variables_of_a_plugin_whose_name_goes_on_are_its_own(context, bring, given):
    """HUB_ALPHA_BETA_WORD is the word of "alpha_beta", and no setting "beta_word" of "alpha"."""
    bring(make_plugin("alpha_beta", settings=BetaSettings))
    assert given(plugins="alpha,alpha_beta", HUB_ALPHA_BETA_WORD="mine", HUB_ALPHA_WORD="yours").word == "yours"
    assert settings_of(context, BetaSettings).word == "mine"


def test_variables_of_the_hubs_own_settings_are_no_plugins(context, bring):
    """HUB_PACK_CACHE_SIZE_BYTES is the hub's, whatever plugin is called "pack"."""
    bring(make_plugin("pack", settings=BetaSettings))
    start_host(context, SectionValues({}, {"HUB_PACK_CACHE_SIZE_BYTES": "3"}), plugins="pack")
    assert settings_of(context, BetaSettings) == BetaSettings()


def test_what_kubernetes_sets_for_a_service_of_that_name_is_no_setting(given):
    links = {
        "HUB_ALPHA_SERVICE_HOST": "10.0.0.1",
        "HUB_ALPHA_SERVICE_PORT": "80",
        "HUB_ALPHA_SERVICE_PORT_HTTP": "80",
        "HUB_ALPHA_PORT": "tcp://10.0.0.1:80",
        "HUB_ALPHA_PORT_80_TCP": "tcp://10.0.0.1:80",
        "HUB_ALPHA_PORT_80_TCP_PROTO": "tcp",
        "HUB_ALPHA_PORT_80_TCP_PORT": "80",
        "HUB_ALPHA_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert given(**links) == AlphaSettings()


def test_what_is_set_for_a_disabled_plugin_is_left_alone(context, bring):
    bring(ALPHA)
    values = SectionValues({"alpha": {"wrod": 1}}, {"HUB_ALPHA_WROD": "1"})
    start_host(context, values, plugins="alpha", plugins_disabled="alpha")
    with pytest.raises(KeyError):
        settings_of(context, AlphaSettings)


def test_a_locked_plugin_has_its_settings_judged(context, bring):
    """A mistake shows before the licence comes, and not in the night when it does."""
    bring(make_plugin("alpha", settings=AlphaSettings, feature="alpha.notes"))
    with pytest.raises(SettingsError, match="wrod"):
        start_host(context, SectionValues({"alpha": {"wrod": 1}}, {}), plugins="alpha")


def test_one_class_of_settings_serves_one_plugin(context, bring):
    bring(ALPHA)
    bring(make_plugin("beta", settings=AlphaSettings))
    start_host(context, plugins="alpha,beta")
    assert context[PLUGINS].find("alpha").state == "enabled"
    assert "another plugin's" in context[PLUGINS].find("beta").reason


def test_settings_whose_own_check_fails_strangely_make_the_plugin_broken(context, bring):
    @dataclass(frozen=True)
    class Odd:
        word: str = setting("", "a word")

        def __post_init__(self):
            raise ZeroDivisionError("odd")

    bring(make_plugin("alpha", settings=Odd))
    start_host(context, plugins="alpha")
    found = context[PLUGINS].find("alpha")
    assert (found.state, found.reason) == ("broken", "ZeroDivisionError: odd")


# As the operator sees it.


@pytest.fixture
def show(tmp_path, monkeypatch):
    """``show("--json", HUB_...)``: what ``hub config show`` prints on an empty home."""
    monkeypatch.setenv("HUB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HUB_LOG_LEVEL", "critical")

    def run(*options, **environ):
        return CliRunner().invoke(cli, ["config", "show", *options], env=environ)

    return run


def test_config_show_lists_the_settings_of_plugins_and_masks_secrets(bring, show):
    bring(ALPHA)
    environ = {"HUB_PLUGINS": "alpha", "HUB_ALPHA_SECRET": "do-not-show-me", "HUB_ALPHA_COUNT": "9"}
    shown = show("--json", **environ)
    rows = {row["name"]: row for row in json.loads(shown.stdout)}
    assert rows["plugin.alpha.count"] == {
        "name": "plugin.alpha.count",
        "value": 9,
        "origin": "environment",
        "unit": "things",
        "help": "how many",
    }
    assert rows["plugin.alpha.secret"]["value"] == "********"
    assert rows["plugin.alpha.word"]["origin"] == "default"
    text = show(**environ)
    assert "plugin.alpha.keep_s" in text.stdout
    assert "do-not-show-me" not in shown.stdout + text.stdout


def test_config_show_tells_a_mistake_without_a_trace(bring, show):
    bring(ALPHA)
    shown = show(HUB_PLUGINS="alpha", HUB_ALPHA_WROD="1")
    assert shown.exit_code == 1
    assert "HUB_ALPHA_WROD" in shown.output
    assert "Traceback" not in shown.output


def test_a_path_is_made_absolute(context, bring):
    @dataclass(frozen=True)
    class Folders:
        folder: Path = setting(Path("/"), "where")  # noqa: RUF009 - a path never changes

    bring(make_plugin("alpha", settings=Folders))
    start_host(context, SectionValues({"alpha": {"folder": "~/notes"}}, {}), plugins="alpha")
    assert settings_of(context, Folders).folder == Path("~/notes").expanduser()
