"""Members of the answers of some kinds that are read from their files. Source: CSGHub contract, section 5.3."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hub.api.model_members import model_members
from hub.assets.models_records import SkillVersion
from hub.assets.records.mcp import environment_schema, find_servers
from hub.assets.records.skills import latest_of, versions_of
from hub.db.uow import UnitOfWork
from hub.repos.rows import Shown


def record_members(work: UnitOfWork, repositories: Sequence[Shown]) -> dict[int, dict[str, Any]]:
    """For each repository that has some, by its id, its members. One query for each of the kinds that are there."""
    servers = [repository for repository in repositories if repository.kind == "mcpserver"]
    found: dict[int, dict[str, Any]] = model_members(work, repositories)
    if servers:
        records = find_servers(work, [repository.id for repository in servers])
        for repository in servers:
            record = records.get(repository.id)
            if record is not None:
                found[repository.id] = {
                    "tools_num": record.tools_num,
                    "prompts_num": record.prompts_num,
                    "resources_num": record.resources_num,
                    "transports": record.transports,
                }
                # It says what is in files, which is not everybody's where content is given on request.
                if not repository.gate and (schema := environment_schema(record)):
                    found[repository.id]["schema"] = json.dumps(schema, ensure_ascii=False)
    skilled = [repository.id for repository in repositories if repository.kind == "skill"]
    for repository_id, versions in versions_of(work, skilled).items():
        latest = latest_of(versions)
        found[repository_id] = {
            "latest_version": latest.version if latest else "",
            "versions": [version_view(version) for version in versions],
        }
    return found


def version_view(version: SkillVersion) -> dict[str, Any]:
    """A version as a skill's object lists it."""
    return {
        "version": version.version,
        "commit": version.commit_id,
        "changelog": version.changelog,
        "license": version.license,
        "created_at": version.created_at,
    }
