"""Names, texts and former paths: the rules that making, renaming and bringing back a repository share."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from hub.base.errors import Conflict, Invalid
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
