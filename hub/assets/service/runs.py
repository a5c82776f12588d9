"""Runs: what was done with repositories at pinned commits, and what came of it.

Whoever may write to a namespace records runs there. A private run is seen by those who see what is private in its
namespace, a public one by all; a repository that somebody may not read is in neither for them. A run that succeeded
leaves relations between its repositories, of those only that whoever recorded them could write to.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import contains_eager

from hub.accounts import service as accounts
from hub.accounts.models import Namespace
from hub.accounts.policy import Action, Actor, can, can_each, readable, require
from hub.assets.events import RunFinished
from hub.assets.models_lineage import Run, RunLink, RunState
from hub.assets.runtypes import RUN_TYPES
from hub.assets.service.recording import forget_records, record_relations
from hub.assets.service.relations import Target, find_readable, kind_of, paths_of
from hub.base.context import Context
from hub.base.errors import Conflict, Denied, Invalid, NotFound, NotSignedIn
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import fold_name, is_harmless_url, normalise_path
from hub.base.paging import Page, PageArgs
from hub.base.texts import is_storable
from hub.db.base import new_uuid
from hub.db.insert import insert_new
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.repos.contents import resolve
from hub.repos.models import Repository

log = get_logger(__name__)

MAX_LINKS = 50  # inputs of a run, and outputs of it
MAX_JSON_CHARS = 64 * 1024  # of parameters, environment and metrics each
MAX_ERROR_CHARS = 10_000
MAX_TITLE_CHARS = 200
MAX_CLIENT_ID_CHARS = 64
_MAX_JSON_DEPTH = 20
_AT_ONCE = 500
_MAX_CHARS = {"title": MAX_TITLE_CHARS, "client_id": MAX_CLIENT_ID_CHARS, "error": MAX_ERROR_CHARS}

FINAL = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})
_NEXT: Mapping[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.FAILED, RunState.CANCELLED}),
    RunState.RUNNING: FINAL,
}


@dataclass(frozen=True)
class Link:
    """What a run takes or gives: a repository at a revision, or the name of what is not on this hub.

    revision: of the default branch where it is empty; it is pinned to its commit. file_path: of one file in it.
    """

    kind: str = ""
    path: str = ""
    role: str = ""
    revision: str = ""
    file_path: str = ""
    name: str = ""


def create_run(
    context: Context,
    *,
    actor: Actor,
    type: str,
    namespace: str = "",
    title: str = "",
    inputs: Sequence[Link] = (),
    outputs: Sequence[Link] = (),
    parameters: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    is_private: bool = True,
    client_id: str = "",
    log_url: str = "",
    is_trusted: bool = False,
) -> str:
    """Record a run that is about to be; return its uuid. namespace: empty for the actor's own.

    client_id: the actor's own id of it, one in the namespace: who sends it again gets the uuid of the first.
    is_trusted: it is the platform that records it, in the actor's name. Raises NotFound (the namespace, or a
    repository that the actor may not read), NotSignedIn, Denied (no writing there, or to an output), Invalid,
    Conflict (``client_id_taken``: by a run of another type, or by one that the platform did, or did not, record).
    """
    if actor.is_anonymous:
        raise NotSignedIn("Sign in, or send an access token, to record a run.")
    types = context[RUN_TYPES]
    if type not in types:
        known = sorted(types)
        raise Invalid(f"There is no type {type!r} of run.", code="REQ-ERR-6", member="type", allowed=known)
    _check_log(log_url)
    _check_texts(title=title, client_id=client_id)
    values = {"parameters": dict(parameters or {}), "environment": dict(environment or {})}
    for member, value in values.items():
        check_json(member, value)
    with reading(context) as work:
        owner = accounts.get_namespace(work, namespace or actor.name)
        require(work, actor, Action.NAMESPACE_CREATE, owner, what="namespace")
    links = [
        *_find_links(context, actor, inputs, is_output=False),
        *_find_links(context, actor, outputs, is_output=True),
    ]
    with unit_of_work(context) as work:
        now = work.now()
        row: dict[str, Any] = {
            "uuid": new_uuid(),
            "client_id": client_id or None,
            "type": type,
            "title": title,
            "namespace_id": owner.id,
            "created_by_id": actor.user_id,
            "is_private": is_private,
            "is_trusted": is_trusted,
            "state": RunState.QUEUED,
            "metrics": {},
            "log_url": log_url,
            "error": "",
            "created_at": now,
            "updated_at": now,
        }
        if not insert_new(work.session, Run, [row | values]):
            same = select(Run).where(Run.namespace_id == owner.id, Run.client_id == client_id)
            first = work.session.scalars(same).one()
            # What people record is never taken for what the platform does.
            if first.type != type or first.is_trusted != is_trusted:
                raise Conflict(f"Another run of {owner.path} has this client_id.", code="client_id_taken")
            return first.uuid
        run = work.session.scalars(select(Run).where(Run.uuid == row["uuid"])).one()
        work.session.add_all(_new_link(run, link) for link in links)
        log.info("run_created", run=run.uuid, type=type, actor_id=actor.user_id)
        return run.uuid


def update_run(
    context: Context,
    *,
    actor: Actor,
    uuid: str,
    state: RunState | None = None,
    outputs: Sequence[Link] = (),
    metrics: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    title: str | None = None,
    log_url: str | None = None,
    error: str | None = None,
    is_trusted: bool = False,
) -> None:
    """Say how a run goes on: its next state, outputs beside those it has, metrics; None: as it is.

    metrics, environment: members beside those it has. With success its relations are written in the same transaction.
    is_trusted: it is the platform that says so; of what it recorded nobody else does, as all of it is trusted.
    Said again, the state that it has is harmless. Raises NotFound, NotSignedIn, Denied (``run_recorded``: it is the
    platform's), Invalid, Conflict (``run_state``: no such step; ``run_finished``: it is over, and nothing of it
    changes any more).
    """
    if log_url is not None:
        _check_log(log_url)
    _check_texts(title=title or "", error=error or "")
    with reading(context) as work:
        require(work, actor, Action.REPOSITORY_WRITE, get_run(work, actor=actor, uuid=uuid), what="run")
    links = _find_links(context, actor, outputs, is_output=True)
    with unit_of_work(context) as work:
        run = _lock(work, uuid)
        require(work, actor, Action.REPOSITORY_WRITE, run, what="run")
        if run.is_trusted and not is_trusted:
            raise Denied("The platform recorded this run; it alone says how it goes on.", code="run_recorded")
        changes = {"title": title, "log_url": log_url, "error": error}
        changes = {name: value for name, value in changes.items() if value is not None}
        if run.state in FINAL:
            if links or metrics or environment or changes or state not in (None, run.state):
                raise Conflict("This run is over.", code="run_finished", state=run.state.value)
            return
        for name, value in changes.items():
            setattr(run, name, value)
        for member, more in (("metrics", metrics), ("environment", environment)):
            if more:
                merged = getattr(run, member) | dict(more)
                check_json(member, merged)
                setattr(run, member, merged)
        _add_outputs(work, run, links)
        run.updated_at = work.now()
        if state is not None and state != run.state:
            _step(work, run, state, actor)


def _step(work: UnitOfWork, run: Run, state: RunState, actor: Actor) -> None:
    if state not in _NEXT[run.state]:
        raise Conflict(
            f"A run that is {run.state.value} does not become {state.value}.",
            code="run_state",
            allowed=sorted(_NEXT[run.state]),
        )
    run.state = state
    if state == RunState.RUNNING:
        run.started_at = work.now()
        return
    run.finished_at = work.now()
    work.session.flush()
    if state == RunState.SUCCEEDED:
        record_relations(work, run)
    publish(work, RunFinished(run.id, actor.user_id))
    log.info("run_finished", run=run.uuid, state=state.value, actor_id=actor.user_id)


def get_run(work: UnitOfWork, *, actor: Actor, uuid: str) -> Run:
    """The run of that uuid. Raises NotFound (``run_not_found``)."""
    run = work.session.scalars(select(Run).where(Run.uuid == uuid)).one_or_none()
    if run is None:
        raise NotFound("There is no such run, or you may not see it.", code="run_not_found")
    require(work, actor, Action.REPOSITORY_READ, run, what="run")
    return run


def delete_run(work: UnitOfWork, *, actor: Actor, uuid: str) -> None:
    """Forget a run and the relations that it alone recorded. For who made it or administers its namespace.

    Raises NotFound, NotSignedIn, Denied.
    """
    get_run(work, actor=actor, uuid=uuid)
    run = _lock(work, uuid)
    is_own = run.created_by_id is not None and run.created_by_id == actor.user_id
    if not (is_own and can(work, actor, Action.REPOSITORY_WRITE, run)):
        require(work, actor, Action.REPOSITORY_ADMIN, run, what="run")
    forget_records(work, [run.id])
    work.session.delete(run)
    log.info("run_deleted", run=uuid, actor_id=actor.user_id)


def delete_runs_of(work: UnitOfWork, *, namespace_id: int) -> None:
    """Forget all runs of a namespace that goes. Nobody's rights are asked."""
    while ids := work.session.scalars(select(Run.id).where(Run.namespace_id == namespace_id).limit(_AT_ONCE)).all():
        forget_records(work, ids)
        work.session.execute(delete(Run).where(Run.id.in_(ids)).execution_options(synchronize_session=False))


def list_runs(
    work: UnitOfWork,
    *,
    actor: Actor,
    page: PageArgs,
    repository: Repository | None = None,
    commit_id: str = "",
    namespace: str = "",
    type: str = "",
    state: RunState | None = None,
    created_by: str = "",
) -> Page[Run]:
    """The runs that the actor may see, newest first. repository: those that took or gave it; commit_id: at that commit.

    created_by: a user's name. Raises NotFound (the repository).
    """
    if not all(is_storable(text) for text in (commit_id, namespace, type, created_by)):
        return Page([], 0)
    where: list[ColumnElement[bool]] = [may_see_run(actor)]
    if repository is not None:
        require(work, actor, Action.REPOSITORY_READ, repository)
        links = select(RunLink.run_id).where(RunLink.repository_id == repository.id)
        where.append(Run.id.in_(links.where(RunLink.commit_id == commit_id) if commit_id else links))
    if namespace:
        where.append(Run.namespace_id == accounts.get_namespace(work, namespace).id)
    if type:
        where.append(Run.type == type)
    if state is not None:
        where.append(Run.state == state)
    if created_by:
        where.append(Run.created_by_id == accounts.get_user(work, created_by).id)
    query = (
        select(Run)
        .join(Namespace, Namespace.id == Run.namespace_id)
        .options(contains_eager(Run.namespace))
        .where(*where)
        .order_by(Run.id.desc())
    )
    rows = work.session.scalars(query.offset(page.offset).limit(page.per)).all()
    total, is_estimate = total_of(work, select(Run.id).where(*where), page, len(rows))
    return Page(rows, total, is_estimate)


@dataclass(frozen=True)
class SeenLink:
    """A link as somebody may see it. target: the kind and path of the repository; None of what is not here."""

    link: RunLink
    target: Target | None


def links_of(work: UnitOfWork, *, actor: Actor, runs: Iterable[Run]) -> dict[int, list[SeenLink]]:
    """For each run, by its id, what it took and gave, without the repositories that the actor may not read.

    Two queries, however many runs there are.
    """
    ids = [run.id for run in runs]
    found: dict[int, list[SeenLink]] = {id: [] for id in ids}
    rows = work.session.scalars(select(RunLink).where(RunLink.run_id.in_(ids)).order_by(RunLink.id)).all()
    paths = paths_of(work, actor=actor, repository_ids=[row.repository_id for row in rows])
    for row in rows:
        target = paths.get(row.repository_id) if row.repository_id is not None else None
        if target is not None or row.name:
            found[row.run_id].append(SeenLink(row, target))
    return found


def may_see_run(actor: Actor) -> ColumnElement[bool]:
    """The condition on ``Run`` that the actor may see it."""
    return readable(
        actor,
        resource_type=Run.resource_type,
        id=Run.id,
        namespace_id=Run.namespace_id,
        is_private=Run.is_private,
    )


def _lock(work: UnitOfWork, uuid: str) -> Run:
    query = select(Run).where(Run.uuid == uuid).with_for_update(of=Run).execution_options(populate_existing=True)
    run = work.session.scalars(query).one_or_none()
    if run is None:
        raise NotFound("There is no such run, or you may not see it.", code="run_not_found")
    return run


# Links.


@dataclass(frozen=True)
class _Found:
    link: Link
    is_output: bool
    repository_id: int | None = None
    commit_id: str = ""
    is_own: bool = False


def _find_links(context: Context, actor: Actor, links: Sequence[Link], *, is_output: bool) -> list[_Found]:
    """The repositories of links, pinned. Opens each of them once; two queries, and one for what may be written."""
    if len(links) > MAX_LINKS:
        raise Invalid(f"A run has {MAX_LINKS} of them at most.", code="REQ-ERR-6")
    here = {link: (kind_of(context, link.kind, link.path), fold_name(link.path)) for link in links if _is_here(link)}
    with reading(context) as work:
        ids = find_readable(work, actor, [*dict.fromkeys(here.values())])
        for link, target in here.items():
            if target not in ids:
                message = f"There is no {target[0]} {link.path!r}, or you may not see it."
                raise NotFound(message, code="repository_not_found")
        rows = {row.id: row for row in work.session.scalars(select(Repository).where(Repository.id.in_(ids.values())))}
        own = can_each(work, actor, [Action.REPOSITORY_WRITE], list(rows.values()))[Action.REPOSITORY_WRITE]
        if is_output:
            for row in rows.values():
                if row.id not in own:
                    require(work, actor, Action.REPOSITORY_WRITE, row)
    found = []
    for link in links:
        if link not in here:
            found.append(_Found(link, is_output))
            continue
        row = rows[ids[here[link]]]
        found.append(_Found(link, is_output, row.id, resolve(context, row, link.revision), row.id in own))
    return found


def _is_here(link: Link) -> bool:
    """Whether it is a repository's. Raises Invalid for what is neither a repository's nor elsewhere's."""
    if bool(link.path) == bool(link.name):
        raise Invalid("Each needs either 'path' or 'name'.", code="REQ-ERR-6")
    if link.file_path:
        normalise_path(link.file_path)
    if not all(is_storable(text) for text in (link.name, link.role, link.file_path, link.revision)):
        raise Invalid("A text holds what cannot be kept.", code="REQ-ERR-6")
    return bool(link.path)


def _new_link(run: Run, found: _Found) -> RunLink:
    return RunLink(
        run_id=run.id,
        is_output=found.is_output,
        role=found.link.role,
        repository_id=found.repository_id,
        commit_id=found.commit_id,
        path=found.link.file_path,
        name=found.link.name,
        is_own=found.is_own,
    )


def _add_outputs(work: UnitOfWork, run: Run, links: Sequence[_Found]) -> None:
    if not links:
        return
    there = work.session.scalars(select(RunLink).where(RunLink.run_id == run.id, RunLink.is_output.is_(True))).all()

    def key(link: RunLink) -> tuple[Any, ...]:
        return link.role, link.repository_id, link.commit_id, link.path, link.name

    known = {key(link) for link in there}
    for link in (_new_link(run, found) for found in links):
        if key(link) not in known:  # sent again
            known.add(key(link))
            work.session.add(link)
    if len(known) > MAX_LINKS:
        raise Invalid(f"A run has {MAX_LINKS} outputs at most.", code="REQ-ERR-6", member="outputs")


# What is kept as JSON.


def check_json(member: str, value: Any) -> None:
    """Return when the value can be kept and is not too large. Raises Invalid (``REQ-ERR-6``)."""
    left = MAX_JSON_CHARS
    todo = [(value, 0)]
    while todo and left >= 0:
        each, depth = todo.pop()
        left -= 2
        if depth > _MAX_JSON_DEPTH:
            raise Invalid(f"'{member}' is nested too deep.", code="REQ-ERR-6", member=member)
        if isinstance(each, str):
            left -= len(each)
            if not is_storable(each):
                raise Invalid(f"'{member}' holds a text that cannot be kept.", code="REQ-ERR-6", member=member)
        elif isinstance(each, dict):
            todo += [(key, depth) for key in each] + [(item, depth + 1) for item in each.values()]
        elif isinstance(each, list | tuple):
            todo += [(item, depth + 1) for item in each]
        elif isinstance(each, float) and not math.isfinite(each):
            raise Invalid(f"'{member}' holds a number that JSON has not.", code="REQ-ERR-6", member=member)
        elif isinstance(each, int) and abs(each) >= 2**63:
            raise Invalid(f"'{member}' holds a number that is too large.", code="REQ-ERR-6", member=member)
        else:
            left -= 8
    if left < 0:
        raise Invalid(f"'{member}' is larger than {MAX_JSON_CHARS} characters.", code="REQ-ERR-6", member=member)


def _check_texts(**texts: str) -> None:
    for member, text in texts.items():
        if len(text) > _MAX_CHARS[member] or not is_storable(text):
            most = _MAX_CHARS[member]
            raise Invalid(f"'{member}' is a text of at most {most} characters.", code="REQ-ERR-6", member=member)


def _check_log(url: str) -> None:
    if url and not is_harmless_url(url):
        raise Invalid(
            "'log_url' is a path on this hub, or an http or https address.", code="REQ-ERR-6", member="log_url"
        )
