"""What plugins say of themselves in ``/-/ready`` and ``hub doctor``."""

import dataclasses
import json

import pytest
from click.testing import CliRunner

from hub.base.settings import environment_of
from hub.cli.main import cli
from hub.plugin.health import fail, ok, warn
from tests.support.plugins import make_plugin, open_client, start_host

pytestmark = pytest.mark.any_database


@pytest.fixture
def settings(settings, redis_url):
    return dataclasses.replace(settings, redis_url=redis_url)


def be_well(context):
    return ok("whatever", "All is well.")


def be_unwell(context):
    return fail("whatever", "The ink is dry.", "Buy ink.")


def be_tired(context):
    return warn("whatever", "The ink runs out.", "Buy ink soon.")


def break_down(context):
    raise ZeroDivisionError


@pytest.fixture
def ready(context, bring):
    """``ready(look)``: status and checks of ``/-/ready`` with a plugin whose check that is."""

    def ask(look, name="alpha"):
        bring(make_plugin(name, health=look))
        start_host(context, plugins=name)
        answer = open_client(context).get("/-/ready")
        return answer.status_code, answer.json["checks"]

    return ask


UNWELL = {"status": "warn", "message": "The plugin is unwell; `hub doctor` says why."}


def test_a_plugin_that_is_well_is_told_under_its_name(ready):
    status, checks = ready(be_well)
    assert status == 200
    assert checks["alpha"] == {"status": "ok", "message": "The plugin is well."}


@pytest.mark.parametrize("look", [be_unwell, be_tired, break_down, lambda context: None, lambda context: "well"])
def test_a_plugin_that_is_unwell_is_told_without_its_words_and_the_hub_stays_ready(ready, look):
    """Anybody may ask; what exactly is wrong is for the operator."""
    status, checks = ready(look)
    assert status == 200
    assert checks["alpha"] == UNWELL


def test_a_plugin_cannot_speak_for_the_hubs_own_checks(ready):
    status, checks = ready(be_unwell, name="database")
    assert status == 200
    assert checks["database"]["status"] == "ok"
    assert checks["plugin database"] == UNWELL


@pytest.fixture
def doctor(context):
    """``doctor(HUB_PLUGINS="alpha")``: what the command finds, by name, and its exit status."""

    def run(**environ):
        done = CliRunner().invoke(cli, ["doctor", "--json"], env={**environment_of(context.settings), **environ})
        return {check["name"]: check for check in json.loads(done.stdout)}, done.exit_code

    return run


def test_the_doctor_asks_plugins_and_a_failure_counts(bring, doctor):
    bring(make_plugin("alpha", health=be_unwell))
    found, status = doctor(HUB_PLUGINS="alpha")
    assert status == 1
    assert (found["alpha"]["status"], found["alpha"]["advice"]) == ("fail", "Buy ink.")
    assert found["plugins"]["status"] == "ok"


@pytest.mark.parametrize("look", [break_down, lambda context: "well"])
def test_a_check_that_breaks_is_a_failure_to_the_doctor(bring, doctor, look):
    bring(make_plugin("alpha", health=look))
    found, status = doctor(HUB_PLUGINS="alpha", HUB_LOG_LEVEL="critical")
    assert (found["alpha"]["status"], status) == ("fail", 1)
    assert "itself failed" in found["alpha"]["message"]


def test_the_doctor_names_broken_plugins_with_their_reasons(bring, doctor):
    bring("alpha", source="import nothing_of_this_name")
    found, status = doctor(HUB_PLUGINS="alpha,beta", HUB_LOG_LEVEL="critical")
    assert status == 0
    assert found["plugins"]["status"] == "warn"
    assert "alpha: ModuleNotFoundError" in found["plugins"]["message"]
    assert "beta: it is not installed" in found["plugins"]["message"]
    assert "HUB_PLUGINS_DISABLED" in found["plugins"]["advice"]


def test_the_doctor_of_a_hub_whose_plugins_run_says_so(doctor):
    found, status = doctor()
    assert (found["plugins"]["status"], status) == ("ok", 0)
