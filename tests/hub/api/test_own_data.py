"""The copy of one's own data: what is in it, and whose it is."""

import io
import json
import zipfile
from datetime import timedelta

import pytest

from hub.accounts.service.own_data import sweep_copies
from hub.community.service import discussions
from hub.db.uow import unit_of_work
from hub.jobs.run import run_due
from tests.support.api import data, refusal

pytestmark = pytest.mark.any_database


def test_a_copy_has_what_is_ones_own_and_no_secret(context, client, as_user, make_repository, actor_of, make_token):
    ada, eve = as_user("ada"), as_user("eve")
    thing, hers = make_repository(ada.user, "thing"), make_repository(eve.user, "hers", private=True)
    for who, place, words in ((ada, thing, "What ada said\0"[:-1]), (eve, thing, "What eve said")):
        with unit_of_work(context) as work:
            discussions.create_discussion(
                work, actor=actor_of(who.user), repository_id=place.id, title="Why?", description=words
            )
    assert data(ada.get("/account/copy")) == {"state": ""}
    assert refusal(ada.get("/account/copy.zip")) == (404, "copy_not_found")
    assert data(ada.post("/account/copy"))["state"] == "queued"
    data(ada.post("/account/copy"))  # asked twice, made once
    assert data(ada.get("/account/copy"))["state"] == "queued"
    run_due(context)
    copy = data(ada.get("/account/copy"))
    assert (copy["state"], copy["size"] > 0) == ("succeeded", True)
    answer = client.get("/api/v1/account/copy.zip", headers=ada.headers)
    assert 'filename="ada.zip"' in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        found = {name: json.loads(archive.read(name)) for name in archive.namelist()}
    assert {name.partition("/")[0] for name in found} == {"ada"}
    assert found["ada/account.json"][0]["email"] == "ada@example.org"
    assert [row["name"] for row in found["ada/repositories.json"]] == ["thing"]
    assert [(row["repository"], row["content"]) for row in found["ada/comments.json"]] == [
        ("ada/thing", "What ada said")
    ]
    assert [row["scope"] for row in found["ada/access_tokens.json"]] == ["admin"]
    text = json.dumps(found)
    assert ada.token not in text
    assert hers.name not in text
    assert "hash" not in text
    # It is nobody else's, and not for a token that may only write.
    assert refusal(eve.get("/account/copy.zip")) == (404, "copy_not_found")
    weak = {"Authorization": f"Bearer {make_token(ada.user, 'write')}"}
    assert client.get("/api/v1/account/copy.zip", headers=weak).status_code == 403
    page = client.get("/settings/account", headers={**ada.headers, "Accept": "text/html"}).text
    assert "copy.download" in page
    assert sweep_copies(context, now=context.clock.now() + timedelta(days=8)) == 1
    assert data(ada.get("/account/copy")) == {"state": ""}
