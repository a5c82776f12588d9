"""A plain HTTP client for tests: no retries, no hidden redirects, no exceptions for statuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The member ``data`` of the platform's envelope; fails with the whole body when there is none."""
        assert self.status < 300, f"{self.status}: {self.body[:2000]!r}"
        return self.json["data"]


def basic(user: str, secret: str) -> str:
    """The value of an ``Authorization`` header."""
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


class HTTPClient:
    """Requests to one server with one credential."""

    def __init__(self, url: str, token: str | None = None, *, timeout_s: float = 120) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.pool = urllib3.PoolManager(retries=False, timeout=timeout_s, maxsize=8)

    def request(
        self,
        method: str,
        path: str,
        *,
        json_body: Any = None,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. ``path`` may be a whole address. An iterable body goes out chunked."""
        sent = {**self.headers, **(headers or {})}
        if json_body is not None:
            body = json.dumps(json_body).encode()
            sent.setdefault("Content-Type", "application/json")
        address = path if path.startswith("http") else self.url + path
        found = self.pool.request(method, address, body=body, headers=sent, redirect=False)
        return Answer(found.status, found.headers, found.data)

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def post(self, path: str, json_body: Any = None, **options: Any) -> Answer:
        return self.request("POST", path, json_body=json_body, **options)

    def put(self, path: str, json_body: Any = None, **options: Any) -> Answer:
        return self.request("PUT", path, json_body=json_body, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self.request("DELETE", path, **options)

    def close(self) -> None:
        """Close the kept connections."""
        self.pool.clear()
