"""The ways in which engines come: a table that administrators change, filled from the engines' declarations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from hub.plugin import Actor, Context, get_logger
from hub.plugin.db import UnitOfWork, insert_new, reading, unit_of_work
from hub.plugin.errors import Conflict, Invalid, NotFound
from hub.plugin.jobs import enqueue
from hub.plugin.policy import require_site_admin
from plugins.inference.engines.engine import Declaration
from plugins.inference.engines.models import INFERENCE, EngineCatalogue, RuntimeFramework
from plugins.inference.engines.registry import list_declarations

log = get_logger(__name__)

SCAN_JOB = "inference.scan_engines"
COMPUTE_TYPES = ("cpu", "gpu", "npu", "gcu", "mlu", "dcu", "gpgpu", "tpu")
MAX_ARCHS, MAX_ARCH_CHARS = 1000, 128
# Each engine comes in a few images.
MAX_FRAMEWORKS = 1000
MAX_DEPLOY_TYPE = 7


@dataclass(frozen=True)
class FrameworkForm:
    """What administrators say of a way in which an engine comes."""

    engine: str
    image: str = ""
    version: str = ""
    compute_type: str = "gpu"
    driver_version: str = ""
    container_port: int = 8000
    description: str = ""
    is_enabled: bool = True
    deploy_type: int = INFERENCE


@cache
def _digest() -> str:
    """Of what the engines declare."""
    said = [asdict(each) for each in list_declarations()]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def take_over_catalogue(context: Context) -> None:
    """See to it that the table has what the installed engines declare. Quick when it has.

    What an engine has no more is switched off; what administrators have changed or switched off stays so. What they
    have deleted comes back when the engines declare something new.
    """
    declared, digest = list_declarations(), _digest()
    with reading(context) as work:
        if work.session.get(EngineCatalogue, digest) is not None:
            return
    with unit_of_work(context) as work:
        is_first = work.session.scalar(select(EngineCatalogue.digest).limit(1)) is None
        if not insert_new(work.session, EngineCatalogue, [{"digest": digest, "loaded_at": work.now()}]):
            return  # another process does it
        rows = [row for one in declared for row in _rows_of(one)]
        there = {_key_of(framework): framework for framework in work.session.scalars(select(RuntimeFramework))}
        moments = {"created_at": work.now(), "updated_at": work.now()}
        insert_new(work.session, RuntimeFramework, [row | moments for row in rows])
        wanted = {(row["deploy_type"], row["engine"], row["compute_type"], row["image"]) for row in rows}
        for key, framework in there.items():
            if framework.is_catalogued and key not in wanted:
                framework.is_enabled, framework.updated_at = False, work.now()
        if not is_first:
            enqueue(work, SCAN_JOB, args={"is_partial": False}, unique_key=f"{SCAN_JOB}:all")
    log.info("engines_loaded", engines=len(declared), frameworks=len(rows))


def _key_of(framework: RuntimeFramework) -> tuple[int, str, str, str]:
    return framework.deploy_type, framework.engine, framework.compute_type, framework.image


def _rows_of(declared: Declaration) -> Iterable[dict[str, Any]]:
    for image in declared.images:
        yield {
            "deploy_type": INFERENCE,
            "engine": declared.name,
            "version": image.engine_version,
            "image": image.image,
            "compute_type": image.compute_type,
            "driver_version": image.driver_version,
            "container_port": declared.container_port,
            "description": declared.description,
            "is_enabled": declared.is_enabled,
            "is_catalogued": True,
            "added_archs": [],
            "removed_archs": [],
        }


def list_frameworks(
    work: UnitOfWork, *, deploy_type: int = INFERENCE, with_disabled: bool = False
) -> list[RuntimeFramework]:
    """Those of a type of deployment, by engine; the newest first."""
    query = select(RuntimeFramework).where(RuntimeFramework.deploy_type == deploy_type)
    if not with_disabled:
        query = query.where(RuntimeFramework.is_enabled)
    ordered = query.order_by(RuntimeFramework.engine, RuntimeFramework.id).limit(MAX_FRAMEWORKS)
    return list(work.session.scalars(ordered))


def get_framework(work: UnitOfWork, framework_id: int) -> RuntimeFramework:
    """One of them. Raises NotFound (``framework_not_found``)."""
    found = work.session.get(RuntimeFramework, framework_id)
    if found is None:
        raise NotFound("There is no such engine.", code="framework_not_found")
    return found


def create_framework(work: UnitOfWork, *, actor: Actor, form: FrameworkForm) -> RuntimeFramework:
    """Add an image of an engine. Raises NotSignedIn, Denied, Invalid, Conflict (``framework_exists``)."""
    require_site_admin(work, actor)
    _check(form)
    if len(list_frameworks(work, deploy_type=form.deploy_type, with_disabled=True)) >= MAX_FRAMEWORKS:
        raise Conflict(f"There are {MAX_FRAMEWORKS} already.", code="too_many_frameworks")
    framework = RuntimeFramework(
        is_catalogued=False, added_archs=[], removed_archs=[], created_at=work.now(), updated_at=work.now()
    )
    _write(work, framework, form)
    log.info("framework_created", framework_id=framework.id, engine=form.engine, actor_id=actor.user_id)
    return framework


def change_framework(work: UnitOfWork, *, actor: Actor, framework_id: int, form: FrameworkForm) -> RuntimeFramework:
    """Change one, or switch it off. Raises NotFound, NotSignedIn, Denied, Invalid, Conflict (``framework_exists``)."""
    require_site_admin(work, actor)
    framework = get_framework(work, framework_id)
    _check(form)
    framework.updated_at = work.now()
    _write(work, framework, form)
    log.info("framework_changed", framework_id=framework.id, is_enabled=form.is_enabled, actor_id=actor.user_id)
    return framework


def form_of(framework: RuntimeFramework) -> FrameworkForm:
    """What is said of one now."""
    return FrameworkForm(**{name: getattr(framework, name) for name in FrameworkForm.__dataclass_fields__})


def _write(work: UnitOfWork, framework: RuntimeFramework, form: FrameworkForm) -> None:
    try:
        with work.savepoint():
            for name in FrameworkForm.__dataclass_fields__:
                setattr(framework, name, getattr(form, name))
            work.session.add(framework)
    except IntegrityError:
        raise Conflict("The engine has this image already.", code="framework_exists") from None


def _check(form: FrameworkForm) -> None:
    if form.deploy_type == INFERENCE and form.engine not in {declared.name for declared in list_declarations()}:
        raise Invalid(f"No engine {form.engine[:64]!r} is installed.", code="engine_not_found")
    if form.compute_type not in COMPUTE_TYPES or not 0 <= form.deploy_type <= MAX_DEPLOY_TYPE:
        raise Invalid("There is no such kind of processor, or of deployment.", code="framework_invalid")
    if form.image and not all(33 <= ord(letter) < 127 for letter in form.image):
        raise Invalid("The image has letters in it that no image has.", code="framework_invalid")


def delete_framework(work: UnitOfWork, *, actor: Actor, framework_id: int) -> None:
    """Delete one; what runs of it goes on. Raises NotFound, NotSignedIn, Denied."""
    require_site_admin(work, actor)
    framework = get_framework(work, framework_id)
    work.session.execute(delete(RuntimeFramework).where(RuntimeFramework.id == framework.id))
    log.info("framework_deleted", framework_id=framework_id, actor_id=actor.user_id)


# Architectures.


def archs_of(framework: RuntimeFramework) -> list[str]:
    """The architectures that it serves: those that are declared, as administrators have changed them."""
    declared = next((one for one in list_declarations() if one.name == framework.engine), None)
    known: set[str] = set(framework.added_archs)
    if declared is not None:
        known |= set(declared.supported_archs)
        known |= {arch for image in declared.images if image.image == framework.image for arch in image.extra_archs}
    return sorted(known - set(framework.removed_archs))


def add_archs(work: UnitOfWork, *, actor: Actor, framework_id: int, names: Sequence[str]) -> RuntimeFramework:
    """Say that it serves further architectures. Raises NotFound, NotSignedIn, Denied, Invalid."""
    framework, wanted = _for_archs(work, actor, framework_id, names)
    framework.removed_archs = sorted(set(framework.removed_archs) - wanted)
    framework.added_archs = sorted(set(framework.added_archs) | (wanted - set(archs_of(framework))))
    _refuse_many(framework)
    return framework


def remove_archs(work: UnitOfWork, *, actor: Actor, framework_id: int, names: Sequence[str]) -> RuntimeFramework:
    """Say that it does not serve architectures. Raises as ``add_archs``."""
    framework, wanted = _for_archs(work, actor, framework_id, names)
    framework.added_archs = sorted(set(framework.added_archs) - wanted)
    framework.removed_archs = sorted(set(framework.removed_archs) | (wanted & set(archs_of(framework))))
    _refuse_many(framework)
    return framework


def _for_archs(
    work: UnitOfWork, actor: Actor, framework_id: int, names: Sequence[str]
) -> tuple[RuntimeFramework, set[str]]:
    require_site_admin(work, actor)
    wanted = {name.strip() for name in names if name.strip()}
    if not all(len(name) <= MAX_ARCH_CHARS and name.isascii() and name.isprintable() for name in wanted):
        raise Invalid("An architecture's name is a plain word.", code="framework_invalid")
    framework = get_framework(work, framework_id)
    framework.updated_at = work.now()
    return framework, wanted


def _refuse_many(framework: RuntimeFramework) -> None:
    if len(framework.added_archs) + len(framework.removed_archs) > MAX_ARCHS:
        raise Conflict(f"More than {MAX_ARCHS} architectures differ from the engine's.", code="too_many_archs")
