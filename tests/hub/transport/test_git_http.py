"""Git over HTTP as it looks on the wire; what the real client makes of it is in ``tests/flows``."""

from __future__ import annotations

import base64
import gzip
import subprocess

import pytest
from sqlalchemy import select

from hub.db.uow import reading, unit_of_work
from hub.git.command import git_environment, server_config
from hub.git.pktline import DELIM, FLUSH, encode
from hub.git.types import ZERO_OID
from hub.repos import refs
from hub.repos.models import Push, Repository
from hub.repos.service import rename_repository
from tests.support.processes import wait_until
from tests.support.pushes import MAIN, Workbench

ROOT = "/models/ada/thing.git"
UPLOAD = "application/x-git-upload-pack-request"
RECEIVE = "application/x-git-receive-pack-request"
V2 = {"Git-Protocol": "version=2"}


def pack(*packets):
    return b"".join(encode(packet.encode() if isinstance(packet, str) else packet) for packet in packets)


LS_REFS = pack("command=ls-refs\n", DELIM, "peel\n", "symrefs\n", FLUSH)


def clone_request(oid):
    """What a client of protocol v2 sends that has nothing yet."""
    return pack("command=fetch", "agent=git/2", DELIM, "ofs-delta", "no-progress", f"want {oid}\n", "done\n", FLUSH)


# Both databases where a statement of its own is met.
pytestmark = pytest.mark.any_database


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def bench(context, ada, make_repository):
    """A public repository of ada's."""
    return Workbench(context, make_repository(ada, "thing"))


@pytest.fixture
def hub(client, bench):
    """A client of a hub with that repository."""
    return client


@pytest.fixture
def as_ada(ada, make_token):
    return {"Authorization": f"Bearer {make_token(ada)}"}


@pytest.fixture
def as_eve(make_user, make_token):
    """A stranger, signed in."""
    return {"Authorization": f"Bearer {make_token(make_user('eve'))}"}


@pytest.fixture
def hide(context, bench):
    """Make the repository private."""

    def hide():
        with unit_of_work(context) as work:
            work.session.get_one(Repository, bench.repository.id).is_private = True

    return hide


def advertise(hub, service="git-upload-pack", root=ROOT, headers=None):
    return hub.get(f"{root}/info/refs?service={service}", headers=headers)


def upload(hub, body, root=ROOT, headers=None, content_type=UPLOAD):
    return hub.post(f"{root}/git-upload-pack", data=body, headers=headers, content_type=content_type)


def push_body(bench, new, *, ref=MAIN, old=None):
    """A push by hand: the command and a pack of what the repository lacks."""
    old = old or bench.refs.get(ref, ZERO_OID)
    objects = subprocess.run(
        ["git", f"--git-dir={bench.path}", "pack-objects", "--revs", "--stdout", "--quiet"],
        input=f"{new}\n^{bench.head}\n".encode(),
        capture_output=True,
        check=True,
    ).stdout
    return encode(f"{old} {new} {ref}\0 report-status".encode()) + FLUSH.value + objects


# What there is.


@pytest.mark.any_database
def test_an_endpoint_and_a_repositorys_id_make_an_address_to_clone(hub, ada, bench, make_repository, as_ada):
    make_repository(ada, "corpus", kind="dataset")
    plain = advertise(hub).data
    for root in ("/hf/ada/thing", "/csg/ada/thing.git", "/ms/models/ada/thing", "/hf/models/ada/thing.git"):
        assert (advertise(hub, root=root).status_code, advertise(hub, root=root).data) == (200, plain), root
        answer = hub.post(f"{root}/git-upload-pack", data=LS_REFS, content_type=UPLOAD, headers=V2)
        assert (answer.status_code, b"refs/heads/main" in answer.data) == (200, True), root
    assert advertise(hub, root="/hf/datasets/ada/corpus").status_code == 200
    assert advertise(hub, root="/hf/ada/corpus", headers=as_ada).status_code == 404
    assert advertise(hub, "git-receive-pack", root="/hf/ada/thing").status_code == 401
    assert advertise(hub, "git-receive-pack", root="/hf/ada/thing", headers=as_ada).status_code == 200
    # At the root two words without ".git" are a page's.
    assert advertise(hub, root="/ada/thing").status_code == 404


def test_protocol_v2_says_what_git_itself_says(hub, bench):
    expected = subprocess.run(
        ["git", *server_config(), "upload-pack", "--stateless-rpc", "--advertise-refs", bench.path],
        env=git_environment({"GIT_PROTOCOL": "version=2"}),
        capture_output=True,
        check=True,
    ).stdout
    answer = advertise(hub, headers=V2)
    assert answer.status_code == 200
    assert answer.data == expected
    assert answer.content_type == "application/x-git-upload-pack-advertisement"
    assert "no-cache" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
def test_the_older_protocol_lists_refs_at_once(hub, bench, as_ada, service):
    answer = advertise(hub, service, headers=as_ada)
    assert answer.data.startswith(pack(f"# service={service}\n", FLUSH))
    assert f"{bench.head} refs/heads/main".encode() in answer.data
    assert answer.content_type == f"application/x-{service}-advertisement"


def test_protocol_v1_is_announced(hub):
    assert b"000eversion 1\n" in advertise(hub, headers={"Git-Protocol": "version=1"}).data


def test_a_list_of_refs_is_answered_in_protocol_v2(hub, bench):
    answer = upload(hub, LS_REFS, headers=V2)
    assert answer.data == pack(
        f"{bench.head} HEAD symref-target:refs/heads/main\n", f"{bench.head} refs/heads/main\n", FLUSH
    )
    assert answer.content_type == "application/x-git-upload-pack-result"


def test_a_list_of_refs_is_never_an_old_one(hub, bench):
    upload(hub, LS_REFS, headers=V2)
    bench.git("update-ref", MAIN, bench.commit())
    assert bench.head.encode() in upload(hub, LS_REFS, headers=V2).data


@pytest.mark.parametrize("root", ["/models/ada/thing.git", "/models/ada/thing", "/ada/thing.git", "/models/ADA/Thing"])
def test_an_address_works_with_its_suffix_and_its_collection_or_one_of_the_two(hub, root):
    assert advertise(hub, root=root, headers=V2).status_code == 200


def test_without_either_it_is_a_page_and_no_repository(hub):
    assert advertise(hub, root="/ada/thing").status_code == 404


@pytest.mark.each_database
def test_a_renamed_repository_answers_at_its_old_address(hub, bench, context, ada, actor_of):
    with unit_of_work(context) as work:
        rename_repository(work, actor=actor_of(ada), repository_id=bench.repository.id, name="renamed")
    assert advertise(hub, headers=V2).status_code == 200
    assert advertise(hub, root="/models/ada/renamed.git", headers=V2).status_code == 200


@pytest.mark.parametrize("query", ["", "?service=git-upload-archive", "?service=git-shell", "?service="])
def test_the_dumb_protocol_is_not_served(hub, query):
    answer = hub.get(f"{ROOT}/info/refs{query}")
    assert answer.status_code == 403
    assert b"smart protocol" in answer.data


@pytest.mark.parametrize("path", ["/HEAD", "/objects/info/packs", "/config", "/objects/12/34"])
def test_files_of_a_repository_are_not_served(hub, path):
    assert hub.get(f"{ROOT}{path}").status_code == 404


# Who may.


@pytest.mark.parametrize("root", [ROOT, "/models/ada/nothing.git", "/models/nobody/nothing", "/ada/thing.git"])
def test_an_anonymous_reader_is_asked_for_a_credential_whether_it_is_there_or_not(hub, hide, root):
    hide()
    answer = advertise(hub, root=root)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="hub"'
    assert answer.data == advertise(hub, root="/models/ada/never.git").data


def test_a_collection_that_there_is_not_is_no_secret(hub):
    assert advertise(hub, root="/things/ada/thing.git").status_code == 404


def test_a_stranger_hears_the_same_of_a_private_repository_and_of_none(hub, hide, as_eve):
    hide()
    there, missing = (advertise(hub, root=root, headers=as_eve) for root in (ROOT, "/models/ada/nothing.git"))
    assert (there.status_code, there.data) == (missing.status_code, missing.data)
    assert there.status_code == 404
    assert there.content_type == "text/plain; charset=utf-8"


@pytest.mark.each_database
def test_each_request_of_a_clone_is_judged(hub, bench, hide, as_eve):
    hide()
    for headers, status in ((None, 401), (as_eve, 404)):
        for body in (LS_REFS, clone_request(bench.head)):
            assert upload(hub, body, headers={**(headers or {}), **V2}).status_code == status


def test_a_bad_credential_is_refused_even_for_what_is_public(hub):
    for credential in ("Bearer " + "0" * 32, "Basic " + base64.b64encode(b"ada:wrong").decode()):
        answer = advertise(hub, headers={"Authorization": credential})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="hub"'


@pytest.mark.each_database
def test_a_push_needs_the_right_to_write(hub, bench, context, ada, as_ada, as_eve, make_token):
    reader = {"Authorization": f"Bearer {make_token(ada, 'read')}"}
    assert advertise(hub, "git-receive-pack").status_code == 401
    assert advertise(hub, "git-receive-pack", headers=as_eve).status_code == 403
    refused = advertise(hub, "git-receive-pack", headers=reader)
    assert refused.status_code == 403
    assert b"scope" in refused.data
    assert advertise(hub, "git-receive-pack", headers=as_ada).status_code == 200
    with unit_of_work(context) as work:
        work.session.get_one(Repository, bench.repository.id).archived_at = work.now()
    refused = advertise(hub, "git-receive-pack", headers=as_ada)
    assert refused.status_code == 403
    assert b"archived" in refused.data


def test_the_body_of_a_push_without_the_right_is_not_read(hub, bench, as_eve):
    body = push_body(bench, bench.commit())
    answer = hub.post(f"{ROOT}/git-receive-pack", data=body, headers=as_eve, content_type=RECEIVE)
    assert answer.status_code == 403
    assert not bench.pushes()


# Packs.


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_clone_gets_a_pack(hub, bench, packed):
    body = clone_request(bench.head)
    headers = {**V2, "Content-Encoding": "gzip"} if packed else V2
    answer = upload(hub, gzip.compress(body) if packed else body, headers=headers)
    assert answer.data.startswith(pack("packfile\n"))
    assert answer.data.endswith(FLUSH.value)


def test_the_second_clone_comes_out_of_the_cache(hub, bench, context):
    first = upload(hub, clone_request(bench.head), headers=V2)
    whole = first.data
    kept = [path for path in (context.settings.cache_path / "packs").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in kept] == [whole]
    kept[0].write_bytes(b"from the cache0000")
    second = upload(hub, clone_request(bench.head), headers=V2)
    assert second.data == b"from the cache0000"
    assert second.headers["Content-Length"] == "18"


@pytest.mark.each_database
def test_the_cache_serves_nobody_who_may_not_read(hub, bench, hide, as_ada, as_eve):
    assert upload(hub, clone_request(bench.head), headers=V2).data
    hide()
    assert upload(hub, clone_request(bench.head), headers=V2).status_code == 401
    assert upload(hub, clone_request(bench.head), headers={**V2, **as_eve}).status_code == 404
    assert upload(hub, clone_request(bench.head), headers={**V2, **as_ada}).data.endswith(FLUSH.value)


def test_another_repository_with_the_same_commits_has_answers_of_its_own(hub, bench, context, ada, make_repository):
    assert upload(hub, clone_request(bench.head), headers=V2).data
    other = Workbench(context, make_repository(ada, "other"))
    assert b"not our ref" in upload(hub, clone_request(bench.head), root="/models/ada/other.git", headers=V2).data
    assert upload(hub, clone_request(other.head), root="/models/ada/other.git", headers=V2).data


def test_moved_refs_make_old_answers_unreachable(hub, bench, context):
    assert upload(hub, clone_request(bench.head), headers=V2).data
    bench.git("update-ref", MAIN, bench.commit())
    assert upload(hub, clone_request(bench.head), headers=V2).data
    assert len([path for path in (context.settings.cache_path / "packs").rglob("*") if path.is_file()]) == 2


@pytest.mark.settings(pack_cache_size_bytes=0)
def test_without_a_cache_clones_work_and_leave_no_file(hub, bench, context):
    assert upload(hub, clone_request(bench.head), headers=V2).data.startswith(pack("packfile\n"))
    assert not (context.settings.cache_path / "packs").exists()


def test_a_fetch_by_one_who_has_something_is_git_s_own_affair(hub, bench, context):
    new = bench.commit()
    bench.git("update-ref", MAIN, new)
    parent = bench.git("rev-parse", f"{new}^")
    body = pack("command=fetch", DELIM, f"want {new}", f"have {parent}", "done", FLUSH)
    assert upload(hub, body, headers=V2).data.startswith(pack("packfile\n"))
    assert not (context.settings.cache_path / "packs").exists()


def test_a_long_negotiation_is_streamed_through(hub, bench):
    haves = [f"have {number:040x}" for number in range(1, 2000)]
    body = pack("command=fetch", DELIM, f"want {bench.head}", *haves, "done", FLUSH)
    assert len(body) > 65536
    assert b"packfile\n" in upload(hub, body, headers=V2).data


@pytest.mark.each_database
def test_clones_are_counted(hub, bench, context):
    for _ in range(3):
        assert upload(hub, clone_request(bench.head), headers=V2).data

    def count():
        with reading(context) as work:
            return work.session.scalar(select(Repository.download_count).where(Repository.id == bench.repository.id))

    wait_until(lambda: count() == 3, what="the clones to be counted")


# Requests that are none.


@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
@pytest.mark.parametrize("content_type", ["text/plain", UPLOAD + "x", ""])
def test_a_request_of_another_type_is_refused(hub, as_ada, service, content_type):
    answer = hub.post(f"{ROOT}/{service}", data=b"0000", headers=as_ada, content_type=content_type)
    assert answer.status_code == 400


@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", b"0000"), ("gzip", gzip.compress(b"0000")[:8]), ("br", b"0000"), ("gzip", b"")],
    ids=["not gzip", "cut", "unknown", "empty"],
)
def test_a_body_that_cannot_be_unpacked_is_refused(hub, as_ada, service, encoding, body):
    headers = {**as_ada, "Content-Encoding": encoding}
    answer = hub.post(f"{ROOT}/{service}", data=body, headers=headers, content_type=f"application/x-{service}-request")
    assert answer.status_code == 400
    assert answer.content_type == "text/plain; charset=utf-8"


def test_a_body_that_is_cut_late_changes_nothing(hub, bench, as_ada):
    before = bench.refs
    body = gzip.compress(push_body(bench, bench.commit()))[:-4]
    headers = {**as_ada, "Content-Encoding": "gzip"}
    answer = hub.post(f"{ROOT}/git-receive-pack", data=body, headers=headers, content_type=RECEIVE)
    assert b"ok refs/heads/main" not in answer.data
    assert bench.refs == before


@pytest.mark.parametrize("version", ["version=2; rm -rf /", "version=2\x7f", "v" * 100])
def test_a_strange_protocol_header_is_as_none(hub, version):
    assert advertise(hub, headers={"Git-Protocol": version}).data.startswith(pack("# service=git-upload-pack\n"))


def test_too_many_wants_are_refused(hub, bench, monkeypatch):
    monkeypatch.setattr("hub.transport.git_http.MAX_NEGOTIATION_BYTES", 1000)
    body = pack("command=fetch", DELIM, *[f"want {bench.head}"] * 50, "done", FLUSH)
    assert upload(hub, body, headers=V2).status_code == 413


# Pushes. Flask's test client listens nowhere, so their hooks find no hub.


def test_a_pusher_s_probe_is_judged_and_answered_with_nothing(hub, bench, as_ada, as_eve):
    """Before a push of more than a MiB git sends an empty one, to learn whether its credential will do."""
    for headers, status in ((as_ada, 200), (as_eve, 403), (None, 401)):
        answer = hub.post(f"{ROOT}/git-receive-pack", data=b"0000", headers=headers, content_type=RECEIVE)
        assert answer.status_code == status
        assert not answer.data or status != 200


def test_four_bytes_that_are_no_probe_go_to_git(hub, bench, as_ada):
    answer = hub.post(f"{ROOT}/git-receive-pack", data=b"zzzz", headers=as_ada, content_type=RECEIVE)
    assert answer.status_code == 200
    assert b"unpack ok" not in answer.data


@pytest.mark.each_database
def test_a_push_that_the_hub_did_not_allow_is_refused_whole(hub, bench, as_ada, context):
    before = bench.refs
    body = push_body(bench, bench.commit())
    answer = hub.post(f"{ROOT}/git-receive-pack", data=body, headers=as_ada, content_type=RECEIVE)
    assert answer.status_code == 200
    assert b"pre-receive hook declined" in answer.data
    assert bench.refs == before
    with reading(context) as work:
        assert len(work.session.scalars(select(Push)).all()) == 1
    assert refs.reconcile(context) == refs.Reconciled()


def test_a_user_is_no_more_than_a_name(hub, bench, ada, make_token, hide):
    hide()
    secret = make_token(ada, "read")
    for name in ("ada", "somebody", "", "x" * 300):
        credential = base64.b64encode(f"{name}:{secret}".encode()).decode()
        assert advertise(hub, headers={"Authorization": f"Basic {credential}"}).status_code == 200
