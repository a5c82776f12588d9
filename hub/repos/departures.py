"""What becomes of the repositories of an account that goes or gets another name."""

from __future__ import annotations

from sqlalchemy import delete, func, literal, select, update

from hub.accounts.models import Namespace
from hub.accounts.policy import Actor
from hub.accounts.service.departures import DEPARTURES, Departure
from hub.accounts.service.renaming import RENAMES
from hub.base.context import Context
from hub.base.errors import Conflict
from hub.base.events import publish
from hub.base.names import fold_name
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.repos.events import RepositoryMoved
from hub.repos.lookup import is_live
from hub.repos.models import Repository, RepositoryRedirect, RepositoryState
from hub.repos.service.removal import delete_repository

# More would keep all other writers waiting for too long.
MAX_REPOSITORIES = 1000


def install(context: Context) -> None:
    """Take part in the departures and renames of accounts; done once, by ``build_context``."""
    context[DEPARTURES].add("repos.repositories", take_repositories)
    context[RENAMES].add("repos.repositories", move_repositories)


def take_repositories(work: UnitOfWork, departure: Departure) -> None:
    """Delete the repositories of the account, each as if it were deleted alone: it can be brought back for a while.

    Raises Conflict: ``user_has_repositories`` when there are some that are not to go, or more than 1,000, or one that
    is being made at this moment; and what a plugin's check of deletions refuses with.
    """
    here = Repository.namespace_id == departure.user.namespace_id
    being_made = Repository.state == RepositoryState.CREATING
    ids = work.session.scalars(
        select(Repository.id).where(here, is_live()).order_by(Repository.id).limit(MAX_REPOSITORIES + 1)
    ).all()
    if not departure.with_repositories and ids:
        raise _refusal("The account still has repositories; delete or transfer them, or say that they are to go, too.")
    if len(ids) > MAX_REPOSITORIES:
        raise _refusal(f"The account has more than {MAX_REPOSITORIES} repositories; delete or transfer some first.")
    if work.session.scalar(select(func.count()).select_from(Repository).where(here, being_made)):
        raise _refusal("A repository of the account is being made at this moment; try again in a few minutes.")
    for repository_id in ids:
        delete_repository(work, actor=departure.actor, repository_id=repository_id)


def _refusal(message: str) -> Conflict:
    return Conflict(message, code="user_has_repositories")


def move_repositories(work: UnitOfWork, namespace: Namespace, old_path: str, actor: Actor) -> None:
    """Let the former addresses of a renamed namespace's repositories lead to them.

    Of deleted ones that can be brought back nobody hears; they are brought back at the new address.
    """
    old_key, new_key = fold_name(old_path), namespace.path_key
    here = Repository.namespace_id == namespace.id
    if old_key != new_key:
        for key in (old_key, new_key):
            _forget_redirects(work, namespace, key)
        rows = work.session.execute(select(Repository.id, Repository.kind, Repository.name_key).where(here, is_live()))
        redirects = [
            {"kind": kind, "path_key": f"{old_key}/{name_key}", "repository_id": id, "created_at": work.now()}
            for id, kind, name_key in rows
        ]
        insert_new(work.session, RepositoryRedirect, redirects)
        # What lists search begins with the path.
        rest = func.substr(Repository.search_text, len(old_key) + 1)
        begins = Repository.search_text.startswith(f"{old_key}/", autoescape=True)
        statement = update(Repository).where(here, begins)
        moved = statement.values(search_text=literal(new_key) + rest)
        work.session.execute(moved.execution_options(synchronize_session=False))
    for id, name in work.session.execute(select(Repository.id, Repository.name).where(here, is_live())):
        publish(work, RepositoryMoved(id, actor.user_id, f"{old_path}/{name}", f"{namespace.path}/{name}"))


def _forget_redirects(work: UnitOfWork, namespace: Namespace, key: str) -> None:
    """Forget that others used to have the addresses that this namespace's repositories have, or had until now."""
    clash = select(Repository.id).where(
        Repository.namespace_id == namespace.id,
        Repository.kind == RepositoryRedirect.kind,
        RepositoryRedirect.path_key == literal(f"{key}/") + Repository.name_key,
        is_live(),
    )
    statement = delete(RepositoryRedirect).where(clash.exists())
    work.session.execute(statement.execution_options(synchronize_session=False))
