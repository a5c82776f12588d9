"""Skills by the names that agents' clients know them by, and publishing by one call. Contract: CSGHub, section 4.10.

A slug is ``namespace--name``: no name has two hyphens in a row, so it means one repository only. A bare name means the
caller's own skill, else the only one of that name that the caller may read; where there are several, none of them: a
newcomer must not take the place of what somebody has installed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from hub.accounts.models import Namespace
from hub.accounts.policy import Action, Actor, can
from hub.assets.records import skills
from hub.assets.records.semver import check_version
from hub.assets.records.skill_form import MAX_SKILL_BYTES, SKILL_PATH, Skill, missing_skill, parse_skill
from hub.assets.records.skills import KIND, Published
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.names import fold_name, normalise_path
from hub.base.offload import offload
from hub.db.uow import UnitOfWork, reading
from hub.repos.attributes import ATTRIBUTES_PATH
from hub.repos.entries import read_snapshot
from hub.repos.files import FileEdit, commit_files
from hub.repos.lookup import find_repository, get_readable, is_live, may_read
from hub.repos.models import Repository
from hub.repos.rows import Shown
from hub.repos.searching import matches
from hub.repos.service import create_repository

SEPARATOR = "--"
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,140}\Z")
# Stays where a new version does not bring it.
_KEPT = frozenset({"README.md", ATTRIBUTES_PATH})


def slug_of(repository: Shown) -> str:
    """The slug of a skill."""
    return f"{repository.namespace.path}{SEPARATOR}{repository.name}"


def split_slug(slug: str) -> tuple[str, str]:
    """The namespace, "" for none, and the name. Raises Invalid (``REQ-ERR-6``)."""
    if not _SLUG.match(slug) or ".." in slug:
        raise Invalid(f"{slug[:80]!r} is no slug, such as ada{SEPARATOR}weather.", code="REQ-ERR-6", member="slug")
    namespace, separator, name = slug.partition(SEPARATOR)
    return (namespace, name) if separator else ("", slug)


def get_skill(work: UnitOfWork, *, actor: Actor, slug: str) -> Repository:
    """The skill that a slug means, when the actor may read it.

    Raises NotFound (``SKILL-ERR-0``), Conflict (``SKILL-ERR-4``, with ``slugs``) for a bare name that several have,
    Invalid.
    """
    namespace, name = split_slug(slug)
    if namespace:
        try:
            return get_readable(work, actor=actor, kind=KIND, path=f"{namespace}/{name}")
        except NotFound:
            raise _not_found(slug) from None
    own = find_repository(work, KIND, actor.name, name) if actor.user_id is not None else None
    if own is not None:
        return get_readable(work, actor=actor, repository_id=own.id)
    found = work.session.scalars(
        select(Repository)
        .join(Repository.namespace)
        .options(contains_eager(Repository.namespace))
        # The words first: they are indexed.
        .where(*matches(name), Repository.name_key == fold_name(name), Repository.kind == KIND)
        .where(is_live(), may_read(actor))
        .order_by(Namespace.path_key)
        .limit(10)
    ).all()
    if not found:
        raise _not_found(slug)
    if len(found) > 1:
        slugs = [slug_of(repository) for repository in found]
        raise Conflict(
            f"Several skills are called {slug!r}; say which: {', '.join(slugs)}.", code="SKILL-ERR-4", slugs=slugs
        )
    return found[0]


def _not_found(slug: str) -> NotFound:
    return NotFound(f"There is no skill {slug[:80]!r}, or you may not see it.", code="SKILL-ERR-0")


def publish_files(
    context: Context,
    *,
    actor: Actor,
    slug: str,
    version: str,
    files: Mapping[str, bytes | Path],
    display_name: str = "",
    changelog: str = "",
    license: str = "",
    private: bool = False,
) -> Published:
    """A new version of a skill that holds exactly these files, in a commit of its own on the default branch.

    slug: a bare name is in the actor's own namespace. A skill that is not there is made, with this visibility. files:
    path to content. May be repeated when it was cut off. Raises as ``create_repository``, ``commit_files`` and
    ``publish_version``.
    """
    namespace, name = split_slug(slug)
    namespace = namespace or actor.name
    if not files:
        raise Invalid("A version needs files, one of them SKILL.md.", code="REQ-ERR-4", member="files")
    edits = [FileEdit(normalise_path(path), content=content) for path, content in files.items()]
    number = check_version(version)
    about = next((edit.content for edit in edits if edit.path == SKILL_PATH), None)
    skills.require_valid(missing_skill() if about is None else offload(_parse, about))
    with reading(context) as work:
        found = find_repository(work, KIND, namespace, name) if namespace else None
        # One that the actor may not see is answered like one that is not there: may they make it?
        if found is not None and not can(work, actor, Action.REPOSITORY_READ, found):
            found = None
        if found is not None:
            skills.require_new_version(work, found.id, number)
    repository = found or create_repository(
        context, actor=actor, namespace=namespace, name=name, kind=KIND, private=private, nickname=display_name[:64]
    )
    there = read_snapshot(context, repository, revision=repository.default_branch)
    kept = {edit.path for edit in edits} | _KEPT
    edits += [FileEdit(path, "delete") for path in there.paths or () if path not in kept]
    result = commit_files(
        context,
        actor=actor,
        repository_id=repository.id,
        message=changelog.strip() or f"Version {number}",
        edits=edits,
        branch=repository.default_branch,
        parent=there.commit.id,
        via="api",
    )
    return skills.publish_version(
        context,
        actor=actor,
        repository_id=repository.id,
        version=number,
        changelog=changelog,
        license=license,
        revision=result.commit_id,
    )


def _parse(content: bytes | Path) -> Skill:
    if isinstance(content, bytes):
        return parse_skill(content)
    with content.open("rb") as file:
        return parse_skill(file.read(MAX_SKILL_BYTES + 1))
