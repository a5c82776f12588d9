"""What is read from the files of MCP servers, in the forms that their makers publish."""

import json

import pytest

from hub.assets.records.mcp_form import MAX_FILE_BYTES, MAX_PROBLEMS, parse_server

# After the example of the MCP registry's schema of 2025-09-29.
SERVER = {
    "$schema": "https://static.modelcontextprotocol.io/schemas/2025-09-29/server.schema.json",
    "name": "io.github.ada/weather",
    "title": "Weather",
    "description": "Weather for agents",
    "version": "1.2.0",
    "packages": [
        {
            "registryType": "pypi",
            "identifier": "weather-mcp",
            "version": "1.2.0",
            "transport": {"type": "stdio"},
            "packageArguments": [{"type": "named", "name": "--units", "value": "si"}],
            "environmentVariables": [
                {"name": "WEATHER_KEY", "description": "A key", "isRequired": True, "isSecret": True, "default": "x"},
                {"name": "WEATHER_MODE", "default": "fast", "choices": ["fast", "slow"]},
            ],
        },
        {
            "registry_type": "oci",
            "identifier": "registry.example/weather",
            "version": "1.2.0",
            "runtime_hint": "docker",
        },
    ],
    "remotes": [{"type": "streamable-http", "url": "https://mcp.example/mcp", "headers": [{"name": "X-Key"}]}],
}
# After the example of the manifest of desktop extensions, version 0.1.
MANIFEST = {
    "dxt_version": "0.1",
    "name": "weather",
    "display_name": "The weather",
    "version": "1.0.0",
    "description": "d",
    "author": {"name": "Ada"},
    "server": {
        "type": "node",
        "entry_point": "server/index.js",
        "mcp_config": {
            "command": "node",
            "args": ["${__dirname}/server/index.js"],
            "env": {"KEY": "${user_config.api_key}", "MODE": "fast"},
        },
    },
    "tools": [{"name": "forecast", "description": "Says the weather"}],
    "prompts": [{"name": "packing", "description": "What to pack", "arguments": ["city"], "text": "Pack for ${city}"}],
    "user_config": {"api_key": {"type": "string", "title": "Key", "required": True, "sensitive": True, "default": "s"}},
}
TOOLS = {
    "tools": [{"name": "forecast", "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}}}}],
    "resources": [{"uri": "weather://now", "name": "now", "mimeType": "text/plain"}],
    "resourceTemplates": [{"uriTemplate": "weather://{city}", "name": "city"}],
}


def files(**given):
    names = {"server": "server.json", "manifest": "manifest.json", "tools": "tools.json", "mcp": "mcp.json"}
    return {names[name]: json.dumps(value).encode() for name, value in given.items()}


def test_a_registry_file_tells_its_packages_and_remotes():
    server = parse_server(files(server=SERVER))
    assert (server.title, server.version, server.problems) == ("Weather", "1.2.0", [])
    package, image, remote = server.options
    assert (package.command, package.args) == ("uvx", ["weather-mcp==1.2.0", "--units=si"])
    key, mode = package.env
    assert (key.required, key.secret, key.default) == (True, True, "")
    assert (mode.default, mode.choices) == ("fast", ["fast", "slow"])
    assert (image.image, image.command) == ("registry.example/weather:1.2.0", "docker")
    assert (remote.transport, remote.url, remote.headers[0].name) == (
        "streamable-http",
        "https://mcp.example/mcp",
        "X-Key",
    )


def test_a_manifest_and_a_list_of_tools_tell_what_the_server_offers():
    server = parse_server(files(manifest=MANIFEST, tools=TOOLS))
    assert server.options[0].args == ["${__dirname}/server/index.js"]
    key, mode = server.options[0].env
    assert (key.name, key.description, key.required, key.secret, key.default) == ("KEY", "Key", True, True, "")
    assert (mode.name, mode.default) == ("MODE", "fast")
    forecast = server.properties["tool", "forecast"]
    assert (forecast.description, json.loads(forecast.schema)["type"]) == ("Says the weather", "object")
    assert json.loads(server.properties["prompt", "packing"].schema) == {"arguments": ["city"]}
    assert {kind for kind, _name in server.properties} == {"tool", "prompt", "resource", "resource_template"}


def test_a_clients_file_gives_no_values_away():
    config = {"mcpServers": {"w": {"command": "npx", "args": ["-y", "w"], "env": {"KEY": "my-own-secret"}}}}
    server = parse_server(files(mcp=config))
    assert server.options[0].env[0].name == "KEY"
    assert "my-own-secret" not in repr(server)


def test_hostile_files_are_told_and_the_others_read():
    deep = b"[" * 200_000
    server = parse_server(
        {
            "manifest.json": b'{"server": {"mcp_config": {"command": 7, "args": "x", "env": []}}, "tools": {"a": 1}}',
            "server.json": b'{"packages": ' + deep,
            "mcp.json": b" " * (MAX_FILE_BYTES + 1),
            "tools.json": json.dumps(
                [{"name": "\ud800\0a", "inputSchema": {"x": float("nan")}}, {"name": 3}, None]
                + [{"name": f"t{at}", "inputSchema": {"x": "y" * 70_000 if at == 0 else 1}} for at in range(3000)]
            ).encode(),
            "pyproject.toml": b"project = 7",
            "package.json": b"\xff\xfe",
        }
    )
    assert len(server.properties) == 1000
    assert ("tool", "?a") in server.properties
    assert server.properties["tool", "t0"].schema == "{}"
    assert {problem.partition(":")[0] for problem in server.problems} == {
        *("server.json", "mcp.json", "tools.json", "package.json")
    }
    assert len(server.problems) <= MAX_PROBLEMS
    nothing = parse_server({"server.json": b"[]", "tools.json": b"7", "mcp.json": b"null"})
    assert (nothing.options, dict(nothing.properties)) == ([], {})


@pytest.mark.parametrize(
    "data", [b"a" + b".a" * 5_000 + b" = 1", b"x = {a" + b".a" * 5_000 + b" = 1}", b"[a]\n" * 20_000]
)
def test_a_project_file_whose_names_would_take_hours_is_not_read(data):
    server = parse_server({"pyproject.toml": data, "package.json": b'{"name": "n", "main": "m.js"}'})
    assert [problem.partition(":")[0] for problem in server.problems] == ["pyproject.toml"]
    assert (server.title, server.sources) == ("n", ["package.json"])
