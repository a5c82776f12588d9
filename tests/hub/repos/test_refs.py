"""The one write path: intent, refs, record; and what becomes of it when a step is missing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.accounts.models import TokenScope, User
from hub.accounts.policy import ANONYMOUS, SYSTEM, Actor
from hub.base.clock import FixedClock
from hub.base.context import Context
from hub.base.errors import Conflict, Denied, Invalid, NotFound, NotSignedIn
from hub.db.uow import reading, unit_of_work
from hub.git.types import ZERO_OID, RefChange
from hub.jobs.models import Job
from hub.jobs.run import run_due
from hub.repos import refs
from hub.repos.checks import CHECKS
from hub.repos.events import RefsUpdated
from hub.repos.models import Push, PushState, Repository
from tests.support.pushes import MAIN, Workbench


@pytest.fixture
def ada(make_user: Callable[..., User]) -> User:
    return make_user("ada")


@pytest.fixture
def actor(ada: User, actor_of: Callable[[User], Actor]) -> Actor:
    return actor_of(ada)


@pytest.fixture
def bench(context: Context, ada: User, make_repository: Callable[..., Repository]) -> Workbench:
    return Workbench(context, make_repository(ada))


def receive(bench: Workbench, actor: Actor, *changes: RefChange) -> Push:
    return refs.receive(bench.context, actor=actor, repository=bench.repository, changes=changes, via="api")


def prepare(bench: Workbench, actor: Actor, *changes: RefChange) -> str:
    return refs.prepare(
        bench.context, actor=actor, repository_id=bench.repository.id, changes=changes, via="http", new_bytes=0
    )


# The three steps.


def test_a_received_change_moves_the_ref_and_is_recorded(bench, actor, context):
    heard: list[RefsUpdated] = []
    context.events.subscribe(RefsUpdated, heard.append)
    change = bench.update(bench.commit())
    push = receive(bench, actor, change)
    assert bench.head == change.new
    assert (push.state, push.via, push.actor_id) == (PushState.APPLIED, "api", actor.user_id)
    assert refs.changes_of(bench.pushes()[0]) == (change,)
    assert heard == [RefsUpdated(bench.repository.id, push.id, (change,), actor.user_id)]
    with reading(context) as work:
        assert work.session.get_one(Repository, bench.repository.id).pushed_at == push.settled_at


def test_a_push_is_followed_by_one_job_however_many_pushes_there_were(bench, actor, context):
    receive(bench, actor, bench.update(bench.commit(message="1")))
    receive(bench, actor, bench.update(bench.commit(message="2")))
    with reading(context) as work:
        jobs = work.session.scalars(select(Job).where(Job.name == "repos.after_push")).all()
    assert [job.args for job in jobs] == [{"repository_id": bench.repository.id}]


def test_the_job_notes_the_size(bench, actor, context):
    with unit_of_work(context) as work:
        work.session.get_one(Repository, bench.repository.id).git_size_bytes = 0
    receive(bench, actor, bench.update(bench.commit({"a.bin": bytes(range(256)) * 8})))
    run_due(context)
    with reading(context) as work:
        assert work.session.get_one(Repository, bench.repository.id).git_size_bytes > 1000


def test_several_refs_move_together_or_not_at_all(bench, actor):
    good = bench.update(bench.commit())
    stale = RefChange("refs/heads/side", "1" * 40, good.new)
    with pytest.raises(Conflict) as refused:
        receive(bench, actor, good, stale)
    assert refused.value.code == "ref_changed"
    assert bench.head == good.old
    assert [push.state for push in bench.pushes()] == [PushState.ABANDONED]


def test_of_two_changes_from_one_state_the_second_is_refused(bench, actor):
    first, second = bench.update(bench.commit(message="1")), bench.update(bench.commit(message="2"))
    receive(bench, actor, first)
    with pytest.raises(Conflict):
        receive(bench, actor, second)
    assert bench.head == first.new


def test_a_refused_push_leaves_no_row_and_no_ref(bench, actor):
    with pytest.raises(Denied):
        receive(bench, actor, bench.update(ZERO_OID))
    assert MAIN in bench.refs
    assert not bench.pushes()


def test_a_plugin_s_check_can_refuse(bench, actor, context):
    def refuse(push):
        raise Invalid("Not on a Sunday.", code="sunday")

    context[CHECKS].add("sunday", refuse, owner="calendar")
    with pytest.raises(Invalid, match="Sunday"):
        receive(bench, actor, bench.update(bench.commit()))


# Who may.


@pytest.mark.parametrize(
    ("who", "error"),
    [
        (ANONYMOUS, NotSignedIn),
        ("stranger", Denied),
        ("reader", Denied),
    ],
)
def test_only_writers_move_refs(bench, ada, make_user, actor_of, who, error):
    if who == "stranger":
        who = actor_of(make_user("eve"))
    elif who == "reader":
        who = Actor.of_user(ada, via="token", scope=TokenScope.READ)
    with pytest.raises(error):
        receive(bench, who, bench.update(bench.commit()))


def test_nobody_moves_the_refs_of_an_archived_repository(bench, actor, context):
    with unit_of_work(context) as work:
        work.session.get_one(Repository, bench.repository.id).archived_at = work.now()
    with pytest.raises(Denied) as refused:
        receive(bench, actor, bench.update(bench.commit()))
    assert refused.value.code == "archived"


def test_a_right_withdrawn_while_the_checks_run_stops_the_push(bench, actor, context):
    def archive(push):
        with unit_of_work(context) as work:
            work.session.get_one(Repository, bench.repository.id).archived_at = work.now()

    context[CHECKS].add("slow", archive)
    with pytest.raises(Denied):
        receive(bench, actor, bench.update(bench.commit()))
    assert not bench.pushes()


def test_a_stranger_does_not_hear_of_a_private_repository(bench, make_user, actor_of, context):
    with unit_of_work(context) as work:
        work.session.get_one(Repository, bench.repository.id).is_private = True
    with pytest.raises(NotFound):
        receive(bench, actor_of(make_user("eve")), bench.update(bench.commit()))


# Asking and telling twice.


def test_asking_twice_with_one_uuid_is_asking_once(bench, actor, context):
    change = bench.update(bench.commit())
    for _ in range(2):
        refs.prepare(
            context,
            actor=actor,
            repository_id=bench.repository.id,
            changes=[change],
            via="http",
            push_uuid="0b0b0b0b-0000-4000-8000-000000000000",
        )
    assert len(bench.pushes()) == 1


def test_settling_twice_tells_the_listeners_once(bench, actor, context):
    heard: list[RefsUpdated] = []
    context.events.subscribe(RefsUpdated, heard.append)
    change = bench.update(bench.commit())
    uuid = prepare(bench, actor, change)
    bench.git("update-ref", change.ref, change.new)
    refs.settle(context, uuid, [change])
    refs.settle(context, uuid, [change])
    refs.finish(context, uuid)
    assert len(heard) == 1


def test_a_push_of_which_git_made_a_part_is_recorded_in_part(bench, actor, context):
    made, refused = bench.update(bench.commit()), bench.update(bench.head, ref="refs/heads/side")
    uuid = prepare(bench, actor, made, refused)
    bench.git("update-ref", made.ref, made.new)
    refs.finish(context, uuid)
    assert refs.changes_of(bench.pushes()[0]) == (made,)


def test_settling_a_push_that_is_not_there_does_nothing(bench, context):
    assert refs.settle(context, "no-such-push", []) is None
    refs.finish(context, "no-such-push")


# After a crash.


@pytest.fixture
def late(clock: FixedClock) -> Callable[[], None]:
    """Let the grace of pending pushes pass."""
    return lambda: clock.advance(refs.GRACE_S + 1)


def test_a_crash_after_the_refs_moved_is_recorded_at_once(bench, actor, context, clock):
    change = bench.update(bench.commit())
    prepare(bench, actor, change)
    bench.git("update-ref", change.ref, change.new)
    assert refs.reconcile(context) == refs.Reconciled(settled=1)
    assert bench.pushes()[0].state == PushState.APPLIED
    assert refs.reconcile(context) == refs.Reconciled()


def test_a_crash_before_the_refs_moved_gives_the_push_up_after_its_grace(bench, actor, context, late):
    prepare(bench, actor, bench.update(bench.commit()))
    assert refs.reconcile(context) == refs.Reconciled()
    assert bench.pushes()[0].state == PushState.PENDING
    late()
    assert refs.reconcile(context) == refs.Reconciled(abandoned=1)
    assert bench.pushes()[0].state == PushState.ABANDONED


def test_a_lock_that_a_killed_git_left_is_taken_away_with_the_push(bench, actor, context, late):
    change = bench.update(bench.commit())
    prepare(bench, actor, change)
    lock = bench.path / f"{change.ref}.lock"
    lock.touch()
    with pytest.raises(Conflict):
        receive(bench, actor, change)
    an_hour_ago = time.time() - 3600
    os.utime(lock, (an_hour_ago, an_hour_ago))
    late()
    refs.reconcile(context)
    assert receive(bench, actor, change).state == PushState.APPLIED


def test_a_push_that_was_given_up_too_early_is_recorded_all_the_same(bench, actor, context, late):
    change = bench.update(bench.commit())
    uuid = prepare(bench, actor, change)
    late()
    refs.reconcile(context)
    bench.git("update-ref", change.ref, change.new)
    push = refs.settle(context, uuid, [change])
    assert push is not None
    assert push.state == PushState.APPLIED


def test_a_cut_off_push_that_later_pushes_built_upon_is_recorded(bench, actor, context, late):
    cut = bench.update(bench.commit(message="1"))
    prepare(bench, actor, cut)
    bench.git("update-ref", cut.ref, cut.new)
    receive(bench, actor, bench.update(bench.commit(message="2")))
    late()
    assert refs.reconcile(context).settled == 1
    assert [push.state for push in bench.pushes()] == [PushState.APPLIED, PushState.APPLIED]


def test_two_cut_off_pushes_in_a_row_are_both_recorded(bench, actor, context):
    for message in ("1", "2"):
        change = bench.update(bench.commit(message=message))
        prepare(bench, actor, change)
        bench.git("update-ref", change.ref, change.new)
    assert refs.reconcile(context) == refs.Reconciled(settled=2)


def test_the_loser_of_two_is_given_up(bench, actor, context, late):
    first, second = bench.update(bench.commit(message="1")), bench.update(bench.commit(message="2"))
    prepare(bench, actor, second)
    receive(bench, actor, first)
    late()
    assert refs.reconcile(context) == refs.Reconciled(abandoned=1)


def test_a_cut_off_deletion_is_recorded(bench, actor, context):
    receive(bench, actor, bench.update(bench.head, ref="refs/heads/side"))
    change = bench.update(ZERO_OID, ref="refs/heads/side")
    prepare(bench, actor, change)
    bench.git("update-ref", "-d", "refs/heads/side")
    assert refs.reconcile(context) == refs.Reconciled(settled=1)


def test_refs_moved_behind_the_hub_s_back_are_recorded_once(bench, actor, context):
    receive(bench, actor, bench.update(bench.head, ref="refs/heads/gone"))
    before = bench.head
    after = bench.commit()
    bench.git("update-ref", MAIN, after)
    bench.git("update-ref", "-d", "refs/heads/gone")
    bench.git("update-ref", "refs/tags/v1", before)
    assert refs.reconcile(context) == refs.Reconciled(recorded=1)
    found = bench.pushes()[-1]
    assert (found.via, found.actor_id, found.state) == ("reconcile", SYSTEM.user_id, PushState.APPLIED)
    assert set(refs.changes_of(found)) == {
        RefChange(MAIN, before, after),
        RefChange("refs/heads/gone", before, ZERO_OID),
        RefChange("refs/tags/v1", ZERO_OID, before),
    }
    assert refs.reconcile(context) == refs.Reconciled()


def test_a_healthy_hub_has_nothing_to_reconcile(bench, actor, context):
    receive(bench, actor, bench.update(bench.commit()))
    receive(bench, actor, bench.update(bench.head, ref="refs/tags/v1"))
    assert refs.reconcile(context) == refs.Reconciled()


def test_drift_is_not_looked_for_where_somebody_pushes(bench, actor, context, clock):
    prepare(bench, actor, bench.update(bench.head, ref="refs/heads/side"))
    bench.git("update-ref", MAIN, bench.commit())
    assert refs.reconcile(context) == refs.Reconciled()
    clock.moment += timedelta(seconds=refs.GRACE_S)
    assert refs.reconcile(context) == refs.Reconciled(abandoned=1, recorded=1)


def test_a_repository_whose_files_are_gone_does_not_stop_the_others(bench, ada, actor, context, make_repository):
    lost = Workbench(context, make_repository(ada, "lost"))
    lost.path.rename(lost.path.with_suffix(".away"))
    change = bench.update(bench.commit())
    prepare(bench, actor, change)
    bench.git("update-ref", change.ref, change.new)
    assert refs.reconcile(context).settled == 1
