"""What the first pages of prompt libraries, skills and MCP servers show above their cards."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flask import request
from flask_babel import gettext

from hub.accounts.policy import Actor
from hub.assets.indexing import IndexStatus, find_status
from hub.assets.models_records import McpProperty
from hub.assets.records.mcp import find_servers
from hub.assets.records.mcp_form import Launch, Variable
from hub.assets.records.prompt_lists import SORTS, list_prompts
from hub.assets.records.skill_registry import slug_of
from hub.assets.records.skills import find_latest, list_versions, read_skill
from hub.base.context import Context
from hub.base.errors import HubError, NotFound
from hub.db.uow import reading
from hub.http.paging import page_args
from hub.web.markdown import LinkBase, render_document
from hub.web.prompts import COMMON_TAGS
from hub.web.repository import RepositoryPage
from hub.web.snippets import Snippet, Way

MAX_WORDS_CHARS = 200
VERSIONS = 10


def read_record(context: Context, repo: RepositoryPage, *, actor: Actor) -> dict[str, Any]:
    """The values of the block above the card, by the kind of repository; nothing for the other kinds."""
    read = _READERS.get(repo.kind.name)
    try:
        return {"record": read(context, repo, actor)} if read else {}
    except HubError:
        if not repo.shown.gate:
            raise
        return {}  # the page says that its content is given on request


# Prompts.


def prompt_sorts() -> dict[str, str]:
    """The orders of a list of prompts, each with its title."""
    return {"recently_update": gettext("Recently updated"), "most_favorite": gettext("Most likes")}


def read_prompt_filters() -> dict[str, Any]:
    """What the address asks of a list of prompts; an order that is none is the first."""
    asked = {name: request.args.get(name, "")[:MAX_WORDS_CHARS] for name in ("search", "language", "tag", "type")}
    sort = request.args.get("sort", "")
    return {**asked, "sort": sort if sort in SORTS else next(iter(SORTS))}


def _read_prompts(context: Context, repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    asked, args = read_prompt_filters(), page_args()
    with reading(context) as work:
        found = list_prompts(work, actor=actor, repository_path=repo.path, page=args, **asked)
    status = find_status(context, repo.shown, actor=actor)
    return {
        "found": found,
        "args": args,
        "asked": asked,
        "sorts": prompt_sorts(),
        "common_tags": COMMON_TAGS,
        "is_filtered": any(value for name, value in asked.items() if name != "sort"),
        "is_read": is_read_by(status, "prompts"),
    }


def is_read_by(status: IndexStatus, step: str) -> bool:
    """Whether a step has read what the default branch holds now, or has failed at it."""
    return all(each.state in ("done", "failed") for each in status.steps if each.name == step)


# Skills.


def _read_skill(context: Context, repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    args = page_args(default=VERSIONS)
    try:
        commit_id, skill = read_skill(context, repo.shown, actor=actor)
    except NotFound:  # nothing in it yet
        return {}
    with reading(context) as work:
        versions = list_versions(work, repository=repo.shown, page=args)
        latest = find_latest(work, repo.id)
    site = context.settings.effective_base_url
    base = LinkBase(repo.url(), repo.shown.default_branch, "")
    return {
        "skill": skill,
        "document": render_document(skill.body, base=base) if skill.body.strip() else None,
        "commit_id": commit_id,
        "versions": versions,
        "args": args,
        "latest": latest,
        "slug": slug_of(repo.shown),
        "registry": f"{site}/claw",
        "ways": ways_to_install(repo, site=site, is_published=latest is not None),
    }


def ways_to_install(repo: RepositoryPage, *, site: str, is_published: bool) -> list[Way]:
    """How an agent gets a skill: by the registry, as a ZIP, by Git. Each runs as printed."""
    name = shlex.quote(repo.shown.name)
    folder = shlex.quote(f".claude/skills/{repo.shown.name}")
    head = '-H "Authorization: Bearer YOUR_TOKEN" ' if repo.shown.is_private or repo.shown.gate else ""
    found = []
    if is_published:
        lines = [f"export CLAWHUB_REGISTRY={shlex.quote(f'{site}/claw')}"]
        lines.append(f"npx clawhub@latest install {shlex.quote(slug_of(repo.shown))}")
        found.append(
            Way("registry", gettext("Registry"), [Snippet("\n".join(lines), about=gettext("With ClawHub's client"))])
        )
        url = f"{site}{repo.api}/versions/latest/download"
        lines = [
            f"curl -fL {head}-o {name}.zip {shlex.quote(url)}",
            f"mkdir -p {folder}",
            f"unzip -o {name}.zip -d {folder}",
        ]
        about = gettext("The latest version, where agents look for skills")
        found.append(Way("zip", "ZIP", [Snippet("\n".join(lines), about=about)]))
    url = shlex.quote(repo.clone_urls[0])
    about = gettext("The newest state, also what is not published yet")
    found.append(Way("git", "Git", [Snippet(f"git clone {url} {folder}", about=about)]))
    return found


# MCP servers.


def _read_server(context: Context, repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    with reading(context) as work:
        server = find_servers(work, [repo.id]).get(repo.id)
    return {"server": server}


class Argument(NamedTuple):
    """A member of a tool's input, as a row of a table."""

    name: str
    type: str
    is_required: bool
    default: str
    description: str
    choices: Sequence[str]


MAX_ARGUMENTS = 200


def arguments_of(row: McpProperty) -> list[Argument]:
    """What a tool or prompt is given, read from its schema as far as that tells; hostile ones tell nothing."""
    schema = load_schema(row)
    if row.kind == "prompt":
        given = schema.get("arguments")
        items = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
        return [
            Argument(_text(item.get("name")), "", bool(item.get("required")), "", _text(item.get("description")), ())
            for item in items[:MAX_ARGUMENTS]
        ]
    members, required = schema.get("properties"), schema.get("required")
    if not isinstance(members, dict):
        return []
    wanted = required if isinstance(required, list) else []
    found = []
    for name, member in list(members.items())[:MAX_ARGUMENTS]:
        told: Mapping[str, Any] = member if isinstance(member, dict) else {}
        choices = told.get("enum")
        found.append(
            Argument(
                name,
                _type_of(told),
                name in wanted,
                _text(told["default"]) if "default" in told else "",
                _text(told.get("description") or told.get("title")),
                [_text(choice) for choice in choices[:50]] if isinstance(choices, list) else (),
            )
        )
    return found


def load_schema(row: McpProperty) -> dict[str, Any]:
    """The schema of a tool, prompt or resource; {} where it is none."""
    try:
        found = json.loads(row.schema or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _type_of(member: Mapping[str, Any]) -> str:
    said = member.get("type")
    if isinstance(said, list):
        return " | ".join(map(_text, said[:5]))
    items = member.get("items")
    if said == "array" and isinstance(items, dict) and isinstance(items.get("type"), str):
        return f"{items['type']}[]"
    if not said and (any_of := member.get("anyOf") or member.get("oneOf")) and isinstance(any_of, list):
        return " | ".join(_text(each.get("type")) for each in any_of[:5] if isinstance(each, dict))
    return _text(said)


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 2000 else f"{text[:2000]}…"


def client_configuration(name: str, launch: Launch) -> str:
    """What is put into the file of an MCP client to have the server; secret and required values are for its user."""
    if launch.url:
        kind = "sse" if launch.transport == "sse" else "http"
        server: dict[str, Any] = {"type": kind, "url": launch.url}
        if launch.headers:
            server["headers"] = {header.name: _value_of(header) for header in launch.headers}
    else:
        names = [variable.name for variable in launch.env if variable.required or variable.default or variable.secret]
        command, args = launch.command, list(launch.args)
        if not command and launch.image:
            command = "docker"
            args = ["run", "-i", "--rm", *(word for each in names for word in ("-e", each)), launch.image]
        server = {"command": command, "args": args}
        if names:
            server["env"] = {each.name: _value_of(each) for each in launch.env if each.name in names}
    return json.dumps({"mcpServers": {name: server}}, indent=2, ensure_ascii=False)


def _value_of(variable: Variable) -> str:
    return variable.default or f"<{variable.name}>"


_READERS = {"prompt": _read_prompts, "skill": _read_skill, "mcpserver": _read_server}
