"""Single prompts over REST: writing, versions, previews, many at once, and the list over all repositories.

Source of the shapes: CSGHub contract, sections 4.3 and 5.3.
"""

import base64
import io
import json
import struct
import threading
import zipfile

import pytest

from hub.accounts.policy import SYSTEM
from hub.api.prompt_schemas import PromptOutputSchema
from hub.assets.records import archives, prompt_transfer
from hub.db.uow import unit_of_work
from hub.repos.service import update_settings
from tests.support.api import data, refusal
from tests.support.jobs import run_now

anywhere = pytest.mark.any_database

PROMPT = {
    "title": "Poem: a/b",
    "content": "Write a poem about {{topic}} in {{ style }}.",
    "language": "en",
    "tags": ["Creative", "poem"],
    "variables": [
        {"name": "topic", "required": True},
        {"name": "style", "type": "enum", "options": ["haiku", "ode"], "default": "ode"},
        {"name": "left", "type": "number"},
    ],
    "messages": [{"role": "system", "content": "You rhyme about {{topic}} for {{reader}}."}],
    "examples": [{"input": "cats", "output": "soft paws"}],
    "model": "ada/bert",
    "categories": ["Writing"],
}


@pytest.fixture
def ada(as_user):
    caller = as_user("ada")
    data(caller.post("/prompts", {"name": "p1"}))
    return caller


def index(context, caller, path="ada/p1"):
    run_now(context, "assets.index", repository_id=data(caller.get(f"/prompts_info/{path}"))["repository_id"])


def send(caller, path, content, name="p.jsonl", **fields):
    form = {"file": (io.BytesIO(content), name), **fields}
    return caller.client.post(f"/api/v1{path}", data=form, headers=caller.headers)


@anywhere
def test_a_prompt_is_written_changed_named_compared_and_removed(ada, as_user, nobody):
    base = "/prompts/ada/p1/prompt"
    made = data(ada.post(f"{base}/record", PROMPT))
    path = made["file_path"]
    assert path == "Poem- a-b.jsonl"
    shown = data(nobody.get(f"{base}/view/{path}"))
    assert not PromptOutputSchema().validate(shown)
    assert (shown["title"], shown["can_write"], shown["like_count"]) == (PROMPT["title"], False, 0)
    assert shown["variable_names"] == ["topic", "style", "reader"]
    assert (shown["undefined"], shown["unused"]) == (["reader"], ["left"])
    assert data(nobody.get("/prompts/ada/p1"))["prompts"][0]["variables"][1]["options"] == ["haiku", "ode"]
    assert refusal(ada.post(f"{base}/record", PROMPT)) == (409, "prompt_exists")

    changed = data(
        ada.put(f"{base}/record/{path}", {"content": "Now {{topic}}.", "sha": shown["sha"], "message": "m2"})
    )
    assert (changed["content"], changed["language"]) == ("Now {{topic}}.", "en")
    assert refusal(ada.put(f"{base}/record/{path}", {"content": "Mine", "sha": shown["sha"]})) == (409, "GIT-ERR-22")
    assert refusal(ada.put(f"{base}/record/{path}", {"type": "smell"})) == (400, "REQ-ERR-6")
    assert data(ada.post(f"{base}/versions/{path}", {"name": "v2"}))["commit_id"] == changed["commit_id"]
    versions = ada.get(f"{base}/versions/{path}?per=1")
    assert (versions.json["total"], data(versions)[0]["tags"], data(versions)[0]["message"]) == (2, ["v2"], "m2\n")
    compared = data(nobody.get(f"{base}/compare/{path}?a={made['commit_id']}&b=v2"))
    assert "-Write a poem about {{topic}} in {{ style }}.\n+Now {{topic}}.\n" in compared["diff"]
    assert compared["changes"] == []
    moved = data(ada.put(f"{base}/record/{path}", {"path": "new.jsonl", "title": "New", "new_branch": "draft"}))
    assert (moved["branch"], moved["file_path"]) == ("draft", "new.jsonl")
    further = data(ada.get(f"{base}/compare/new.jsonl?a=main&b=draft&old_path={path}"))
    assert further["changes"] == [{"name": "title", "before": PROMPT["title"], "after": "New"}]

    assert refusal(as_user("bob").put(f"{base}/record/{path}", {"content": "x"})) == (403, "AUTH-ERR-2")
    assert refusal(nobody.post(f"{base}/record", PROMPT))[0] == 401
    # Whatever else a file holds stays in it.
    odd = base64.b64encode(b'{"title": "T", "content": "C", "own": "\\ud800"}').decode()
    data(ada.post("/prompts/ada/p1/raw/odd.jsonl", {"message": "m", "branch": "main", "content": odd}))
    data(ada.put(f"{base}/record/odd.jsonl", {"content": "D"}))
    assert "ud800" in data(ada.get("/prompts/ada/p1/raw/odd.jsonl"))
    data(ada.delete(f"{base}/record/{path}"))
    assert nobody.get(f"{base}/view/{path}").status_code == 404


@anywhere
def test_of_two_who_change_a_prompt_at_once_the_second_is_told(ada, client):
    path = data(ada.post("/prompts/ada/p1/prompt/record", PROMPT))["file_path"]
    sha = data(ada.get(f"/prompts/ada/p1/prompt/view/{path}"))["sha"]
    codes, barrier = [], threading.Barrier(2)

    def change(text):
        body = {"content": text, "sha": sha}
        barrier.wait()
        with client.application.test_client() as own:
            answer = own.put(f"/api/v1/prompts/ada/p1/prompt/record/{path}", json=body, headers=ada.headers)
            codes.append(answer.status_code)

    threads = [threading.Thread(target=change, args=(text,)) for text in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, 409]


@anywhere
def test_a_preview_fills_values_in_and_says_what_is_wrong(ada, nobody):
    given = PROMPT | {"values": {"topic": "{{style}}", "style": "rap", "left": "many", "reader": ""}}
    shown = data(nobody.post("/prompts/ada/p1/prompt/preview", given))
    assert shown["content"] == "Write a poem about {{style}} in rap."
    assert shown["messages"][0]["content"] == "You rhyme about {{style}} for {{reader}}."
    assert {trouble["name"] for trouble in shown["troubles"]} == {"style", "left", "reader"}
    bomb = {"content": "{{a}}" * 10_000, "values": {"a": "x" * 10_000}}
    assert nobody.post("/prompts/ada/p1/prompt/preview", bomb).status_code == 413
    assert nobody.post("/prompts/ada/p1/prompt/preview", {"content": "{{a}}", "values": {"a": []}}).status_code == 400


@anywhere
def test_many_prompts_come_in_and_go_out_as_one_file(ada, nobody, monkeypatch):
    lines = [json.dumps({"title": f"T{at}", "content": "c", "mine": at}) for at in range(3)]
    lines[1:1] = ["", "{", json.dumps({"title": "no content"}), "[" * 100_000]
    answer = data(send(ada, "/prompts/ada/p1/prompt/import", "\n".join(lines).encode()))
    assert answer["created"] == ["T0.jsonl", "T1.jsonl", "T2.jsonl"]
    assert [error["place"] for error in answer["errors"]] == ["line 3", "line 4", "line 5"]
    exported = nobody.client.get("/api/v1/prompts/ada/p1/prompt/export").text.splitlines()
    assert [json.loads(line) for line in exported] == [
        {"title": f"T{at}", "content": "c", "mine": at} for at in range(3)
    ]

    table = 'Title,content,tags\nT0,new,a;b\nT9,"two\nlines",\n,x,\n'
    answer = data(send(ada, "/prompts/ada/p1/prompt/import", table.encode(), "p.csv", replace="true"))
    assert (answer["created"], answer["replaced"], answer["error_count"]) == (["T9.jsonl"], ["T0.jsonl"], 1)
    packed = nobody.get("/prompts/ada/p1/prompt/export?format=zip").data
    answer = data(send(ada, "/prompts/ada/p1/prompt/import", packed, "p.zip"))
    assert (answer["commit_id"], len(answer["skipped"]), answer["errors"]) == ("", 4, [])
    assert "T9" in nobody.get("/prompts/ada/p1/prompt/export?format=csv").text

    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.jsonl", b" " * 5_000_000)
        archive.writestr("../../up.jsonl", json.dumps({"title": "up", "content": "c"}))
    answer = data(send(ada, "/prompts/ada/p1/prompt/import", target.getvalue(), "p.zip"))
    assert (answer["created"], answer["errors"][0]["place"]) == (["up.jsonl"], "bomb.jsonl")
    # What is made of it in memory is bounded, not only its bytes.
    monkeypatch.setattr(archives, "MAX_LIST_BYTES", 100_000)
    monkeypatch.setattr(prompt_transfer, "MAX_VALUES", 1000)
    monkeypatch.setattr(prompt_transfer, "MAX_REFUSED", 10)
    listed = b"PK\1\2" + bytes(200_000) + b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 9, 9, 200_004, 0, 0)
    for content, name, code in (
        (b"no zip", "p.zip", "archive_unreadable"),
        (listed, "p.zip", "archive_unreadable"),
        (b"[" + b"[]," * 500 + b"[]]", "p.jsonl", "REQ-ERR-6"),
        (b"title,content\n" + b"," * 1000, "p.csv", "REQ-ERR-6"),
        (b"x\n" * 11, "p.jsonl", "REQ-ERR-6"),
    ):
        assert refusal(send(ada, "/prompts/ada/p1/prompt/import", content, name)) == (400, code)


def test_the_list_over_all_repositories_tells_what_its_viewer_may_read(ada, as_user, nobody, context, count_queries):
    bob = as_user("bob")
    data(ada.post("/prompts", {"name": "hidden", "private": True}))
    data(ada.post("/prompts", {"name": "gated"}))
    for repository, count in (("p1", 3), ("hidden", 1), ("gated", 1)):
        for at in range(count):
            body = PROMPT | {"title": f"{repository} {at}", "content": f"content n{at} 50% of {repository}"}
            data(ada.post(f"/prompts/ada/{repository}/prompt/record", body))
    data(ada.put("/prompts/ada/gated/gate", {"gated": "manual"}))
    data(ada.post("/prompts/ada/p1/raw/bad.jsonl", {"message": "m", "branch": "main", "content": "e30="}))
    for name in ("p1", "hidden", "gated"):
        index(context, ada, f"ada/{name}")

    def titles(caller, query=""):
        return sorted(item["title"] for item in data(caller.get(f"/prompts/records?{query}")))

    everybodys = ["p1 0", "p1 1", "p1 2"]
    assert titles(nobody) == titles(bob) == everybodys
    assert titles(ada) == ["gated 0", "hidden 0", *everybodys]
    assert titles(nobody, "search=CONTENT+50%25+N1") == ["p1 1"]
    assert titles(bob, "search=hidden") == titles(bob, "search=5000%25") == []
    assert titles(nobody, "tag=creative&category=writing&language=en&type=text&repository=ada/p1") == everybodys
    assert titles(nobody, "tag=other") == titles(nobody, "language=zh") == []
    assert refusal(nobody.get("/prompts/records?sort=size")) == (400, "REQ-ERR-6")
    counts = []
    for per in (1, 3):
        with count_queries() as queries:
            page = bob.get(f"/prompts/records?per={per}")
        counts.append(len(queries))
        assert page.json["total"] == 3
    assert max(counts) - min(counts) <= 1  # the total

    like = "/prompts/ada/p1/prompt/like/p1 1.jsonl"
    assert [data(bob.put(like))["like_count"] for _ in range(2)] == [1, 1]
    assert data(ada.put(like))["like_count"] == 2
    assert refusal(bob.put("/prompts/ada/p1/prompt/like/none.jsonl"))[0] == 404
    assert refusal(bob.put("/prompts/ada/hidden/prompt/like/hidden 0.jsonl"))[0] == 404
    first = data(bob.get("/prompts/records?sort=most_favorite"))[0]
    assert (first["title"], first["like_count"], first["user_likes"]) == ("p1 1", 2, True)
    # A file that is moved keeps its likes; one that is gone, or no prompt any more, is not listed.
    data(ada.put("/prompts/ada/p1/prompt/record/p1 1.jsonl", {"path": "moved.jsonl"}))
    data(ada.delete("/prompts/ada/p1/prompt/record/p1 0.jsonl"))
    data(ada.post("/prompts/ada/p1/raw/p1 2.jsonl", {"message": "m", "branch": "main", "content": "e30="}))
    index(context, ada)
    assert titles(nobody) == titles(nobody, "search=moved") == ["p1 1"]
    assert data(bob.get("/prompts/ada/p1/prompt/view/moved.jsonl"))["user_likes"]
    assert data(bob.delete("/prompts/ada/p1/prompt/like/moved.jsonl"))["like_count"] == 1
    with unit_of_work(context) as work:
        repository_id = data(ada.get("/prompts_info/ada/p1"))["repository_id"]
        update_settings(work, actor=SYSTEM, repository_id=repository_id, gate="auto")
    assert titles(nobody) == []
