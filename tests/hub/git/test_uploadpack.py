"""Protocol v2 without a child process: the same bytes that git says."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.git.command import git_environment, server_config
from hub.git.pktline import DELIM, FLUSH, encode
from hub.git.uploadpack import (
    Advertisement,
    LsRefs,
    PlainFetch,
    VisibleRef,
    advertise_for_push,
    answer_ls_refs,
    digest_of,
    list_visible_refs,
    parse_request,
    version_of,
)


def pack(*packets):
    """Packets as they come over the wire."""
    return b"".join(encode(packet.encode() if isinstance(packet, str) else packet) for packet in packets)


def upload_pack(path, request, *options):
    """What git itself answers to a request of protocol v2."""
    return subprocess.run(
        ["git", *server_config(), f"--git-dir={path}", "upload-pack", "--stateless-rpc", *options, "."],
        cwd=path,
        input=request,
        env=git_environment({"GIT_PROTOCOL": "version=2"}),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


def ls_refs(*arguments):
    return pack("command=ls-refs\n", "agent=git/2.39.5", "object-format=sha1", DELIM, *arguments, FLUSH)


# The advertisement.


def test_the_capabilities_are_git_s_own_and_asked_for_once(sandbox):
    advertisement = Advertisement()
    assert advertisement.get(sandbox.path) == upload_pack(sandbox.path, b"", "--advertise-refs")
    assert advertisement.get(sandbox.path.with_name("not-there.git")).startswith(b"000eversion 2\n")


@pytest.mark.parametrize(
    ("header", "version"),
    [(None, 0), ("", 0), ("version=1", 1), ("version=2", 2), ("version=1:version=2", 2), ("x:version=2", 2)],
)
def test_the_highest_known_version_is_spoken(header, version):
    assert version_of(header) == version


@pytest.mark.parametrize("header", ["version=3", "version=22", "VERSION=2", "version"])
def test_an_unknown_version_is_the_oldest(header):
    assert version_of(header) == 0


# The list of refs.

ARGUMENTS = [
    (),
    ("peel\n", "symrefs\n", "unborn\n", "ref-prefix refs/heads/\n", "ref-prefix refs/tags/\n"),
    ("peel\n", "symrefs\n", "ref-prefix HEAD\n"),
    ("symrefs\n",),
    ("peel\n",),
    ("unborn\n",),
    ("symrefs\n", "unborn\n"),
    ("ref-prefix refs/heads/ma\n",),
    ("ref-prefix nothing\n",),
    ("ref-prefix \n",),
]


@pytest.fixture(params=["empty", "unborn", "full", "packed", "detached", "broken"])
def state(request, sandbox):
    """A repository in one of the states that change the list."""
    if request.param == "empty":
        return sandbox
    first = sandbox.commit({"a": b"1"})
    if request.param == "unborn":
        sandbox.git("symbolic-ref", "HEAD", "refs/heads/nowhere")
        return sandbox
    second = sandbox.commit({"a": b"2"}, branch="side")
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    sandbox.git(*identity, "tag", "-a", "v1", "-m", "one", first)
    sandbox.git(*identity, "tag", "-a", "v1-again", "-m", "of a tag", "v1")
    sandbox.git("tag", "light", second)
    sandbox.git("tag", "blob", f"{first}:a")
    sandbox.git("update-ref", "refs/hub/secret", second)
    sandbox.git("update-ref", "refs/pull/1/head", second)
    sandbox.git("symbolic-ref", "refs/heads/alias", "refs/heads/side")
    if request.param == "packed":
        sandbox.git("pack-refs", "--all")
        sandbox.git("update-ref", "refs/heads/side", first)
    if request.param == "detached":
        sandbox.git("update-ref", "--no-deref", "HEAD", second)
    if request.param == "broken":
        (sandbox.path / "refs/heads/broken").write_text("12" * 20 + "\n")
        sandbox.git("symbolic-ref", "refs/heads/dangling", "refs/heads/nothing")
    return sandbox


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_the_list_of_refs_is_byte_for_byte_git_s(state, arguments):
    request = ls_refs(*arguments)
    asked = parse_request(request, 2)
    assert isinstance(asked, LsRefs)
    assert answer_ls_refs(list_visible_refs(state.path), asked) == upload_pack(state.path, request)


def test_what_a_pusher_is_told_is_byte_for_byte_git_s(state):
    command = ["git", *server_config(), f"--git-dir={state.path}", "receive-pack", "--stateless-rpc"]
    expected = subprocess.run(
        [*command, "--advertise-refs", "."], cwd=state.path, env=git_environment(), capture_output=True, check=True
    ).stdout
    capabilities = Advertisement().get_for_push(state.path)
    assert advertise_for_push(list_visible_refs(state.path), capabilities) == expected


def test_hidden_refs_are_in_no_list(sandbox):
    head = sandbox.commit({"a": b"1"})
    before = list_visible_refs(sandbox.path)
    sandbox.git("update-ref", "refs/hub/secret", head)
    assert list_visible_refs(sandbox.path) == before


def test_the_digest_changes_with_everything_that_clients_see(sandbox):
    sandbox.commit({"a": b"1"})
    seen = {digest_of(list_visible_refs(sandbox.path))}
    sandbox.git("branch", "side", "main")
    seen.add(digest_of(list_visible_refs(sandbox.path)))
    sandbox.commit({"a": b"2"})
    seen.add(digest_of(list_visible_refs(sandbox.path)))
    sandbox.git("symbolic-ref", "HEAD", "refs/heads/side")
    seen.add(digest_of(list_visible_refs(sandbox.path)))
    assert len(seen) == 4


def test_a_head_without_a_commit_counts_in_the_digest():
    assert digest_of([VisibleRef(b"HEAD", None, b"refs/heads/a")]) != digest_of(
        [VisibleRef(b"HEAD", None, b"refs/heads/b")]
    )


# Requests.

WANT = "want " + "1" * 40


def fetch(*arguments, head=("agent=git/2.39.5", "object-format=sha1")):
    return pack("command=fetch", *head, DELIM, *arguments, FLUSH)


def test_two_clones_that_want_the_same_have_the_same_text():
    one = parse_request(fetch("thin-pack", "ofs-delta", WANT, "done\n"), 2)
    two = parse_request(fetch("thin-pack", "ofs-delta", WANT, "done", head=("agent=git/2.50", "session-id=x")), 2)
    assert isinstance(one, PlainFetch)
    assert one == two


@pytest.mark.parametrize("more", ["deepen 1", "filter blob:none", "include-tag", "want " + "2" * 40, "no-progress"])
def test_another_wish_is_another_text(more):
    assert parse_request(fetch(WANT, "done"), 2) != parse_request(fetch(WANT, more, "done"), 2)


@pytest.mark.parametrize(
    "request_bytes",
    [
        fetch(WANT, "have " + "2" * 40, "done"),
        fetch(WANT),
        fetch(WANT, "done", head=("server-option=x",)),
        fetch(WANT, "done", head=("object-format=sha256",)),
        fetch(WANT, "done") + b"0000",
        fetch(WANT, "done")[:-4],
        pack("command=fetch", DELIM, WANT, DELIM, "done", FLUSH),
        pack("command=object-info", DELIM, "size", FLUSH),
        ls_refs("unknown"),
        b"",
        b"0000",
        b"zzzz",
        pack("command=fetch", FLUSH, WANT, FLUSH),
    ],
)
def test_what_only_git_can_answer_is_left_to_git(request_bytes):
    assert parse_request(request_bytes, 2) is None


def test_a_request_without_arguments_is_understood():
    assert parse_request(pack("command=ls-refs\n", FLUSH), 2) == LsRefs()


OLD = WANT + " multi_ack side-band-64k ofs-delta agent=git/2.39.5\n"


def test_an_old_clone_is_understood_too():
    one = parse_request(pack(OLD, FLUSH, "done\n"), 0)
    two = parse_request(pack(OLD.replace("2.39.5", "2.1"), FLUSH, "done\n"), 1)
    assert isinstance(one, PlainFetch)
    assert one == two


@pytest.mark.parametrize(
    "request_bytes",
    [
        pack(OLD, FLUSH, "have " + "2" * 40 + "\n", "done\n"),
        pack(OLD, FLUSH, "have " + "2" * 40 + "\n", FLUSH),
        pack(OLD, "deepen 1\n", FLUSH),
        pack("done\n"),
        pack("shallow " + "2" * 40, FLUSH, "done\n"),
        pack(OLD, DELIM, FLUSH, "done\n"),
        b"0000",
        b"",
    ],
)
def test_other_old_requests_are_left_to_git(request_bytes):
    assert parse_request(request_bytes, 0) is None


@pytest.mark.parametrize("version", [0, 2])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_understood_or_left_to_git(version, data):
    parse_request(data, version)


@given(st.lists(st.sampled_from([DELIM, FLUSH, b"command=fetch", b"command=ls-refs", b"done", b"want x", b"peel"])))
def test_any_packets_are_understood_or_left_to_git(packets):
    for version in (0, 1, 2):
        parse_request(pack(*packets), version)
