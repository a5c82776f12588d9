"""REST of branches, tags and protected branches. Contract: CSGHub, section 4.2; what it lacks is ours."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from hub.api import schemas
from hub.api.envelope import enveloped, ok
from hub.api.views import branch_view, tag_view
from hub.base.offload import offload
from hub.db.uow import reading, unit_of_work
from hub.git.repository import get_branch, get_tag, list_branches, list_tags
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos import branches, deleted_branches, reverts
from hub.repos.models import ProtectedBranch
from hub.repos.service import repository_path

blp = RepositoryBlueprint("branches", __name__, url_prefix=PREFIX, description="Branches, tags and their rules")

# The list of branches is not paged (section 1.5), so it ends somewhere.
MAX_BRANCHES = 5000


@blp.at("/branches")
@blp.response(200, enveloped(schemas.BranchSchema, many=True))
def show_branches(address: Address) -> dict[str, Any]:
    """All branches by name, with their full names."""
    path = repository_path(current_context().settings, address.get())
    page = offload(list_branches, path, limit=MAX_BRANCHES)
    return ok([branch_view(branch) for branch in page.items])


@blp.at("/branches", method="POST")
@blp.arguments(schemas.NewRefBody)
@blp.response(200, enveloped(schemas.BranchSchema))
def create_branch(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Make a branch."""
    context, repository = current_context(), address.get()
    branches.create_branch(context, actor=current_actor(), repository_id=repository.id, **body)
    return ok(branch_view(offload(get_branch, repository_path(context.settings, repository), body["name"])))


@blp.at("/branches/<path:branch>", method="PUT")
@blp.arguments(schemas.RenameBranchBody)
@blp.response(200, enveloped(schemas.BranchSchema))
def rename_branch(body: dict[str, Any], address: Address, branch: str) -> dict[str, Any]:
    """Rename a branch; whoever administers the repository may rename the default one, which stays the default."""
    context, repository = current_context(), address.get()
    branches.rename_branch(
        context, actor=current_actor(), repository_id=repository.id, name=branch, new_name=body["name"]
    )
    return ok(branch_view(offload(get_branch, repository_path(context.settings, repository), body["name"])))


@blp.at("/branches/<path:branch>", method="DELETE")
@blp.response(200, enveloped())
def delete_branch(address: Address, branch: str) -> dict[str, Any]:
    """Remove a branch; never the default one."""
    repository = address.get()
    branches.delete_branch(current_context(), actor=current_actor(), repository_id=repository.id, name=branch)
    return ok()


@blp.at("/deleted_branches")
@blp.arguments(schemas.PageQuery, location="query")
@blp.response(200, enveloped(schemas.DeletedBranchSchema, many=True))
def show_deleted_branches(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The branches that were deleted in the last 30 days, by pushes, too, and can be brought back; the last first."""
    with reading(current_context()) as work:
        repository = address.load(work)
        found = deleted_branches.list_deleted(
            work, actor=current_actor(), repository_id=repository.id, page=page_args()
        )
    return ok([asdict(branch) for branch in found.items], total=found.total)


@blp.at("/deleted_branches/<uuid:uuid>", method="POST")
@blp.arguments(schemas.RestoreBranchBody)
@blp.response(200, enveloped(schemas.BranchSchema))
def restore_branch(body: dict[str, Any], address: Address, uuid: UUID) -> dict[str, Any]:
    """Bring a deleted branch back, as it was."""
    context, repository = current_context(), address.get()
    name = deleted_branches.restore_branch(
        context, actor=current_actor(), repository_id=repository.id, uuid=str(uuid), name=body["name"]
    )
    return ok(branch_view(offload(get_branch, repository_path(context.settings, repository), name)))


@blp.at("/reverts", method="POST")
@blp.arguments(schemas.CarriedCommitBody)
@blp.response(200, enveloped(schemas.CarriedCommitSchema))
def revert_commit(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Make a branch with the commit that takes one back. What later commits changed, too, is 409 (``merge_conflict``).

    Of a merge it takes back all that the merge brought.
    """
    made = reverts.revert_commit(current_context(), actor=current_actor(), repository_id=address.get().id, **body)
    return ok(asdict(made))


@blp.at("/cherry_picks", method="POST")
@blp.arguments(schemas.CarriedCommitBody)
@blp.response(200, enveloped(schemas.CarriedCommitSchema))
def pick_commit(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Make a branch, beginning at another one, with the commit that does there what one did where it is."""
    made = reverts.pick_commit(current_context(), actor=current_actor(), repository_id=address.get().id, **body)
    return ok(asdict(made))


@blp.at("/git_tags")
@blp.arguments(schemas.PageQuery, location="query")
@blp.response(200, enveloped(schemas.GitTagSchema, many=True))
def show_tags(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """Git's tags, a page of them (``/tags`` is for labels)."""
    path, page = repository_path(current_context().settings, address.get()), page_args()
    tags = offload(list_tags, path, offset=page.offset, limit=page.per)
    return ok([tag_view(tag) for tag in tags.items], total=tags.total)


@blp.at("/git_tags", method="POST")
@blp.arguments(schemas.NewTagBody)
@blp.response(200, enveloped(schemas.GitTagSchema))
def create_tag(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Make a tag; with a message it is an annotated one."""
    context, repository = current_context(), address.get()
    branches.create_tag(context, actor=current_actor(), repository_id=repository.id, **body)
    return ok(tag_view(offload(get_tag, repository_path(context.settings, repository), body["name"])))


@blp.at("/git_tags/<path:tag>", method="DELETE")
@blp.response(200, enveloped())
def delete_tag(address: Address, tag: str) -> dict[str, Any]:
    """Remove a tag."""
    repository = address.get()
    branches.delete_tag(current_context(), actor=current_actor(), repository_id=repository.id, name=tag)
    return ok()


def _rule_view(rule: ProtectedBranch) -> dict[str, Any]:
    return {
        "pattern": rule.pattern,
        "push_role": rule.push_role.value,
        "allow_force_push": rule.allow_force_push,
        "allow_deletion": rule.allow_deletion,
        "require_pull": rule.require_pull,
        "allow_admins": rule.allow_admins,
        "required_approvals": rule.required_approvals,
        "dismiss_stale": rule.dismiss_stale,
        "require_resolved": rule.require_resolved,
        "created_at": rule.created_at,
    }


@blp.at("/protected_branches")
@blp.response(200, enveloped(schemas.ProtectedBranchSchema, many=True))
def list_protected_branches(address: Address) -> dict[str, Any]:
    """The rules for branches whose name matches a pattern; the longest pattern that matches counts."""
    with reading(current_context()) as work:
        repository = address.load(work)
        rules = branches.list_protected_branches(work, actor=current_actor(), repository_id=repository.id)
    return ok([_rule_view(rule) for rule in rules], total=len(rules))


@blp.at("/protected_branches/<path:pattern>", method="PUT")
@blp.arguments(schemas.ProtectedBranchBody)
@blp.response(200, enveloped(schemas.ProtectedBranchSchema))
def set_protected_branch(body: dict[str, Any], address: Address, pattern: str) -> dict[str, Any]:
    """Make or change the rule of a pattern, in which ``*`` and ``?`` stand for other characters."""
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        rule = branches.set_protected_branch(
            work, actor=current_actor(), repository_id=repository.id, pattern=pattern, **body
        )
    return ok(_rule_view(rule))


@blp.at("/protected_branches/<path:pattern>", method="DELETE")
@blp.response(200, enveloped())
def remove_protected_branch(address: Address, pattern: str) -> dict[str, Any]:
    """Remove the rule of a pattern."""
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        branches.remove_protected_branch(work, actor=current_actor(), repository_id=repository.id, pattern=pattern)
    return ok()
