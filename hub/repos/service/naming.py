"""Names, texts and former paths: the rules that making, renaming and bringing back a repository share."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from hub.accounts.models import Namespace
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import find_namespace
from hub.base.errors import Conflict, Invalid, NotFound, NotSignedIn
from hub.base.names import fold_name, validate_name
from hub.base.texts import is_storable
from hub.db.uow import UnitOfWork
from hub.repos.kinds import get_kind
from hub.repos.models import Repository, RepositoryRedirect
from hub.repos.searching import search_text

# Source: CSGHub contract, section 1.8; the nickname's limit is the column's.
MAX_CHARS = {"description": 1000, "license": 100, "nickname": 64}


def check_repository_name(name: str) -> str:
    """The name itself. Raises Invalid (``REPO-ERR-1``). Source of the rules: CSGHub contract, section 1.8."""
    try:
        return validate_name(name, what="repository name")
    except Invalid as error:
        raise Invalid(str(error), code="REPO-ERR-1") from None


def find_name_fault(work: UnitOfWork, *, actor: Actor, kind: str, namespace: str, name: str) -> str:
    """Why the actor cannot give a new repository this name; "": nothing stands against it.

    Raises NotFound (``REPO-ERR-2``), NotSignedIn, Denied: of others' namespaces nothing is told.
    """
    owner = get_namespace_for_new(work, actor=actor, namespace=namespace)
    try:
        check_repository_name(name)
    except Invalid as error:
        return str(error)
    taken = select(Repository.id).where(
        Repository.kind == kind, Repository.namespace_id == owner.id, Repository.name_key == fold_name(name)
    )
    if work.session.scalar(taken.where(Repository.deleted_at.is_(None)).limit(1)) is not None:
        return f"There is already a {kind} named {owner.path}/{name}."
    return ""


def get_namespace_for_new(work: UnitOfWork, *, actor: Actor, namespace: str) -> Namespace:
    """The namespace, when the actor may put a new repository into it.

    Raises NotFound (``REPO-ERR-2``), NotSignedIn or Denied.
    """
    if actor.is_anonymous:
        raise NotSignedIn("Sign in, or send an access token, to create a repository.")
    owner = find_namespace(work, namespace)
    if owner is None:
        raise NotFound(f"There is no user or organization {namespace[:80]!r}.", code="REPO-ERR-2")
    require(work, actor, Action.NAMESPACE_CREATE, owner, what="namespace")
    return owner


def check_texts(**texts: str | None) -> None:
    """Return when every given text (``nickname``, ``description``, ``license``) fits; None is no text.

    Raises Invalid (``REQ-ERR-6``).
    """
    for name, text in texts.items():
        if text is None:
            continue
        if len(text) > MAX_CHARS[name]:
            raise Invalid(f"'{name}' is longer than {MAX_CHARS[name]} characters.", code="REQ-ERR-6", member=name)
        if not is_storable(text) or (name != "description" and not text.isprintable()):
            raise Invalid(f"'{name}' holds a character that cannot be shown.", code="REQ-ERR-6", member=name)


def note_search_text(row: Repository) -> None:
    """Bring up to date what lists search; to be called whenever the path, nickname or description changed."""
    row.search_text = search_text(row.path, row.nickname, row.description)


def flush_name(work: UnitOfWork, row: Repository) -> None:
    """Write the row. Raises Conflict (the kind's ``taken_code``) when another repository of the kind has its path.

    The unique index decides, so of two that ask at once one is refused.
    """
    kind, path = row.kind, row.path
    try:
        work.session.flush()
    except IntegrityError as error:
        code = get_kind(work.context, kind).taken_code
        raise Conflict(f"There is already a {kind} named {path!r}.", code=code) from error


def drop_redirect(work: UnitOfWork, *, kind: str, path: str) -> None:
    """Forget that another repository used to have this path: whoever has it now wins."""
    work.session.execute(
        delete(RepositoryRedirect).where(
            RepositoryRedirect.kind == kind, RepositoryRedirect.path_key == fold_name(path)
        )
    )
