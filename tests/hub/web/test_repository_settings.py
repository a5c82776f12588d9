"""The settings of a repository: for those who administer it, and for nobody else."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html"}
SECTIONS = ("general", "visibility", "transfer", "branches", "collaborators", "webhooks", "tokens", "storage", "danger")


def test_every_section_shows_what_it_changes_to_who_administers_and_to_nobody_else(
    client, make_user, make_repository, sign
):
    ada, bob = make_user(), make_user("bob")
    make_repository(ada, "bert")
    make_repository(ada, "secret", private=True)
    api = "/api/v1/models/ada/bert"
    owner, other = sign(ada), sign(bob)
    assert client.put(f"{api}/collaborators/bob", json={"role": "write"}, headers=owner).status_code == 200
    assert client.put(f"{api}/protected_branches/main*", json={"require_pull": True}, headers=owner).status_code == 200
    assert client.put(f"{api}/gate", json={"gated": "manual"}, headers=owner).status_code == 200
    assert client.put(api, json={"description": '"><script>alert(1)</script>'}, headers=owner).status_code == 200
    shown = {}
    for section in SECTIONS:
        path = f"/models/ada/bert/settings/{section}"
        answer = client.get(path, headers=owner)
        assert answer.status_code == 200, section
        assert "<script>alert" not in answer.text
        shown[section] = answer.text
        # Bob writes, and does not administer.
        assert client.get(path, headers=other).status_code == 403
        assert client.get(path, headers=HTML).status_code == 401
        assert client.get(f"/models/ada/secret/settings/{section}", headers=other).status_code == 404
    assert "main*" in shown["branches"]
    assert "by pull requests only" in shown["branches"]
    assert "/profile/bob" in shown["collaborators"]
    assert 'pattern="ada/bert"' in shown["visibility"]
    assert 'value="manual" checked' in shown["visibility"]
    assert 'data-confirm="ada/bert"' in shown["danger"]
    assert client.get("/models/ada/bert/settings", headers=owner).location.endswith("/settings/general")
    assert client.get("/models/ada/bert/settings/nothing", headers=owner).status_code == 404


def test_a_webhook_shows_what_it_was_sent(client, make_user, make_repository, sign):
    ada = make_user()
    make_repository(ada, "bert")
    make_repository(ada, "other")
    given = {"url": "https://example.org/hook", "name": "CI"}
    made = client.post("/api/v1/models/ada/bert/webhooks", json=given, headers=sign(ada))
    assert made.status_code == 200, made.text
    uuid = made.json["data"]["uuid"]
    assert client.post(f"/api/v1/webhooks/{uuid}/ping", headers=sign(ada)).status_code == 200
    assert (
        f"/models/ada/bert/settings/webhooks/{uuid}"
        in client.get("/models/ada/bert/settings/webhooks", headers=sign(ada)).text
    )
    page = client.get(f"/models/ada/bert/settings/webhooks/{uuid}", headers=sign(ada))
    assert page.status_code == 200
    assert 'data-testid="webhooks.deliveries"' in page.text
    # By the address of another repository it is not to be had.
    assert client.get(f"/models/ada/other/settings/webhooks/{uuid}", headers=sign(ada)).status_code == 404
