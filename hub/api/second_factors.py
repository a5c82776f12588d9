"""REST of the second factor: switching it on and off, recovery codes, devices. Ours: the contract has none."""

from __future__ import annotations

from typing import Any

from hub.accounts import service
from hub.accounts.second_factor import renew_codes, switch_on
from hub.accounts.service import second_factors
from hub.accounts.signing_in import switch_off
from hub.api import factor_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.api.ids import ROW_ID
from hub.db.uow import reading, unit_of_work
from hub.http.actor import client_address, current_actor, open_without_factor, session_key
from hub.http.context import current_context
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("second_factors", __name__, url_prefix=PREFIX, description="The second factor of accounts")

_FACTOR = "/user/<username>/second_factor"
_DEVICES = f"{_FACTOR}/devices"


@blp.get(_FACTOR)
@blp.response(200, enveloped(schemas.FactorStateSchema))
@open_without_factor
def show_factor(username: str) -> dict[str, Any]:
    """Whether the account has a second factor, and how many recovery codes it has left."""
    with reading(current_context()) as work:
        user = service.get_user(work, username)
        state = second_factors.find_state(work, actor=current_actor(), user=user)
    return ok(vars(state))


@blp.post(_FACTOR)
@blp.response(200, enveloped(schemas.BegunFactorSchema))
@open_without_factor
def begin(username: str) -> dict[str, Any]:
    """Get the secret for an app that makes codes; nothing changes before one of them is given.

    Asked again within the hour it is the same.
    """
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        begun = second_factors.begin(work, actor=actor, user=service.get_user(work, username))
    return ok(vars(begun) | {"qr": second_factors.draw(begun.uri)})


@blp.put(_FACTOR)
@blp.arguments(schemas.FactorCodeBody)
@blp.response(200, enveloped(schemas.RecoveryCodesSchema))
@open_without_factor
def confirm(body: dict[str, Any], username: str) -> dict[str, Any]:
    """Switch the second factor on by a code of the app; other browsers are signed out."""
    codes = switch_on(
        current_context(), actor=current_actor(), name=username, code=body["code"], session_key=session_key()
    )
    return ok({"recovery_codes": codes})


@blp.delete(_FACTOR)
@blp.arguments(schemas.FactorOffBody)
@blp.response(200, enveloped())
def remove(body: dict[str, Any], username: str) -> dict[str, Any]:
    """Switch one's own second factor off, by the password and a code."""
    switch_off(
        current_context(),
        actor=current_actor(),
        name=username,
        password=body["password"],
        code=body["code"],
        address=client_address(),
    )
    return ok()


@blp.post(f"{_FACTOR}/recovery_codes")
@blp.arguments(schemas.FactorCodeBody)
@blp.response(200, enveloped(schemas.RecoveryCodesSchema))
def renew(body: dict[str, Any], username: str) -> dict[str, Any]:
    """Get ten new recovery codes by a code; those from before are good no more."""
    codes = renew_codes(current_context(), actor=current_actor(), name=username, code=body["code"])
    return ok({"recovery_codes": codes})


@blp.get(_DEVICES)
@blp.response(200, enveloped(schemas.DeviceSchema, many=True))
def list_devices(username: str) -> dict[str, Any]:
    """The browsers that need not give a code, the one used last first."""
    with reading(current_context()) as work:
        user = service.get_user(work, username)
        return ok(list(second_factors.list_devices(work, actor=current_actor(), user=user)))


@blp.delete(_DEVICES)
@blp.response(200, enveloped(schemas.ForgottenDevicesSchema))
def forget_devices(username: str) -> dict[str, Any]:
    """Ask every browser for a code at its next sign-in."""
    with unit_of_work(current_context()) as work:
        user = service.get_user(work, username)
        return ok({"forgotten": second_factors.forget_devices(work, actor=current_actor(), user=user)})


@blp.delete(f"{_DEVICES}/<{ROW_ID}:device_id>")
@blp.response(200, enveloped())
def forget_device(username: str, device_id: int) -> dict[str, Any]:
    """Ask one browser for a code at its next sign-in."""
    with unit_of_work(current_context()) as work:
        user = service.get_user(work, username)
        second_factors.forget_device(work, actor=current_actor(), user=user, device_id=device_id)
    return ok()
