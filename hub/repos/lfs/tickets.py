"""Signed transfers: an address that allows one method on one object of one repository, for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from hub.accounts.models import TokenScope, User
from hub.accounts.policy import ANONYMOUS, Action, Actor, require
from hub.accounts.service.deploytokens import find_bearer_by_id
from hub.base.context import Context
from hub.base.errors import Denied, Invalid, NotSignedIn
from hub.base.secrets import SECRET, Signer
from hub.db.uow import UnitOfWork
from hub.repos.kinds import get_kind
from hub.repos.models import Repository

# How long the answer to `git-lfs-authenticate` is good; git-lfs asks again by itself.
SSH_TOKEN_TTL_S = 1800
SSH_TOKEN_SCHEME = "RemoteAuth"  # noqa: S105 - the name of an authentication scheme


class TransferKind(StrEnum):
    """What a signed address is for; one made for another purpose does not pass."""

    DOWNLOAD = "download"
    UPLOAD = "upload"
    PART = "part"
    COMPLETE = "complete"
    VERIFY = "verify"


@dataclass(frozen=True)
class Transfer:
    """What one signed address allows, and in whose name.

    user_id: None for an anonymous reader, and for a deploy token, which token_id names. expires_at: seconds of the
    epoch. upload_id, object_key and part_number: of an upload in parts, else empty and 0.
    """

    kind: TransferKind
    repository_id: int
    oid: str
    size_bytes: int
    user_id: int | None
    expires_at: int
    upload_id: str = ""
    object_key: str = ""
    part_number: int = 0
    token_id: int | None = None

    @property
    def text(self) -> str:
        """What is signed: every member, one a line."""
        return "\n".join(
            str(value)
            for value in (
                *(self.kind, self.repository_id, self.oid, self.size_bytes, self.user_id or 0),
                *(self.expires_at, self.part_number, self.upload_id, self.object_key),
                *(() if self.token_id is None else (f"token {self.token_id}",)),
            )
        )


def sign_transfer(context: Context, transfer: Transfer) -> dict[str, str]:
    """The query parameters that carry a transfer, beyond what the address's path says (oid, size, part)."""
    query = {
        "repository": str(transfer.repository_id),
        "user": str(transfer.user_id or 0),
        "expiresAt": str(transfer.expires_at),
        "signature": _signer(context).sign(transfer.text),
    }
    more = {"objectKey": transfer.object_key, "uploadId": transfer.upload_id, "token": str(transfer.token_id or "")}
    return {**{name: value for name, value in more.items() if value}, **query}


def is_signed(query: Mapping[str, str]) -> bool:
    """Whether an address claims to be signed."""
    return "signature" in query


def read_transfer(
    context: Context,
    kind: TransferKind,
    query: Mapping[str, str],
    *,
    oid: str,
    size_bytes: int,
    part_number: int = 0,
) -> Transfer:
    """The transfer that an address allows. Raises Denied: ``url_invalid`` when edited, ``url_expired``."""
    try:
        transfer = Transfer(
            kind,
            _number(query, "repository"),
            oid,
            size_bytes,
            _number(query, "user") or None,
            _number(query, "expiresAt"),
            query.get("uploadId", ""),
            query.get("objectKey", ""),
            part_number,
            _number(query, "token") if "token" in query else None,
        )
    except ValueError:
        raise _edited() from None
    if not _signer(context).verify(transfer.text, query.get("signature", "")):
        raise _edited()
    if transfer.expires_at <= context.clock.now().timestamp():
        raise Denied("This transfer address has expired; ask for a new one.", code="url_expired")
    return transfer


def actor_of_transfer(work: UnitOfWork, transfer: Transfer) -> Actor:
    """Who asked for the address; rights are judged anew. Raises Denied (``url_invalid``) when they are gone."""
    if transfer.token_id is not None:
        bearer = find_bearer_by_id(work, transfer.token_id)
        if bearer is None:
            raise _gone()
        return bearer.actor
    if transfer.user_id is None:
        return ANONYMOUS
    user = _active_user(work, transfer.user_id)
    if user is None:
        raise _gone()
    return Actor.of_user(user, via="transfer")


def _gone() -> Denied:
    return Denied("This transfer address is no longer good; ask for a new one.", code="url_invalid")


class SSHAccess(NamedTuple):
    """The answer to ``git-lfs-authenticate``. Source: git-lfs, docs/api/server-discovery.md."""

    href: str
    header: dict[str, str]
    expires_in: int

    def as_json(self) -> dict[str, Any]:
        """The members as git-lfs reads them."""
        return self._asdict()


def issue_ssh_token(work: UnitOfWork, *, actor: Actor, repository: Repository, operation: str) -> SSHAccess:
    """What a client that came by SSH needs to speak LFS over HTTP: an address and a header, good for half an hour.

    operation: "download" or "upload". Raises NotFound, Denied, Invalid (another operation).
    """
    if operation not in ("download", "upload"):
        raise Invalid("The operation must be 'download' or 'upload'.", code="lfs_operation_invalid")
    action = Action.REPOSITORY_WRITE if operation == "upload" else Action.REPOSITORY_READ
    require(work, actor, action, repository)
    context = work.context
    expires_at = int(work.now().timestamp()) + SSH_TOKEN_TTL_S
    text = f"{actor.user_id or 0}.{repository.id}.{operation}.{expires_at}"
    token = f"{text}.{_ssh_signer(context).sign(text)}"
    address = f"{get_kind(context, repository.kind).collection}/{repository.path}.git/info/lfs"
    return SSHAccess(
        f"{context.settings.effective_base_url}/{address}",
        {"Authorization": f"{SSH_TOKEN_SCHEME} {token}"},
        SSH_TOKEN_TTL_S,
    )


def read_ssh_token(work: UnitOfWork, token: str) -> tuple[Actor, int]:
    """The actor of a token made by ``issue_ssh_token`` and the only repository it is for.

    Raises NotSignedIn, upon which git-lfs asks for a new one.
    """
    text, _, signature = token.rpartition(".")
    if not _ssh_signer(work.context).verify(text, signature):
        raise NotSignedIn("The credential in the Authorization header is not valid.")
    user_id, repository_id, operation, expires_at = text.split(".")
    user = _active_user(work, int(user_id))
    if user is None or int(expires_at) <= work.now().timestamp():
        raise NotSignedIn("The credential in the Authorization header has expired.")
    scope = TokenScope.WRITE if operation == "upload" else TokenScope.READ
    return Actor.of_user(user, via="ssh", scope=scope), int(repository_id)


def _active_user(work: UnitOfWork, user_id: int) -> User | None:
    user = work.session.get(User, user_id)
    return user if user is not None and user.is_active else None


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    # Only the spelling that was signed: int() would also take spaces, signs and other scripts' digits.
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise ValueError(name)
    return int(text)


def _edited() -> Denied:
    return Denied("This transfer address is not one of this hub's, or was changed.", code="url_invalid")


def _signer(context: Context) -> Signer:
    return Signer(context[SECRET], "lfs-transfer")


def _ssh_signer(context: Context) -> Signer:
    return Signer(context[SECRET], "lfs-ssh")
