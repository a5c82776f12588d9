"""Many contents in one pack: each as Git would name it, and nothing loose is left."""

import hashlib

import pytest

from hub.base.errors import Failed
from hub.git.packing import MIN_CONTENTS, pack_contents
from hub.git.repository import init_repository
from hub.git.tree import read_blob


def blob_id(content):
    return hashlib.sha1(b"blob %d\0%s" % (len(content), content)).hexdigest()


def test_many_contents_become_one_pack(tmp_path):
    path = tmp_path / "thing.git"
    init_repository(path)
    contents = [b"", b"\n", b"done\n", b"\0" * 5, *(b"content %d\n" % (number % 90) for number in range(MIN_CONTENTS))]
    files = []
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)
        files.append(tmp_path / str(number) if number % 2 else content)
    oids = pack_contents(path, files)
    assert oids == [blob_id(content) for content in contents]
    assert len(list((path / "objects" / "pack").glob("*.pack"))) == 1
    assert not list((path / "objects").glob("??/*"))
    assert [read_blob(path, oid).data for oid in oids] == contents


def test_what_git_cannot_store_is_a_failure(tmp_path):
    path = tmp_path / "thing.git"
    init_repository(path)
    (path / "objects" / "pack").rmdir()
    (path / "objects" / "pack").write_text("no folder")
    with pytest.raises(Failed):
        pack_contents(path, [b"%d" % number for number in range(MIN_CONTENTS)])
