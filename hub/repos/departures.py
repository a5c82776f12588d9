"""What becomes of the repositories of an account that goes or gets another name."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, literal, select, update

from hub.accounts.models import Namespace, Organization
from hub.accounts.policy import Actor
from hub.accounts.service.departures import DEPARTURES, ORGANIZATION_DEPARTURES, Departure
from hub.accounts.service.renaming import RENAMES
from hub.base.context import Context
from hub.base.errors import Conflict
from hub.base.events import publish
from hub.base.names import fold_name
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.repos import own_data
from hub.repos.events import RepositoryMoved
from hub.repos.lookup import is_live
from hub.repos.models import Repository, RepositoryRedirect, RepositoryState
from hub.repos.service.removal import delete_repositories_of_account

# More would keep all other writers waiting for too long.
MAX_REPOSITORIES = 1000


def install(context: Context) -> None:
    """Take part in the departures and renames of accounts; done once, by ``build_context``."""
    context[DEPARTURES].add("repos.repositories", take_repositories)
    context[ORGANIZATION_DEPARTURES].add("repos.repositories", refuse_repositories)
    context[RENAMES].add("repos.repositories", move_repositories)
    own_data.install(context)


def take_repositories(work: UnitOfWork, departure: Departure) -> None:
    """Delete the repositories of the account, each as if it were deleted alone: it can be brought back for a while.

    Raises Conflict: ``user_has_repositories`` when there are some that are not to go, or more than 1,000, or one that
    is being made at this moment; and what a plugin's check of deletions refuses with.
    """
    here = Repository.namespace_id == departure.user.namespace_id
    being_made = Repository.state == RepositoryState.CREATING
    repositories = work.session.scalars(
        select(Repository).where(here, is_live()).order_by(Repository.id).limit(MAX_REPOSITORIES + 1)
    ).all()
    if not departure.with_repositories and repositories:
        raise _refusal("The account still has repositories; delete or transfer them, or say that they are to go, too.")
    _refuse_too_many(len(repositories))
    if work.session.scalar(select(func.count()).select_from(Repository).where(here, being_made)):
        raise _refusal("A repository of the account is being made at this moment; try again in a few minutes.")
    delete_repositories_of_account(work, actor=departure.actor, repositories=repositories)


def _refuse_too_many(count: int) -> None:
    if count > MAX_REPOSITORIES:
        raise _refusal(f"The account has more than {MAX_REPOSITORIES} repositories; delete or transfer some first.")


def _refusal(message: str) -> Conflict:
    return Conflict(message, code="user_has_repositories")


def refuse_repositories(work: UnitOfWork, organization: Organization, _actor: Actor) -> None:
    """An organisation goes without repositories only. Raises Conflict (``organization_not_empty``)."""
    held = select(Repository.id).where(Repository.namespace_id == organization.namespace_id).limit(1)
    if work.session.scalar(held) is not None:
        raise Conflict(
            "The organisation still holds repositories (deleted ones count while they can be brought back).",
            code="organization_not_empty",
        )


def move_repositories(work: UnitOfWork, namespace: Namespace, old_path: str, actor: Actor) -> None:
    """Let the former addresses of a renamed namespace's repositories lead to them.

    Of deleted ones that can be brought back nobody hears; they are brought back at the new address.
    Raises Conflict (``user_has_repositories``) for more than 1,000.
    """
    old_key, new_key = fold_name(old_path), namespace.path_key
    here = Repository.namespace_id == namespace.id
    # Whole rows: who tells of the events looks each of them up, and finds it read already.
    repositories = work.session.scalars(
        select(Repository).where(here, is_live()).order_by(Repository.id).limit(MAX_REPOSITORIES + 1)
    ).all()
    _refuse_too_many(len(repositories))
    if old_key != new_key:
        _forget_redirects(work, repositories, (old_key, new_key))
        redirects = [
            {
                "kind": one.kind,
                "path_key": f"{old_key}/{one.name_key}",
                "repository_id": one.id,
                "created_at": work.now(),
            }
            for one in repositories
        ]
        insert_new(work.session, RepositoryRedirect, redirects)
        # What lists search begins with the path.
        rest = func.substr(Repository.search_text, len(old_key) + 1)
        begins = Repository.search_text.startswith(f"{old_key}/", autoescape=True)
        statement = update(Repository).where(here, begins)
        moved = statement.values(search_text=literal(new_key) + rest)
        work.session.execute(moved.execution_options(synchronize_session=False))
    moves = [
        RepositoryMoved(one.id, actor.user_id, f"{old_path}/{one.name}", one.path, namespace.id, namespace.id)
        for one in repositories
    ]
    publish(work, *moves)


def _forget_redirects(work: UnitOfWork, repositories: Sequence[Repository], keys: tuple[str, str]) -> None:
    """Forget that others used to have the addresses that these repositories have, or had until now."""
    names: dict[str, list[str]] = {}
    for repository in repositories:
        names.setdefault(repository.kind, []).extend(f"{key}/{repository.name_key}" for key in keys)
    for kind, paths in names.items():
        statement = delete(RepositoryRedirect).where(
            RepositoryRedirect.kind == kind, RepositoryRedirect.path_key.in_(paths)
        )
        work.session.execute(statement.execution_options(synchronize_session=False))
