"""REST of merging pull requests: what stands before it, the merge, and what comes after. The contract has no routes."""

from __future__ import annotations

from typing import Any

from hub.api import pull_schemas as schemas
from hub.api.envelope import ok
from hub.api.pulls import PULL, pull_answer
from hub.community.service import mergeability, merging
from hub.community.service.mergeability import Mergeability, Settings
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("merges", __name__, url_prefix=PREFIX, description="Merging pull requests")


@blp.at(f"{PULL}/mergeability")
@blp.response(200, schemas.MergeabilityEnvelope)
def show_mergeability(address: Address, pull_number: int) -> dict[str, Any]:
    """What a merge takes, one thing after the other, with what has passed; the ways to merge; and the conflicts."""
    found = mergeability.read_mergeability(
        current_context(), actor=current_actor(), repository=address.get(), number=pull_number
    )
    return ok(_mergeability_view(found))


def _mergeability_view(found: Mergeability) -> dict[str, Any]:
    return {
        "state": found.state,
        "base": found.base,
        "head": found.head,
        "is_behind": found.is_behind,
        "default_method": found.settings.default_method.value,
        "methods": [
            {"name": one.method.value, "is_possible": one.is_possible, "reason": one.reason} for one in found.methods
        ],
        "checks": [{"name": one.name, "passed": one.passed, "reason": one.reason} for one in found.checks],
        "conflicts": [{"path": one.path, "kind": one.kind.value} for one in found.conflicts],
        "commands": list(found.commands),
    }


@blp.at(f"{PULL}/merge", method="POST")
@blp.arguments(schemas.MergeBody)
@blp.response(200, schemas.PullEnvelope)
def merge_pull(body: dict[str, Any], address: Address, pull_number: int) -> dict[str, Any]:
    """Bring a pull request into its base; 409 where both sides changed the same files, with their names."""
    pull = merging.merge_pull(
        current_context(), actor=current_actor(), repository_id=address.get().id, number=pull_number, **body
    )
    return ok(pull_answer(pull))


@blp.at(f"{PULL}/revert", method="POST")
@blp.arguments(schemas.RevertBody)
@blp.response(200, schemas.PullEnvelope)
def revert_pull(body: dict[str, Any], address: Address, pull_number: int) -> dict[str, Any]:
    """Open a pull request that takes back what a merged one brought; 409 where later commits stand against it."""
    pull = merging.revert_pull(
        current_context(), actor=current_actor(), repository_id=address.get().id, number=pull_number, **body
    )
    return ok(pull_answer(pull))


@blp.at(f"{PULL}/update_branch", method="POST")
@blp.arguments(schemas.UpdateBranchBody)
@blp.response(200, schemas.PullEnvelope)
def update_branch(body: dict[str, Any], address: Address, pull_number: int) -> dict[str, Any]:
    """Bring what the base has besides into an open pull request: for its author, and who may write to its source."""
    pull = merging.update_pull_branch(
        current_context(), actor=current_actor(), repository_id=address.get().id, number=pull_number, **body
    )
    return ok(pull_answer(pull))


def _settings_view(settings: Settings) -> dict[str, Any]:
    return {
        "methods": [method.value for method in settings.methods],
        "default_method": settings.default_method.value,
        "delete_source": settings.delete_source,
    }


@blp.at("/merge_settings")
@blp.response(200, schemas.MergeSettingsEnvelope)
def show_merge_settings(address: Address) -> dict[str, Any]:
    """By which methods the pull requests of a repository may be merged."""
    with reading(current_context()) as work:
        repository_id = address.load(work).id
        return ok(_settings_view(mergeability.get_settings(work, actor=current_actor(), repository_id=repository_id)))


@blp.at("/merge_settings", method="PUT")
@blp.arguments(schemas.MergeSettingsBody)
@blp.response(200, schemas.MergeSettingsEnvelope)
def change_merge_settings(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Change what is said of that; members that are absent stay."""
    with unit_of_work(current_context()) as work:
        settings = mergeability.set_settings(work, actor=current_actor(), repository_id=address.load(work).id, **body)
        return ok(_settings_view(settings))
