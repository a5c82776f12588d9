"""A hub whose gateway serves models of a provider that a test plays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.http import HTTPClient
from tests.support.hub import Account, HubServer
from tests.support.servers import scratch_directory
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
