"""Prompts of all repositories in one list, as far as their viewer gets their content; and likes of single prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError

from hub.accounts.models import Namespace
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import get_own_user
from hub.assets.models_records import PromptLike, PromptRecord, PromptWord
from hub.assets.records.reach import holds_words, tells_content
from hub.base.errors import Invalid, NotFound
from hub.base.paging import Page, PageArgs
from hub.db.insert import insert_new
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork
from hub.repos.models import Repository

SORTS: Mapping[str, Any] = {
    "recently_update": PromptRecord.updated_at.desc(),
    "most_favorite": PromptRecord.like_count.desc(),
}


@dataclass(frozen=True)
class ListedPrompt:
    """A prompt in a list over repositories."""

    record: PromptRecord
    repository_path: str
    tags: Sequence[str] = field(default_factory=list)
    categories: Sequence[str] = field(default_factory=list)
    is_liked: bool = False


def list_prompts(
    work: UnitOfWork,
    *,
    actor: Actor,
    search: str = "",
    language: str = "",
    tag: str = "",
    category: str = "",
    type: str = "",
    repository_path: str = "",
    sort: str = "recently_update",
    page: PageArgs | None = None,
) -> Page[ListedPrompt]:
    """The prompts whose content the actor gets. The other arguments narrow it; "": all.

    search: words that must all be in the title, path, tags, categories or content, in any case. repository_path:
    ``namespace/name``. Five queries at most. Raises Invalid (``REQ-ERR-6``) for an unknown sort.
    """
    if sort not in SORTS:
        raise Invalid(f"'sort' must be one of {', '.join(SORTS)}.", code="REQ-ERR-6", query="sort", allowed=list(SORTS))
    page = page or PageArgs()
    where: list[ColumnElement[bool]] = [
        tells_content(actor),
        Repository.kind == "prompt",
        *holds_words(PromptRecord.search_text, search),
        *(_has_word(form, word) for form, word in (("tag", tag), ("category", category)) if word),
    ]
    if language:
        where.append(PromptRecord.language == language)
    if type:
        where.append(PromptRecord.type == type)
    if repository_path:
        namespace, _, name = repository_path.lower().partition("/")
        where += [Namespace.path_key == namespace, Repository.name_key == name]
    query = (
        select(PromptRecord, Namespace.path, Repository.name)
        .join(Repository, Repository.id == PromptRecord.repository_id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(*where)
    )
    in_order = query.order_by(SORTS[sort], PromptRecord.id.desc())
    rows = work.session.execute(in_order.offset(page.offset).limit(page.per)).all()
    total, is_estimate = total_of(work, query.with_only_columns(PromptRecord.id), page, len(rows))
    ids = [record.id for record, _namespace, _name in rows]
    words, liked = _words_of(work, ids), liked_prompts(work, actor=actor, ids=ids)
    return Page(
        [
            ListedPrompt(
                record,
                f"{namespace}/{name}",
                tags=words.get((record.id, "tag"), []),
                categories=words.get((record.id, "category"), []),
                is_liked=record.id in liked,
            )
            for record, namespace, name in rows
        ],
        total,
        is_estimate,
    )


def _has_word(form: str, word: str) -> ColumnElement[bool]:
    is_it = (PromptWord.form == form, PromptWord.word == word.strip().lower())
    return PromptRecord.id.in_(select(PromptWord.prompt_id).where(*is_it))


def _words_of(work: UnitOfWork, ids: Sequence[int]) -> dict[tuple[int, str], list[str]]:
    found: dict[tuple[int, str], list[str]] = {}
    if ids:
        columns = (PromptWord.prompt_id, PromptWord.form, PromptWord.word)
        query = select(*columns).where(PromptWord.prompt_id.in_(ids)).order_by(PromptWord.word)
        for id, form, word in work.session.execute(query):
            found.setdefault((id, form), []).append(word)
    return found


def liked_prompts(work: UnitOfWork, *, actor: Actor, ids: Sequence[int]) -> set[int]:
    """Those of the prompts that the actor likes. One query at most."""
    if actor.user_id is None or not ids:
        return set()
    query = select(PromptLike.prompt_id).where(PromptLike.user_id == actor.user_id, PromptLike.prompt_id.in_(ids))
    return set(work.session.scalars(query))


def find_records(work: UnitOfWork, *, repository_id: int, paths: Sequence[str]) -> dict[str, PromptRecord]:
    """The rows of a repository's prompts at these paths, by path. One query at most."""
    if not paths:
        return {}
    is_there = (PromptRecord.repository_id == repository_id, PromptRecord.path.in_(paths))
    return {record.path: record for record in work.session.scalars(select(PromptRecord).where(*is_there))}


def like_prompt(work: UnitOfWork, *, actor: Actor, repository: Repository, path: str) -> int:
    """Let the actor like a prompt of a repository that they may read; how many do now. Harmless when they do already.

    Raises NotSignedIn, NotFound (``prompt_not_found``): no such prompt on the default branch, or not read yet.
    """
    user_id, record = _get(work, actor, repository, path)
    row = {"user_id": user_id, "prompt_id": record.id, "created_at": work.now()}
    try:
        with work.savepoint():
            is_new = insert_new(work.session, PromptLike, [row]) > 0
    except IntegrityError:  # it went this very moment
        raise _not_found() from None
    return _count(work, record, 1) if is_new else record.like_count


def unlike_prompt(work: UnitOfWork, *, actor: Actor, repository: Repository, path: str) -> int:
    """Take a like back; how many like it still. Harmless where there is none. Raises as ``like_prompt``."""
    user_id, record = _get(work, actor, repository, path)
    mine = (PromptLike.user_id == user_id, PromptLike.prompt_id == record.id)
    result = work.session.execute(delete(PromptLike).where(*mine))
    assert isinstance(result, CursorResult)
    return _count(work, record, -1) if result.rowcount else record.like_count


def _get(work: UnitOfWork, actor: Actor, repository: Repository, path: str) -> tuple[int, PromptRecord]:
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    record = find_records(work, repository_id=repository.id, paths=[path]).get(path)
    if record is None:
        raise _not_found()
    return user.id, record


def _not_found() -> NotFound:
    return NotFound("There is no such prompt on the default branch, or it is not indexed yet.", code="prompt_not_found")


def _count(work: UnitOfWork, record: PromptRecord, change: int) -> int:
    change_it = update(PromptRecord).where(PromptRecord.id == record.id)
    work.session.execute(
        change_it.values(like_count=PromptRecord.like_count + change).execution_options(synchronize_session=False)
    )
    work.session.refresh(record)
    return record.like_count
