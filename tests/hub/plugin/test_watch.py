import threading
from datetime import timedelta

import pytest

from hub.db.uow import unit_of_work
from hub.licensing.service import remove_license
from hub.plugin import WhenExpired
from hub.plugin.host import PLUGINS
from hub.plugin.migrations import upgrade_plugins
from hub.plugin.watch import Watch
from tests.support.licenses import NOW, install, make_license, make_revocations
from tests.support.plugins import make_migration, make_plugin, start_host
from tests.support.processes import wait_until

FEATURE = "alpha.notes"
DAY_S = 24 * 3600


@pytest.fixture
def changes():
    """How often the watch has asked for a new process."""
    return []


@pytest.fixture
def watch(clock, context, bring, changes):
    """``watch(license)``: a watch in a process that started with this licence and the plugin alpha, which needs it."""

    def start(license=None, asked="alpha", **members):
        bring(make_plugin("alpha", feature=FEATURE, **members))
        if license:
            install(context, license)
        start_host(context, plugins=asked)
        return Watch(context, lambda: changes.append(context.clock.now()))

    return start


def test_while_nothing_changes_nothing_is_said(clock, watch, changes):
    found = watch()
    assert not found.look()
    clock.advance(365 * DAY_S)
    assert not found.look()
    assert changes == []


def test_an_import_asks_for_a_new_process(context, watch, changes):
    found = watch()
    assert not found.look()
    install(context, make_license(features=[FEATURE]))
    assert context[PLUGINS].is_stale()
    assert found.look()
    assert len(changes) == 1


def test_an_import_that_changes_no_plugin_asks_for_nothing(context, watch, changes):
    found = watch(make_license(features=[FEATURE]))
    install(context, make_license(features=[FEATURE, "vgpu"], issued_at=NOW))
    assert not found.look()
    assert changes == []


def test_an_import_without_the_feature_asks_for_nothing(context, watch):
    found = watch()
    install(context, make_license(features=["vgpu"]))
    assert not found.look()


def test_a_removal_asks_for_a_new_process(context, watch, changes):
    found = watch(make_license(features=[FEATURE]))
    assert not found.look()
    with unit_of_work(context) as work:
        remove_license(work, None, actor_id=None)
    assert found.look()
    assert len(changes) == 1


def test_a_revocation_asks_for_a_new_process(context, watch):
    id = "11111111-2222-4333-8444-555555555555"
    found = watch(make_license(id=id, features=[FEATURE]))
    assert not found.look()
    install(context, make_revocations(id))
    assert found.look()


def test_a_licence_that_runs_out_asks_for_a_new_process_when_its_grace_is_over(clock, watch):
    found = watch(make_license(features=[FEATURE], expire_time=NOW + timedelta(days=1), grace_days=14))
    clock.advance(1.5 * DAY_S)
    assert not found.look()
    clock.moment = NOW + timedelta(days=15)
    assert not found.look()
    clock.advance(1)
    assert found.look()


def test_a_plugin_that_can_be_read_on_asks_for_a_new_process_too(clock, watch):
    license = make_license(features=[FEATURE], expire_time=NOW + timedelta(days=1), grace_days=14)
    found = watch(license, when_expired=WhenExpired.READ_ONLY)
    clock.advance(16 * DAY_S)
    assert found.look()


def test_a_renewal_brings_an_expired_plugin_back(clock, context, watch):
    found = watch(make_license(features=[FEATURE], expire_time=NOW + timedelta(days=1), grace_days=14))
    clock.advance(16 * DAY_S)
    assert found.look()
    install(context, make_license(features=[FEATURE], issued_at=NOW + timedelta(days=16)))
    assert not found.look()


def test_a_plugin_that_is_broken_is_no_reason_for_a_new_process(context, watch):
    found = watch()
    context[PLUGINS].set_broken("alpha", "torn")
    assert not found.look()


def test_tables_that_have_come_ask_for_a_new_process(context, bring, watch):
    """A process that started before ``hub db upgrade`` must not stay without its plugins."""
    bring(make_plugin("beta", migrations=True), files=make_migration("0001_beta"))
    found = watch(asked="alpha,beta")
    assert context[PLUGINS].find("beta").state == "broken"
    assert not found.look()
    assert upgrade_plugins(context).changed == ("beta",)
    assert found.look()


def test_a_process_whose_successor_would_not_start_stays(context, watch, changes):
    watch()
    reasons = ["port: 'many' cannot be used", ""]
    found = Watch(context, lambda: changes.append(1), rehearse=lambda: reasons.pop(0))
    install(context, make_license(features=[FEATURE]))
    assert not found.look()
    # Not again at once: a rehearsal costs a start.
    assert not found.look()
    assert (changes, reasons) == ([], [""])


def test_the_thread_looks_by_itself_and_asks_once(context, watch, changes):
    watch()
    found = Watch(context, lambda: changes.append(1), every_s=0.01)
    found.start()
    install(context, make_license(features=[FEATURE]))
    wait_until(lambda: changes, timeout_s=10, what="the watch to notice")
    found.stop()
    assert changes == [1]


def test_the_thread_looks_on_after_a_look_that_failed(context, watch, changes):
    """A database that is away for a moment."""
    watch()
    looks = []

    class Turn:
        def __enter__(self):
            looks.append(1)
            if len(looks) == 1:
                raise OSError("away")

        def __exit__(self, *_):
            return None

    found = Watch(context, lambda: changes.append(1), turn=Turn(), every_s=0.01)
    found.start()
    wait_until(lambda: len(looks) >= 3, timeout_s=10, what="further looks")
    found.stop()
    assert changes == []


def test_a_watch_can_be_stopped_from_what_it_has_called(context, watch):
    watch()
    done = threading.Event()

    def stop():
        found.stop()
        done.set()

    found = Watch(context, stop, every_s=0.01)
    found.start()
    install(context, make_license(features=[FEATURE]))
    assert done.wait(10)
    found.stop()


def test_a_watch_that_never_began_can_be_stopped(context, watch):
    watch().stop()
