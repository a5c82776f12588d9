"""Whether a repository has issues, and pull requests, at all: who administers it switches either off.

Then no new ones are opened and closed ones stay closed; what is there can be read and brought to its end.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from hub.accounts.policy import Action, Actor
from hub.base.errors import Denied
from hub.base.log import get_logger
from hub.community.models_people import DiscussionSettings
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.repos.lookup import get_for, get_readable

log = get_logger(__name__)


@dataclass(frozen=True)
class Switches:
    """What a repository has."""

    issues: bool = True
    pulls: bool = True


def find_switches(work: UnitOfWork, repository_id: int) -> Switches:
    """What a repository has, whoever asks. One query."""
    columns = (DiscussionSettings.has_issues, DiscussionSettings.has_pulls)
    found = work.session.execute(select(*columns).where(DiscussionSettings.repository_id == repository_id)).first()
    return Switches(*found) if found else Switches()


def get_switches(work: UnitOfWork, *, actor: Actor, repository_id: int) -> Switches:
    """The same for one who may read the repository. Raises NotFound."""
    return find_switches(work, get_readable(work, actor=actor, repository_id=repository_id).id)


def set_switches(
    work: UnitOfWork, *, actor: Actor, repository_id: int, issues: bool | None = None, pulls: bool | None = None
) -> Switches:
    """Switch issues or pull requests on or off; None: as they are. For those who administer the repository.

    Raises NotFound, NotSignedIn, Denied.
    """
    get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    values = {column: wanted for column, wanted in (("has_issues", issues), ("has_pulls", pulls)) if wanted is not None}
    if values:
        keep_settings(work, repository_id)
        row = update(DiscussionSettings).where(DiscussionSettings.repository_id == repository_id)
        work.session.execute(row.values(**values).execution_options(synchronize_session=False))
        log.info("discussions_switched", repository_id=repository_id, actor_id=actor.user_id, **values)
    return find_switches(work, repository_id)


def keep_settings(work: UnitOfWork, repository_id: int) -> None:
    """See to it that the repository has a row of settings."""
    insert_new(work.session, DiscussionSettings, [{"repository_id": repository_id}])


def require_on(work: UnitOfWork, repository_id: int, *, is_pull_request: bool) -> None:
    """Return when new ones may be opened. Raises Denied (``issues_disabled``, ``pull_requests_disabled``)."""
    switches = find_switches(work, repository_id)
    if is_pull_request and not switches.pulls:
        raise Denied("This repository takes no pull requests.", code="pull_requests_disabled")
    if not is_pull_request and not switches.issues:
        raise Denied("Discussions are switched off for this repository.", code="issues_disabled")
