"""What the tests of the pages share: a browser's headers, and looking at a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient

HTML = {"Accept": "text/html"}


@pytest.fixture
def sign(make_token: Callable[..., str]) -> Callable[[Any], dict[str, str]]:
    """``sign(user)``: the headers of a browser in somebody's name."""
    return lambda user: {**HTML, "Authorization": f"Bearer {make_token(user, 'admin')}"}


@pytest.fixture
def see(client: FlaskClient) -> Callable[..., str]:
    """``see("/models/ada/thing", headers)``: a page's text; with ``part`` as htmx asks for that part of it."""

    def get(path: str, headers: Mapping[str, str] = HTML, *, part: str = "", status: int = 200) -> str:
        more = {"HX-Request": "true"} if part else {}
        answer = client.get(path + (f"?part={part}" if part else ""), headers={**headers, **more})
        assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
        return answer.text

    return get
