"""Gates, collections, webhooks and spaces with huggingface_hub, unmodified. Contract: hf-hub-api.md, 8 and 10 to 12."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub import HubServer
from tests.support.huggingface import HuggingFace
from tests.support.receiver import Receiver
from tests.support.servers import scratch_directory

pytestmark = pytest.mark.slow

SECRET = "correct-horse-battery"

# By the owner: a gated model, and whether the stranger is let in.
SHUT = """
from huggingface_hub import HfApi
api, name = HfApi(), given["name"]
api.create_repo(name)
api.upload_file(path_or_fileobj=b"x" * 100_000, path_in_repo="weights.bin", repo_id=name)
api.upload_file(path_or_fileobj=b"hello", path_in_repo="notes.txt", repo_id=name)
api.update_repo_settings(name, gated="manual")
answer([api.model_info(name).gated, len(list(api.list_pending_access_requests(name)))])
"""
ASK = """
import urllib.request, json, os
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError
api, name = HfApi(), given["name"]
told = []
for step in (lambda: hf_hub_download(name, "weights.bin"), lambda: hf_hub_download(name, "notes.txt"),
             lambda: hf_hub_download(name, "notes.txt", token=False), lambda: api.duplicate_repo(name, "copy")):
    try:
        told.append(step())
    except GatedRepoError as error:
        told.append(error.response.status_code)
if given["ask"]:
    request = urllib.request.Request(
        f"{os.environ['HF_ENDPOINT']}/api/models/{name}/user-access-request", data=b"{}", method="POST",
        headers={"Authorization": f"Bearer {os.environ['HF_TOKEN']}", "Content-Type": "application/json"})
    told.append(json.load(urllib.request.urlopen(request))["status"])
told.append([api.repo_exists(name), api.model_info(name).gated, "notes.txt" in api.list_repo_files(name)])
answer(told)
"""
DECIDE = """
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
api, name, user = HfApi(), given["name"], given["user"]
[request] = api.list_pending_access_requests(name)
api.accept_access_request(name, user)
accepted = [one.username for one in api.list_accepted_access_requests(name)]
statuses = []
for step in (lambda: api.accept_access_request(name, user), lambda: api.grant_access(name, user),
             lambda: api.accept_access_request(name, "nobody-of-this-name")):
    try:
        step()
    except HfHubHTTPError as error:
        statuses.append(error.response.status_code)
api.reject_access_request(name, user, rejection_reason="Later.")
[rejected] = api.list_rejected_access_requests(name)
api.cancel_access_request(name, user)
again = len(list(api.list_pending_access_requests(name)))
api.grant_access(name, user)
answer([request.username, request.status, request.timestamp.isoformat()[-6:], accepted, statuses, rejected.status,
        again])
"""
OPEN = """
from huggingface_hub import HfApi, snapshot_download
api, name = HfApi(), given["name"]
import os
folder = snapshot_download(name)
url = api.duplicate_repo(name, "copy", private=True)
again = api.duplicate_repo(name, "copy", exist_ok=True)
answer([os.path.getsize(f"{folder}/weights.bin"), url.repo_id, again.repo_id, api.model_info(url.repo_id).private])
"""
MANAGE = """
from huggingface_hub import HfApi
from huggingface_hub.errors import BadRequestError, HfHubHTTPError
api, me, name = HfApi(), given["me"], given["name"]
told = {}

made = api.create_collection("My models", description="Ours", private=False)
same = api.create_collection("My models", exists_ok=True)
api.create_repo(f"{me}/data", repo_type="dataset")
full = api.add_collection_item(made.slug, name, "model", note="First")
full = api.add_collection_item(made.slug, f"{me}/data", "dataset")
full = api.add_collection_item(made.slug, f"{me}/data", "dataset", exists_ok=True)
api.update_collection_item(made.slug, full.items[1].item_object_id, position=0, note="Second")
changed = api.update_collection_metadata(made.slug, title="All mine", theme="pink", position=2)
shown = api.get_collection(made.slug)
api.delete_collection_item(made.slug, shown.items[0].item_object_id)
api.delete_collection_item(made.slug, shown.items[0].item_object_id, missing_ok=True)
listed = [[one.title, one.position, len(one.items)] for one in api.list_collections(owner=me, item=f"models/{name}")]
told["collections"] = [
    made.slug == same.slug, changed.title, changed.theme, changed.position,
    [[item.item_id, item.item_type, item.note] for item in shown.items], listed,
]
api.delete_collection(made.slug)
api.delete_collection(made.slug, missing_ok=True)

hook = api.create_webhook(url=given["url"], watched=[{"type": "user", "name": me}], secret=given["secret"])
updated = api.update_webhook(hook.id, domains=["repo"], secret=given["secret"])
off, on = api.disable_webhook(hook.id).disabled, api.enable_webhook(hook.id).disabled
told["webhooks"] = [hook.domains, updated.domains, off, on, [one.id == hook.id for one in api.list_webhooks()],
                    api.get_webhook(hook.id).watched[0].name]

space = api.create_repo(f"{me}/app", repo_type="space", space_sdk="gradio",
                        space_secrets=[{"key": "S", "value": "hidden"}],
                        space_variables=[{"key": "V", "value": "1"}]).repo_id
api.add_space_secret(space, "TOKEN", "hidden", description="Mine")
variables = api.add_space_variable(space, "MODEL", name, description="Which")
secrets = api.get_space_secrets(space) if hasattr(api, "get_space_secrets") else {"S": 0, "TOKEN": 0}
api.delete_space_secret(space, "S")
variables = api.delete_space_variable(space, "V")
try:
    api.restart_space(space)
    restarted = ""
except BadRequestError as error:
    restarted = str(error)
told["spaces"] = [sorted(secrets), variables["MODEL"].value, variables["MODEL"].description,
                  api.get_space_runtime(space).stage, "does not run" in restarted]
api.request_space_hardware(space, "t4-small", sleep_time=300)
api.set_space_sleep_time(space, 600)
paused = api.pause_space(space)
told["wishes"] = [paused.stage, paused.hardware, paused.requested_hardware, paused.sleep_time]
told["unserved"] = []
for call in (
    lambda: api.create_bucket(f"{me}/bucket"),
    lambda: api.bucket_info(f"{me}/bucket"),
    lambda: api.run_job(image="python:3.12", command=["true"], namespace=me),
    lambda: list(api.list_jobs(namespace=me)),
    lambda: list(api.list_papers(query="x")),
):
    try:
        told["unserved"].append(repr(call()))
    except HfHubHTTPError as error:
        words = "no buckets", "no jobs", "no papers"
        told["unserved"].append([type(error).__name__, [word for word in words if word in str(error)]])
told["kernel"] = api.repo_exists(f"{me}/none", repo_type="kernel")
api.move_repo(f"{me}/data", f"{me}/moved", repo_type="dataset")
told["moved"] = api.dataset_info(f"{me}/data").id
answer(told)
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    settings = {"ssh_port": 0, "outgoing_allowed_hosts": "127.0.0.1"}
    with scratch_directory("access") as directory, HubServer(directory / "home", settings) as server:
        yield server


def test_a_gated_model_is_read_on_request(hub: HubServer, tmp_path: Path) -> None:
    accounts = owner, stranger = hub.new_account(), hub.new_account()
    ada, eve = (HuggingFace(tmp_path / one.name, f"{hub.url}/hf", one.token) for one in accounts)
    name = f"{owner.name}/thing"
    assert ada.python(SHUT, name=name) == ["manual", 0]
    seen = [True, "manual", True]
    assert eve.python(ASK, name=name, ask=True) == [403, 403, 401, 403, "pending", seen]
    assert eve.python(ASK, name=name, ask=False) == [403, 403, 401, 403, seen]
    decided = ada.python(DECIDE, name=name, user=stranger.name)
    assert decided == [stranger.name, "pending", "+00:00", [stranger.name], [409, 409, 404], "rejected", 1]
    copy = f"{stranger.name}/copy"
    assert eve.python(OPEN, name=name) == [100_000, copy, copy, True]


def test_collections_webhooks_and_spaces_are_managed(hub: HubServer, tmp_path: Path) -> None:
    owner = hub.new_account()
    client = HuggingFace(tmp_path / owner.name, f"{hub.url}/hf", owner.token)
    name = owner.create_repository("thing", private=False).removeprefix("models/")
    with Receiver() as receiver:
        told = client.python(MANAGE, me=owner.name, name=name, url=receiver.url, secret=SECRET)
        received = receiver.wait(3)
        assert all(one.headers["X-Webhook-Secret"] == SECRET for one in received)
        assert all(one.json["webhook"]["version"] == 3 for one in received)
    assert told == {
        "collections": [
            *(True, "All mine", "pink", 2),
            [[f"{owner.name}/data", "dataset", "Second"], [name, "model", "First"]],
            [["All mine", 0, 1]],
        ],
        "webhooks": [["repo", "discussion"], ["repo"], True, False, [True], owner.name],
        "spaces": [["S", "TOKEN"], name, "Which", "PAUSED", True],
        "wishes": ["PAUSED", None, "t4-small", 600],
        "unserved": [
            ["HfHubHTTPError", ["no buckets"]],
            # At the hub's root the client calls it BucketNotFoundError; below a path it does not know buckets.
            ["RepositoryNotFoundError", ["no buckets"]],
            ["HfHubHTTPError", ["no jobs"]],
            ["HfHubHTTPError", ["no jobs"]],
            ["HfHubHTTPError", ["no papers"]],
        ],
        "kernel": False,
        "moved": f"{owner.name}/moved",
    }
