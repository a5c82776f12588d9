import sys

import pytest

from hub.cli.main import COMMANDS as REAL_COMMANDS
from hub.jobs.service import JOBS
from hub.plugin.host import PLUGINS
from hub.plugin.names import COMMANDS
from tests.support.plugins import contributions, make_plugin, start_host

pytestmark = pytest.mark.any_database


@pytest.fixture
def reason(context, bring):
    """``reason("alpha")``: why a plugin of that name is broken, said before anything of it is imported."""

    def tell(name):
        package = bring(name, source="raise SystemExit('imported')")
        start_host(context, plugins=name)
        found = context[PLUGINS].find(name)
        assert (found.state, found.plugin) == ("broken", None)
        assert package.name not in sys.modules
        assert contributions(context, name) == {} or name == "hub"
        return found.reason

    return tell


@pytest.mark.parametrize("name", ["a", "Alpha", "alpha-beta", "1alpha", "_alpha", "a" * 31, "älpha"])
def test_a_name_that_cannot_begin_tables_is_refused(reason, name):
    assert "2 to 30 lower-case letters, digits and underscores" in reason(name)


@pytest.mark.parametrize("name", ["hub", "alembic_version", "plugin", "user", "access", "license", "repository"])
def test_a_name_that_is_the_hubs_own_is_refused(reason, name):
    """What a plugin adds, tables and commands among it, is known by its name, and taken back by it."""
    assert reason(name) == f"the name {name!r} is the hub's own"


@pytest.mark.parametrize("first", ["repos", "accounts"])
def test_a_name_that_begins_the_hubs_jobs_is_refused(context, reason, first):
    assert [name for name in context[JOBS] if name.startswith(f"{first}.")]
    assert reason(first) == f"the name {first!r} is the hub's own"


# Of the design's own plugins, those to come: a table or a command of the core would keep its name from one.
TO_COME = (
    *("dataflow", "annotation", "spaces", "mcp", "finetune", "evaluation", "notebook", "mirror"),
    *("moderation", "audit", "clusters", "billing", "commerce", "sso", "lite"),
)


@pytest.mark.any_database
@pytest.mark.parametrize("name", ["ab", "alpha", "a1_b2", "a" * 30, *TO_COME])
def test_other_names_are_free(context, bring, name):
    bring(make_plugin(name))
    start_host(context, plugins=name)
    assert context[PLUGINS].find(name).state == "enabled"


def test_the_commands_that_names_are_kept_off_are_the_real_ones():
    assert frozenset(REAL_COMMANDS) == COMMANDS


def test_two_distributions_of_one_name_are_both_named(context, bring):
    bring(make_plugin("alpha"), distribution="acme-alpha")
    bring.add_distribution("other-alpha", {"hub.plugins": "alpha = zeta_alpha:Other"}, {"zeta_alpha.py": ""})
    start_host(context, plugins="alpha")
    found = context[PLUGINS].find("alpha")
    assert found.state == "broken"
    assert "acme-alpha, other-alpha; uninstall all but one" in found.reason


@pytest.mark.parametrize("target", ["hub_test_alpha", "hub_test_alpha:", "no module:Class"])
def test_an_entry_point_that_names_no_class_is_told_as_it_is(context, bring, target):
    bring.add_distribution("hub-test-odd", {"hub.plugins": f"alpha = {target}"}, {})
    start_host(context, plugins="alpha")
    found = context[PLUGINS].find("alpha")
    assert found.state == "broken"
    assert f"{target!r} is not written 'package.module:Class'" in found.reason
