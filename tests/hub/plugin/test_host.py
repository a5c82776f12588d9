import sys

import pytest

from hub.accounts.policy import Actor
from hub.db.uow import reading
from hub.jobs.service import JOBS
from hub.licensing.service import LICENSING
from hub.plugin import CheckPoint, JobSpec, Panel, Permission, Schedule, Slot
from hub.plugin.events import RepositoryCreated
from hub.plugin.host import PLUGINS
from hub.plugin.states import PluginError, PluginState
from hub.repos.contents import read_text
from hub.repos.files import FileEdit, commit_files
from hub.repos.kinds import KINDS, RepositoryKind
from hub.repos.service import PURGE_JOB, create_repository, get_readable
from tests.support.plugins import add_to_edition, contributions, make_plugin, open_client, start_host

pytestmark = pytest.mark.any_database


def state_of(context, name):
    found = context[PLUGINS].find(name)
    return found.state.value, found.reason


def do_nothing(*_subject):
    return None


# Which plugins run.


def test_what_the_edition_names_runs(context, bring):
    bring(make_plugin("alpha"))
    add_to_edition(context, "ce", "alpha")
    host = start_host(context)
    assert state_of(context, "alpha") == ("enabled", "")
    assert "alpha" in [hosted.name for hosted in host.active()]


def test_the_bundled_plugins_of_the_edition_run(context):
    start_host(context)
    for name in context[LICENSING].edition.plugins:
        assert state_of(context, name) == ("enabled", "")


def test_what_the_settings_name_runs(context, bring):
    for name in ("alpha", "beta"):
        bring(make_plugin(name))
    start_host(context, plugins="beta, alpha")
    assert state_of(context, "alpha") == state_of(context, "beta") == ("enabled", "")


def test_what_another_edition_names_is_locked(context, bring):
    bring(make_plugin("alpha"))
    add_to_edition(context, "ee", "alpha")
    host = start_host(context)
    assert state_of(context, "alpha") == ("locked", "it is not in the edition Community Edition")
    assert "alpha" in [hosted.name for hosted in host.locked()]
    assert "alpha" not in [hosted.name for hosted in host.active()]


@pytest.mark.settings(edition="lite")
def test_lite_has_a_set_of_its_own(context, bring):
    bring(make_plugin("alpha"))
    bring(make_plugin("beta"))
    add_to_edition(context, "lite", "alpha")
    add_to_edition(context, "ce", "beta")
    start_host(context)
    assert state_of(context, "alpha") == ("enabled", "")
    assert state_of(context, "beta") == ("locked", "it is not in the edition Lite")


def test_what_needs_a_feature_that_no_licence_carries_is_locked(context, bring):
    bring(make_plugin("alpha", feature="alpha.notes"))
    start_host(context, plugins="alpha")
    assert state_of(context, "alpha") == ("locked", "no licence in force carries 'alpha.notes'")


def test_what_the_settings_switch_off_is_not_even_imported(context, bring):
    bring("alpha", source="raise SystemExit('imported')")
    add_to_edition(context, "ce", "alpha")
    start_host(context, plugins="alpha", plugins_disabled="alpha")
    assert state_of(context, "alpha") == ("disabled", "HUB_PLUGINS_DISABLED names it")
    assert not [name for name in sys.modules if name.startswith("hub_test_alpha")]


def test_what_nobody_names_is_not_even_imported_and_told_how_to_run(context, bring):
    bring("alpha", source="raise SystemExit('imported')")
    start_host(context)
    assert state_of(context, "alpha") == ("disabled", "no edition has it; HUB_PLUGINS=alpha runs it")
    assert not [name for name in sys.modules if name.startswith("hub_test_alpha")]


def test_what_is_asked_for_and_not_installed_is_broken(context):
    start_host(context, plugins="alpha")
    state, reason = state_of(context, "alpha")
    assert state == "broken"
    assert "not installed" in reason


def test_what_is_switched_off_need_not_be_installed(context):
    start_host(context, plugins="alpha", plugins_disabled="alpha")
    assert state_of(context, "alpha")[0] == "disabled"


def test_a_name_that_nobody_knows_is_no_plugin(context):
    assert start_host(context).find("alpha") is None


def test_plugins_start_after_those_they_require(context, bring):
    for name, needed in (("alpha", "gamma"), ("beta", ""), ("gamma", "")):
        bring(make_plugin(name, requires=tuple(needed.split())))
    host = start_host(context, plugins="alpha,beta,gamma")
    names = [hosted.name for hosted in host.active()]
    assert names.index("gamma") < names.index("alpha")


@pytest.mark.parametrize(
    "needed, asked",
    [
        ({"plugin": "beta", "source": "1/0"}, {"plugins": "alpha,beta"}),
        ({"plugin": make_plugin("beta")}, {"plugins": "alpha,beta", "plugins_disabled": "beta"}),
        ({"plugin": make_plugin("beta")}, {"plugins": "alpha"}),
        ({"plugin": make_plugin("beta", jobs=[JobSpec("wrong.name", do_nothing)])}, {"plugins": "alpha,beta"}),
        (None, {"plugins": "alpha"}),
    ],
    ids=["broken", "disabled", "asked for by nobody", "broken by what it brings", "missing"],
)
def test_a_plugin_without_what_it_requires_is_broken(context, bring, needed, asked):
    bring(make_plugin("alpha", requires=("beta",), jobs=[JobSpec("alpha.tidy", do_nothing)]))
    if needed:
        bring(**needed)
    start_host(context, **asked)
    assert state_of(context, "alpha") == ("broken", "it requires the plugin 'beta', which does not run")
    assert contributions(context, "alpha") == {}


def test_a_plugin_that_requires_a_locked_one_is_locked_with_it(context, bring):
    """The licence that opens the one opens the other; nothing is broken."""
    bring(make_plugin("alpha", requires=("beta",), jobs=[JobSpec("alpha.tidy", do_nothing)]))
    bring(make_plugin("beta", requires=("gamma",)))
    bring(make_plugin("gamma", feature="gamma.x"))
    start_host(context, plugins="alpha,beta,gamma", plugins_strict=True)
    for name, needed in (("alpha", "beta"), ("beta", "gamma")):
        state, reason = state_of(context, name)
        assert state == "locked"
        assert reason.startswith(f"it requires the plugin {needed!r}: ")
        assert reason.endswith("no licence in force carries 'gamma.x'")
    assert contributions(context, "alpha") == {}


def test_plugins_that_require_each_other_are_broken_and_named(context, bring):
    bring(make_plugin("alpha", requires=("beta",)))
    bring(make_plugin("beta", requires=("alpha",)))
    bring(make_plugin("gamma"))
    start_host(context, plugins="alpha,beta,gamma")
    for name in ("alpha", "beta"):
        state, reason = state_of(context, name)
        assert state == "broken"
        assert "alpha -> beta" in reason or "beta -> alpha" in reason
    assert state_of(context, "gamma")[0] == "enabled"


# What a broken plugin does to others: nothing.


@pytest.mark.parametrize(
    "source, reason",
    [
        ("import nothing_of_this_name", "nothing_of_this_name"),
        ("def broken(:", "SyntaxError"),
        ("assert False, 'no'", "AssertionError: no"),
        ("raise SystemExit(1)", "SystemExit"),
        ("Manifest = 3", "does not derive"),
    ],
)
def test_a_strict_start_fails_with_the_reason(context, bring, source, reason):
    bring("alpha", source=source)
    with pytest.raises(PluginError, match="the plugin 'alpha' is broken") as raised:
        start_host(context, plugins="alpha", plugins_strict=True)
    assert reason in str(raised.value)


def test_a_strict_start_fails_for_what_is_not_installed(context):
    with pytest.raises(PluginError, match="not installed"):
        start_host(context, plugins="alpha", plugins_strict=True)


def test_a_strict_start_takes_what_is_sound_locked_or_disabled(context, bring):
    bring(make_plugin("alpha"))
    bring(make_plugin("beta", feature="beta.x"))
    bring("gamma", source="1/0")
    start_host(context, plugins="alpha,beta,gamma", plugins_disabled="gamma", plugins_strict=True)
    assert [state_of(context, name)[0] for name in ("alpha", "beta", "gamma")] == ["enabled", "locked", "disabled"]


HALF_WAY = {
    "permissions": (Permission("alpha:note:read", "read notes"),),
    "kinds": [RepositoryKind("notebook", "notebooks", "Notebook")],
    "jobs": [JobSpec("alpha.tidy", do_nothing)],
    "schedules": [Schedule("alpha.tidy", "0 0 * * *", "alpha.tidy")],
    "listeners": {RepositoryCreated: do_nothing},
    "checks": {CheckPoint.PRE_RECEIVE: do_nothing, CheckPoint.BEFORE_REPOSITORY_DELETE: do_nothing},
    "services": {"notes": do_nothing},
    # The last of all: everything above is installed by then.
    "panels": [Panel("beta.wrong", Slot.HOME, do_nothing)],
}


def test_a_plugin_that_breaks_half_way_leaves_nothing_behind(context, bring):
    bring(make_plugin("alpha", **HALF_WAY))
    before = {registry.title: list(registry) for registry in context.registries()}
    start_host(context, plugins="alpha", plugins_disabled="inference,xnet")
    assert state_of(context, "alpha") == ("broken", "panels(): 'beta.wrong' does not begin with 'alpha.'")
    assert contributions(context, "alpha") == {}
    assert context[PLUGINS].find("alpha").points == []
    after = {registry.title: list(registry) for registry in context.registries()}
    assert {title: names for title, names in after.items() if title in before} == before


def test_a_plugin_that_stops_the_interpreter_while_it_is_installed_is_broken_and_leaves_nothing(context, bring):
    def leave(self):
        raise SystemExit(3)

    plugin = make_plugin("alpha", **{**HALF_WAY, "panels": []})
    plugin.panels = leave
    bring(plugin)
    start_host(context, plugins="alpha")
    assert state_of(context, "alpha") == ("broken", "SystemExit: 3")
    assert contributions(context, "alpha") == {}


def test_the_forge_works_on_beside_broken_plugins(context, bring, make_user, make_token):
    bring(make_plugin("alpha", **HALF_WAY))
    bring("beta", source="raise SystemExit(1)")
    start_host(context, plugins="alpha,beta,nowhere")
    client = open_client(context)
    user = make_user("ada")
    actor = Actor.of_user(user, via="session")
    repository = create_repository(context, actor=actor, namespace="ada", name="thing", kind="model", private=False)
    commit_files(
        context,
        repository_id=repository.id,
        actor=actor,
        message="One more",
        edits=[FileEdit("notes.txt", content=b"still here")],
    )
    assert read_text(context, repository, actor=actor, path="notes.txt") == "still here"
    answer = client.get("/api/v1/models/ada/thing", headers={"Authorization": f"Bearer {make_token(user, 'read')}"})
    assert (answer.status_code, answer.json["data"]["path"]) == (200, "ada/thing")
    with reading(context) as work:
        assert get_readable(work, actor=actor, kind="model", path="ada/thing").id == repository.id
    assert client.get("/", headers={"Accept": "text/html"}).status_code == 200


@pytest.mark.parametrize("name", ["hub", "hub,alpha"])
def test_a_plugin_called_as_the_hub_takes_nothing_of_the_hub_away(context, bring, name):
    """What is broken is taken back by its owner's name, and the core's owner is called "hub"."""
    bring(make_plugin("alpha"))
    bring(make_plugin("hub"))
    start_host(context, plugins=name)
    assert state_of(context, "hub")[0] == "broken"
    assert "model" in context[KINDS]
    assert PURGE_JOB in context[JOBS]


def test_a_plugin_called_as_the_hub_that_is_not_installed_takes_nothing_away_either(context):
    start_host(context, plugins="hub")
    assert state_of(context, "hub")[0] == "broken"
    assert "model" in context[KINDS]


def test_a_plugin_found_broken_late_takes_those_that_require_it_along(context, bring):
    for name, needed in (("alpha", ()), ("beta", ("alpha",)), ("gamma", ("beta",)), ("delta", ())):
        bring(make_plugin(name, requires=needed, jobs=[JobSpec(f"{name}.tidy", do_nothing)]))
    host = start_host(context, plugins="alpha,beta,gamma,delta")
    host.set_broken("alpha", "its page is torn")
    assert state_of(context, "alpha") == ("broken", "its page is torn")
    assert state_of(context, "beta") == ("broken", "it requires the plugin 'alpha', which does not run")
    assert state_of(context, "gamma") == ("broken", "it requires the plugin 'beta', which does not run")
    assert state_of(context, "delta") == ("enabled", "")
    assert [name for name in context[JOBS] if name.endswith(".tidy")] == ["delta.tidy"]


def test_every_state_has_a_word_of_its_own():
    assert [state for state in PluginState if state.is_active] == [PluginState.ENABLED, PluginState.READ_ONLY]
