"""What people send from a browser is looked at before it becomes a commit: by vetters, which other rooms register.

Pushes are not vetted so: what they bring is looked through afterwards, and Git's own hooks are for who pushes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hub.accounts.policy import Action, Actor
from hub.base.context import Context, Key
from hub.base.registry import Registry
from hub.db.uow import reading
from hub.repos.lookup import get_for
from hub.repos.models import Repository

if TYPE_CHECKING:
    from hub.repos.files import FileEdit

# Raises a HubError for what it refuses.
Vetter = Callable[[Context, Repository, "Sequence[FileEdit]"], None]
VETTERS: Key[Registry[Vetter]] = Key("repos.vetters")
# The name by which ``hub.assets`` looks for secrets.
SECRETS = "secrets"


def vet_edits(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    edits: Sequence[FileEdit],
    action: Action = Action.REPOSITORY_WRITE,
    leaves_out: frozenset[str] = frozenset(),
) -> None:
    """Have the edits looked at by all vetters but those that are left out, which is for who administers the repository.

    action: by which right the edits are made. Raises NotFound, NotSignedIn, Denied, and what a vetter refuses with.
    """
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
        if leaves_out:
            get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    for entry in context[VETTERS].entries():
        if entry.name not in leaves_out:
            entry.value(context, repository, edits)
