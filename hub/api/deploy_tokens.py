"""REST of deploy tokens: credentials of programs that are good for one repository only."""

from __future__ import annotations

from typing import Any

from hub.accounts.models import DeployToken, TokenScope
from hub.accounts.service import deploytokens as service
from hub.api import deploy_token_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.api.ids import ROW_ID
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint(
    "deploy_tokens", __name__, url_prefix=PREFIX, description="Tokens that are good for one repository"
)


def _view(token: DeployToken, *, state: str = "good", value: str = "") -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scope": token.scope.value,
        "state": state,
        "token": value or f"{token.hint}{'*' * 28}",
        "username": token.user.name,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "created_at": token.created_at,
    }


@blp.at("/deploy_tokens")
@blp.response(200, enveloped(schemas.DeployTokenSchema, many=True))
def list_deploy_tokens(address: Address) -> dict[str, Any]:
    """The repository's deploy tokens, newest first, their values masked. For those who administer it."""
    with reading(current_context()) as work:
        found = service.list_deploy_tokens(work, actor=current_actor(), resource=address.load(work))
        return ok([_view(one.token, state=one.state) for one in found.items])


@blp.at("/deploy_tokens", method="POST")
@blp.arguments(schemas.DeployTokenBody)
@blp.response(200, enveloped(schemas.DeployTokenSchema))
def create_deploy_token(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Make a token that reads, or writes, this repository and nothing else.

    The answer is the only one that holds its value. It is the password for Git and LFS (any user name will do), and a
    Bearer token for the API and for Hugging Face's clients.
    """
    with unit_of_work(current_context()) as work:
        token, value = service.create_deploy_token(
            work,
            actor=current_actor(),
            resource=address.load(work),
            name=body["name"],
            scope=TokenScope(body["scope"]),
            expires_at=body["expires_at"],
        )
        return ok(_view(token, value=value))


@blp.at(f"/deploy_tokens/<{ROW_ID}:token_id>", method="DELETE")
@blp.response(200, enveloped())
def revoke_deploy_token(address: Address, token_id: int) -> dict[str, Any]:
    """End a token at once."""
    with unit_of_work(current_context()) as work:
        service.revoke_deploy_token(work, actor=current_actor(), resource=address.load(work), token_id=token_id)
    return ok()
