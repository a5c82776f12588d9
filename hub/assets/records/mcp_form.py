"""What the files of an MCP server's repository declare. They are read, never run.

Sources of the forms: the MCP registry's ``server.json`` (camel case, and snake case before September 2025); the
desktop extension's ``manifest.json`` (dxt, mcpb); clients' ``mcp.json``; ``mcp_space_conf.json`` of the CSGHub contract
(gateways and billing, section 2); the answers of ``tools/list`` and its like, kept in ``tools.json``.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.base.texts import is_storable

# The files that are looked at, the ones whose word counts first before the others.
FILES = (
    *("mcp_space_conf.json", "manifest.json", "server.json", "mcp.json", ".mcp.json", "tools.json"),
    *("pyproject.toml", "package.json", "Dockerfile"),
)
MAX_FILE_BYTES = 1024 * 1024
# TOML's reader takes time and memory by the square of a key's parts: a megabyte of "a.a.a" would take hours.
MAX_TOML_BYTES = 64 * 1024
MAX_KEY_DOTS = 200
MAX_PROPERTIES = 1000
MAX_VARIABLES = 200
MAX_OPTIONS = 20
MAX_ITEMS = 100
MAX_SCHEMA_CHARS = 64 * 1024
MAX_DESCRIPTION_CHARS = 8 * 1024
MAX_TEXT_CHARS = 1000
MAX_PROBLEMS = 50
TRANSPORTS = ("stdio", "streamable-http", "sse")
KINDS = ("tool", "prompt", "resource", "resource_template")

Members = Mapping[str, Any]


@dataclass(frozen=True)
class Variable:
    """An environment variable, or a header of a remote server. A secret one has no default."""

    name: str
    description: str = ""
    required: bool = False
    secret: bool = False
    default: str = ""
    choices: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True)
class Launch:
    """One way to have the server: a command, an image, or the address where somebody runs it.

    source: the file that says so. language: "python", "node", "binary" ...; empty: not said.
    """

    source: str
    transport: str = "stdio"
    command: str = ""
    args: Sequence[str] = field(default_factory=list)
    image: str = ""
    url: str = ""
    language: str = ""
    env: Sequence[Variable] = field(default_factory=list)
    headers: Sequence[Variable] = field(default_factory=list)


@dataclass(frozen=True)
class Property:
    """A tool, prompt, resource or template of resources. schema: JSON."""

    kind: str
    name: str
    description: str = ""
    schema: str = "{}"


@dataclass
class Server:
    """All that the files say. commands: ``install_deps_cmds`` and its like. problems: what could not be read."""

    title: str = ""
    description: str = ""
    version: str = ""
    options: list[Launch] = field(default_factory=list)
    properties: dict[tuple[str, str], Property] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def complain(self, source: str, problem: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"{source}: {problem}")

    def name(self, title: Any, description: Any, version: Any) -> None:
        """Keep what nothing before has said."""
        self.title = self.title or text_of(title, 255)
        self.description = self.description or text_of(description, MAX_DESCRIPTION_CHARS)
        self.version = self.version or text_of(version, 255)

    def offer(self, launch: Launch) -> None:
        if len(self.options) < MAX_OPTIONS:
            self.options.append(launch)


def parse_server(files: Mapping[str, bytes]) -> Server:
    """What these files, name to content, declare. What cannot be read is told in ``problems``."""
    server = Server()
    for source in FILES:
        if source not in files:
            continue
        data = files[source]
        if source == "Dockerfile":
            server.sources.append(source)
            server.offer(Launch(source, image="Dockerfile"))
            continue
        members = _load(server, source, data)
        if members is None:
            continue
        server.sources.append(source)
        if isinstance(members, list) and source == "tools.json":
            members = {"tools": members}
        if not isinstance(members, dict):
            server.complain(source, "This is no object.")
            continue
        _READERS[source](server, source, members)
    return server


def _load(server: Server, source: str, data: bytes) -> Any:
    is_toml = source.endswith(".toml")
    most = MAX_TOML_BYTES if is_toml else MAX_FILE_BYTES
    if len(data) > most:
        server.complain(source, f"The file is larger than {most} bytes.")
        return None
    # Before each "=" of a line a name may stand, in tables within tables, too.
    if is_toml and any(piece.count(b".") > MAX_KEY_DOTS for piece in data.replace(b"\n", b"=").split(b"=")):
        server.complain(source, f"A line has what looks like a name of more than {MAX_KEY_DOTS} parts.")
        return None
    try:
        text = data.decode("utf-8-sig")
        return tomllib.loads(text) if is_toml else json.loads(text)
    except RecursionError:
        server.complain(source, "It is nested too deep.")
    except ValueError as error:
        server.complain(source, f"It cannot be read ({str(error)[:200]}).")
    return None


# Plain values out of what anybody may have written.


def text_of(value: Any, most: int = MAX_TEXT_CHARS) -> str:
    """A text, number or truth value as a text of so many characters; empty for anything else."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str):
        return ""
    text: str = value[:most]
    return text if is_storable(text) else text.replace("\0", "").encode(errors="replace").decode()


def object_of(value: Any) -> Members:
    """An object; none for anything else."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any, most: int = MAX_ITEMS) -> list[Any]:
    """The first items of a list; none for anything else."""
    return value[:most] if isinstance(value, list) else []


def _objects(value: Any, most: int = MAX_ITEMS) -> Iterator[Members]:
    yield from (item for item in list_of(value, most) if isinstance(item, dict))


def _get(members: Members, name: str) -> Any:
    """A member by its name in camel case, or in the snake case of older files."""
    if name in members:
        return members[name]
    return members.get("".join(f"_{char.lower()}" if char.isupper() else char for char in name))


def _transport(value: Any, default: str = "stdio") -> str:
    said = text_of(value).lower().replace("_", "-")
    said = {"http": "streamable-http", "streamablehttp": "streamable-http"}.get(said, said)
    return said if said in TRANSPORTS else default


def _variable(members: Members) -> Variable | None:
    name = text_of(members.get("name"), 255)
    if not name:
        return None
    is_secret = bool(_get(members, "isSecret"))
    default = text_of(members.get("default") if members.get("default") is not None else members.get("value"))
    return Variable(
        name,
        description=text_of(members.get("description")),
        required=bool(_get(members, "isRequired")),
        secret=is_secret,
        default="" if is_secret else default,
        choices=[text_of(choice) for choice in list_of(members.get("choices"))],
    )


def _variables(value: Any) -> list[Variable]:
    found = (_variable(members) for members in _objects(value, MAX_VARIABLES))
    return list({variable.name: variable for variable in found if variable is not None}.values())


def _plain_variables(value: Any) -> list[Variable]:
    """Of a client's file: names to values. What stands there is somebody's own, so it is no default."""
    names = [text_of(name, 255) for name in list(object_of(value))[:MAX_VARIABLES]]
    return [Variable(name, required=True) for name in names if name]


# The files.


def _read_server_json(server: Server, source: str, members: Members) -> None:
    server.name(members.get("title") or members.get("name"), members.get("description"), members.get("version"))
    for package in _objects(members.get("packages")):
        server.offer(_package(source, package))
    for remote in _objects(members.get("remotes")):
        transport = _transport(remote.get("type") or _get(remote, "transportType"), "streamable-http")
        server.offer(
            Launch(source, transport, url=text_of(remote.get("url")), headers=_variables(remote.get("headers")))
        )
    _read_properties(server, source, members)


_HINTS = {"npm": ("npx", "node"), "pypi": ("uvx", "python"), "oci": ("docker", ""), "docker": ("docker", "")}


def _package(source: str, package: Members) -> Launch:
    registry = text_of(_get(package, "registryType") or _get(package, "registryName")).lower()
    identifier, version = text_of(package.get("identifier") or package.get("name")), text_of(package.get("version"))
    command, language = _HINTS.get(registry, ("", ""))
    command = text_of(_get(package, "runtimeHint")) or command
    transport = object_of(package.get("transport"))
    env = _variables(_get(package, "environmentVariables"))
    before = _arguments(_get(package, "runtimeArguments"))
    after = _arguments(_get(package, "packageArguments"))
    image = ""
    if command == "docker":
        image = identifier if not version or ":" in identifier.rpartition("/")[2] else f"{identifier}:{version}"
        args = ["run", "-i", "--rm", *before, image, *after]
    else:
        separator = {"npx": "@", "uvx": "=="}.get(command, "@")
        args = [*before, f"{identifier}{separator}{version}" if version else identifier, *after]
    return Launch(
        source,
        _transport(transport.get("type")),
        command=command,
        args=args[:MAX_ITEMS],
        image=image,
        url=text_of(transport.get("url")),
        language=language,
        env=env,
        headers=_variables(transport.get("headers")),
    )


def _arguments(value: Any) -> list[str]:
    found: list[str] = []
    for argument in _objects(value):
        said = text_of(argument.get("value") if argument.get("value") is not None else argument.get("default"))
        said = said or (f"<{hint}>" if (hint := text_of(_get(argument, "valueHint"))) else "")
        if argument.get("type") == "named" and (name := text_of(argument.get("name"))):
            found.append(f"{name}={said}" if said else name)
        elif said:
            found.append(said)
    return found


def _read_manifest(server: Server, source: str, members: Members) -> None:
    if not isinstance(members.get("server"), dict):
        server.complain(source, "It has no 'server', so it is no manifest of an MCP server.")
        return
    title = members.get("display_name") or members.get("name")
    server.name(title, members.get("description"), members.get("version"))
    started = object_of(members["server"])
    config = object_of(started.get("mcp_config"))
    language = text_of(started.get("type"))
    command, args = text_of(config.get("command")), [text_of(item) for item in list_of(config.get("args"))]
    if not command and (entry := text_of(started.get("entry_point"))):
        command, args = {"node": "node", "python": "python"}.get(language, entry), [entry]
        args = [] if command == entry else args
    env = _configured_env(object_of(config.get("env")), object_of(members.get("user_config")))
    server.offer(Launch(source, command=command, args=args, language=language, env=env))
    _read_properties(server, source, members)


def _configured_env(env: Members, asked: Members) -> list[Variable]:
    """Variables of a manifest: ``${user_config.key}`` stands for what its user is asked for."""
    found = []
    for name in list(env)[:MAX_VARIABLES]:
        value, shown = text_of(env[name]), text_of(name, 255)
        key = value[len("${user_config.") : -1] if value.startswith("${user_config.") and value.endswith("}") else ""
        asking = object_of(asked.get(key)) if key else {}
        is_secret = bool(asking.get("sensitive"))
        found.append(
            Variable(
                shown,
                description=text_of(asking.get("description") or asking.get("title")),
                required=bool(asking.get("required")),
                secret=is_secret,
                default="" if is_secret else text_of(asking.get("default")) if key else value,
            )
        )
    return [variable for variable in found if variable.name]


def _read_client_file(server: Server, source: str, members: Members) -> None:
    servers = object_of(members.get("mcpServers") or members.get("servers"))
    if not servers and ("command" in members or "url" in members):
        servers = {"": members}
    for config in list(servers.values())[:MAX_OPTIONS]:
        if isinstance(config, dict):
            server.offer(launch_of_client(source, config))
    _read_properties(server, source, members)


def launch_of_client(source: str, config: Members) -> Launch:
    """How a client's file says that a server is started or reached."""
    url = text_of(config.get("url") or config.get("serverUrl"))
    transport = _transport(config.get("type") or config.get("transport"), "streamable-http" if url else "stdio")
    return Launch(
        source,
        transport,
        command=text_of(config.get("command")),
        args=[text_of(item) for item in list_of(config.get("args"))],
        image=text_of(config.get("image")),
        url=url,
        env=_plain_variables(config.get("env")),
        headers=_plain_variables(config.get("headers")),
    )


COMMANDS = ("install_deps_cmds", "build_cmds", "launch_cmds")


def _read_space_conf(server: Server, source: str, members: Members) -> None:
    for name in ("program_language", "run_mode", *COMMANDS):
        value = members.get(name) or (members.get("language") if name == "program_language" else None)
        said = (
            "\n".join(text_of(item) for item in list_of(value)) if isinstance(value, list) else text_of(value, 16_384)
        )
        if said:
            server.commands[name] = said


def _read_pyproject(server: Server, source: str, members: Members) -> None:
    project = object_of(members.get("project"))
    name = text_of(project.get("name"), 255)
    server.name(name, project.get("description"), project.get("version"))
    if scripts := list(object_of(project.get("scripts"))):
        args = ["--from", ".", text_of(scripts[0])]
        server.offer(Launch(source, command="uvx", args=args, language="python"))
    server.commands.setdefault("program_language", "python")


def _read_package(server: Server, source: str, members: Members) -> None:
    server.name(members.get("name"), members.get("description"), members.get("version"))
    programs = members.get("bin")
    entry = text_of(programs) or next((text_of(value) for value in object_of(programs).values()), "")
    if entry := entry or text_of(members.get("main")):
        server.offer(Launch(source, command="node", args=[entry], language="node"))
    server.commands.setdefault("program_language", "node")


# What the server offers.

_LISTS = (
    *(("tools", "tool"), ("prompts", "prompt"), ("resources", "resource")),
    *(("resourceTemplates", "resource_template"), ("resource_templates", "resource_template")),
)


def _read_properties(server: Server, source: str, members: Members) -> None:
    for name, kind in _LISTS:
        for item in list_of(members.get(name), MAX_PROPERTIES + 1):
            if len(server.properties) >= MAX_PROPERTIES:
                server.complain(source, f"More than {MAX_PROPERTIES} tools, prompts and resources are not read.")
                return
            _read_property(server, source, kind, item)


def _read_property(server: Server, source: str, kind: str, item: Any) -> None:
    members = {"name": item} if isinstance(item, str) else object_of(item)
    name = text_of(members.get("name") or members.get("uri") or members.get("uriTemplate"), 255).strip()
    if not name:
        server.complain(source, f"A {kind.replace('_', ' ')} has no name.")
        return
    schema = "{}"
    try:
        schema = json.dumps(_schema_of(kind, members), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        server.complain(source, f"The schema of {name[:80]!r} cannot be kept.")
    if len(schema) > MAX_SCHEMA_CHARS or not is_storable(schema):
        server.complain(source, f"The schema of {name[:80]!r} is too long, or holds what cannot be shown.")
        schema = "{}"
    description = text_of(members.get("description") or members.get("title"), MAX_DESCRIPTION_CHARS)
    found = Property(kind, name, description, schema)
    known = server.properties.get((kind, name))
    # A manifest names its tools; a list of tools may say more of them.
    if known is None or known.schema == "{}":
        server.properties[kind, name] = (
            found if found.description or known is None else Property(kind, name, known.description, schema)
        )


def _schema_of(kind: str, members: Members) -> Any:
    if kind == "tool":
        return _get(members, "inputSchema") or members.get("parameters") or {}
    if kind == "prompt":
        return {"arguments": list_of(members.get("arguments"))} if members.get("arguments") else {}
    names = ("uri", "uriTemplate", "mimeType")
    return {name: _get(members, name) for name in names if _get(members, name) is not None}


_READERS = {
    "mcp_space_conf.json": _read_space_conf,
    "manifest.json": _read_manifest,
    "server.json": _read_server_json,
    "mcp.json": _read_client_file,
    ".mcp.json": _read_client_file,
    "tools.json": _read_properties,
    "pyproject.toml": _read_pyproject,
    "package.json": _read_package,
}
