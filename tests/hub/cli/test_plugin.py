import json
import re

import pytest
from click.testing import CliRunner
from flask import Blueprint
from sqlalchemy import inspect, text

from hub.base.errors import Conflict, NotFound
from hub.base.settings import environment_of
from hub.cli.main import cli
from hub.db.engine import DATABASE
from hub.plugin import DriverGroup, JobSpec, WhenExpired
from tests.support.plugins import make_migration, make_plugin

# Both databases where a statement of its own is met.
pytestmark = pytest.mark.any_database

COMMANDS = """
import click
from hub.plugin.cli import current_context, print_json


@click.group()
def alpha():
    '''Look at alphas.'''


@alpha.command()
@click.option("--times", default=1)
def count(times):
    '''Count them.'''
    print_json({"home": str(current_context().settings.home), "times": times})


no_command = 3
"""
TABLES = make_migration(
    "0001_alpha",
    upgrade='op.create_table("alpha_things", sa.Column("id", sa.Integer(), primary_key=True))',
    downgrade='op.drop_table("alpha_things")',
)


class Pen:
    """A base of drivers."""


def make_alpha(**members):
    return make_plugin("alpha", "Alphas\n\nOf all kinds.", **{"cli": "hub_test_alpha.commands:alpha", **members})


@pytest.fixture
def bring_alpha(bring):
    """``bring_alpha(requires=...)``: install the plugin alpha with its commands."""

    def install(files=None, **members):
        version = members.pop("version", "1.0")
        entry_points = members.pop("entry_points", None)
        files = {"commands.py": COMMANDS, **(files or {})}
        bring(make_alpha(**members), files=files, version=version, entry_points=entry_points)

    return install


@pytest.fixture
def hub(context):
    """``hub("plugin", "list", plugins="alpha")``: what the command did on the test's hub."""

    def run(*arguments, input=None, **settings):
        environment = environment_of(context.settings) | {"HUB_LOG_LEVEL": "critical"}
        environment |= {f"HUB_{name.upper()}": value for name, value in settings.items()}
        return CliRunner().invoke(cli, arguments, input=input, env=environment)

    return run


def listed(done):
    assert done.exit_code == 0, done.output
    return {row["name"]: row for row in json.loads(done.stdout)}


@pytest.mark.each_database
def test_the_list_tells_of_each_plugin_what_the_admin_api_tells(hub, bring, bring_alpha):
    bring_alpha(jobs=[JobSpec("alpha.tidy", print)], version="2.1")
    bring("beta", source="raise SystemExit(3)")
    rows = listed(hub("plugin", "list", "--json", plugins="alpha,beta"))
    assert rows["alpha"] == {
        "name": "alpha",
        "title": "Alphas",
        "description": "Of all kinds.",
        "state": "enabled",
        "reason": "",
        "version": "2.1",
        "distribution": "hub-test-alpha",
        "feature": None,
        "requires": [],
        "points": ["jobs", "commands"],
        "migrations": "none",
    }
    assert (rows["beta"]["state"], rows["beta"]["reason"]) == ("broken", "SystemExit: 3")
    assert rows["monitoring"]["state"] == "enabled"


def test_the_list_for_people_has_the_reason_in_it(hub, bring):
    bring("beta", source="import nothing_of_this_name")
    done = hub("plugin", "list", plugins="beta")
    [line] = [line for line in done.stdout.splitlines() if line.startswith("beta")]
    assert "broken" in line
    assert "ModuleNotFoundError: No module named 'nothing_of_this_name'" in line


def test_the_list_is_narrowed_by_state(hub, bring, bring_alpha):
    bring_alpha()
    bring("beta", source="1/0")
    assert set(listed(hub("plugin", "list", "--json", "--state", "broken", plugins="alpha,beta"))) == {"beta"}
    done = hub("plugin", "list", "--state", "asleep")
    assert "must be one of enabled" in str(done.exception)


def test_what_cannot_be_mounted_shows_in_the_list(hub, bring_alpha):
    pages = Blueprint("alpha_web", __name__, url_prefix="/elsewhere")
    pages.add_url_rule("", "show", lambda: "")
    bring_alpha(web_blueprints=(pages,))
    row = listed(hub("plugin", "list", "--json", plugins="alpha"))["alpha"]
    assert row["state"] == "broken"
    assert "/elsewhere lies under none of its url_prefixes" in row["reason"]


@pytest.mark.parametrize("fault", ["import", "mount"])
def test_a_strict_list_ends_with_the_reason_and_without_a_trace(hub, bring, bring_alpha, fault):
    pages = Blueprint("beta_web", __name__)
    if fault == "mount":
        bring_alpha(web_blueprints=(pages,))
    else:
        bring("alpha", source="1/0")
    done = hub("plugin", "list", plugins="alpha", plugins_strict="1")
    assert done.exit_code == 1
    assert "the plugin 'alpha' is broken" in done.output
    assert "Traceback" not in done.output


def test_the_drivers_of_every_group_are_listed_loaded_or_not(hub, bring_alpha):
    bring_alpha(
        driver_groups=[DriverGroup("hub.alpha.pens", Pen, "pen")],
        entry_points={"hub.alpha.pens": "quill = hub_test_nowhere:Quill"},
    )
    rows = json.loads(hub("plugin", "drivers", "--json", plugins="alpha").stdout)
    ours = {
        "group": "hub.alpha.pens",
        "driver": "quill",
        "class": "hub_test_nowhere:Quill",
        "distribution": "hub-test-alpha",
    }
    assert ours in rows
    assert {row["driver"] for row in rows if row["group"] == "hub.storage"} >= {"file", "s3"}
    assert re.search(r"^hub\.alpha\.pens +quill", hub("plugin", "drivers", plugins="alpha").stdout, re.MULTILINE)


# Removing tables.


@pytest.fixture
def tables(context, hub, bring_alpha):
    """``tables()``: the tables of alpha, which has been migrated and is no longer asked for."""
    bring_alpha(migrations=True, files=TABLES)
    assert hub("db", "upgrade", plugins="alpha").exit_code == 0

    def find():
        return {name for name in inspect(context[DATABASE].engine).get_table_names() if "alpha" in name}

    assert find() == {"alpha_things", "alembic_version_alpha"}
    return find


@pytest.mark.each_database
@pytest.mark.parametrize("options, input", [(["--confirm", "alpha"], None), ([], "alpha\n")])
def test_tables_are_removed_once_the_name_has_been_typed(hub, tables, options, input):
    done = hub("plugin", "remove", "alpha", *options, input=input)
    assert done.exit_code == 0, done.output
    assert "are gone" in done.stdout
    assert tables() == set()


@pytest.mark.parametrize("options, input", [(["--confirm", "beta"], None), ([], "yes\n"), ([], "\n"), ([], "")])
def test_without_the_right_name_nothing_is_removed(hub, tables, options, input):
    done = hub("plugin", "remove", "alpha", *options, input=input)
    assert done.exit_code == 1
    assert tables() == {"alpha_things", "alembic_version_alpha"}


def test_what_is_in_use_is_not_removed_and_nobody_is_asked(hub, tables):
    done = hub("plugin", "remove", "alpha", plugins="alpha")
    assert isinstance(done.exception, Conflict)
    assert "HUB_PLUGINS_DISABLED" in str(done.exception)
    assert "Type its name" not in done.output
    assert tables()


def test_what_is_switched_off_can_be_removed(hub, tables):
    done = hub("plugin", "remove", "alpha", "--confirm", "alpha", plugins="alpha", plugins_disabled="alpha")
    assert done.exit_code == 0
    assert tables() == set()


def test_what_is_not_installed_or_has_no_tables_is_not_removed(hub, bring_alpha):
    bring_alpha()
    for name, reason in (("alpha", "has no tables"), ("nowhere", "is installed")):
        done = hub("plugin", "remove", name, "--confirm", name)
        assert isinstance(done.exception, NotFound)
        assert reason in str(done.exception)


@pytest.mark.each_database
def test_a_plugin_that_cannot_be_imported_can_still_be_removed(context, hub, bring):
    bring("alpha", source="1/0", files=TABLES)
    assert hub("db", "upgrade", plugins="alpha").exit_code == 0
    assert hub("plugin", "remove", "alpha", "--confirm", "alpha").exit_code == 0
    assert "alpha_things" not in inspect(context[DATABASE].engine).get_table_names()


@pytest.mark.each_database
def test_db_upgrade_names_the_plugin_that_fails_and_goes_on(context, hub, bring_alpha):
    bring_alpha(migrations=True, files=make_migration("0001_alpha", upgrade="1 / 0"))
    done = hub("db", "upgrade", plugins="alpha")
    assert done.exit_code == 0
    assert "'alpha' could not be migrated and will not run: ZeroDivisionError" in done.output
    strict = hub("db", "upgrade", plugins="alpha", plugins_strict="1")
    assert strict.exit_code == 1
    assert "the migration of the plugin 'alpha' failed" in strict.output
    with context[DATABASE].engine.connect() as connection:
        assert connection.scalar(text("SELECT reason FROM plugin_faults")).startswith("ZeroDivisionError")


# Commands of plugins.


@pytest.mark.each_database
def test_the_commands_of_a_plugin_run_on_the_hub(context, hub, bring_alpha):
    bring_alpha()
    done = hub("alpha", "count", "--times", "3", plugins="alpha")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"home": str(context.settings.home), "times": 3}
    assert "Look at alphas." in hub("alpha", "--help", plugins="alpha").stdout


@pytest.mark.parametrize(
    "members, asked, reason",
    [
        ({"feature": "alpha.x"}, {"plugins": "alpha"}, "the plugin 'alpha' is locked: no licence in force"),
        ({"feature": "a.x", "when_expired": WhenExpired.READ_ONLY}, {"plugins": "alpha"}, "is locked"),
        ({}, {}, "the plugin 'alpha' is disabled: no edition has it; HUB_PLUGINS=alpha runs it"),
        ({}, {"plugins": "alpha", "plugins_disabled": "alpha"}, "is disabled: HUB_PLUGINS_DISABLED names it"),
        ({"requires": ("beta",)}, {"plugins": "alpha"}, "the plugin 'alpha' is broken: it requires the plugin 'beta'"),
        ({"cli": None}, {"plugins": "alpha"}, "No such command 'alpha'"),
        ({"cli": "hub_test_alpha.nowhere:alpha"}, {"plugins": "alpha"}, "hub_test_alpha.nowhere"),
        (
            {"cli": "hub_test_alpha.commands:nothing"},
            {"plugins": "alpha"},
            "'alpha' cannot be loaded: ",
        ),
        (
            {"cli": "hub_test_alpha.commands:no_command"},
            {"plugins": "alpha"},
            "'alpha' cannot be loaded: ",
        ),
    ],
)
def test_commands_of_what_does_not_run_say_why(hub, bring_alpha, members, asked, reason):
    bring_alpha(**members)
    done = hub("alpha", "count", **asked)
    assert done.exit_code in (1, 2)
    assert reason in done.output
    assert "Traceback" not in done.output


def test_a_plugins_further_groups_have_words_of_their_own(hub, bring_alpha):
    bring_alpha(commands={"pens": "hub_test_alpha.commands:alpha"})
    assert hub("pens", "count", plugins="alpha").stdout == hub("alpha", "count", plugins="alpha").stdout
    assert "pens" in hub("--help", plugins="alpha").stdout.partition("Commands of plugins")[2]
    assert "No such command 'pens'" in hub("pens", "count").output


@pytest.mark.parametrize("name", ["serve", "Pens", "--pens"])
def test_a_group_has_no_name_of_the_hubs_own(hub, bring_alpha, name):
    bring_alpha(commands={name: "hub_test_alpha.commands:alpha"})
    row = listed(hub("plugin", "list", "--json", plugins="alpha"))["alpha"]
    assert (row["state"], "commands names" in row["reason"]) == ("broken", True)


def test_a_command_that_nobody_has_is_wrong_usage(hub):
    done = hub("nowhere")
    assert done.exit_code == 2
    assert "No such command 'nowhere'" in done.output


def test_the_hubs_own_commands_are_nobody_elses(hub, bring):
    bring(make_plugin("config", cli="hub_test_config.commands:alpha"), files={"commands.py": COMMANDS})
    assert "Show the settings." in hub("config", "--help", plugins="config").stdout


# Help.


def test_help_lists_the_commands_of_plugins_that_run(hub, bring, bring_alpha):
    bring_alpha()
    bring(
        make_plugin("beta", "Betas", cli="hub_test_beta.commands:alpha", feature="beta.x"),
        files={"commands.py": COMMANDS},
    )
    shown = hub("--help", plugins="alpha,beta")
    assert shown.exit_code == 0
    assert "Commands of plugins" in shown.stdout
    assert "alpha" in shown.stdout.partition("Commands of plugins")[2]
    assert "beta" not in shown.stdout.partition("Commands of plugins")[2]
    assert "alpha" not in hub("--help").stdout
    assert "Commands of plugins" not in hub("--help", plugins_disabled="inference,monitoring,xnet").stdout


@pytest.mark.parametrize(
    "content", ["nonsense", "unknown = 1\n", "[plugin.nowhere]\nx = 1\n", "port = 'many'\n", "[[["]
)
def test_help_survives_settings_that_cannot_be_used(context, hub, bring_alpha, content):
    bring_alpha()
    (context.settings.home / "hub.toml").write_text(content)
    shown = hub("--help", plugins="alpha")
    assert shown.exit_code == 0
    assert "serve" in shown.stdout
    assert "Traceback" not in shown.output


@pytest.mark.parametrize("source", ["raise SystemExit(3)", "def broken(:", "1/0"])
def test_help_survives_a_broken_plugin(hub, bring, source):
    bring("alpha", source=source)
    shown = hub("--help", plugins="alpha")
    assert shown.exit_code == 0
    assert "serve" in shown.stdout


def test_the_core_works_beside_a_broken_plugin(hub, bring):
    bring("alpha", source="raise SystemExit(3)")
    assert hub("user", "list", "--json", plugins="alpha").exit_code == 0
    assert hub("db", "status", plugins="alpha").exit_code == 0
