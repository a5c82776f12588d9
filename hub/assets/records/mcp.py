"""MCP servers as records: what they offer, over all repositories and of one, and how one would be started.

Nothing here starts anything: a deployment is made by whoever reads the record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, select

from hub.accounts.models import Namespace
from hub.accounts.policy import Actor
from hub.assets.models_records import McpProperty, McpServer
from hub.assets.records.mcp_form import (
    COMMANDS,
    KINDS,
    Launch,
    Variable,
    launch_of_client,
    list_of,
    object_of,
    text_of,
)
from hub.assets.records.reach import holds_words, tells_content
from hub.assets.service.labels import Label, labels_of
from hub.base.errors import Invalid
from hub.base.paging import Page, PageArgs
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork
from hub.repos.gates import require_content
from hub.repos.models import Repository


@dataclass(frozen=True)
class ListedProperty:
    """A tool, prompt or resource, and whose it is."""

    row: McpProperty
    repository_path: str
    labels: Sequence[Label]


def list_properties(
    work: UnitOfWork,
    *,
    actor: Actor,
    kind: str = "",
    search: str = "",
    repository: Repository | None = None,
    page: PageArgs | None = None,
) -> Page[ListedProperty]:
    """What MCP servers offer, as far as the actor gets their content. kind: one of ``KINDS``; "": all.

    search: words that must all be in the name or description. repository: only of this one, which the actor may read.
    Four queries at most. Raises Invalid (``REQ-ERR-6``); NotSignedIn or Denied (``gated_repository``) for a repository
    whose content the actor does not get.
    """
    if kind and kind not in KINDS:
        raise Invalid(f"'kind' must be one of {', '.join(KINDS)}.", code="REQ-ERR-6", query="kind", allowed=list(KINDS))
    page = page or PageArgs()
    where: list[ColumnElement[bool]] = [
        tells_content(actor),
        Repository.kind == "mcpserver",
        *holds_words(McpProperty.search_text, search),
    ]
    if kind:
        where.append(McpProperty.kind == kind)
    if repository is not None:
        require_content(work, actor, repository)
        where.append(McpProperty.repository_id == repository.id)
    query = (
        select(McpProperty, Namespace.path, Repository.name)
        .join(Repository, Repository.id == McpProperty.repository_id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(*where)
    )
    order = (McpProperty.kind.desc(), McpProperty.name) if repository is not None else (McpProperty.id.desc(),)
    rows = work.session.execute(query.order_by(*order).offset(page.offset).limit(page.per)).all()
    total, is_estimate = total_of(work, query.with_only_columns(McpProperty.id), page, len(rows))
    labels = labels_of(work, list({row.repository_id for row, _namespace, _name in rows}))
    items = [
        ListedProperty(row, f"{namespace}/{name}", labels.get(row.repository_id, [])) for row, namespace, name in rows
    ]
    return Page(items, total, is_estimate)


def find_servers(work: UnitOfWork, repository_ids: Sequence[int]) -> dict[int, McpServer]:
    """The records of these repositories, by id; what is not indexed yet is left out. One query at most."""
    if not repository_ids:
        return {}
    query = select(McpServer).where(McpServer.repository_id.in_(repository_ids))
    return {row.repository_id: row for row in work.session.scalars(query)}


@dataclass(frozen=True)
class LaunchRecord:
    """What a deployment needs to know of a server.

    chosen: how it is started, the owner's own words over the files'; None: nothing says how. options: all that the
    files say. commands: ``program_language``, ``run_mode``, ``install_deps_cmds``, ``build_cmds``, ``launch_cmds``.
    problems: what could not be read. commit_id: of the files; empty: not indexed yet.
    """

    chosen: Launch | None
    options: Sequence[Launch]
    commands: Mapping[str, str]
    problems: Sequence[str]
    commit_id: str


def find_launch(work: UnitOfWork, *, actor: Actor, repository: Repository) -> LaunchRecord:
    """How a server would be started, of a repository that the actor may read.

    The members that its owner has stored count before its files: ``configuration``, a client's configuration or an
    object with ``command``, ``args``, ``image``, ``transport``, ``url``, ``env``; and the commands.
    Raises NotSignedIn or Denied (``gated_repository``).
    """
    require_content(work, actor, repository)
    row = find_servers(work, [repository.id]).get(repository.id)
    launch = object_of(row.launch) if row else {}
    options = [_launch(option) for option in launch.get("options", [])]
    problems = list(row.problems) if row else []
    chosen = options[0] if options else None
    stored = repository.details
    configuration = str(stored.get("configuration") or "")
    if configuration.strip():
        try:
            chosen = _overridden(chosen, json.loads(configuration))
        except (ValueError, RecursionError):
            problems.append("configuration: It is no JSON, so it changes nothing.")
    commands = {str(name): str(value) for name, value in object_of(launch.get("commands")).items()}
    for name in ("program_language", "run_mode", *COMMANDS):
        if said := str(stored.get(name) or ""):
            commands[name] = said
    return LaunchRecord(chosen, options, commands, problems, row.commit_id if row else "")


def environment_schema(row: McpServer) -> dict[str, Any]:
    """What the server is configured by, as a JSON Schema: the variables of the first way to start it."""
    options = list_of(object_of(row.launch).get("options"))
    if not options:
        return {}
    return schema_of(_launch(options[0]).env)


def schema_of(variables: Sequence[Variable]) -> dict[str, Any]:
    """Variables as a JSON Schema of an object; a secret one is write-only."""
    properties: dict[str, Any] = {}
    for variable in variables:
        member: dict[str, Any] = {"type": "string"}
        if variable.description:
            member["description"] = variable.description
        if variable.default:
            member["default"] = variable.default
        if variable.choices:
            member["enum"] = list(variable.choices)
        if variable.secret:
            member |= {"writeOnly": True, "format": "password"}
        properties[variable.name] = member
    required = [variable.name for variable in variables if variable.required]
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _launch(stored: Mapping[str, Any]) -> Launch:
    variables = {name: [Variable(**each) for each in stored.get(name, [])] for name in ("env", "headers")}
    return Launch(**{**stored, **variables})


def _overridden(base: Launch | None, given: Any) -> Launch | None:
    """What files say, changed by an owner's configuration."""
    members = object_of(given)
    servers = object_of(members.get("mcpServers") or members.get("servers"))
    if servers:
        members = object_of(next(iter(servers.values())))
    if not members:
        return base
    own = launch_of_client("configuration", members)
    start = base or Launch("configuration")
    changes: dict[str, Any] = {"source": "configuration"}
    for name in ("command", "args", "image", "url", "headers"):
        if value := getattr(own, name):
            changes[name] = value
    if own.url or members.get("transport") or members.get("type"):
        changes["transport"] = own.transport
    if own.command and "args" not in changes:
        changes["args"] = []
    if "env" in members:
        changes["env"] = _merged(start.env, members["env"])
    if "language" in members:
        changes["language"] = text_of(members["language"])
    return replace(start, **changes)


def _merged(known: Sequence[Variable], env: Any) -> list[Variable]:
    """The files' variables; the owner's values are their defaults, those of secret ones are not told."""
    values = object_of(env)
    found = {variable.name: variable for variable in known}
    for name, value in list(values.items())[:200]:
        variable = found.get(name) or Variable(text_of(name, 255))
        found[variable.name] = variable if variable.secret else replace(variable, default=text_of(value))
    return list(found.values())
