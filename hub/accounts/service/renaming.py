"""A user's new name.

The namespace keeps its row, so all that is in it moves along. Rooms that keep paths take their step in the same
transaction (registry ``RENAMES``): the repositories' room lets the old addresses lead to the new ones. The old name is
free for others from then on; what they put at an old address wins over the redirect.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from hub.accounts.events import UserRenamed
from hub.accounts.models import Namespace, NamespaceKind, User
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service.namespaces import find_taken, refuse_reserved_path, refuse_taken_path
from hub.base.context import Key
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import fold_name, validate_namespace
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork

log = get_logger(__name__)

# ``step(work, namespace, old_path, actor)``: the namespace has its new path already; raises a HubError to refuse.
RenameStep = Callable[[UnitOfWork, Namespace, str, Actor], None]
RENAMES: Key[Registry[RenameStep]] = Key("accounts.renames")


def rename_user(work: UnitOfWork, *, actor: Actor, user: User, new_name: str) -> User:
    """Give the account and its namespace another name, be it in the spelling of case alone.

    Raises Invalid, NotSignedIn, Denied (needs a session, a password or a token of scope admin); Conflict:
    USER-ERR-12, USER-ERR-20 when the name is taken, and what a step refuses with.
    """
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    if new_name == user.name:
        return user
    validate_namespace(new_name)
    refuse_reserved_path(work, new_name)
    old_name, namespace = user.name, user.namespace
    # Nothing new comes into the namespace while it moves.
    work.session.execute(select(Namespace.id).where(Namespace.id == namespace.id).with_for_update())
    taken = find_taken(work, new_name)
    if taken is not None and taken.id != namespace.id:
        refuse_taken_path(taken, NamespaceKind.USER)
    try:
        with work.session.begin_nested():
            namespace.path, namespace.path_key = new_name, fold_name(new_name)
            user.name, user.updated_at = new_name, work.now()
    except IntegrityError:
        taken = find_taken(work, new_name)
        if taken is None:
            raise
        refuse_taken_path(taken, NamespaceKind.USER)
    for step in work.context[RENAMES].values():
        step(work, namespace, old_name, actor)
    publish(work, UserRenamed(user.id, old_name, new_name, actor.user_id))
    log.info("user_renamed", user_id=user.id, actor_id=actor.user_id)
    return user
