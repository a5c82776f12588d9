from dataclasses import replace

import pytest
from sqlalchemy import inspect, select, text

from hub.base.errors import Conflict, NotFound
from hub.db import migrate
from hub.db.engine import DATABASE
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job, JobState, ScheduleRun
from hub.jobs.service import JobSpec, enqueue, register
from hub.plugin.discovery import find_installed
from hub.plugin.host import PLUGINS
from hub.plugin.migrations import find_removable, migration_state, remove_plugin, upgrade_plugins
from hub.plugin.models import PluginFault
from hub.plugin.states import PluginError
from hub.repos.models import LFSObject
from tests.support.plugins import begin_anew, make_migration, make_plugin, start_host

FIRST = make_migration(
    "0001_things",
    upgrade='op.create_table("alpha_things", sa.Column("id", sa.Integer(), primary_key=True))',
    downgrade='op.drop_table("alpha_things")',
)
SECOND = make_migration(
    "0002_more",
    "0001_things",
    upgrade='op.add_column("alpha_things", sa.Column("label", sa.String(20)))',
    downgrade='op.drop_column("alpha_things", "label")',
)
# Half of it can be done before it fails.
FAILING = make_migration(
    "0002_fails",
    "0001_things",
    upgrade='op.create_table("alpha_more", sa.Column("id", sa.Integer(), primary_key=True)); op.drop_table("nowhere")',
    downgrade='op.drop_table("alpha_more")',
)
MODELS = """
from sqlalchemy import Column, Integer, Table
from hub.db.base import Model

things = Table("alpha_things", Model.metadata, Column("id", Integer, primary_key=True))
"""


def do_nothing(*_subject):
    return None


def make_alpha(**members):
    return make_plugin("alpha", migrations=True, **members)


def ask_for(context, **settings):
    context.settings = replace(context.settings, **settings)


def tables(context):
    return {name for name in inspect(context[DATABASE].engine).get_table_names() if "alpha" in name}


def faults(context):
    with reading(context) as work:
        return {fault.name: fault.reason for fault in work.session.scalars(select(PluginFault))}


@pytest.fixture
def upgraded(context, bring):
    """``upgraded(FIRST)``: the plugin alpha, asked for and migrated as far as these files go."""

    def upgrade(*files, plugin=None, **settings):
        package = bring(plugin or make_alpha(), files={path: text for found in files for path, text in found.items()})
        ask_for(context, **{"plugins": "alpha", **settings})
        upgrade.done = upgrade_plugins(context)
        return package

    return upgrade


def add_files(package, files):
    """A later release of the plugin, met by a later process."""
    for path, content in files.items():
        (package / path).write_text(content)
    begin_anew()


def test_the_tables_of_a_plugin_are_made_once_in_a_history_of_its_own(context, upgraded):
    upgraded(FIRST, SECOND)
    assert upgraded.done.changed == ("alpha",)
    assert tables(context) == {"alpha_things", "alembic_version_alpha"}
    assert upgrade_plugins(context).changed == ()
    assert migration_state(context, find_installed()["alpha"]) == "current"
    assert migrate.is_current(context[DATABASE])
    assert migrate.current_heads(context[DATABASE], find_installed()["alpha"].find_branch()) == {"0002_more"}


def test_a_plugin_without_migrations_has_no_state_of_them(context, bring):
    bring(make_plugin("alpha"))
    assert migration_state(context, find_installed()["alpha"]) == "none"
    assert migration_state(context, None) == "none"


def test_a_locked_plugin_is_migrated_too_and_finds_its_tables_when_the_licence_comes(context, upgraded):
    upgraded(FIRST, plugin=make_alpha(feature="alpha.notes"))
    start_host(context)
    assert context[PLUGINS].find("alpha").state == "locked"
    assert "alpha_things" in tables(context)


@pytest.mark.parametrize("asked", [{"plugins_disabled": "alpha"}, {"plugins": ""}])
def test_what_is_disabled_is_not_migrated(context, upgraded, asked):
    upgraded(FIRST, **asked)
    assert upgraded.done.changed == ()
    assert tables(context) == set()
    assert migration_state(context, find_installed()["alpha"]) == "absent"


def test_a_plugin_that_is_disabled_later_keeps_its_tables(context, upgraded):
    upgraded(FIRST)
    ask_for(context, plugins="", plugins_disabled="alpha")
    upgrade_plugins(context)
    assert "alpha_things" in tables(context)


def test_a_start_without_the_migration_is_refused_to_the_plugin_alone(context, bring):
    bring(make_alpha(jobs=[JobSpec("alpha.tidy", do_nothing)]), files=FIRST)
    host = start_host(context, plugins="alpha")
    found = host.find("alpha")
    assert (found.state, found.reason) == ("broken", "the database lacks its migrations; run `hub db upgrade`")
    assert "monitoring" in [hosted.name for hosted in host.active()]


def test_a_newer_release_asks_for_its_migration(context, upgraded):
    package = upgraded(FIRST)
    add_files(package, SECOND)
    assert migration_state(context, find_installed()["alpha"]) == "pending"
    host = start_host(context)
    assert "hub db upgrade" in host.find("alpha").reason


def test_a_database_that_is_newer_than_the_plugin_serves_it_during_a_rolling_upgrade(context, upgraded):
    package = upgraded(FIRST, SECOND)
    (package / "migrations" / "0002_more.py").unlink()
    begin_anew()
    assert start_host(context).find("alpha").state == "enabled"


def test_a_plugin_that_says_it_has_migrations_has_the_folder(context, bring):
    bring(make_alpha())
    assert start_host(context, plugins="alpha").find("alpha").reason == "its package has no folder 'migrations'"


@pytest.mark.parametrize("content", ["def broken(:", "revision = 'x' + 'y'\n", "down_revision = None\n", "\0"])
def test_migrations_that_cannot_be_read_make_the_plugin_broken(context, upgraded, content):
    package = upgraded(FIRST)
    add_files(package, {"migrations/0002_odd.py": content})
    assert "its migrations cannot be read" in start_host(context).find("alpha").reason


# A migration that fails.


def test_a_failing_migration_leaves_nothing_half_done_and_is_remembered(context, upgraded):
    package = upgraded(FIRST)
    add_files(package, FAILING)
    done = upgrade_plugins(context)
    assert done.changed == ()
    assert "nowhere" in done.failed["alpha"]
    assert tables(context) == {"alpha_things", "alembic_version_alpha"}
    assert migrate.current_heads(context[DATABASE], find_installed()["alpha"].find_branch()) == {"0001_things"}
    assert faults(context) == done.failed
    host = start_host(context)
    assert host.find("alpha").state == "broken"
    assert host.find("alpha").reason == f"its migration failed: {done.failed['alpha']}"


def test_a_first_migration_that_fails_leaves_no_table_at_all(context, upgraded):
    upgraded(FIRST, FAILING)
    assert set(upgraded.done.failed) == {"alpha"}
    assert tables(context) == set()


@pytest.mark.parametrize("fault", ["raise SystemExit(3)", "1 / 0", "assert False"])
def test_whatever_a_migration_raises_stops_neither_the_core_nor_other_plugins(context, bring, upgraded, fault):
    beta = {path: text.replace("alpha_", "beta_") for path, text in FIRST.items()}
    bring(make_plugin("beta", migrations=True), files=beta)
    upgraded(make_migration("0001_things", upgrade=fault), plugins="alpha,beta")
    assert set(upgraded.done.failed) == {"alpha"}
    assert upgraded.done.changed == ("beta",)
    assert start_host(context).find("beta").state == "enabled"
    assert migrate.is_current(context[DATABASE])


@pytest.mark.parametrize("content", ["def broken(:", "raise SystemExit(3)", "1 / 0", ""])
def test_a_file_that_is_no_migration_is_the_plugins_fault(context, upgraded, content):
    upgraded(FIRST, {"migrations/0002_odd.py": content})
    assert set(upgraded.done.failed) == {"alpha"}
    assert tables(context) == set()


def test_a_strict_upgrade_stops_at_the_first_fault(context, bring):
    bring(make_alpha(), files={**FIRST, **FAILING})
    ask_for(context, plugins="alpha", plugins_strict=True)
    with pytest.raises(PluginError, match="the migration of the plugin 'alpha' failed"):
        upgrade_plugins(context)
    assert tables(context) == set()


def test_a_strict_start_fails_for_tables_that_are_not_there(context, bring):
    bring(make_alpha(), files=FIRST)
    with pytest.raises(PluginError, match="hub db upgrade"):
        start_host(context, plugins="alpha", plugins_strict=True)


def test_a_later_upgrade_that_succeeds_heals_the_plugin(context, upgraded):
    package = upgraded(FIRST, FAILING)
    (package / "migrations" / "0002_fails.py").unlink()
    add_files(package, SECOND)
    assert upgrade_plugins(context).failed == {}
    assert faults(context) == {}
    assert start_host(context).find("alpha").state == "enabled"


def test_models_and_migrations_of_a_plugin_are_compared_by_themselves(context, upgraded):
    package = upgraded(FIRST, {"models.py": MODELS}, plugin=make_alpha(models="hub_test_alpha.models"))
    start_host(context)
    branch = find_installed()["alpha"].find_branch()
    assert branch is not None
    assert migrate.differences(context[DATABASE], branch) == []
    assert migrate.differences(context[DATABASE], others=[branch]) == []
    add_files(package, SECOND)
    upgrade_plugins(context)
    [(what, _, table, column)] = migrate.differences(context[DATABASE], branch)
    assert (what, table, column.name) == ("remove_column", "alpha_things", "label")


# Removing.


def test_tables_are_not_removed_while_the_plugin_is_wanted(context, upgraded):
    upgraded(FIRST)
    with pytest.raises(Conflict, match="is in use") as raised:
        remove_plugin(context, "alpha")
    assert raised.value.code == "plugin_wanted"
    assert "alpha_things" in tables(context)


def test_removing_takes_tables_schedules_and_waiting_jobs_away_and_nobody_elses(context, upgraded):
    upgraded(FIRST, SECOND)
    for name in ("alpha.tidy", "alphabet.tidy", "alpha_b.tidy"):
        register(context, JobSpec(name, do_nothing), owner=name.partition(".")[0])
    with unit_of_work(context) as work:
        jobs = {name: enqueue(work, name).uuid for name in ("alpha.tidy", "alphabet.tidy", "alpha_b.tidy")}
        running = enqueue(work, "alpha.tidy", args={"number": 2})
        running.state = JobState.RUNNING
        for name in ("alpha.nightly", "alphabet.nightly", "alpha_b.nightly"):
            work.session.add(ScheduleRun(name=name, last_run_at=work.now()))
        work.session.add(PluginFault(name="alpha", reason="once", happened_at=work.now()))
    ask_for(context, plugins="")
    assert find_removable(context, "alpha").name == "alpha"
    remove_plugin(context, "alpha")
    assert tables(context) == set()
    assert faults(context) == {}
    with reading(context) as work:
        states = {job.uuid: job.state for job in work.session.scalars(select(Job))}
        schedules = set(work.session.scalars(select(ScheduleRun.name)))
    assert states == {
        jobs["alpha.tidy"]: JobState.CANCELLED,
        jobs["alphabet.tidy"]: JobState.QUEUED,
        jobs["alpha_b.tidy"]: JobState.QUEUED,
        running.uuid: JobState.RUNNING,
    }
    assert {name for name in schedules if "nightly" in name} == {"alphabet.nightly", "alpha_b.nightly"}
    with pytest.raises(NotFound, match="has no tables"):
        remove_plugin(context, "alpha")


def test_a_plugin_that_comes_back_finds_empty_tables(context, upgraded):
    upgraded(FIRST)
    with context[DATABASE].engine.begin() as connection:
        connection.execute(text("INSERT INTO alpha_things (id) VALUES (1)"))
    ask_for(context, plugins="")
    remove_plugin(context, "alpha")
    ask_for(context, plugins="alpha")
    assert upgrade_plugins(context).changed == ("alpha",)
    with context[DATABASE].engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alpha_things")) == 0


def test_who_alone_keeps_contents_of_repositories_is_not_removed(context, upgraded):
    upgraded(FIRST)
    ask_for(context, plugins="")
    with unit_of_work(context) as work:
        work.session.add(LFSObject(oid="ab" * 32, size_bytes=1, created_at=work.now(), source="alpha"))
    with pytest.raises(Conflict) as raised:
        remove_plugin(context, "alpha")
    assert raised.value.code == "plugin_keeps_contents"
    with unit_of_work(context) as work:
        work.session.get(LFSObject, "ab" * 32).source = ""
    remove_plugin(context, "alpha")


def test_what_is_not_installed_cannot_be_removed(context, upgraded):
    with pytest.raises(NotFound, match="'nowhere' is installed"):
        remove_plugin(context, "nowhere")


def test_a_downgrade_that_fails_leaves_everything_there(context, upgraded):
    upgraded(FIRST, make_migration("0002_stays", "0001_things", downgrade='op.drop_table("nowhere")'))
    ask_for(context, plugins="")
    with pytest.raises(Exception, match="nowhere"):
        remove_plugin(context, "alpha")
    assert tables(context) == {"alpha_things", "alembic_version_alpha"}
    assert migration_state(context, find_installed()["alpha"]) == "current"


def test_a_distribution_that_is_uninstalled_with_its_tables_left_stops_nobody(context, bring, upgraded):
    package = upgraded(FIRST)
    bring.remove(package)
    assert upgrade_plugins(context).failed == {}
    assert not migrate.upgrade(context[DATABASE])
    assert migrate.is_current(context[DATABASE])
    host = start_host(context)
    assert "not installed" in host.find("alpha").reason
    assert "alpha_things" in tables(context)


@pytest.mark.parametrize("name", ["a" * 40, "alpha-beta", "Alpha"])
def test_a_plugin_whose_name_no_table_can_bear_is_not_migrated_and_stops_nobody(context, bring, name):
    """It is broken by its name; what remembers faults has no room for it."""
    bring(make_plugin(name, migrations=True), files=make_migration("0001_odd", upgrade="1 / 0"))
    beta = {path: text.replace("alpha_", "beta_") for path, text in FIRST.items()}
    bring(make_plugin("beta", migrations=True), files=beta)
    ask_for(context, plugins=f"{name},beta")
    done = upgrade_plugins(context)
    assert (done.changed, done.failed) == (("beta",), {})
    host = start_host(context)
    assert "2 to 30 lower-case letters" in host.find(name).reason
