"""Chosen files and folders as one ZIP: what is in it, and what it refuses before it begins."""

import io
import zipfile
from urllib.parse import quote, urlencode

import pytest

from hub.accounts.policy import SYSTEM
from hub.repos import selections
from hub.repos.files import FileEdit, commit_files
from hub.repos.lfs.service import receive_object
from tests.support.lfs import oid_of, pointer_to

pytestmark = pytest.mark.any_database

LARGE = bytes(range(256)) * 5000
FILES = {"a.txt": b"a\n", "src/b.txt": b"b\n", "src/deep/é ñ.txt": b"c\n", "other/d.txt": b"d\n"}


@pytest.fixture
def ada(as_user):
    return as_user("ada")


@pytest.fixture
def thing(context, ada, make_repository, actor_of):
    repository = make_repository(ada.user, "thing", private=True)
    oid = oid_of(LARGE)
    receive_object(
        context,
        actor=actor_of(ada.user),
        repository_id=repository.id,
        oid=oid,
        size_bytes=len(LARGE),
        chunks=[LARGE],
    )
    edits = [FileEdit(path, content=content) for path, content in FILES.items()]
    edits.append(FileEdit("src/large.bin", content=pointer_to(LARGE).encode()))
    commit_files(context, actor=SYSTEM, repository_id=repository.id, message="Files", edits=edits)
    return repository


def choose(caller, revision="main", folder="", *names):
    query = urlencode({"folder": folder, "name": names}, doseq=True)
    return caller.client.get(
        f"/api/v1/models/ada/thing/selection/{quote(revision, safe='')}.zip?{query}", headers=caller.headers
    )


def opened(answer):
    assert answer.status_code == 200, answer.text[:300]
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


def test_a_zip_holds_the_chosen_files_and_folders_with_their_content_in_lfs(ada, thing):
    found = opened(choose(ada, "main", "", "src", "a.txt"))
    assert found.pop("src/large.bin") == LARGE
    assert found == {path: content for path, content in FILES.items() if not path.startswith("other")}
    answer = choose(ada, "main", "src", "deep", "large.bin")
    assert set(opened(answer)) == {"deep/é ñ.txt", "large.bin"}
    assert 'filename="thing-src-main.zip"' in answer.headers["Content-Disposition"]
    assert set(opened(choose(ada, "main", "src/deep"))) == {"é ñ.txt"}


def test_what_is_not_there_too_much_or_private_is_refused_before_anything_is_sent(ada, thing, as_user, monkeypatch):
    assert choose(ada, "main", "", "none.txt").status_code == 404
    assert choose(ada, "nowhere", "", "a.txt").status_code == 404
    assert choose(ada, "main", "", "../../etc").status_code == 400
    assert choose(as_user("bob"), "main", "", "a.txt").status_code == 404
    monkeypatch.setattr(selections, "MAX_FILES", 3)
    answer = choose(ada, "main", "", "src", "a.txt")
    assert (answer.status_code, answer.json["code"]) == (413, "selection_too_large")
