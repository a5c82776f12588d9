"""Which engine serves which model. Source: compute contract, section 2.5.

What was read of a model's files is kept; which engines fit is worked out from it when it is asked, so that an engine
that was switched off or learnt something is not offered on old terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from hub.plugin import Action, Actor, Context, get_logger
from hub.plugin.assets import (
    find_head,
    find_known_metadata,
    find_task,
    read_model_at,
    read_small_file,
    set_platform_labels,
)
from hub.plugin.db import Page, PageArgs, UnitOfWork, insert_new, reading, unit_of_work
from hub.plugin.indexing import IndexRun
from hub.plugin.jobs import JobRun, enqueue
from hub.plugin.policy import Namespace, readable, require, require_site_admin
from hub.plugin.repos import Repository, get_readable
from plugins.inference.engines.engine import Fit, InferenceEngine, ModelFacts
from plugins.inference.engines.facts import facts_from_json, facts_to_json, gather_facts
from plugins.inference.engines.frameworks import SCAN_JOB, list_frameworks, take_over_catalogue
from plugins.inference.engines.models import INFERENCE, ModelScan, RuntimeFramework
from plugins.inference.engines.registry import list_engines

log = get_logger(__name__)

LABELS = "runtime_framework"
MODEL = "model"
_BATCH = 500


@dataclass(frozen=True)
class Match:
    """An engine, whether it serves a model, and why not.

    frameworks: the ways in which it comes that fit, and are switched on. local_reason: why it cannot run on this
    machine without containers; empty: it can.
    """

    engine: InferenceEngine
    is_fit: bool
    reason: str
    frameworks: Sequence[RuntimeFramework]
    local_reason: str

    @property
    def name(self) -> str:
        """The engine's."""
        return self.engine.declare().name


def read_facts(context: Context, repository: Repository, *, commit_id: str = "") -> ModelFacts:
    """What engines ask of a model's files at a commit, empty: that of the default branch. Nobody's rights are asked."""
    commit_id = commit_id or find_head(context, repository)
    with reading(context) as work:
        scan = work.session.get(ModelScan, repository.id)
        if scan is not None and scan.commit_id == commit_id:
            return facts_from_json(scan.facts)
    return _gather(context, repository, commit_id)


def _gather(context: Context, repository: Repository, commit_id: str) -> ModelFacts:
    if not commit_id:
        return ModelFacts()
    with reading(context) as work:
        metadata = find_known_metadata(work, repository)
        task = find_task(work, repository.id)
    if metadata is None or metadata.commit_id != commit_id:
        metadata = read_model_at(context, repository, commit_id=commit_id)

    def read(path: str, limit_bytes: int) -> bytes | None:
        return read_small_file(context, repository, commit_id=commit_id, path=path, limit_bytes=limit_bytes)

    origin = repository.hf_path or repository.ms_path or repository.csg_path or repository.name
    return gather_facts(metadata, read, commit_id=commit_id, origin_name=origin.rpartition("/")[2], task=task)


def find_engines(context: Context, facts: ModelFacts, *, deploy_type: int = INFERENCE) -> list[Match]:
    """Every engine, those that fit first, and why the others do not."""
    take_over_catalogue(context)
    with reading(context) as work:
        frameworks = list_frameworks(work, deploy_type=deploy_type)
    matches = [
        _match(engine, [each for each in frameworks if each.engine == engine.declare().name], facts)
        for engine in list_engines(context)
    ]
    return sorted(matches, key=lambda match: (not match.is_fit, bool(match.local_reason), match.name))


def _match(engine: InferenceEngine, frameworks: Sequence[RuntimeFramework], facts: ModelFacts) -> Match:
    fits = {each.id: fits_framework(engine, each, facts) for each in frameworks}
    good = [each for each in frameworks if fits[each.id].is_fit]
    if good:
        reason = ""
    elif frameworks:
        reason = next(fit.reason for fit in fits.values())
    else:
        reason = "An administrator has switched it off."
    return Match(engine, bool(good), reason, good, engine.explain_local())


def fits_framework(engine: InferenceEngine, framework: RuntimeFramework, facts: ModelFacts) -> Fit:
    """Whether an engine as it comes this way serves a model; administrators have the last word on architectures."""
    names = set(facts.names)
    if names & set(framework.added_archs):
        return engine.reads(facts)
    fit = engine.fits(facts)
    if fit.is_fit and names & set(framework.removed_archs):
        return Fit(False, "An administrator says that it does not serve this architecture.")
    models = _models_of(engine, framework)
    if fit.is_fit and models and facts.origin_name not in models:
        return Fit(False, f"This image serves {', '.join(models)}.")
    return fit


def _models_of(engine: InferenceEngine, framework: RuntimeFramework) -> tuple[str, ...]:
    images = (image for image in engine.declare().images if image.image == framework.image)
    return next((image.extra_models for image in images), ())


def explain_none(matches: Sequence[Match], facts: ModelFacts) -> str:
    """Why no engine serves a model, for its page; empty: one does."""
    if any(match.is_fit for match in matches):
        return ""
    if not facts.formats:
        return "The repository has no weights that the hub can read: push safetensors or GGUF files."
    near = [match.reason for match in matches if match.engine.reads(facts).is_fit]
    return near[0] if near else f"No engine reads {' or '.join(facts.formats)}."


# What is kept.


def keep_scan(work: UnitOfWork, repository: Repository, facts: ModelFacts, names: Sequence[str]) -> None:
    """Keep the facts, and let the repository carry the labels of the engines that serve it."""
    row = {
        "repository_id": repository.id,
        "commit_id": facts.commit_id,
        "facts": facts_to_json(facts),
        "engines": [*names],
        "is_fit": bool(names),
        "scanned_at": work.now(),
    }
    if not insert_new(work.session, ModelScan, [row]):
        scan = work.session.get(ModelScan, repository.id, with_for_update=True)
        if scan is not None:
            for name, value in row.items():
                setattr(scan, name, value)
    set_platform_labels(work, repository=repository, category=LABELS, names=names)


def scan_model(context: Context, repository: Repository) -> list[Match]:
    """Read a model's files anew and keep what they say; the engines for it. Nobody's rights are asked."""
    facts = _gather(context, repository, find_head(context, repository))
    matches = find_engines(context, facts)
    with unit_of_work(context) as work:
        row = work.session.get(Repository, repository.id)
        if row is not None:
            keep_scan(work, row, facts, [match.name for match in matches if match.is_fit])
    return matches


def require_scan(context: Context, actor: Actor, path: str) -> Repository:
    """The model of that path, where the actor may have it read anew. Raises NotFound, NotSignedIn, Denied."""
    with reading(context) as work:
        repository = get_readable(work, actor=actor, kind=MODEL, path=path)
        require(work, actor, Action.REPOSITORY_WRITE, repository)
        return repository


def ask_to_scan(work: UnitOfWork, *, actor: Actor, is_partial: bool) -> str:
    """Ask for every model to be looked at, or those that never were; the job's id. Raises NotSignedIn, Denied."""
    require_site_admin(work, actor)
    key = f"{SCAN_JOB}:{'new' if is_partial else 'all'}"
    return enqueue(work, SCAN_JOB, args={"is_partial": is_partial}, unique_key=key, actor_id=actor.user_id).uuid


def list_served(
    work: UnitOfWork, *, actor: Actor, search: str, page: PageArgs
) -> Page[tuple[int, str, Sequence[str], datetime]]:
    """The models that some engine serves and the actor may read: id, path, engines, when they were looked at."""
    is_seen = readable(
        actor,
        resource_type="repository",
        id=Repository.id,
        namespace_id=Repository.namespace_id,
        is_private=Repository.is_private,
    )
    conditions = [ModelScan.is_fit, Repository.deleted_at.is_(None), is_seen]
    if search:
        path = Namespace.path_key + "/" + Repository.name_key
        conditions.append(path.contains(search.lower(), autoescape=True))
    joined = (
        select(Repository.id, Namespace.path, Repository.name, ModelScan.engines, ModelScan.scanned_at)
        .join(ModelScan, ModelScan.repository_id == Repository.id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(*conditions)
    )
    total = work.session.scalar(select(func.count()).select_from(joined.subquery())) or 0
    rows = work.session.execute(joined.order_by(Repository.id).limit(page.per).offset(page.offset)).all()
    return Page([(id, f"{owner}/{name}", engines, at) for id, owner, name, engines, at in rows], total)


def index_engines(run: IndexRun) -> None:
    """The indexer: the same after a push, from what the hub's own indexers have just read."""
    facts = _gather(run.context, run.repository, run.commit_id)
    names = [match.name for match in find_engines(run.context, facts) if match.is_fit]
    with unit_of_work(run.context) as work:
        row = work.session.get(Repository, run.repository.id)
        if row is not None:
            keep_scan(work, row, facts, names)
        run.finish(work)


def scan_models(job: JobRun, *, is_partial: bool = False) -> None:
    """The job: look at every model again, one after the other. is_partial: only those that nobody has looked at."""
    context, last_id, done = job.context, 0, 0
    while True:
        query = select(Repository).where(
            Repository.kind == MODEL, Repository.deleted_at.is_(None), Repository.id > last_id
        )
        if is_partial:
            query = query.where(Repository.id.not_in(select(ModelScan.repository_id)))
        with reading(context) as work:
            found = list(work.session.scalars(query.order_by(Repository.id).limit(_BATCH)))
        for repository in found:
            job.check_cancelled()
            last_id = repository.id
            try:
                scan_model(context, repository)
            except Exception:
                # One model that cannot be read keeps no other from being.
                log.exception("engine_scan_failed", repository=repository.uuid)
            done += 1
            job.progress(done, unit="models")
        if len(found) < _BATCH:
            return
