"""Skills: what one says at any revision, its published versions, and lists over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import contains_eager, joinedload

from hub.accounts.policy import Action, Actor
from hub.assets.models_records import SkillRecord, SkillVersion
from hub.assets.records.reach import holds_words, tells_content
from hub.assets.records.semver import check_version, is_prerelease, sort_key
from hub.assets.records.skill_form import MAX_SKILL_BYTES, SKILL_PATH, Skill, missing_skill, parse_skill
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound, Unprocessable
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.base.paging import Page, PageArgs
from hub.base.texts import is_storable
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.repository import find_revision
from hub.repos.archives import archive_commit
from hub.repos.branches import create_tag
from hub.repos.contents import read_file, resolve
from hub.repos.gates import check_content
from hub.repos.lookup import get_for, repository_path
from hub.repos.models import Repository
from hub.repos.rows import Shown

log = get_logger(__name__)

KIND = "skill"
MAX_VERSIONS = 1000
MAX_SHOWN_VERSIONS = 20
MAX_CATEGORIES = 200
MAX_CHANGELOG_CHARS = 16 * 1024
MAX_LICENSE_CHARS = 100


def read_skill(context: Context, repository: Shown, *, actor: Actor, revision: str = "") -> tuple[str, Skill]:
    """The commit that a revision names ("": the default branch), and what its ``SKILL.md`` says.

    Without the file, a skill with the problem that there is none. Raises NotFound (``revision_not_found``),
    NotSignedIn or Denied (``gated_repository``).
    """
    check_content(context, actor, repository)
    commit_id = resolve(context, repository, revision)
    try:
        read = read_file(
            context, repository, actor=actor, path=SKILL_PATH, revision=commit_id, limit_bytes=MAX_SKILL_BYTES + 1
        )
    except (NotFound, Invalid):
        return commit_id, missing_skill()
    return commit_id, offload(parse_skill, read.blob.data, directory=repository.name.lower())


@dataclass(frozen=True)
class Published:
    """A version that was published, and the skill it is of."""

    repository_id: int
    version: SkillVersion


def publish_version(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    version: str,
    changelog: str = "",
    license: str = "",
    revision: str = "",
) -> Published:
    """Bind a version number to a commit ("": of the default branch), for ever: a tag ``v1.2.3`` keeps the commit.

    license: "" for what ``SKILL.md`` says, or the repository. May be repeated after a crash: the tag is there then.
    Raises Invalid (``REQ-ERR-6``), Unprocessable (``SKILL-ERR-2``, with ``problems``) for a skill that breaks the
    rules, Conflict (``SKILL-ERR-6``) when the version is there, NotFound, NotSignedIn, Denied, and what a push raises.
    """
    with reading(context) as work:
        repository = get_skill_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
        number = check_version(version)
        _check_texts(changelog, license)
        require_new_version(work, repository.id, number)
    commit_id, skill = read_skill(context, repository, actor=actor, revision=revision)
    require_valid(skill)
    _tag(context, actor, repository, f"v{number}", commit_id, changelog)
    row = SkillVersion(
        repository_id=repository.id,
        version=number,
        sort_key=sort_key(number),
        commit_id=commit_id,
        changelog=changelog,
        license=license or skill.license[:MAX_LICENSE_CHARS] or repository.license,
        created_by_id=actor.user_id,
    )
    try:
        with unit_of_work(context) as work:
            row.created_at = work.now()
            work.session.add(row)
    except IntegrityError:
        raise _exists(number) from None
    log.info("skill_published", repository_id=repository.id, version=number, actor_id=actor.user_id)
    return Published(repository.id, row)


def get_skill_for(work: UnitOfWork, *, actor: Actor, action: Action, repository_id: int) -> Repository:
    """As ``get_for``, of a skill only."""
    repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
    if repository.kind != KIND:
        raise NotFound("This is no skill.", code="repository_not_found")
    return repository


def _check_texts(changelog: str, license: str) -> None:
    for name, text, most in (("changelog", changelog, MAX_CHANGELOG_CHARS), ("license", license, MAX_LICENSE_CHARS)):
        if len(text) > most or not is_storable(text):
            raise Invalid(f"'{name}' must be a text of at most {most} characters.", code="REQ-ERR-6", member=name)


def require_valid(skill: Skill) -> None:
    """Return when a skill keeps to the rules. Raises Unprocessable (``SKILL-ERR-2``), with ``problems``."""
    if not skill.is_valid:
        problems = [problem for problem in skill.problems if not problem.is_warning]
        told = " ".join(f"Line {each.line}: {each.message}" if each.line else each.message for each in problems)
        raise Unprocessable(
            f"This skill cannot be published. {told}",
            code="SKILL-ERR-2",
            problems=[{"line": each.line, "member": each.member, "message": each.message} for each in problems],
        )


def require_new_version(work: UnitOfWork, repository_id: int, version: str) -> None:
    """Return when a skill may have this version. Raises Conflict (``SKILL-ERR-6``)."""
    of_it = SkillVersion.repository_id == repository_id
    if work.session.scalar(select(SkillVersion.id).where(of_it, SkillVersion.version == version)) is not None:
        raise _exists(version)
    if (work.session.scalar(select(func.count()).where(of_it)) or 0) >= MAX_VERSIONS:
        raise Conflict(f"A skill has at most {MAX_VERSIONS} versions.", code="SKILL-ERR-6")


def _exists(version: str) -> Conflict:
    return Conflict(f"Version {version} is there already; a version never changes.", code="SKILL-ERR-6")


def _tag(context: Context, actor: Actor, repository: Repository, name: str, commit_id: str, message: str) -> None:
    path = repository_path(context.settings, repository)
    try:
        create_tag(
            context,
            actor=actor,
            repository_id=repository.id,
            name=name,
            revision=commit_id,
            message=message or f"Version {name[1:]}",
        )
    except Conflict as error:
        if error.code != "tag_exists":
            raise
        if offload(find_revision, path, f"refs/tags/{name}") != commit_id:
            raise Conflict(
                f"There is a tag {name!r} already, at another commit; a version stands where its tag does.",
                code="SKILL-ERR-6",
            ) from None


# Versions.


def list_versions(work: UnitOfWork, *, repository: Shown, page: PageArgs) -> Page[SkillVersion]:
    """The versions of a skill that the actor may read, the highest first. Two queries at most."""
    query = select(SkillVersion).where(SkillVersion.repository_id == repository.id)
    in_order = query.options(joinedload(SkillVersion.created_by)).order_by(
        SkillVersion.sort_key.desc(), SkillVersion.id.desc()
    )
    rows = work.session.scalars(in_order.offset(page.offset).limit(page.per)).all()
    total, is_estimate = total_of(work, query.with_only_columns(SkillVersion.id), page, len(rows))
    return Page(rows, total, is_estimate)


def versions_of(work: UnitOfWork, repository_ids: Sequence[int]) -> dict[int, list[SkillVersion]]:
    """For each of the skills that has some, its ``MAX_SHOWN_VERSIONS`` highest versions. One query at most."""
    if not repository_ids:
        return {}
    place = func.row_number().over(
        partition_by=SkillVersion.repository_id, order_by=(SkillVersion.sort_key.desc(), SkillVersion.id.desc())
    )
    ranked = (
        select(SkillVersion.id, place.label("place")).where(SkillVersion.repository_id.in_(repository_ids)).subquery()
    )
    query = (
        select(SkillVersion)
        .join(ranked, ranked.c.id == SkillVersion.id)
        .where(ranked.c.place <= MAX_SHOWN_VERSIONS)
        .order_by(SkillVersion.sort_key.desc(), SkillVersion.id.desc())
    )
    found: dict[int, list[SkillVersion]] = {}
    for row in work.session.scalars(query):
        found.setdefault(row.repository_id, []).append(row)
    return found


def latest_of(versions: Sequence[SkillVersion]) -> SkillVersion | None:
    """The highest release among versions in their order, or without one the highest of all; None: there is none."""
    releases = (version for version in versions if not is_prerelease(version.version))
    return next(releases, versions[0] if versions else None)


def find_latest(work: UnitOfWork, repository_id: int) -> SkillVersion | None:
    """The latest version of one skill."""
    return latest_of(versions_of(work, [repository_id]).get(repository_id, []))


def find_version(work: UnitOfWork, repository_id: int, version: str) -> SkillVersion | None:
    """A version of a skill, or None."""
    number = version.removeprefix("v")
    if not is_storable(number):
        return None
    is_it = (SkillVersion.repository_id == repository_id, SkillVersion.version == number)
    query = select(SkillVersion).options(joinedload(SkillVersion.created_by)).where(*is_it)
    found: SkillVersion | None = work.session.scalar(query)
    return found


def get_version(work: UnitOfWork, *, repository: Repository, version: str) -> SkillVersion:
    """A version of a skill that the actor may read; "" or "latest": the latest one. Raises NotFound."""
    is_latest = version in ("", "latest")
    found = find_latest(work, repository.id) if is_latest else find_version(work, repository.id, version)
    if found is None:
        raise NotFound(f"This skill has no version {version[:64]!r}.", code="SKILL-ERR-1")
    return found


def open_version(
    context: Context, repository: Repository, *, actor: Actor, version: str = ""
) -> tuple[SkillVersion, Iterator[bytes]]:
    """A version and its files as a ZIP, in pieces, content in LFS included.

    Raises NotFound (``SKILL-ERR-1``; ``SKILL-ERR-3`` when its commit is gone), NotSignedIn or Denied
    (``gated_repository``).
    """
    check_content(context, actor, repository)
    with reading(context) as work:
        found = get_version(work, repository=repository, version=version)
    path = repository_path(context.settings, repository)
    if offload(find_revision, path, found.commit_id) is None:
        raise NotFound("The commit of this version is no longer there.", code="SKILL-ERR-3")
    return found, archive_commit(context, repository, actor=actor, commit_id=found.commit_id, format="zip")


# Lists over all skills.


@dataclass(frozen=True)
class ListedSkill:
    """A skill in a list over repositories; latest: its latest version, if it has one."""

    record: SkillRecord
    repository: Repository
    latest: SkillVersion | None


SORTS: Mapping[str, Any] = {
    "recently_update": SkillRecord.updated_at.desc(),
    "most_favorite": Repository.like_count.desc(),
    "most_download": Repository.download_count.desc(),
}


def list_skills(
    work: UnitOfWork,
    *,
    actor: Actor,
    search: str = "",
    category: str = "",
    sort: str = "recently_update",
    only_published: bool = False,
    page: PageArgs | None = None,
) -> Page[ListedSkill]:
    """The skills that have a ``SKILL.md`` and whose content the actor gets. Four queries at most.

    search: words that must all be in the name, the description or the path.
    only_published: those that have a version. Raises Invalid (``REQ-ERR-6``).
    """
    if sort not in SORTS:
        raise Invalid(f"'sort' must be one of {', '.join(SORTS)}.", code="REQ-ERR-6", query="sort", allowed=list(SORTS))
    page = page or PageArgs()
    in_both = zip(
        holds_words(SkillRecord.search_text, search), holds_words(Repository.search_text, search), strict=True
    )
    where: list[ColumnElement[bool]] = [
        tells_content(actor),
        Repository.kind == KIND,
        *(or_(in_record, in_repository) for in_record, in_repository in in_both),
    ]
    if category:
        where.append(SkillRecord.category == category.strip().lower())
    if only_published:
        where.append(select(SkillVersion.id).where(SkillVersion.repository_id == Repository.id).exists())
    query = (
        select(SkillRecord, Repository)
        .join(Repository, Repository.id == SkillRecord.repository_id)
        .join(Repository.namespace)
        .options(contains_eager(Repository.namespace))
        .where(*where)
    )
    rows = work.session.execute(
        query.order_by(SORTS[sort], Repository.id.desc()).offset(page.offset).limit(page.per)
    ).all()
    total, is_estimate = total_of(work, query.with_only_columns(SkillRecord.repository_id), page, len(rows))
    versions = versions_of(work, [repository.id for _record, repository in rows])
    items = [ListedSkill(record, repository, latest_of(versions.get(repository.id, []))) for record, repository in rows]
    return Page(items, total, is_estimate)


def list_categories(work: UnitOfWork, *, actor: Actor) -> list[tuple[str, int]]:
    """The ``MAX_CATEGORIES`` largest categories of the skills that ``list_skills`` tells of, with their numbers.

    One query.
    """
    count = func.count()
    query = (
        select(SkillRecord.category, count)
        .join(Repository, Repository.id == SkillRecord.repository_id)
        .where(tells_content(actor), Repository.kind == KIND, SkillRecord.category != "")
        .group_by(SkillRecord.category)
        .order_by(count.desc(), SkillRecord.category)
        .limit(MAX_CATEGORIES)
    )
    return [(category, number) for category, number in work.session.execute(query)]


def find_record(work: UnitOfWork, repository_id: int) -> SkillRecord | None:
    """What the indexer has read of a skill; None: nothing yet."""
    return work.session.get(SkillRecord, repository_id)
