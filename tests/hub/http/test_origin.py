"""The hub's address in answers is the one by which the client reached it, and nobody but a proxy says which that is."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.any_database

SAID = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hub.example:8443", "X-Forwarded-Prefix": "/assets/"}
LINK = '<{}/hf/api/models?limit=1&cursor=Mg>; rel="next"'


@pytest.fixture
def ask(client, make_user, make_token, make_repository):
    ada = make_user("ada")
    token = make_token(ada, "write")
    for name in ("one", "two"):
        make_repository(ada, name)

    def run(peer, **headers):
        """The origin that a list's link and the address of a page have alike."""
        given = {"headers": {"Authorization": f"Bearer {token}", **headers}, "environ_overrides": {"REMOTE_ADDR": peer}}
        link = client.get("/hf/api/models?limit=1", **given).headers["Link"]
        taken = client.post("/hf/api/repos/create", json={"name": "one"}, **given)
        assert taken.status_code == 409
        origin = taken.json["url"].removesuffix("/hf/ada/one")
        assert link == LINK.format(origin)
        return origin

    return run


@pytest.mark.settings(trusted_proxies="127.0.0.1, 10.0.0.0/8")
def test_a_trusted_proxy_says_where_the_client_reached_the_hub(ask):
    assert ask("10.1.1.1", **SAID) == "https://hub.example:8443/assets"
    assert ask("10.1.1.1", **{"X-Forwarded-Host": "forged.example, hub.example"}) == "http://hub.example"
    assert ask("127.0.0.1", **{"X-Forwarded-Host": "[2001:db8::1]:80"}) == "http://[2001:db8::1]:80"
    assert ask("9.9.9.9", **SAID) == "http://localhost"
    assert ask("9.9.9.9", **SAID, **{"X-Forwarded-For": "10.1.1.1"}) == "http://localhost"
    for name, text in (
        ("Host", "evil.example/path"),
        ("Host", "a b"),
        ("Host", 'x>; rel="next"'),
        ("Proto", "javascript"),
        ("Prefix", "//evil.example"),
        ("Prefix", "/a?b"),
    ):
        assert ask("10.1.1.1", **{f"X-Forwarded-{name}": text}) == "http://localhost", text


def test_nobody_is_trusted_unless_the_settings_say_so(ask):
    assert ask("127.0.0.1", **SAID) == "http://localhost"
