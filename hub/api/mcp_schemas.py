"""Queries and answers of the routes of MCP servers. Names and shapes: CSGHub contract, sections 4.3 and 5.3."""

from __future__ import annotations

from marshmallow import Schema, fields

from hub.api.repository_schemas import RepositoryLabelSchema
from hub.api.schemas import PageQuery, text
from hub.assets.records.mcp_form import KINDS, TRANSPORTS


class McpToolsQuery(PageQuery):
    search = text("words in the name or description")


class McpPropertiesQuery(McpToolsQuery):
    kind = text(f"{', '.join(KINDS)}; empty: all")


class McpPropertySchema(Schema):
    id = fields.Integer()
    mcp_server_id = fields.Integer()
    repository_id = fields.Integer()
    kind = fields.String(metadata={"description": ", ".join(KINDS)})
    name = fields.String()
    description = fields.String()
    schema = fields.String(metadata={"description": "JSON: of a tool, the JSON Schema of what it takes"})
    created_at = fields.DateTime()
    updated_at = fields.DateTime()
    repo_path = fields.String(metadata={"description": "namespace/name of its server"})
    tags = fields.List(fields.Nested(RepositoryLabelSchema))


class McpVariableSchema(Schema):
    name = fields.String()
    description = fields.String()
    required = fields.Boolean()
    secret = fields.Boolean()
    default = fields.String(metadata={"description": "none of a secret one"})
    choices = fields.List(fields.String())


class McpLaunchOptionSchema(Schema):
    source = fields.String(metadata={"description": "the file that says so; configuration: the owner"})
    transport = fields.String(metadata={"description": ", ".join(TRANSPORTS)})
    command = fields.String()
    args = fields.List(fields.String())
    image = fields.String(metadata={"description": "of a container; Dockerfile: built from the repository's"})
    url = fields.String(metadata={"description": "where somebody runs it already"})
    language = fields.String()
    env = fields.List(fields.Nested(McpVariableSchema))
    headers = fields.List(fields.Nested(McpVariableSchema))


class McpLaunchSchema(McpLaunchOptionSchema):
    """How the server would be started; members of the first kind are empty where nothing says how."""

    program_language = fields.String()
    run_mode = fields.String()
    install_deps_cmds = fields.String()
    build_cmds = fields.String()
    launch_cmds = fields.String()
    env_schema = fields.Dict(metadata={"description": "the variables as a JSON Schema; secret ones are write-only"})
    options = fields.List(fields.Nested(McpLaunchOptionSchema), metadata={"description": "all that the files say"})
    problems = fields.List(fields.String(), metadata={"description": "what of the files could not be read"})
    commit_id = fields.String(metadata={"description": "of the files; empty: not indexed yet"})
