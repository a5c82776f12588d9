"""A hub whose gateway serves models of a provider that a test plays, and programs that call it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.http import HTTPClient
from tests.support.hub import Account, HubServer
from tests.support.servers import scratch_directory
from tests.support.venvs import Client, make_venv
from tests.support.wire import WireServer

# In billionths of the currency for a token.
PRICES = {"input": 100, "output": 1000}


@contextmanager
def provide(provider: WireServer, *names: str, **settings: Any) -> Iterator[HubServer]:
    """The hub, with each model ("acme/small") known to the provider by its last word ("small-v1")."""
    told = {"outgoing_allowed_hosts": "127.0.0.1", "ssh_port": 0} | settings
    with scratch_directory("inference") as folder, HubServer(folder / "home", told) as server:
        for name in names:
            word = name.rpartition("/")[2]
            upstream = {
                "url": provider.url("/v1"),
                "model_name": f"{word}-v1",
                "headers": {"Authorization": "Bearer sold"},
            }
            model = {"model_name": name, "provider": "acme", "prices": PRICES, "upstreams": [upstream]}
            made = server.administrator.api.post("/api/v1/config/llms", model)
            assert made.status == 200, made.body
        yield server


def keys_api(hub: HubServer, account: Account) -> tuple[HTTPClient, str]:
    """Who may administer the keys of an account, and the beginning of their addresses."""
    client = HTTPClient(hub.url)
    client.headers = {"Authorization": f"Bearer {hub.new_token(account.name, scope='admin')}"}
    uuid = client.get(f"/api/v1/user/{account.name}").data["uuid"]
    return client, f"/api/v1/namespaces/{uuid}"


@dataclass
class Program(Client):
    """A program with an SDK, "openai" or "anthropic", and a key of the hub at that address."""

    sdk: str
    home: Path
    url: str
    key: str

    def programs(self) -> Path:
        return make_venv(self.sdk) / "bin"

    def place(self) -> Path:
        return self.home

    def variables(self) -> Mapping[str, str]:
        sdks = {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": self.key}
        sdks |= {"OPENAI_BASE_URL": f"{self.url}/v1", "OPENAI_API_KEY": self.key}
        return {"PATH": os.environ["PATH"], **sdks}
