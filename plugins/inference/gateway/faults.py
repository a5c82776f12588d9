"""What the gateway answers when it cannot answer: OpenAI's errors. Source: gateway contract, section 1.5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hub.plugin.errors import HubError
from hub.plugin.outgoing import NoAnswer
from hub.plugin.wire import status_of

LIMITED, TOO_LONG = "upstream_rate_limited", "context_length_exceeded"


class Fault(Exception):
    """An error as OpenAI's clients read it. It says nothing of upstreams, keys or the hub's insides."""

    def __init__(
        self,
        status: int,
        type: str,
        code: str | None,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.type, self.code, self.message, self.param = status, type, code, message, param
        self.retry_after_s = retry_after_s
        self.is_booked = False  # its call is in the account already

    @property
    def error(self) -> Mapping[str, Any]:
        """The member ``error`` of the body."""
        return {"message": self.message, "type": self.type, "param": self.param, "code": self.code}

    @property
    def body(self) -> bytes:
        return msgspec.json.encode({"error": self.error})

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)} if self.retry_after_s is not None else {}


class ClientGone(Exception):
    """The client has hung up; nobody is there to be answered."""


def bad_request(message: str, *, param: str | None = None, code: str = "invalid_request_error") -> Fault:
    return Fault(400, "invalid_request_error", code, message, param=param)


def unsupported(what: str) -> Fault:
    """Something that nobody who serves the model can be asked."""
    message = f"Who serves this model cannot be asked this: {what}."
    return Fault(400, "invalid_request_error", "unsupported_feature", message)


def no_key() -> Fault:
    return Fault(
        401,
        "authentication_error",
        "invalid_api_key",
        "There is no such API key. Send one as 'Authorization: Bearer gk_...'; keys are made in your settings.",
    )


def key_expired() -> Fault:
    return Fault(401, "authentication_error", "api_key_expired", "This API key has expired.")


def key_disabled() -> Fault:
    return Fault(401, "authentication_error", "api_key_disabled", "This API key is switched off.")


def not_permitted(model: str) -> Fault:
    return Fault(403, "permission_error", "insufficient_permissions", f"This API key may not call {model!r}.")


def not_this_route(route: str) -> Fault:
    return Fault(403, "permission_error", "insufficient_permissions", f"This API key may not be used for {route!r}.")


def not_from_here() -> Fault:
    return Fault(403, "permission_error", "insufficient_permissions", "This API key may not be used from your address.")


def unknown_model(model: str) -> Fault:
    message = f"There is no model {model!r}, or you may not call it."
    return Fault(404, "invalid_request_error", "model_not_found", message, param="model")


def unknown_route(path: str) -> Fault:
    return Fault(404, "invalid_request_error", "unknown_url", f"The gateway has no route {path!r}.")


def wrong_method(method: str) -> Fault:
    return Fault(405, "invalid_request_error", "method_not_allowed", f"This route does not take {method}.")


def not_running(model: str) -> Fault:
    return Fault(
        503,
        "service_unavailable_error",
        "model_not_running",
        f"Nothing serves {model!r} now.",
        retry_after_s=30,
    )


def too_large(limit_bytes: int) -> Fault:
    return Fault(413, "invalid_request_error", "request_too_large", f"The request is larger than {limit_bytes} bytes.")


def over_limit(what: str, retry_after_s: int) -> Fault:
    return Fault(
        429,
        "rate_limit_error",
        "rate_limit_exceeded",
        f"The limit of {what} is reached; try again in {retry_after_s} s.",
        retry_after_s=retry_after_s,
    )


def over_budget(whose: str, period: str) -> Fault:
    return Fault(
        429,
        "insufficient_quota",
        "budget_exceeded",
        f"The budget of {whose} ({period}) does not cover this call.",
    )


def upstream_limited(retry_after_s: int | None) -> Fault:
    return Fault(
        429,
        "rate_limit_error",
        LIMITED,
        "Those who serve this model have no room for the call now; try again later.",
        retry_after_s=retry_after_s,
    )


def upstream_failed() -> Fault:
    return Fault(502, "upstream_error", "upstream_error", "Who serves this model failed to answer.")


def upstream_refused_key() -> Fault:
    return Fault(502, "upstream_error", "upstream_auth_error", "Who serves this model does not accept the hub's key.")


def upstream_late() -> Fault:
    return Fault(504, "timeout_error", "upstream_timeout", "Who serves this model did not answer in time.")


def no_answer(error: NoAnswer) -> Fault:
    """Of an upstream that says nothing, or no more."""
    return upstream_late() if error.is_late else upstream_failed()


def all_unavailable() -> Fault:
    return Fault(
        503,
        "service_unavailable_error",
        "model_unavailable",
        "Nobody who serves this model can be asked now; try again soon.",
        retry_after_s=30,
    )


def counters_away() -> Fault:
    return Fault(
        503,
        "service_unavailable_error",
        "budget_unavailable",
        "Budgets cannot be counted now, so keys that have one are not served; try again soon.",
        retry_after_s=5,
    )


def internal() -> Fault:
    return Fault(500, "server_error", "internal_error", "The gateway failed; its log tells why.")


def of_hub(error: HubError) -> Fault:
    """One of the hub's own errors in this dialect."""
    status = status_of(error)
    type = "server_error" if status >= 500 else "invalid_request_error"
    return Fault(status, type, error.code, str(error))
