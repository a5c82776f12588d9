"""What can be done with deployments. Source: compute contract, 1.4 to 1.8 and 3.1.

How one stands is its workload's to say; whoever may see, change or stop that may do so with the deployment. Serverless
ones are the administrators' alone, and everybody's to call.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from hub.plugin import Actor, Context, get_logger
from hub.plugin.compute import (
    SCENARIOS,
    WORKLOAD_CREATE,
    WORKLOAD_READ,
    WORKLOAD_WRITE,
    Desired,
    Hardware,
    Kind,
    Workload,
    create_workload,
    delete_workload,
    find_sku,
    may_see,
    new_spec,
    parse_hardware,
    path_svc_name,
    require_workload,
    start_workload,
    stop_workload,
    update_workload,
    wake_workload,
)
from hub.plugin.db import Page, PageArgs, UnitOfWork, reading, unit_of_work
from hub.plugin.errors import Conflict, HubError, Invalid, NotFound
from hub.plugin.policy import Namespace, get_namespace, require, require_site_admin
from hub.plugin.repos import Repository, find_commit, get_readable, require_content
from plugins.inference.deployments.forms import DeploymentForm, check_form, form_of
from plugins.inference.deployments.metering import PURPOSE
from plugins.inference.deployments.models import DEDICATED, SERVERLESS, Deployment, DeploymentVersion
from plugins.inference.deployments.planning import (
    COMMIT_LABEL,
    Planned,
    heed_variables,
    labels_of,
    make_plan,
    spec_members,
)
from plugins.inference.deployments.shares import ALL, Version, lock_versions, versions_of
from plugins.inference.gateway.deployed import key_sealer

log = get_logger(__name__)

MODEL = "model"
_SCENARIO = {DEDICATED: SCENARIOS["inference"], SERVERLESS: SCENARIOS["serverless"]}
_KEY_BYTES = 32


@dataclass(frozen=True)
class Found:
    """A deployment and what runs it."""

    deployment: Deployment
    workload: Workload


def create_deployment(
    context: Context,
    *,
    actor: Actor,
    repo_path: str,
    form: DeploymentForm,
    owner: str = "",
    type: int = DEDICATED,
) -> Found:
    """Serve a model, from now on. owner: the user or organisation that it is for and that is billed; empty: the actor.

    A serverless one is there once for each repository: whoever makes it again is given the one that is there.
    Raises NotFound (``repository_not_found``, ``revision_not_found``, ``namespace_not_found``, ``sku_not_found``,
    ``framework_not_found``), NotSignedIn, Denied, Invalid with what is wrong with the form, the files or the engine,
    Conflict (``DEPLOY-ERR-0``: the name is taken; ``insufficient_cpu`` and the like: no room), Unavailable.
    """
    form = heed_variables(form)
    check_form(form)
    with reading(context) as work:
        if type == SERVERLESS:
            require_site_admin(work, actor)
        repository = get_readable(work, actor=actor, kind=MODEL, path=repo_path)
        namespace = _namespace_of(work, actor, owner)
        require(work, actor, WORKLOAD_CREATE, namespace, what="namespace")
        require_content(work, actor, repository)
        if type == SERVERLESS and (there := find_serverless(work, repository)) is not None:
            return there
        hardware = _hardware_of(work, form.resource_id, type)
    planned = make_plan(context, repository, find_commit(context, repository, form.revision), form, hardware)
    with unit_of_work(context) as work:
        try:
            found = _insert(work, actor, repository, namespace, form, planned, hardware, type)
        except Conflict:
            # Another administrator has made it just now.
            there = find_serverless(work, repository) if type == SERVERLESS else None
            if there is None:
                raise
            return there
    try:
        start_workload(context, actor=actor, workload_id=found.workload.id)
    except HubError:
        with unit_of_work(context) as work:
            delete_workload(work, actor=actor, workload_id=found.workload.id)
        raise
    with reading(context) as work:
        return get_deployment(work, actor=actor, deployment_id=found.deployment.id)


def _namespace_of(work: UnitOfWork, actor: Actor, owner: str) -> Namespace:
    if owner or actor.namespace_id is None:
        return get_namespace(work, owner)
    return work.session.get_one(Namespace, actor.namespace_id)


def _hardware_of(work: UnitOfWork, sku_id: int, type: int) -> Hardware:
    if not sku_id:
        raise Invalid("Say on what it is to run: 'resource_id'.", code="resource_missing")
    sku = find_sku(work, sku_id)
    if not sku.scenarios & (1 << _SCENARIO[type]):
        raise Invalid("This resource is not offered for serving models.", code="resource_not_fit")
    hardware = parse_hardware(sku.resources)
    if hardware.replicas > 1:
        raise Invalid("Models are not served over several machines here.", code="TASK-ERR-1")
    return hardware


def _insert(
    work: UnitOfWork,
    actor: Actor,
    repository: Repository,
    namespace: Namespace,
    form: DeploymentForm,
    planned: Planned,
    hardware: Hardware,
    type: int,
) -> Found:
    now = work.now()
    key = new_key(planned)
    workload = new_workload(
        work,
        actor=actor,
        namespace=namespace,
        repository=repository,
        form=form,
        planned=planned,
        hardware=hardware,
        key=key,
        svc_name=_serverless_svc_name(work, repository) if type == SERVERLESS else "",
        is_private=form.is_private and type == DEDICATED,
    )
    deployment = Deployment(
        workload_id=workload.id,
        svc_name=workload.svc_name,
        namespace_id=namespace.id,
        repository_id=repository.id,
        repo_path=repository.path,
        type=type,
        sealed_key=key_sealer(work.context).seal(key) if key else "",
        created_at=now,
        deleted_at=None,
    )
    _write(work, deployment, form, planned)
    add_version(work, deployment, workload, actor=actor, percent=ALL)
    log.info("deployment_created", deployment_id=deployment.id, workload_id=workload.id, type=type)
    return Found(deployment, workload)


def new_key(planned: Planned) -> str:
    """What an engine wants of its callers; empty where it wants nothing."""
    return secrets.token_urlsafe(_KEY_BYTES) if planned.plan.key_variable else ""


def new_workload(
    work: UnitOfWork,
    *,
    actor: Actor,
    namespace: Namespace,
    repository: Repository,
    form: DeploymentForm,
    planned: Planned,
    hardware: Hardware,
    key: str,
    svc_name: str = "",
    is_private: bool,
) -> Workload:
    """What runs a version of a deployment; nobody has started it yet. svc_name: empty: a fresh one."""
    values = {planned.plan.key_variable: key} if key else {}
    members = spec_members(work.context, repository, form, planned, hardware)
    return create_workload(
        work,
        actor=actor,
        namespace=namespace,
        purpose=PURPOSE,
        spec=new_spec(Kind.SERVICE, svc_name=svc_name, secrets=tuple(values), **members),
        title=form.name,
        secrets=values,
        sku_id=form.resource_id,
        repository_id=repository.id,
        commit_id=planned.commit_id,
        is_private=is_private,
    )


def add_version(work: UnitOfWork, deployment: Deployment, workload: Workload, *, actor: Actor, percent: int) -> None:
    """Let a workload be a version of a deployment. Of all versions together 100 is the caller's to see to."""
    labels = labels_of(deployment.repo_path, deployment_id=deployment.id, user=actor.name, commit_id=workload.commit_id)
    update_workload(work, actor=actor, workload_id=workload.id, labels=labels)
    work.session.add(
        DeploymentVersion(
            deployment_id=deployment.id,
            workload_id=workload.id,
            traffic_percent=percent,
            created_at=work.now(),
            deleted_at=None,
        )
    )
    work.session.flush()


def _serverless_svc_name(work: UnitOfWork, repository: Repository) -> str:
    """The name of the repository's own, or one like it where a deleted one has that: no workload's is given twice."""
    namespace, _, name = repository.path.partition("/")
    svc_name = path_svc_name("s", namespace, name, repository.id)
    is_taken = work.session.scalar(select(Workload.id).where(Workload.svc_name == svc_name)) is not None
    if not is_taken:
        return svc_name
    count = work.session.scalar(select(func.count(Deployment.id)).where(Deployment.repository_id == repository.id))
    return path_svc_name("s", namespace, f"{name}-{count}", repository.id)


def _write(work: UnitOfWork, deployment: Deployment, form: DeploymentForm, planned: Planned) -> None:
    plan = planned.plan
    deployment.name, deployment.name_key = form.name, form.name.lower()
    deployment.revision, deployment.task, deployment.entrypoint = form.revision, planned.task, form.entrypoint
    deployment.engine, deployment.framework_id = planned.engine, planned.framework_id
    deployment.engine_args = dict(form.engine_args)
    deployment.environment, deployment.variables = dict(form.environment), dict(form.variables)
    deployment.upstream_path, deployment.upstream_model = plan.upstream_path, plan.model_name
    deployment.routes = sorted(route.value for route in plan.supports)
    deployment.has_tools = plan.has_tools
    deployment.updated_at = work.now()
    try:
        with work.savepoint():
            work.session.add(deployment)
            work.session.flush()
    except IntegrityError:
        raise Conflict(f"There is already a deployment named {form.name!r}.", code="DEPLOY-ERR-0") from None


def find_serverless(work: UnitOfWork, repository: Repository) -> Found | None:
    """The serverless deployment of a repository that the actor was allowed to read."""
    return _find(work, Deployment.type == SERVERLESS, Deployment.repository_id == repository.id)


def _find(work: UnitOfWork, *conditions: Any) -> Found | None:
    query = (
        select(Deployment, Workload)
        .join(Workload, Workload.id == Deployment.workload_id)
        .where(Deployment.deleted_at.is_(None), Workload.desired != Desired.DELETED, *conditions)
        .options(joinedload(Workload.user))
    )
    row = work.session.execute(query.order_by(Deployment.id)).first()
    return None if row is None else Found(*row)


def get_deployment(
    work: UnitOfWork,
    *,
    actor: Actor,
    deployment_id: int,
    permission: str = WORKLOAD_READ,
    repo_path: str = "",
    type: int | None = None,
) -> Found:
    """The deployment of that number, when the actor may do that much with it.

    repo_path, type: what it must be of. Raises NotFound (``deployment_not_found``), NotSignedIn, Denied.
    """
    found = _find(work, Deployment.id == deployment_id)
    if found is None or type not in (None, found.deployment.type) or not _is_of(work, found.deployment, repo_path):
        raise _missing()
    try:
        require_workload(work, actor, permission, found.workload)
    except NotFound:
        raise _missing() from None
    if permission == WORKLOAD_WRITE and found.deployment.type == SERVERLESS:
        require_site_admin(work, actor)
    return found


def _missing() -> NotFound:
    return NotFound("There is no such deployment, or you may not see it.", code="deployment_not_found")


def _is_of(work: UnitOfWork, deployment: Deployment, repo_path: str) -> bool:
    """Whether that is its repository's path, of today or when it was deployed."""
    if not repo_path or repo_path.lower() == deployment.repo_path.lower():
        return True
    repository = work.session.get(Repository, deployment.repository_id)
    return repository is not None and repository.path.lower() == repo_path.lower()


def list_deployments(
    work: UnitOfWork,
    *,
    actor: Actor,
    type: int | None = DEDICATED,
    repository_id: int | None = None,
    namespace_id: int | None = None,
    user_id: int | None = None,
    codes: Collection[int] = (),
    search: str = "",
    page: PageArgs,
) -> Page[Found]:
    """The deployments that the actor may see, the newest first.

    namespace_id: of this owner; user_id: made by this user; both: either. search: a part of a name or a path.
    """
    conditions = [Deployment.deleted_at.is_(None), Workload.desired != Desired.DELETED, may_see(actor)]
    owners = [
        column == value
        for column, value in ((Workload.namespace_id, namespace_id), (Workload.user_id, user_id))
        if value is not None
    ]
    if owners:
        conditions.append(or_(*owners))
    if type is not None:
        conditions.append(Deployment.type == type)
    if repository_id is not None:
        conditions.append(Deployment.repository_id == repository_id)
    if codes:
        conditions.append(Workload.code.in_(list(codes)))
    if search:
        parts = (Deployment.name_key, func.lower(Deployment.repo_path))
        conditions.append(or_(*(part.contains(search.lower(), autoescape=True) for part in parts)))
    joined = select(func.count(Deployment.id)).join(Workload, Workload.id == Deployment.workload_id)
    total = work.session.scalar(joined.where(*conditions)) or 0
    query = (
        select(Deployment, Workload)
        .join(Workload, Workload.id == Deployment.workload_id)
        .where(*conditions)
        .options(joinedload(Workload.user))
        .order_by(Deployment.id.desc())
    )
    rows = work.session.execute(query.offset(page.offset).limit(page.per))
    return Page([Found(*row) for row in rows], total)


def update_deployment(
    context: Context, *, actor: Actor, deployment_id: int, changes: Mapping[str, Any], repo_path: str = ""
) -> Found:
    """Change what is not running; of ``DeploymentForm``'s members None, and what is not named, stays.

    Another revision, engine or file is looked at anew, for each version. Raises Conflict (``workload_running``: stop it
    first; ``DEPLOY-ERR-0``; ``deployment_has_versions``: of several, one revision cannot be said), and as
    ``create_deployment``.
    """
    with reading(context) as work:
        found = get_deployment(
            work, actor=actor, deployment_id=deployment_id, permission=WORKLOAD_WRITE, repo_path=repo_path
        )
        deployment, workload = found.deployment, found.workload
        form = heed_variables(said_of(found).changed(changes))
        check_form(form)
        repository = get_readable(work, actor=actor, kind=MODEL, repository_id=deployment.repository_id)
        require_content(work, actor, repository)
        # What it was made on may be offered no more; it keeps that.
        is_moved = changes.get("resource_id") is not None
        hardware = (
            _hardware_of(work, form.resource_id, deployment.type) if is_moved else parse_hardware(workload.hardware)
        )
        commits = {version.workload.id: version.commit_id for version in versions_of(work, deployment)}
    if changes.get("revision") is not None:
        if len(commits) > 1:
            raise Conflict("It serves several versions: make or remove one of them.", code="deployment_has_versions")
        commits = dict.fromkeys(commits, form.revision)
    plans = {
        id: make_plan(context, repository, find_commit(context, repository, commit), form, hardware)
        for id, commit in commits.items()
    }
    with unit_of_work(context) as work:
        found = get_deployment(work, actor=actor, deployment_id=deployment_id, permission=WORKLOAD_WRITE)
        deployment = found.deployment
        planned = plans[found.workload.id]
        key = new_key(planned)
        for version in lock_versions(work, deployment):
            if (plan := plans.get(version.workload.id)) is None:
                raise Conflict("A version was made just now; try again.", code="deployment_changed")
            update_workload(
                work,
                actor=actor,
                workload_id=version.workload.id,
                title=form.name,
                sku_id=form.resource_id if is_moved else None,
                is_private=form.is_private and deployment.type == DEDICATED,
                commit_id=plan.commit_id,
                secrets={plan.plan.key_variable: key} if key else {},
                labels={**version.workload.spec["labels"], COMMIT_LABEL: plan.commit_id},
                **spec_members(context, repository, form, plan, hardware),
            )
        deployment.sealed_key = key_sealer(context).seal(key) if key else ""
        _write(work, deployment, form, planned)
        log.info("deployment_changed", deployment_id=deployment.id)
        return found


def said_of(found: Found) -> DeploymentForm:
    """What its owner last said of a deployment."""
    workload = found.workload
    spec = workload.parsed_spec
    return form_of(
        found.deployment,
        sku_id=workload.sku_id,
        is_private=workload.is_private,
        replicas=(spec.replicas_min, spec.replicas_max),
    )


def start_deployment(context: Context, *, actor: Actor, deployment_id: int, repo_path: str = "") -> None:
    """Start all versions of one that are stopped or failed; others stay as they are.

    One for which there is no room keeps none of the others from starting. Raises as ``start_workload``.
    """
    with reading(context) as work:
        found = get_deployment(
            work, actor=actor, deployment_id=deployment_id, permission=WORKLOAD_WRITE, repo_path=repo_path
        )
        versions = _by_share(versions_of(work, found.deployment))
    _for_each(versions, lambda workload_id: start_workload(context, actor=actor, workload_id=workload_id))


def stop_deployment(context: Context, *, actor: Actor, deployment_id: int, repo_path: str = "") -> None:
    """Stop one with all its versions; it can be started again. Raises NotFound, NotSignedIn, Denied."""
    with unit_of_work(context) as work:
        for version in _lock_for(work, actor, deployment_id, repo_path):
            stop_workload(work, actor=actor, workload_id=version.workload.id)


def delete_deployment(context: Context, *, actor: Actor, deployment_id: int, repo_path: str = "") -> None:
    """Stop one, and show it no more; what it used stays counted. Raises NotFound, NotSignedIn, Denied."""
    with unit_of_work(context) as work:
        for version in _lock_for(work, actor, deployment_id, repo_path):
            delete_workload(work, actor=actor, workload_id=version.workload.id)


def wake_deployment(context: Context, *, actor: Actor, deployment_id: int, repo_path: str = "") -> None:
    """Wake what of one sleeps, for whoever may call it; the rest stays as it is. Raises NotFound, Conflict,
    Unavailable."""
    with reading(context) as work:
        found = get_deployment(work, actor=actor, deployment_id=deployment_id, repo_path=repo_path)
        versions = _by_share(versions_of(work, found.deployment))
    _for_each(versions, lambda workload_id: wake_workload(context, workload_id=workload_id))


def _by_share(versions: Sequence[Version]) -> list[Version]:
    return sorted(versions, key=lambda version: (-version.row.traffic_percent, version.row.id))


def _for_each(versions: Sequence[Version], do: Callable[[int], object]) -> None:
    """Do it with the workload of each; what one is refused with is raised when all have had their turn."""
    refused: HubError | None = None
    for version in versions:
        try:
            do(version.workload.id)
        except HubError as error:
            refused = refused or error
    if refused is not None:
        raise refused


def _lock_for(work: UnitOfWork, actor: Actor, deployment_id: int, repo_path: str) -> list[Version]:
    found = get_deployment(
        work, actor=actor, deployment_id=deployment_id, permission=WORKLOAD_WRITE, repo_path=repo_path
    )
    return lock_versions(work, found.deployment)
