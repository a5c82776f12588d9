"""What the unmodified huggingface_hub reads of a running hub besides files, below /hf and at the root.

Contract: hf-hub-api.md, sections 3, 5, 6 and 8. Its environment is the CSGHub SDK's, which brings the library.
"""

from __future__ import annotations

import pytest

from tests.support.hub import HubServer
from tests.support.huggingface import HuggingFace
from tests.support.processes import wait_until
from tests.support.servers import scratch_directory

pytestmark = pytest.mark.slow

WRITE = """
import json, struct
from huggingface_hub import CommitOperationAdd, HfApi

api, me, name = HfApi(), given["me"], given["name"]

def shard(**tensors):
    described = {n: {"dtype": "F32", "shape": [k], "data_offsets": [0, 4 * k]} for n, k in tensors.items()}
    head = json.dumps(described).encode()
    return struct.pack("<Q", len(head)) + head + bytes(4 * max(tensors.values()))

model, data = f"{me}/{name}", f"{me}/{name}-data"
api.create_repo(data, repo_type="dataset", private=True)
url = api.create_repo(model)
card = f"---\\nlicense: mit\\nlanguage: [en]\\npipeline_tag: text-generation\\ndatasets: [{data}]\\n---\\n# {name}\\n"
index = {"metadata": {"total_size": 20}, "weight_map": {"a": "s-1.safetensors", "b": "s-2.safetensors"}}
files = {
    "README.md": card.encode(),
    "config.json": b'{"architectures": ["LlamaForCausalLM"]}',
    "model.safetensors.index.json": json.dumps(index).encode(),
    "s-1.safetensors": shard(a=2),
    "s-2.safetensors": shard(b=3),
}
commit = api.create_commit(model, [CommitOperationAdd(k, v) for k, v in files.items()], commit_message="<Files>").oid

answer([model, data, commit])
"""

READ = """
from huggingface_hub import HfApi, HfFileSystem
from huggingface_hub.errors import BadRequestError, RepositoryNotFoundError, RevisionNotFoundError

api, me, name = HfApi(), given["me"], given["name"]
model, data, commit = given["model"], given["data"], given["commit"]
files = {"README.md", "config.json", "model.safetensors.index.json", "s-1.safetensors", "s-2.safetensors"}

info = api.model_info(model, files_metadata=True, securityStatus=True)
assert (info.sha, info.card_data.license, info.safetensors.total) == (commit, "mit", 5), info
assert info.transformers_info.auto_model == "AutoModelForCausalLM"
assert info.last_modified.tzinfo is not None and info.gated is False and info.used_storage > 0
assert {s.rfilename for s in info.siblings} >= files
assert api.model_info(model, revision=commit[:5], expand=["sha", "likes"]).sha == commit
for bad, error in (({"expand": ["none"]}, BadRequestError), ({"revision": "none"}, RevisionNotFoundError)):
    try:
        api.model_info(model, **bad)
        assert False, bad
    except error:
        pass
assert api.repo_exists(f"{me}/none") is False

for number in range(3):
    api.create_repo(f"{me}/{name}-{number}")
listed = [m.id for m in api.list_models(author=me, search=name, sort="created_at")]
assert listed == [f"{model}-2", f"{model}-1", f"{model}-0", model], listed
assert len(list(api.list_models(author=me, search=name, limit=2))) == 2
expanded = api.list_models(author=me, search=name, sort="created_at", expand=["safetensors", "sha"])
sizes = [m.safetensors for m in expanded]
assert sizes[-1].total == 5 and sizes[:3] == [None] * 3
full = [m for m in api.list_models(author=me, search=name, full=True, cardData=True) if m.id == model][0]
assert full.sha == commit and full.siblings and full.card_data.license == "mit"
tags = set(api.model_info(model).tags)
assert f"dataset:{data}" in tags, tags
found = api.list_models(author=me, filter=["license:mit", "en"], pipeline_tag="text-generation")
assert [m.id for m in found] == [model]
assert [m.id for m in api.list_models(trained_dataset=data)] == [model]
# The card names it to everybody; that there is such a data set here, a stranger does not learn by it.
assert [m.id for m in HfApi(token=False).list_models(trained_dataset=data)] == [model]
assert [d.id for d in api.list_datasets(author=me, search=name, gated=False)] == [data]
assert "license" in api.get_model_tags() and "task_categories" in api.get_dataset_tags()

meta = api.get_safetensors_metadata(model)
assert meta.sharded and meta.parameter_count == {"F32": 5}, meta

who = api.whoami()
assert who["name"] == me and who["auth"]["accessToken"]["role"] == "write" and who["orgs"] == []
user = api.get_user_overview(me)
assert user.username == me and user.num_models >= 4
assert list(api.list_user_followers(me)) == list(api.list_user_following(me)) == []
stored = {r.id: r for r in api.list_user_repos()}
assert stored[data].visibility == "private" and stored[model].storage > 0
api.auth_check(model)
api.auth_check(model, write=True)
try:
    HfApi(token=False).auth_check(data, repo_type="dataset")
    assert False
except RepositoryNotFoundError:
    pass

refs = api.list_repo_refs(model, include_pull_requests=True)
assert refs.branches[0].target_commit == commit and refs.pull_requests == [] and refs.converts == []
history = api.list_repo_commits(model, formatted=True)
assert history[0].commit_id == commit and history[0].formatted_title == "&lt;Files&gt;", history[0]
assert {e["name"].rpartition("/")[2] for e in HfFileSystem().ls(model)} >= files

api.move_repo(model, f"{model}-moved")
assert api.model_info(model).id == f"{model}-moved"
assert api.hf_hub_download(model, "config.json")
answer([len(listed), sorted(tags)])
"""


@pytest.fixture(scope="module")
def hub():
    with scratch_directory("hflists") as directory, HubServer(directory / "home", {"ssh_port": 0}) as server:
        yield server


@pytest.mark.parametrize("place", ["/hf", ""], ids=["below", "at-root"])
def test_the_library_finds_and_reads(hub, tmp_path, place):
    account = hub.new_account()
    client = HuggingFace(tmp_path, hub.url + place, account.token, line="csghub-sdk", xet=False)
    model, data, commit = client.python(WRITE, me=account.name, name="thing")
    # A job reads the card and the weights.

    def is_read() -> bool:
        found = account.api.get(f"/api/v1/models/{model}/index").data
        return (found["commit"], found["state"]) == (commit, "done")

    wait_until(is_read, timeout_s=120, what="the model to be read")
    count, _ = client.python(READ, me=account.name, name="thing", model=model, data=data, commit=commit)
    assert count == 4
