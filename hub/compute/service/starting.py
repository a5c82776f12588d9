"""Starting and waking. What the driver is told, it is told by a job, after the commit, and again if need be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hub.accounts.policy import SYSTEM, Actor
from hub.base.context import Context
from hub.base.errors import Conflict, HubError, Invalid, Unavailable
from hub.base.log import get_logger
from hub.compute.machines import MACHINES
from hub.compute.models import Desired, Workload
from hub.compute.service import applying
from hub.compute.service.admission import hold_admission, require_room
from hub.compute.service.naming import START_JOB
from hub.compute.service.reconciling import refresh
from hub.compute.service.rules import WORKLOAD_WRITE
from hub.compute.service.workloads import SUBJECT, get_workload, lock_for, open_secrets, require_mounts
from hub.compute.snapshots import make_snapshot, why
from hub.compute.spec import WorkloadSpec
from hub.compute.states import Code, Reason
from hub.compute.transitions import STARTABLE
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.jobs.run import JobRun
from hub.jobs.service import JOBS, enqueue

log = get_logger(__name__)


def start_workload(context: Context, *, actor: Actor, workload_id: int, is_built: bool = True) -> Workload:
    """Start a workload that is stopped, has ended or failed; one that is on its way or runs stays as it is.

    is_built: without, its image is made first: ``report_build`` goes on with it. Two starts at once start it once.
    Raises NotFound, Denied, Conflict with the contract's reason (``insufficient_cpu`` ...) where there is no room,
    Unavailable (``compute_unavailable``) where nobody can say what room there is.
    """
    with reading(context) as work:
        # Whoever may not start it learns nothing of the machines.
        get_workload(work, actor=actor, workload_id=workload_id, permission=WORKLOAD_WRITE)
    nodes = context[MACHINES].nodes(is_fresh=True)
    with unit_of_work(context) as work:
        hold_admission(work)
        workload = lock_for(work, actor=actor, workload_id=workload_id)
        if not _can_start(workload):
            return workload
        spec = workload.parsed_spec
        require_mounts(work, actor, spec)
        require_room(work, spec.resources, nodes, replicas=spec.replicas_min, without=workload.id)
        applying.begin(work, workload)
        if is_built:
            request_start(work, workload)
        return workload


def _can_start(workload: Workload) -> bool:
    is_waiting = workload.state is Code.PENDING and workload.desired is Desired.RUNNING
    return workload.state in STARTABLE and not is_waiting


def request_start(work: UnitOfWork, workload: Workload) -> None:
    """Have the driver told of the newest start; while that waits to be done, once is enough."""
    enqueue(
        work,
        START_JOB,
        args={"workload_id": workload.id, "task": workload.task_number},
        unique_key=f"{START_JOB}:{workload.id}:{workload.task_number}",
        subject=(SUBJECT, workload.id),
    )


def report_build(work: UnitOfWork, *, workload_id: int, code: Code, image: str = "", message: str = "") -> bool:
    """Say how far the making of an image is (10 to 13); at 13 the workload is started. Whether it could be so."""
    if not applying.report_build(work, workload_id, code, image=image, message=message):
        return False
    if code is Code.BUILD_SUCCESS:
        workload = work.session.get_one(Workload, workload_id)
        request_start(work, workload)
    return True


def wake_workload(context: Context, *, workload_id: int) -> Workload:
    """Wake what is asleep: for whoever was allowed to call it. Anything else stays as it is; many at once wake it once.

    Raises NotFound, Conflict where there is no room now, Unavailable.
    """
    with reading(context) as work:
        workload = get_workload(work, actor=SYSTEM, workload_id=workload_id)
    if workload.state is not Code.SLEEPING:
        return workload
    nodes = context[MACHINES].nodes()
    with unit_of_work(context) as work:
        hold_admission(work)
        workload = lock_for(work, actor=SYSTEM, workload_id=workload_id)
        if workload.state is not Code.SLEEPING:
            return workload
        spec = workload.parsed_spec
        require_room(work, spec.resources, nodes, replicas=spec.replicas_min, without=workload.id)
        applying.note_waking(work, workload)
        svc_name = workload.svc_name
    context[MACHINES].driver.wake(svc_name)
    return workload


def touch_workload(context: Context, svc_name: str, *, calls: Mapping[str, int] | None = None) -> None:
    """Somebody called it just now, so it does not fall asleep yet. calls: see ``ComputeDriver.touch``."""
    context[MACHINES].driver.touch(svc_name, calls=calls)


# The jobs.


def start_job(run: JobRun, *, workload_id: int, task: int) -> None:
    """Prepare the files that a start needs, and hand it to the driver. May run twice: the driver starts it once."""
    context = run.context
    workload = _find_wanted(context, workload_id, task)
    if workload is None:
        run.log("It is not wanted any more.")
        return
    spec = workload.parsed_spec
    try:
        mounts = _prepare(run, workload, spec)
    except Unavailable as error:
        if error.code == Reason.DISK_FULL or _is_last(run):
            _fail(context, workload_id, task, why(error), str(error))
            return
        raise
    except HubError as error:
        _fail(context, workload_id, task, why(error), str(error))
        return
    driver = context[MACHINES].driver
    try:
        driver.run(spec, secrets=open_secrets(context, workload), mounts=mounts)
    except Conflict:
        run.log("A later start is known.")
        return
    except Invalid as error:
        _fail(context, workload_id, task, error.code, str(error))
        return
    except Unavailable as error:
        if not _is_last(run):
            raise
        _fail(context, workload_id, task, Reason.DRIVER, str(error))
        return
    with unit_of_work(context) as work:
        is_wanted = applying.note_accepted(work, workload_id, task)
    if is_wanted:
        refresh(context, [workload_id])
    elif _find_wanted(context, workload_id) is None:
        driver.stop(spec.svc_name)  # it was stopped meanwhile, and that job may have come first


def _is_last(run: JobRun) -> bool:
    return run.attempt >= run.context[JOBS][START_JOB].max_attempts


def _find_wanted(context: Context, workload_id: int, task: int | None = None) -> Workload | None:
    with reading(context) as work:
        workload = work.session.get(Workload, workload_id)
    if workload is None or workload.desired is not Desired.RUNNING:
        return None
    return workload if task in (None, workload.task_number) else None


def _prepare(run: JobRun, workload: Workload, spec: WorkloadSpec) -> Mapping[str, Path]:
    if not run.context[MACHINES].driver.uses_snapshots:
        return {}
    mounts = {}
    for mount in spec.mounts:
        with unit_of_work(run.context) as work:
            applying.note_message(work, workload.id, workload.task_number, f"The files of {mount.path} are prepared.")

        def tell(done: int, total: int) -> None:
            run.progress(done, total, unit="bytes")
            run.check_cancelled()

        snapshot = make_snapshot(run.context, mount, progress=tell)
        for line in snapshot.left_out[:100]:
            run.log(f"Left out {line}.")
        mounts[mount.target] = snapshot.path
    return mounts


def _fail(context: Context, workload_id: int, task: int, reason: str, message: str) -> None:
    with unit_of_work(context) as work:
        applying.note_failed(work, workload_id, task, reason=reason, message=message)


def stop_job(run: JobRun, *, workload_id: int) -> None:
    """Tell the driver to stop what is not wanted any more, or to forget it. May run twice."""
    context = run.context
    with reading(context) as work:
        workload = work.session.get(Workload, workload_id)
    if workload is None or workload.desired is Desired.RUNNING:
        run.log("It is wanted again.")
        return
    driver = context[MACHINES].driver
    if workload.desired is Desired.DELETED:
        driver.purge(workload.svc_name)
    else:
        driver.stop(workload.svc_name)
    with unit_of_work(context) as work:
        locked = applying.lock_workload(work, workload_id)
        if locked is not None and locked.desired is workload.desired and locked.task_number == workload.task_number:
            locked.released_at = work.now()
