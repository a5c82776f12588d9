from importlib import import_module
from pathlib import Path

import pytest

from hub.accounts.policy import PERMISSIONS
from hub.accounts.service.departures import DEPARTURES
from hub.assets.indexing import INDEXERS
from hub.assets.runtypes import RUN_TYPES, RunType
from hub.assets.security.files import CHECKERS, Checker
from hub.base.drivers import DRIVER_GROUPS
from hub.base.events import publish
from hub.base.health import HEALTH, ok
from hub.base.metrics import METRICS
from hub.base.registry import RegistryError
from hub.base.topics import TOPICS
from hub.db.base import Model
from hub.db.uow import unit_of_work
from hub.jobs.schedule import SCHEDULES
from hub.jobs.service import JOBS
from hub.metering.service import USAGE_READERS
from hub.plugin import (
    Audience,
    CheckPoint,
    DriverGroup,
    JobSpec,
    Metric,
    NavItem,
    Panel,
    Permission,
    RepositoryKind,
    Sample,
    Schedule,
    Section,
    Slot,
)
from hub.plugin.events import RepositoryCreated, RepositoryDeleted
from hub.plugin.host import PLUGINS
from hub.plugin.indexing import Indexer
from hub.plugin.services import SERVICES
from hub.plugin.topics import Topic
from hub.repos.checks import CHECKS, DELETE_CHECKS
from hub.repos.kinds import KINDS
from hub.web.navigation import NAVIGATION, PANELS
from tests.support.plugins import contributions, make_plugin, start_host

pytestmark = pytest.mark.any_database

TABLE = """
from sqlalchemy import Column, Integer, Table
from hub.db.base import Model

things = Table({name!r}, Model.metadata, Column("id", Integer, primary_key=True))
"""


def do_nothing(*_subject):
    return None


def read_nothing(_context):
    return (Sample(0, {}),)


def look(_context):
    return ok("alpha", "well")


ALL = {
    "permissions": (Permission("alpha:note:read", "read notes"),),
    "kinds": [RepositoryKind("notebook", "notebooks", "Notebook")],
    "indexers": [Indexer("alpha.read", "Read", do_nothing)],
    "file_checkers": [Checker("alpha.look", "1", do_nothing)],
    "run_types": [RunType("alpha.press", "Press")],
    "jobs": [JobSpec("alpha.tidy", do_nothing)],
    "schedules": [Schedule("alpha.nightly", "0 0 * * *", "alpha.tidy")],
    "listeners": {RepositoryCreated: do_nothing},
    "recorders": {RepositoryCreated: do_nothing},
    "topics": [Topic("alpha.note_written", "Somebody wrote a note.", RepositoryCreated, do_nothing)],
    "checks": {
        CheckPoint.PRE_RECEIVE: do_nothing,
        CheckPoint.BEFORE_REPOSITORY_DELETE: do_nothing,
        CheckPoint.BEFORE_USER_DELETE: do_nothing,
    },
    "driver_groups": [DriverGroup("hub.alpha.pens", Path, "pen")],
    "services": {"notes": do_nothing},
    "metrics": [Metric("hub_alpha_notes", "Notes.", read_nothing)],
    "health": look,
    "usage_reader": do_nothing,
    "nav_items": [NavItem("Notes", "alpha_web.show")],
    "panels": [Panel("alpha.latest", Slot.HOME, do_nothing)],
}


def reason_of(context, name="alpha"):
    found = context[PLUGINS].find(name)
    assert found.state == "broken"
    return found.reason


@pytest.mark.parametrize(
    "key, name",
    [
        (PERMISSIONS, "alpha:note:read"),
        (KINDS, "notebook"),
        (INDEXERS, "alpha.read"),
        (CHECKERS, "alpha.look"),
        (RUN_TYPES, "alpha.press"),
        (JOBS, "alpha.tidy"),
        (SCHEDULES, "alpha.nightly"),
        (TOPICS, "alpha.note_written"),
        (CHECKS, "alpha"),
        (DELETE_CHECKS, "alpha"),
        (DEPARTURES, "alpha"),
        (DRIVER_GROUPS, "hub.alpha.pens"),
        (SERVICES, "notes"),
        (METRICS, "hub_alpha_notes"),
        (HEALTH, "alpha"),
        (USAGE_READERS, "alpha"),
        (NAVIGATION, "main/Notes"),
        (PANELS, "alpha.latest"),
    ],
)
def test_each_contribution_arrives_in_its_registry_with_its_owner(context, bring, key, name):
    bring(make_plugin("alpha", **ALL))
    start_host(context, plugins="alpha")
    assert {entry.name: entry.owner for entry in context[key].entries()}[name] == "alpha"


def test_the_plugin_is_told_by_the_extension_points_that_it_uses(context, bring):
    members = {**ALL, "models": "hub_test_alpha.models", "cli": "hub_test_alpha.commands:group"}
    files = {"models.py": TABLE.format(name="alpha_things"), "commands.py": ""}
    bring(make_plugin("alpha", **members), files=files)
    bring(make_plugin("beta"))
    host = start_host(context, plugins="alpha,beta")
    assert host.find("alpha").points == [
        "tables", "permissions", "kinds", "indexers", "file checkers", "run types", "jobs", "schedules", "listeners",
        "recorders", "topics", "usage", "checks", "driver groups", "services", "metrics", "health", "navigation",
        "panels", "commands",
    ]  # fmt: skip
    assert host.find("beta").points == []


def test_tables_are_known_and_bear_the_plugins_name(context, bring):
    bring(make_plugin("alpha", models="hub_test_alpha.models"), files={"models.py": TABLE.format(name="alpha_things")})
    start_host(context, plugins="alpha")
    assert "alpha_things" in Model.metadata.tables
    assert context[PLUGINS].find("alpha").points == ["tables"]


def test_tables_that_bear_another_name_are_refused(context, bring):
    bring(make_plugin("alpha", models="hub_test_alpha.models"), files={"models.py": TABLE.format(name="alphabets")})
    start_host(context, plugins="alpha")
    assert reason_of(context) == "its tables alphabets do not begin with 'alpha_'"


def test_a_table_of_the_hubs_cannot_be_defined_again(context, bring):
    bring(make_plugin("alpha", models="hub_test_alpha.models"), files={"models.py": TABLE.format(name="users")})
    before = set(Model.metadata.tables["users"].columns.keys())
    start_host(context, plugins="alpha")
    assert "'users' is already defined" in reason_of(context)
    assert set(Model.metadata.tables["users"].columns.keys()) == before


def test_a_module_of_tables_that_is_not_there_is_the_reason(context, bring):
    bring(make_plugin("alpha", models="hub_test_alpha.nowhere"))
    start_host(context, plugins="alpha")
    assert "hub_test_alpha.nowhere" in reason_of(context)


# Names begin with the plugin's.


@pytest.mark.parametrize(
    "members, reason",
    [
        ({"jobs": [JobSpec("tidy", do_nothing)]}, "jobs(): 'tidy' does not begin with 'alpha.'"),
        ({"jobs": [JobSpec("alphabet.tidy", do_nothing)]}, "does not begin with 'alpha.'"),
        (
            {"jobs": ALL["jobs"], "schedules": [Schedule("tidy", "0 0 * * *", "alpha.tidy")]},
            "schedules(): 'tidy' does not begin with 'alpha.'",
        ),
        (
            {"schedules": [Schedule("alpha.nightly", "0 0 * * *", "alpha.tidy")]},
            "the schedule 'alpha.nightly' asks for the job 'alpha.tidy', which nobody has",
        ),
        ({"metrics": [Metric("hub_notes", "Notes.", read_nothing)]}, "'hub_notes' does not begin with 'hub_alpha_'"),
        ({"metrics": [Metric("alpha_notes", "Notes.", read_nothing)]}, "does not begin with 'hub_alpha_'"),
        ({"nav_items": [NavItem("Notes", "home.show_home")]}, "does not begin with 'alpha_web'"),
        ({"panels": [Panel("latest", Slot.HOME, do_nothing)]}, "panels(): 'latest' does not begin with 'alpha.'"),
        ({"panels": [Panel("alphabet.latest", Slot.HOME, do_nothing)]}, "does not begin with 'alpha.'"),
    ],
)
def test_a_name_that_begins_otherwise_is_refused(context, bring, members, reason):
    bring(make_plugin("alpha", **members))
    start_host(context, plugins="alpha")
    assert reason in reason_of(context)
    assert contributions(context, "alpha") == {}


# A name has one owner.


@pytest.mark.parametrize(
    "name, members, first",
    [
        ("alpha", {"kinds": [RepositoryKind("notebook", "notebooks", "Notebook")]}, "aaa"),
        ("alpha", {"kinds": [RepositoryKind("pad", "pads", "Pad", aliases=("notebooks",))]}, "aaa"),
        ("alpha", {"kinds": [RepositoryKind("model", "alphas", "Alpha")]}, "hub"),
        ("alpha", {"kinds": [RepositoryKind("alpha", "models", "Alpha")]}, "hub"),
        ("alpha", {"jobs": [JobSpec("alpha.purge", do_nothing)]}, "other"),
        (
            "alpha",
            {
                "jobs": [JobSpec("alpha.mine", do_nothing)],
                "schedules": [Schedule("alpha.purge", "0 0 * * *", "alpha.mine")],
            },
            "other",
        ),
        ("alpha", {"permissions": (Permission("alpha:content:read", "read"),)}, "other"),
        ("storage", {"metrics": [Metric("hub_storage_bytes", "Bytes.", read_nothing)]}, "hub"),
        ("alpha", {"services": {"notes": do_nothing}}, "aaa"),
        ("alpha", {"driver_groups": [DriverGroup("hub.storage", Path, "store")]}, "hub"),
        ("alpha", {"nav_items": [NavItem("Notes", "alpha_web.show")]}, "aaa"),
        ("aaa_b", {"metrics": [Metric("hub_aaa_b_notes", "Notes.", read_nothing)]}, "aaa"),
        ("alpha", {"panels": [Panel("alpha.latest", Slot.HOME, do_nothing)]}, "other"),
        ("quota", {"checks": {CheckPoint.PRE_RECEIVE: do_nothing}}, "hub"),
    ],
)
def test_what_is_taken_is_refused_with_both_owners_named(context, bring, name, members, first):
    """The plugin that comes later, by requirement and then by name, is the broken one."""
    # Names begin with their plugin's, so that few can meet; the rule holds without that, too.
    context[JOBS].add("alpha.purge", JobSpec("alpha.purge", do_nothing), owner="other")
    context[SCHEDULES].add("alpha.purge", Schedule("alpha.purge", "0 0 * * *", "alpha.purge"), owner="other")
    context[PERMISSIONS].add("alpha:content:read", Permission("alpha:content:read", "read"), owner="other")
    context[PANELS].add("alpha.latest", Panel("alpha.latest", Slot.HOME, do_nothing), owner="other")
    given = {
        "kinds": [RepositoryKind("notebook", "notebooks", "Notebook")],
        "services": {"notes": do_nothing},
        "nav_items": [NavItem("Notes", "aaa_web.show")],
        "metrics": [Metric("hub_aaa_b_notes", "Notes.", read_nothing)],
    }
    bring(make_plugin("aaa", **given))
    bring(make_plugin(name, **members))
    start_host(context, plugins=f"aaa,{name}")
    assert context[PLUGINS].find("aaa").state == "enabled"
    reason = reason_of(context, name)
    assert f"of {name}" in reason
    assert f"already taken by {first}" in reason
    assert contributions(context, name) == {}


def test_one_plugin_that_brings_a_name_twice_is_broken(context, bring):
    bring(make_plugin("alpha", jobs=[JobSpec("alpha.tidy", do_nothing)] * 2))
    start_host(context, plugins="alpha")
    assert reason_of(context) == "jobs: 'alpha.tidy' of alpha is already taken by alpha"


def test_one_label_may_stand_in_two_sections(context, bring):
    items = [
        NavItem("Notes", "alpha_web.show"),
        NavItem("Notes", "alpha_web.administer", section=Section.ADMIN, audience=Audience.ADMINS),
    ]
    bring(make_plugin("alpha", nav_items=items))
    start_host(context, plugins="alpha")
    assert contributions(context, "alpha") == {"navigation": ["main/Notes", "admin/Notes"]}


# Contributions of a wrong kind.


@pytest.mark.parametrize(
    "members, reason",
    [
        ({"jobs": None}, "jobs() gives None instead of a tuple"),
        ({"jobs": ["alpha.tidy"]}, "jobs() gives 'alpha.tidy', which is no JobSpec"),
        ({"jobs": "alpha.tidy"}, "which is no JobSpec"),
        ({"kinds": [Permission]}, "which is no RepositoryKind"),
        ({"schedules": [JobSpec("alpha.tidy", do_nothing)]}, "which is no Schedule"),
        ({"metrics": [3]}, "which is no Metric"),
        ({"nav_items": [("Notes", "alpha_web.show")]}, "which is no NavItem"),
        ({"panels": [None]}, "which is no Panel"),
        ({"driver_groups": ["hub.alpha.pens"]}, "which is no DriverGroup"),
        ({"listeners": {"RepositoryCreated": do_nothing}}, "listeners() names 'RepositoryCreated'"),
        ({"listeners": None}, "listeners() gives None instead of a mapping"),
        ({"listeners": {RepositoryCreated: 3}}, "listeners() gives 3, which is no function"),
        ({"recorders": {"RepositoryCreated": do_nothing}}, "recorders() names 'RepositoryCreated'"),
        ({"recorders": {RepositoryCreated: "nothing"}}, "recorders() gives 'nothing', which is no function"),
        ({"topics": ["alpha.note_written"]}, "which is no Topic"),
        ({"topics": [Topic("push", "Ours.", RepositoryCreated, do_nothing)]}, "does not begin with 'alpha.'"),
        ({"checks": {"pre_recieve": do_nothing}}, "checks() names 'pre_recieve'"),
        ({"checks": [do_nothing]}, "instead of a mapping"),
        ({"checks": {CheckPoint.PRE_RECEIVE: None}}, "checks() gives None, which is no function"),
        ({"services": ["notes"]}, "services() gives ['notes'] instead of a mapping"),
        ({"services": {"notes": "a:b"}}, "services() gives 'a:b', which is no function"),
        ({"health": 3}, "health() gives 3, which is no function"),
    ],
)
def test_a_contribution_of_another_kind_is_refused(context, bring, members, reason):
    bring(make_plugin("alpha", **members))
    start_host(context, plugins="alpha")
    assert reason in reason_of(context)
    assert contributions(context, "alpha") == {}


def test_a_method_that_raises_is_the_reason(context, bring):
    class Alpha(make_plugin("alpha")):
        """Alpha"""

        def kinds(self):
            raise LookupError("no kinds today")

    bring(Alpha)
    start_host(context, plugins="alpha")
    assert reason_of(context) == "LookupError: no kinds today"


# What is named by its dotted name.


def test_a_listener_is_imported_when_its_event_comes_and_given_the_context(context, bring):
    package = bring(
        make_plugin("alpha", listeners={RepositoryCreated: "hub_test_alpha.jobs:note"}),
        files={"jobs.py": "heard = []\n\n\ndef note(context, event):\n    heard.append((context, event))\n"},
    )
    start_host(context, plugins="alpha")
    event = RepositoryCreated(1, 2)
    with unit_of_work(context) as work:
        publish(work, event)
    assert import_module(f"{package.name}.jobs").heard == [(context, event)]


def test_a_recorder_writes_in_the_events_transaction_and_what_it_raises_undoes_that(context, bring):
    seen = []

    def record(work, event):
        seen.append((work.session.in_transaction(), event))
        if event.actor_id == 13:
            raise LookupError("not this one")

    bring(make_plugin("alpha", recorders={RepositoryCreated: record}))
    start_host(context, plugins="alpha")
    with unit_of_work(context) as work:
        publish(work, RepositoryCreated(1, 2), RepositoryDeleted(1, 2))
        assert seen == [(True, RepositoryCreated(1, 2))]
    told = []
    with pytest.raises(LookupError), unit_of_work(context) as work:
        work.after_commit(lambda: told.append("committed"))
        publish(work, RepositoryCreated(1, 13))
    assert told == []


@pytest.mark.parametrize(
    "members",
    [
        {"listeners": {RepositoryCreated: "hub_test_alpha.nowhere:note"}},
        {"recorders": {RepositoryCreated: "hub_test_alpha.nowhere:note"}},
        {"checks": {CheckPoint.PRE_RECEIVE: "hub_test_alpha.nowhere:refuse"}},
        {"jobs": [JobSpec("alpha.tidy", "hub_test_alpha.nowhere:tidy")]},
        {"panels": [Panel("alpha.latest", Slot.HOME, "hub_test_alpha.nowhere:render")]},
        {"cli": "hub_test_alpha.nowhere:alpha"},
    ],
)
def test_a_function_whose_module_is_not_there_is_the_plugins_fault_at_the_start(context, bring, members):
    bring(make_plugin("alpha", **members))
    start_host(context, plugins="alpha")
    assert "hub_test_alpha.nowhere" in reason_of(context)


def test_a_check_that_is_not_there_breaks_the_plugin_and_no_push(context, bring):
    checks = {CheckPoint.PRE_RECEIVE: "hub_test_alpha.checks:nothing"}
    bring(make_plugin("alpha", checks=checks), files={"checks.py": ""})
    start_host(context, plugins="alpha")
    assert "nothing" in reason_of(context)


def test_a_listener_that_leads_nowhere_is_logged_and_the_commit_stands(context, bring, make_user, make_repository):
    bring(make_plugin("alpha", listeners={RepositoryCreated: "hub_test_alpha.jobs:nothing"}), files={"jobs.py": ""})
    start_host(context, plugins="alpha")
    assert context[PLUGINS].find("alpha").state == "enabled"
    assert make_repository(make_user()).id


def test_nothing_is_added_once_the_registries_are_closed(context, bring):
    bring(make_plugin("alpha", jobs=ALL["jobs"]))
    start_host(context, plugins="alpha").freeze()
    with pytest.raises(RegistryError, match="after the start"):
        context[JOBS].add("alpha.later", JobSpec("alpha.later", do_nothing), owner="alpha")
