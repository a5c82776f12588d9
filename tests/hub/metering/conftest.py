"""Usage for tests."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.metering.usage import Scene, Tokens, Unit, Usage

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def make_usage() -> Callable[..., Usage]:
    """``make_usage(owner_uuid, prompt=7, completion=3, number=1)``: a call's tokens; one number, one id."""

    def make(owner_uuid: str, *, number: int = 0, prompt: int = 7, completion: int = 3, **more: Any) -> Usage:
        id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{owner_uuid} {number}")) if number else str(uuid.uuid4())
        fields = {"occurred_at": NOON, "resource_id": "ada/tiny", "resource_name": "tiny", "customer_id": "s-ada-tiny"}
        tokens = Tokens(prompt=prompt, completion=completion)
        values = {"scene": Scene.TEXT, "unit": Unit.TOKEN, "quantity": prompt + completion, "tokens": tokens}
        return Usage(id, owner_uuid, **values | fields | more)

    return make
