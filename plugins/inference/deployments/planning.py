"""From what people say of a deployment to what is run: the engine, its arguments, the files, the variables.

Source: compute contract, 1.9, 1.10, 2.3 and 15.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.plugin import Context
from hub.plugin.compute import Hardware, Health, Mount
from hub.plugin.db import reading
from hub.plugin.errors import Invalid, NotFound
from hub.plugin.repos import Repository
from hub.plugin.settings import settings_of
from plugins.inference.deployments.forms import DeploymentForm
from plugins.inference.engines.base import task_of
from plugins.inference.engines.engine import MOUNT, InferenceEngine, ModelFacts, Order, Plan, Target
from plugins.inference.engines.frameworks import get_framework
from plugins.inference.engines.matching import find_engines, fits_framework, read_facts
from plugins.inference.engines.models import RuntimeFramework
from plugins.inference.engines.registry import get_engine
from plugins.inference.settings import InferenceSettings

# What keeps an instance that has none of a kind of accelerators from seeing any. Source: 1.10.
_HIDING = {
    "gpu": {"NVIDIA_VISIBLE_DEVICES": "none", "ROCR_VISIBLE_DEVICES": "none"},
    "npu": {"ASCEND_VISIBLE_DEVICES": "void"},
    "gcu": {"ENFLAME_VISIBLE_DEVICES": "none", "TOPS_VISIBLE_DEVICES": "none"},
}
# What clients of the platform send among the variables, and what it means here.
ENTRY_POINT, REVISION = "GGUF_ENTRY_POINT", "REVISION"
# Which commit it is that runs, for the driver's own tools. Source: 3.4.
COMMIT_LABEL = "csghub_deploy_commit_id"
# A server that is still loading answers 503; what it answers without a key may be 401, and it serves.
_SERVES_BELOW = 400


@dataclass(frozen=True)
class Planned:
    """A deployment, ready to be run. engine, framework_id: of what was chosen."""

    plan: Plan
    engine: str
    framework_id: int | None
    task: str
    commit_id: str
    target: Target


def target_of(context: Context) -> Target:
    """Where this hub's driver runs things."""
    return Target.LOCAL if context.settings.compute == "local" else Target.CONTAINER


def heed_variables(form: DeploymentForm) -> DeploymentForm:
    """The form with what the variables say of the files; these two are the platform's own."""
    variables = dict(form.variables)
    entrypoint = variables.pop(ENTRY_POINT, "") or form.entrypoint
    revision = variables.pop(REVISION, "") or form.revision
    return form.changed({"entrypoint": entrypoint, "revision": revision, "variables": variables})


def spec_members(
    context: Context, repository: Repository, form: DeploymentForm, planned: Planned, hardware: Hardware
) -> dict[str, Any]:
    """Members of the specification; its name, its secrets and its resources are others' to say."""
    plan = planned.plan
    settings = settings_of(context, InferenceSettings)
    return {
        "image": plan.image,
        "argv": plan.argv,
        "environment": _environment(form, planned, hardware),
        "port": plan.port,
        "health": Health(plan.ready_path, ready_timeout_s=plan.ready_timeout_s, ok_below=_SERVES_BELOW),
        "replicas_min": form.min_replica,
        "replicas_max": form.max_replica,
        "sleep_after_s": 0 if form.min_replica else settings.sleep_after_s,
        "mounts": (
            Mount(MOUNT, "model", repository.path, planned.commit_id, repository_id=repository.id, allow=plan.allow),
        ),
    }


def labels_of(repo_path: str, *, deployment_id: int, user: str, commit_id: str) -> dict[str, str]:
    """By what the driver's own tools know a version of a deployment. Source: 1.10 and 3.4."""
    return {
        "hub-res-type": "model",
        "hub-res-name": repo_path,
        "hub-deploy-id": str(deployment_id),
        "hub-deploy-user": user,
        COMMIT_LABEL: commit_id,
    }


def _environment(form: DeploymentForm, planned: Planned, hardware: Hardware) -> dict[str, str]:
    given = {**form.environment, **form.variables}
    if planned.target is Target.LOCAL and given:
        # A process of the hub's own rights: a variable can make it load and run anything.
        raise Invalid(
            "On this machine engines take no variables of yours; only in containers they do.",
            code="variables_not_local",
        )
    platform = {ENTRY_POINT: form.entrypoint} if form.entrypoint else {}
    if planned.target is Target.CONTAINER:
        kind = hardware.resources.accelerator
        hidden = {name: value for other, found in _HIDING.items() if other != kind for name, value in found.items()}
        platform |= {"port": str(planned.plan.port), **hidden}
    return {**given, **platform, **planned.plan.environment}


def make_plan(
    context: Context, repository: Repository, commit_id: str, form: DeploymentForm, hardware: Hardware
) -> Planned:
    """What is to be run, of a form that was checked.

    Raises NotFound (``engine_not_found``, ``framework_not_found``), Invalid: ``engine_missing``, ``resource_not_fit``,
    ``model_not_fit``, and what the engine refuses with (``InferenceEngine.plan``).
    """
    facts = read_facts(context, repository, commit_id=commit_id)
    engine, framework = _choose(context, form, hardware, facts)
    target, resources = target_of(context), hardware.resources
    order = Order(
        repo_path=repository.path,
        facts=facts,
        entrypoint=form.entrypoint,
        engine_args=form.engine_args,
        task=form.task,
        compute_type=hardware.type,
        accelerators=resources.gpu_count,
        # Whole cores: what is left over is not worth a thread.
        cpus=max(resources.cpu_millis // 1000, 1),
        memory_bytes=resources.memory_bytes,
        image=framework.image if framework and target is Target.CONTAINER else "",
    )
    plan = engine.plan(order, target=target)
    framework_id = framework.id if framework else None
    return Planned(plan, engine.declare().name, framework_id, task_of(order), commit_id, target)


def _choose(
    context: Context, form: DeploymentForm, hardware: Hardware, facts: ModelFacts
) -> tuple[InferenceEngine, RuntimeFramework | None]:
    """The engine, and as which image it comes, as far as one was chosen or is there."""
    if form.framework_id:
        with reading(context) as work:
            framework = get_framework(work, form.framework_id)
        engine = get_engine(context, framework.engine)
        if not framework.is_enabled:
            raise NotFound("An administrator has switched this image off.", code="framework_not_found")
        if framework.compute_type != hardware.type:
            reason = f"This image is for {framework.compute_type!r}, the resource is {hardware.type!r}."
            raise Invalid(reason, code="resource_not_fit")
        fit = fits_framework(engine, framework, facts)
        if not fit.is_fit:
            raise Invalid(f"The engine cannot serve this model: {fit.reason}", code="model_not_fit")
        return engine, framework
    if not form.engine:
        raise Invalid("Say which engine is to serve it: 'runtime_framework_id' or 'engine'.", code="engine_missing")
    engine = get_engine(context, form.engine)
    match = next(one for one in find_engines(context, facts) if one.name == form.engine)
    if not match.is_fit:
        raise Invalid(f"The engine cannot serve this model: {match.reason}", code="model_not_fit")
    return engine, next((one for one in match.frameworks if one.compute_type == hardware.type), None)
