"""The pages: for whom they are, what they never show, what they cost; and calls by people who are signed in."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from hub.accounts.models import Organization, User
from hub.accounts.policy import SYSTEM
from hub.accounts.service.sessions import csrf_token_of, open_session
from hub.base.context import Context
from hub.compute.models import Workload
from hub.compute.states import Code
from hub.db.uow import unit_of_work
from plugins.inference.bounds import set_owner_budgets
from plugins.inference.limits import KeyRules
from plugins.inference.money import Budget
from tests.plugins.inference import test_deployments as ground
from tests.plugins.inference.conftest import body_of, completion

# A model of Ada's, what it is deployed on, and a driver that runs nothing.
acme, bob, client, deploy, hub = ground.acme, ground.bob, ground.client, ground.deploy, ground.hub
run_jobs, sign, sku, tiny = ground.run_jobs, ground.sign, ground.sku, ground.tiny

pytestmark = [pytest.mark.any_database, pytest.mark.settings(compute="fake", outgoing_allowed_hosts="127.0.0.1")]

PLAYGROUND = "/playground/v1/chat/completions"
ASKED = {"model": "tiny", "messages": [{"role": "user", "content": "Say four words."}]}
# What pages may ask the database, however long their lists are; one more that needs more than this has a loop.
MOST_QUERIES = 16


@pytest.fixture
def look(client: FlaskClient, sign: Any) -> Callable[..., Any]:
    """``look(path, user)``: a page as this user's browser gets it; without one, as anybody's."""

    def get(path: str, user: User | None = None) -> Any:
        return client.get(path, headers={"Accept": "text/html"} | (sign(user, "admin") if user else {}))

    return get


@pytest.fixture
def signed_in(hub: Context, client: FlaskClient) -> Callable[..., str]:
    """``signed_in(user)``: the client's browser is theirs from now on; the word that its writes must carry."""

    def enter(user: User) -> str:
        with unit_of_work(hub) as work:
            _, key = open_session(work, user=work.session.merge(user))
        client.set_cookie("hub_session", key)
        return csrf_token_of(key)

    return enter


def test_keys_are_their_owners_to_see_and_never_their_values(
    look: Any, ada: User, bob: User, make_key: Any, acme: Organization, count_queries: Any
) -> None:
    value = make_key("<b>laptop", requests=5)
    for number in range(12):
        make_key(f"key {number}")
    with count_queries() as queries:
        page = look("/settings/api-keys", ada)
    assert (page.status_code, len(queries) <= MOST_QUERIES) == (200, True), queries
    assert "&lt;b&gt;laptop" in page.text
    assert "<b>laptop" not in page.text
    assert value not in page.text
    assert "laptop" not in look("/settings/api-keys", bob).text
    # Whoever only reads an organisation's things does not see its keys.
    assert [look("/organizations/acme/api-keys", user).status_code for user in (ada, bob)] == [403, 403]
    assert look("/settings/api-keys?key=999", ada).status_code == 404
    assert look("/settings/api-keys?key=member:nobody", ada).status_code == 404
    assert look("/settings/api-keys").headers["Location"].startswith("/login")


def test_a_page_calls_for_who_is_signed_in_and_only_with_the_sessions_word(
    client: FlaskClient, ada: User, serve: Any, signed_in: Any, calls: Any, make_key: Any
) -> None:
    server = serve(completion())
    assert client.post(PLAYGROUND, json=ASKED).status_code == 401
    word = signed_in(ada)
    refused = client.post(PLAYGROUND, json=ASKED)
    assert (refused.status_code, refused.json["code"]) == (403, "csrf_failed")
    assert (server.requests, calls()) == ([], [])
    answer = client.post(PLAYGROUND, json=ASKED, headers={"X-CSRF-Token": word})
    assert answer.json["choices"][0]["message"]["content"] == "four words are here"
    assert answer.headers["Cache-Control"] == "no-store"
    [request] = server.requests
    assert body_of(request)["model"] == "tiny-v1"
    assert not {b"cookie", b"csrf"} & set(re.findall(rb"cookie|csrf", request.lower()))
    [call] = calls()
    assert (call.user_id, call.status, call.prompt_tokens) == (ada.id, 200, 11)
    # The same errors as the gateway's, for what it does not do as well.
    headers = {"X-CSRF-Token": word}
    assert client.post("/playground/v1/nothing", json=ASKED, headers=headers).json["error"]["code"] == "unknown_url"
    unknown = client.post(PLAYGROUND, json=ASKED | {"model": "none"}, headers=headers)
    assert (unknown.status_code, unknown.json["error"]["code"]) == (404, "model_not_found")
    page = client.get("/playground", headers={"Accept": "text/html"}).text
    assert '"name": "tiny"' in page
    assert "gk_" not in page


def test_usage_is_an_accounts_own_and_administrators_see_all(
    look: Any, ada: User, bob: User, ask: Any, serve: Any, make_user: Any, count_queries: Any
) -> None:
    serve(completion())
    for _ in range(3):
        assert ask().status_code == 200
    root = make_user("root", admin=True)
    with count_queries() as queries:
        calls = look("/settings/usage?view=calls", ada)
    assert len(queries) <= MOST_QUERIES, queries
    assert calls.text.count('data-testid="usage.call"') == 3
    assert look("/settings/usage?view=calls&status=5xx", ada).text.count('data-testid="usage.call"') == 0
    sums = look("/settings/usage?by=model", ada).text
    assert re.search(r'data-testid="usage.group".*?>tiny<.*?>3<.*?>33<.*?>12<', sums, re.DOTALL)
    assert 'data-state="empty"' in look("/settings/usage", bob).text
    assert ">ada<" in look("/admin_panel/gateway/usage", root).text
    assert look("/admin_panel/gateway/usage", ada).status_code == 403
    assert look("/settings/usage?first=yesterday", ada).status_code == 400
    assert look("/admin_panel/gateway/models", ada).status_code == 403
    models = look("/admin_panel/gateway/models", root).text
    assert ">tiny<" in models
    assert "provider-secret" not in models + look("/admin_panel/gateway/models/1", root).text


@pytest.mark.each_database
def test_accounts_with_keys_are_administrators_business_and_blocked_there(
    hub: Context, client: FlaskClient, look: Any, ada: User, bob: User, sign: Any, make_user: Any, make_key: Any,
    ask: Any, serve: Any, count_queries: Any,
) -> None:  # fmt: skip
    serve(completion())
    root = make_user("root", admin=True)
    value = make_key("laptop", budgets=(Budget("1mo", 10**9),), rules=KeyRules(model_budgets={"t*": Budget("1d", 10)}))
    for number in range(5):
        make_key(f"key {number}", user=bob)
    with unit_of_work(hub) as work:
        for user in (ada, bob):
            namespace = work.session.merge(user).namespace
            set_owner_budgets(work, actor=SYSTEM, namespace=namespace, budgets=[Budget("1mo", 10**9), Budget("1d", 5)])
    place = "/admin_panel/gateway/accounts"
    assert [look(path, ada).status_code for path in (place, f"{place}/bob")] == [403, 403]
    with count_queries() as queries:
        listed = look(place, root).text
    assert len(queries) <= MOST_QUERIES, queries
    assert re.findall(r'accounts/(\w+)"><b>', listed) == ["ada", "bob"]
    with count_queries() as queries:
        page = look(f"{place}/ada", root).text
    assert len(queries) <= MOST_QUERIES, queries
    assert page.count('data-testid="budget.bar"') == 4
    assert "keys.block" in page
    assert "keys.block" not in look("/settings/api-keys", ada).text
    assert look(f"{place}/nobody", root).status_code == 404
    # What the button sends: all of the key as it is, but blocked.
    [button] = re.findall(r'<button[^>]*data-testid="keys.block"', page)
    sent = json.loads(html.unescape(re.findall(r'data-body="([^"]*)"', button)[0]))
    assert (sent["blocked"], sent["budgets"][0]["hard_nano"], "t*" in sent["model_max_budget"]) == (True, 10**9, True)
    own = f"/api/v1/namespaces/{ada.uuid}/apikeys/1"
    assert client.put(own, json=sent, headers=sign(ada, "admin")).status_code == 403
    assert client.put(own, json=sent, headers=sign(root, "admin")).status_code == 200
    assert ask(value).status_code == 401
    assert re.findall(r'accounts/(\w+)"><b>', look(f"{place}?state=blocked", root).text) == ["ada"]
    assert 'data-state="empty"' in look(f"{place}?search=nobody", root).text


def test_an_endpoint_is_made_and_told_of_to_those_who_may_see_it(
    hub: Context,
    look: Any,
    ada: User,
    bob: User,
    deploy: Any,
    run_jobs: Any,
    tiny: Any,
    count_queries: Any,
) -> None:
    assert "repository.deploy" in look("/models/ada/tiny").text
    tiny("secret", private=True)
    form = look("/endpoints/new?model_id=ada/tiny&engine=vllm", ada).text
    assert re.search(r'<option value="vllm" selected>', form)
    assert 'data-arg="max-model-len"' in form
    assert look("/endpoints/new?model_id=ada/secret", bob).status_code == 404
    assert look("/endpoints/new?model_id=ada/tiny&type=serverless", ada).status_code == 403
    assert deploy(min_replica=1).status_code == 200
    run_jobs()
    with count_queries() as queries:
        listed = look("/endpoints", ada).text
    assert len(queries) <= MOST_QUERIES, queries
    assert 'title="Running"' in listed
    place = "/endpoints/ada/tiny/1"
    page = look(place, ada).text
    assert "tiny:1" in page
    assert 'data-testid="endpoint.stop"' in page
    assert [look(place + tab, ada).status_code for tab in ("/logs", "/analysis", "/settings")] == [200] * 3
    assert look(place, bob).status_code == 404
    assert 'data-state="empty"' in look("/endpoints", bob).text
    # Whoever may call it does not see what its owner used, nor what it prints.
    with unit_of_work(hub) as work:
        work.session.execute(update(Workload).values(is_private=False))
    assert 'data-testid="endpoint.calls"' in look(f"{place}/analysis", ada).text
    for tab, hidden in (("", "endpoint.stop"), ("/analysis", "endpoint.calls"), ("/logs", "endpoint.log")):
        page = look(place + tab, bob)
        assert (page.status_code, f'data-testid="{hidden}"' in page.text) == (200, False), tab
    # Never a failure without its cause.
    message = "error: unrecognized arguments: --nonsense <script>"
    with unit_of_work(hub) as work:
        work.session.execute(
            update(Workload).values(code=Code.DEPLOY_FAILED, reason="CrashLoop", message=message, desired="stopped")
        )
    failed = look(place, ada).text
    assert "The engine does not take one of its arguments" in failed
    assert "--nonsense &lt;script&gt;" in failed
    assert 'data-testid="endpoint.start"' in failed
    assert "--nonsense" not in look(place, bob).text
