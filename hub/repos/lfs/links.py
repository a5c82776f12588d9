"""Addresses of transfers that the hub itself serves, signed so that they need no further credential."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote, urlencode

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.repos.addresses import http_clone_url
from hub.repos.kinds import get_kind
from hub.repos.lfs.batch import TransferAction
from hub.repos.lfs.contents import get_content
from hub.repos.lfs.pieces import issue_ticket
from hub.repos.lfs.tickets import Transfer, TransferKind, sign_transfer
from hub.repos.models import LFSUpload, Repository


class SignedLinks:
    """Writes the transfer addresses of one batch; an actor's for one repository, good for ``lfs_url_ttl_s``.

    base_url: the hub as the client reached it; "" for its own address. ref: which the client will push to.
    """

    def __init__(
        self, context: Context, actor: Actor, repository: Repository, *, base_url: str = "", ref: str | None = None
    ) -> None:
        self._context = context
        self._actor = actor
        self._repository = repository
        self._repository_id = repository.id
        self._user_id = actor.user_id
        self._token_id = actor.token_id if actor.limit is not None else None
        self._hub = base_url or context.settings.effective_base_url
        self._ref = (ref or repository.default_branch).removeprefix("refs/heads/")
        self._expires_at = int(context.clock.now().timestamp()) + context.settings.lfs_url_ttl_s
        self._base = f"{http_clone_url(context, repository)}/info/lfs"

    def download(self, oid: str, size_bytes: int, *, filename: str | None = None) -> str:
        transfer = self._transfer(TransferKind.DOWNLOAD, oid, size_bytes)
        named = {"save_as": filename} if filename else {}
        return self._sign(f"{self._base}/objects/{oid}", transfer, size=str(size_bytes), **named)

    def upload(self, oid: str, size_bytes: int) -> str:
        return self._sign(
            f"{self._base}/objects/{oid}/{size_bytes}", self._transfer(TransferKind.UPLOAD, oid, size_bytes)
        )

    def verify(self, oid: str, size_bytes: int) -> str:
        return self._sign(f"{self._base}/verify", self._transfer(TransferKind.VERIFY, oid, size_bytes))

    def part(self, upload: LFSUpload, number: int) -> str:
        transfer = replace(
            self._transfer(TransferKind.PART, upload.oid, upload.size_bytes),
            upload_id=upload.upload_id,
            part_number=number,
        )
        return self._sign(f"{self._base}/objects/{upload.oid}/{upload.size_bytes}/parts/{number}", transfer)

    def complete(self, upload: LFSUpload) -> str:
        transfer = replace(
            self._transfer(TransferKind.COMPLETE, upload.oid, upload.size_bytes),
            upload_id=upload.upload_id,
            object_key=upload.object_key,
        )
        address = f"{self._context.settings.effective_base_url}/api/v1/complete_multipart"
        return self._sign(address, transfer, oid=upload.oid, size=str(upload.size_bytes))

    def pieces(self, *, for_proposal: bool) -> TransferAction:
        """Leave to bring contents in pieces, and where it is renewed. Source: Xet contract, section 12."""
        ticket = issue_ticket(
            self._context,
            actor=self._actor,
            repository_id=self._repository_id,
            revision=self._ref,
            is_write=True,
            for_proposal=for_proposal,
            base_url=self._hub,
        )
        collection = get_kind(self._context, self._repository.kind).collection
        place = f"{self._hub}/hf/api/{collection}/{self._repository.path}"
        return TransferAction(
            f"{place}/xet-write-token/{quote(self._ref, safe='')}{'?create_pr=1' if for_proposal else ''}",
            {
                "X-Xet-Cas-Url": ticket.url,
                "X-Xet-Access-Token": ticket.token,
                "X-Xet-Token-Expiration": str(ticket.expires_at_s),
                # Of the client's own making; git-xet looks for it all the same.
                "X-Xet-Session-Id": "",
            },
        )

    def _transfer(self, kind: TransferKind, oid: str, size_bytes: int) -> Transfer:
        return Transfer(
            kind,
            self._repository_id,
            oid,
            size_bytes,
            self._user_id,
            self._expires_at,
            token_id=self._token_id,
        )

    def _sign(self, address: str, transfer: Transfer, **more: str) -> str:
        return f"{address}?{urlencode({**more, **sign_transfer(self._context, transfer)})}"


def download_address(
    context: Context, *, actor: Actor, repository: Repository, oid: str, filename: str | None = None
) -> str:
    """Where an object of a repository can be got without a credential, for ``lfs_url_ttl_s``.

    filename: under which it is sent. Raises NotFound (``lfs_object_not_found``), Invalid.
    """
    content = get_content(context, actor=actor, repository_id=repository.id, oid=oid)
    direct = content.direct_url(expires_s=context.settings.lfs_url_ttl_s, filename=filename)
    return direct or SignedLinks(context, actor, repository).download(oid, content.size_bytes, filename=filename)
