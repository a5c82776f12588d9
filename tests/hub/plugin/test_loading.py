import itertools
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hub.plugin import Permission, setting
from hub.plugin.discovery import find_installed
from hub.plugin.loading import load_plugin, order
from hub.plugin.manifest import WhenExpired
from hub.plugin.states import PluginError
from tests.support.plugins import make_plugin


def load(name="alpha"):
    return load_plugin(find_installed()[name])


@pytest.fixture
def refuse(bring):
    """``refuse(what)``: the reason for which a plugin is not loaded."""

    def tell(what, **options):
        bring(what, **options)
        with pytest.raises(PluginError) as raised:
            load()
        return str(raised.value)

    return tell


def test_a_sound_plugin_is_loaded_with_its_words(bring):
    bring(make_plugin("alpha", "Notes of all kinds.\n\n    What they are for.\n"))
    plugin = load()
    assert (plugin.name, plugin.title, plugin.description) == ("alpha", "Notes of all kinds", "What they are for.")


def test_loading_one_plugin_imports_no_other(bring):
    bring(make_plugin("alpha"))
    bring("beta", source="raise SystemExit('imported')")
    load()
    assert "hub_test_alpha.plugin" in sys.modules
    assert "hub_test_beta" not in sys.modules


@pytest.mark.parametrize(
    "source, reason",
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("def broken(:", "SyntaxError: "),
        ("assert 1 == 2, 'sums'", "AssertionError: sums"),
        ("raise SystemExit('leaving')", "SystemExit: leaving"),
        ("raise SystemExit", "SystemExit"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("raise RecursionError", "RecursionError"),
        ("", "AttributeError: "),
    ],
)
def test_what_a_module_raises_is_the_reason_in_one_line(refuse, source, reason):
    told = refuse("alpha", source=source)
    assert told.startswith(reason)
    assert "\n" not in told


def test_a_reason_is_not_endless(refuse):
    assert len(refuse("alpha", source="raise ValueError('x' * 100_000)")) < 400


def test_a_module_that_is_not_there_is_named(bring):
    package = bring(make_plugin("alpha"))
    (package / "plugin.py").unlink()
    with pytest.raises(PluginError, match=r"hub_test_alpha\.plugin"):
        load()


@pytest.mark.parametrize("what", [int, make_plugin, "text", make_plugin("alpha")()])
def test_what_is_no_class_of_plugins_is_refused(refuse, what):
    options = {"source": f"Manifest = {what!r}"} if isinstance(what, str) else {}
    assert "does not derive hub.plugin.Plugin" in refuse("alpha" if options else what, name="alpha", **options)


def test_the_name_is_the_entry_points(refuse):
    assert refuse(make_plugin("beta"), name="alpha") == "its class calls it 'beta', its entry point 'alpha'"


@pytest.mark.parametrize("doc", [None, "", "  \n "])
def test_a_plugin_without_a_docstring_has_no_title(bring, doc):
    plugin = make_plugin("alpha")
    plugin.__doc__ = doc
    bring(plugin)
    with pytest.raises(PluginError, match="no docstring"):
        load()


def test_a_class_that_cannot_be_instantiated_is_refused(refuse):
    def fail(self):
        raise OSError("no such thing")

    assert refuse(make_plugin("alpha", __init__=fail)) == "OSError: no such thing"


@pytest.mark.parametrize(
    "members, reason",
    [
        ({"requires": "beta"}, "'requires'"),
        ({"requires": ["beta"]}, "'requires'"),
        ({"requires": ("beta", 3)}, "'requires'"),
        ({"requires": ("",)}, "'requires'"),
        ({"requires": ("alpha",)}, "names of other plugins"),
        ({"feature": ""}, "'feature'"),
        ({"feature": 3}, "'feature'"),
        ({"when_expired": "locked for ever"}, "'when_expired'"),
        ({"when_expired": "locked"}, "'when_expired'"),
        ({"url_prefixes": "/reports"}, "'url_prefixes'"),
        ({"url_prefixes": ("reports",)}, "'url_prefixes'"),
        ({"url_prefixes": ("/reports/",)}, "'url_prefixes'"),
        ({"url_prefixes": ("/",)}, "'url_prefixes'"),
        ({"url_prefixes": ("",)}, "'url_prefixes'"),
        ({"url_prefixes": ("/a//b",)}, "'url_prefixes'"),
        ({"url_prefixes": ("/<name>",)}, "'url_prefixes'"),
        ({"url_prefixes": ("/reports\n",)}, "'url_prefixes'"),
        ({"wsgi_addresses": ("/acme",)}, "'wsgi_addresses'"),
        ({"wsgi_addresses": ("/acme/<name>",)}, "'wsgi_addresses'"),
        ({"wsgi_addresses": "/acme/reports"}, "'wsgi_addresses'"),
        ({"repository_paths": ("notes",)}, "'repository_paths'"),
        ({"repository_paths": [None]}, "'repository_paths'"),
        ({"permissions": ("alpha:note:read",)}, "'permissions' is a tuple of Permission"),
        ({"permissions": (Permission("beta:note:read", "read"),)}, "'alpha:resource:action'"),
        ({"permissions": (Permission("alpha:read", "read"),)}, "'alpha:resource:action'"),
        ({"permissions": (Permission("alpha:note:READ", "read"),)}, "'alpha:resource:action'"),
        ({"permissions": (Permission("alpha:note:read", ""),)}, "does not say what it allows"),
        ({"permissions": 3}, "'permissions'"),
    ],
)
def test_a_wrong_declaration_is_named(refuse, members, reason):
    assert reason in refuse(make_plugin("alpha", **members))


@dataclass(frozen=True)
class Bare:
    word: str = ""


@dataclass(frozen=True)
class WithoutUnit:
    keep_s: int = setting(1, "how long")


@dataclass(frozen=True)
class WithoutDefault:
    word: str = field(metadata={"help": "a word", "unit": "", "secret": False})


@dataclass(frozen=True)
class OfUnknownType:
    word: "NoSuchType" = setting("", "a word")  # noqa: F821, RUF009 - the fault that is tested


@dataclass(frozen=True)
class OfStrangeType:
    words: list[str] = setting((), "words")  # noqa: RUF009 - the fault that is tested


@dataclass(frozen=True)
class ByHand:
    word: str = field(default="", metadata={"help": "a word"})


@dataclass(frozen=True)
class OneOfTheHubs:
    limit: int = setting(3, "the most", unit="uploads")


@pytest.mark.parametrize(
    "settings, reason",
    [
        (int, "is a dataclass"),
        (Bare(), "is a dataclass"),
        ({"word": ""}, "is a dataclass"),
        (Bare, "'word' does not say what it is for"),
        (ByHand, "make it by hub.plugin.setting"),
        (WithoutUnit, "'keep_s' does not say its unit"),
        (WithoutDefault, "'word' has no default"),
        (OfUnknownType, "NoSuchType"),
        (OfStrangeType, "'words' is of no type that a setting can have"),
    ],
)
def test_settings_that_nobody_could_read_or_understand_are_refused(refuse, settings, reason):
    assert reason in refuse(make_plugin("alpha", settings=settings))


def test_a_setting_whose_variable_is_one_of_the_hubs_is_refused(bring):
    bring(make_plugin("lfs_batch", settings=OneOfTheHubs))
    with pytest.raises(PluginError, match="HUB_LFS_BATCH_LIMIT"):
        load("lfs_batch")


@dataclass(frozen=True)
class Sound:
    word: str = setting("x", "a word")
    count: int = setting(3, "how many", unit="things")
    is_on: bool = setting(False, "whether")
    folder: Path = setting(Path("/"), "where")  # noqa: RUF009 - no list: a path never changes


def test_sound_declarations_pass(bring):
    members = {
        "requires": ("beta",),
        "feature": "alpha.notes",
        "when_expired": WhenExpired.READ_ONLY,
        "url_prefixes": ("/alpha", "/api/v1/alpha.x/y_z~-"),
        "wsgi_addresses": ("/acme/v1/reports",),
        "repository_paths": ("/notes",),
        "permissions": (Permission("alpha:note:read", "read notes"),),
        "settings": Sound,
    }
    bring(make_plugin("alpha", **members))
    assert load().settings is Sound


def test_an_entry_point_that_has_gone_meanwhile_is_told(bring):
    package = bring(make_plugin("alpha"))
    installed = find_installed()["alpha"]
    bring.remove(package)
    with pytest.raises(PluginError, match="No module named 'hub_test_alpha'"):
        load_plugin(installed)


# The order.


def sort(**requires):
    plugins = [make_plugin(name, requires=tuple(needed.split()))() for name, needed in requires.items()]
    found, reasons = order(plugins)
    return [plugin.name for plugin in found], dict(reasons)


def test_plugins_that_need_nothing_start_by_name():
    assert sort(gamma="", alpha="", beta="") == (["alpha", "beta", "gamma"], {})


def test_a_plugin_starts_after_those_it_requires():
    assert sort(alpha="gamma", beta="alpha", gamma="") == (["gamma", "alpha", "beta"], {})


def test_a_plugin_whose_requirement_does_not_run_is_told_apart_with_all_that_require_it():
    found, reasons = sort(alpha="beta", beta="nowhere", gamma="")
    assert found == ["gamma"]
    assert reasons == {
        "alpha": "it requires the plugin 'beta', which does not run",
        "beta": "it requires the plugin 'nowhere', which does not run",
    }


def test_a_cycle_is_named_in_the_order_of_its_requirements():
    found, reasons = sort(alpha="beta", beta="gamma", gamma="alpha", delta="")
    assert found == ["delta"]
    assert set(reasons) == {"alpha", "beta", "gamma"}
    [told] = set(reasons.values())
    words = told.removeprefix("the plugins require each other: ").split(" -> ")
    assert words[0] == words[-1]
    needs = {"alpha": "beta", "beta": "gamma", "gamma": "alpha"}
    assert all(needs[before] == after for before, after in itertools.pairwise(words))


def test_each_of_two_cycles_is_found_and_so_is_what_hangs_on_them():
    found, reasons = sort(alpha="beta", beta="alpha", gamma="delta", delta="gamma", epsilon="alpha", zeta="")
    assert found == ["zeta"]
    assert set(reasons) == {"alpha", "beta", "gamma", "delta", "epsilon"}
    assert "'alpha', which does not run" in reasons["epsilon"]
