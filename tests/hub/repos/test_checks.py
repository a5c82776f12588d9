"""What is refused before refs move, and with which words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.accounts.models import Role, User
from hub.accounts.policy import SYSTEM, Actor
from hub.accounts.service import set_grant
from hub.base.context import Context
from hub.base.errors import Conflict, Denied, HubError, Invalid, QuotaExceeded, TooLarge, Unprocessable
from hub.db.uow import unit_of_work
from hub.git.pointer import format_pointer
from hub.git.types import ZERO_OID, RefChange
from hub.repos import checks, refs
from hub.repos.lfs.holdings import register_object
from hub.repos.models import ProtectedBranch, Repository
from tests.support.pushes import MAIN, Workbench

# Both databases where a statement of its own is met.
pytestmark = pytest.mark.any_database

MIB = 1024 * 1024


@pytest.fixture
def ada(make_user: Callable[..., User]) -> User:
    return make_user("ada")


@pytest.fixture
def actor(ada: User, actor_of: Callable[[User], Actor]) -> Actor:
    return actor_of(ada)


@pytest.fixture
def bench(context: Context, ada: User, make_repository: Callable[..., Repository]) -> Workbench:
    return Workbench(context, make_repository(ada))


@pytest.fixture
def ask(bench: Workbench, actor: Actor) -> Callable[..., None]:
    """Ask whether changes may be made; raises what refuses them."""

    def ask(*changes: RefChange, by: Actor | None = None, new_bytes: int | None = None) -> None:
        refs.prepare(
            bench.context,
            actor=by or actor,
            repository_id=bench.repository.id,
            changes=changes,
            via="http",
            new_bytes=new_bytes,
        )

    return ask


def protect(bench: Workbench, pattern: str, **rules: object) -> None:
    with unit_of_work(bench.context) as work:
        work.session.add(
            ProtectedBranch(repository_id=bench.repository.id, pattern=pattern, created_at=work.now(), **rules)
        )


def refused(ask: Callable[..., None], error: type[HubError], code: str, *changes: RefChange, **options: object) -> str:
    """The message of a refusal of the expected kind."""
    with pytest.raises(error) as refusal:
        ask(*changes, **options)
    assert refusal.value.code == code
    return str(refusal.value)


# Names of refs.


@pytest.mark.parametrize(
    "ref", ["refs/pull/1/head", "refs/hub/x/y", "refs/notes/commits", "HEAD", "refs/keep", "refs/headsmain", "main"]
)
def test_only_branches_and_tags_may_be_moved(bench, ask, ref):
    assert "refs/heads/" in refused(ask, Denied, "ref_reserved", RefChange(ref, ZERO_OID, bench.head))
    refused(ask, Denied, "ref_reserved", RefChange(ref, bench.head, ZERO_OID))


def test_the_hub_itself_may_move_other_refs(bench, ask):
    ask(RefChange("refs/pull/1/head", ZERO_OID, bench.head), by=SYSTEM)


@pytest.mark.parametrize(
    "name",
    [
        "a..b",
        "a b",
        "-x",
        "HEAD",
        "a.lock",
        "a/.b",
        "a//b",
        "x~1",
        "0" * 40,
        "a" * 300,
        "\udcff",
        "a\x07",
        "a\\b",
        "refs/pr/1",
    ],
)
def test_a_name_that_git_or_a_command_line_would_misread_is_refused(bench, ask, name):
    refused(ask, Invalid, "ref_invalid", RefChange(f"refs/heads/{name}", ZERO_OID, bench.head))
    refused(ask, Invalid, "ref_invalid", RefChange(f"refs/tags/{name}", ZERO_OID, bench.head))


def test_a_badly_named_branch_that_is_there_can_be_deleted(bench, ask):
    bench.git("update-ref", "refs/heads/-old", bench.head)
    ask(RefChange("refs/heads/-old", bench.head, ZERO_OID))


@given(st.text())
def test_any_name_is_taken_or_refused_and_nothing_else(name):
    push = checks.IncomingPush(None, SYSTEM, None, None, [RefChange(f"refs/heads/{name}", ZERO_OID, "1" * 40)], "api")
    try:
        checks.check_ref_names(push)
    except Invalid as refusal:
        assert refusal.code == "ref_invalid"
    else:
        assert name
        assert name.isprintable()


# Names that clash.


@pytest.mark.parametrize("other", ["Feature", "FEATURE", "feature/x", "Feature/x/y"])
def test_a_branch_that_clashes_with_another_is_refused(bench, ask, other):
    bench.git("update-ref", "refs/heads/feature", bench.head)
    message = refused(ask, Conflict, "ref_clash", bench.update(bench.head, ref=f"refs/heads/{other}"))
    assert "'feature'" in message


def test_a_branch_cannot_take_the_place_of_a_folder(bench, ask):
    bench.git("update-ref", "refs/heads/release/1.0", bench.head)
    refused(ask, Conflict, "ref_clash", bench.update(bench.head, ref="refs/heads/Release"))


def test_two_branches_of_one_push_that_clash_are_refused(bench, ask):
    changes = [bench.update(bench.head, ref=f"refs/heads/{name}") for name in ("Side", "side")]
    refused(ask, Conflict, "ref_clash", *changes)


def test_a_branch_and_a_tag_of_one_name_live_side_by_side(bench, ask):
    ask(bench.update(bench.head, ref="refs/heads/v1"), bench.update(bench.head, ref="refs/tags/v1"))


def test_a_branch_may_be_renamed_to_another_case_in_one_push(bench, ask):
    bench.git("update-ref", "refs/heads/Feature", bench.head)
    changes = [
        bench.update(ZERO_OID, ref="refs/heads/Feature"),
        bench.update(bench.head, ref="refs/heads/feature"),
    ]
    ask(*changes)


# Branches that are guarded.


def test_the_default_branch_cannot_be_deleted(bench, ask):
    assert "default branch" in refused(ask, Denied, "default_branch", bench.update(ZERO_OID))


def test_a_branch_without_a_rule_may_be_rewritten_and_deleted(bench, ask):
    bench.git("update-ref", "refs/heads/side", bench.commit())
    ask(bench.update(bench.commit(message="other"), ref="refs/heads/side"))
    ask(bench.update(ZERO_OID, ref="refs/heads/side"))


def test_a_protected_branch_takes_what_builds_on_it_only(bench, ask):
    protect(bench, "main")
    old = bench.head
    bench.git("update-ref", MAIN, bench.commit(message="1"))
    ask(bench.update(bench.commit(message="2")))
    rewritten = bench.commit(message="other", parent=old)
    assert "force-pushed" in refused(ask, Denied, "branch_protected", bench.update(rewritten))


def test_a_protected_branch_cannot_be_deleted(bench, ask):
    protect(bench, "release/*")
    bench.git("update-ref", "refs/heads/release/1", bench.head)
    refused(ask, Denied, "branch_protected", bench.update(ZERO_OID, ref="refs/heads/release/1"))


def test_a_rule_may_allow_what_protection_forbids(bench, ask):
    protect(bench, "main", allow_force_push=True, allow_deletion=True)
    old = bench.head
    bench.git("update-ref", MAIN, bench.commit(message="1"))
    ask(bench.update(bench.commit(message="other", parent=old)))


@pytest.mark.each_database
def test_a_rule_asks_for_a_role(bench, ask, context, ada, actor, make_user, actor_of):
    protect(bench, "main", push_role=Role.ADMIN)
    helper = make_user("bob")
    with unit_of_work(context) as work:
        set_grant(work, actor=actor, resource=bench.repository, user=helper, role=Role.WRITE)
    change = bench.update(bench.commit())
    assert "'admin'" in refused(ask, Denied, "branch_protected", change, by=actor_of(helper))
    ask(RefChange("refs/heads/mine", ZERO_OID, change.new), by=actor_of(helper))
    ask(change)


def test_not_even_a_site_admin_rewrites_a_protected_branch_by_accident(bench, ask, make_user, actor_of):
    protect(bench, "main", push_role=Role.OWNER)
    old = bench.head
    bench.git("update-ref", MAIN, bench.commit(message="1"))
    root = actor_of(make_user("root", admin=True))
    refused(ask, Denied, "branch_protected", bench.update(bench.commit(message="o", parent=old)), by=root)
    ask(bench.update(bench.commit(message="2")), by=root)


@pytest.mark.each_database
@pytest.mark.parametrize(
    ("branch", "pattern"),
    [("main", "main"), ("release/1", "release/*"), ("release/10", "release/1?"), ("x", "*"), ("a[b]", "a[b]")],
)
def test_the_longest_pattern_that_fits_decides(branch, pattern):
    rules = [ProtectedBranch(pattern=text) for text in ("*", "release/*", "release/1?", "main", "a[b]", "mai")]
    assert checks.find_rule(rules, branch).pattern == pattern


# What is in it.


def test_a_large_file_is_refused_with_the_way_out(bench, ask):
    change = bench.update(bench.commit({"data/big one.bin": b"x" * (10 * MIB + 1)}))
    message = refused(ask, TooLarge, "file_too_large", change)
    assert "data/big one.bin (10.0 MiB)" in message
    assert 'git lfs migrate import --include="data/big one.bin"' in message


def test_a_large_file_counts_when_a_later_commit_removed_it(bench, ask):
    first = bench.commit({"big.bin": b"x" * (10 * MIB + 1)})
    second = bench.commit({"big.bin": b"small"}, parent=first)
    refused(ask, TooLarge, "file_too_large", bench.update(second))


def test_a_file_at_the_limit_is_let_in(bench, ask):
    ask(bench.update(bench.commit({"fits.bin": b"x" * (10 * MIB)})))


def test_only_some_of_many_files_are_named(bench, ask):
    files = {f"{number}.bin": bytes([number]) * (10 * MIB + 1) for number in range(12)}
    assert "and 2 more" in refused(ask, TooLarge, "file_too_large", bench.update(bench.commit(files)))


def test_what_the_repository_has_already_is_not_looked_at_again(bench, ask):
    bench.git("update-ref", "refs/heads/old", bench.commit({"big.bin": b"x" * (10 * MIB + 1)}))
    ask(bench.update(bench.refs["refs/heads/old"]))


def pointer_to(content: bytes, size_bytes: int | None = None) -> tuple[str, bytes]:
    oid = hashlib.sha256(content).hexdigest()
    return oid, format_pointer(oid, len(content) if size_bytes is None else size_bytes)


def store(bench: Workbench, oid: str, size_bytes: int, repository: Repository | None = None) -> None:
    with unit_of_work(bench.context) as work:
        row = work.session.get_one(Repository, (repository or bench.repository).id)
        register_object(work, row, oid, size_bytes)


@pytest.mark.each_database
def test_a_pointer_needs_its_object(bench, ask):
    oid, pointer = pointer_to(b"weights")
    change = bench.update(bench.commit({"model.safetensors": pointer}))
    message = refused(ask, Unprocessable, "lfs_object_missing", change)
    assert f"model.safetensors ({oid})" in message
    assert "git lfs push" in message
    store(bench, oid, len(b"weights"))
    ask(change)


@pytest.mark.each_database
def test_an_object_of_another_repository_does_not_count(bench, ask, ada, make_repository):
    oid, pointer = pointer_to(b"weights")
    store(bench, oid, len(b"weights"), make_repository(ada, "other"))
    refused(ask, Unprocessable, "lfs_object_missing", bench.update(bench.commit({"m.bin": pointer})))


def test_a_pointer_that_lies_about_the_size_is_refused(bench, ask):
    oid, honest = pointer_to(b"weights")
    _, lying = pointer_to(b"weights", 70)
    store(bench, oid, len(b"weights"))
    change = bench.update(bench.commit({"honest.bin": honest, "lying.bin": lying}))
    assert "lying.bin" in refused(ask, Unprocessable, "lfs_object_missing", change)


def test_a_pointer_in_an_older_commit_counts(bench, ask):
    _, pointer = pointer_to(b"weights")
    first = bench.commit({"m.bin": pointer})
    refused(
        ask, Unprocessable, "lfs_object_missing", bench.update(bench.commit({"m.bin": b"not any more"}, parent=first))
    )


def test_text_that_only_looks_like_a_pointer_is_a_file(bench, ask):
    ask(bench.update(bench.commit({"notes.md": b"version https://git-lfs.github.com/spec/v1\n" + b"or so\n" * 20})))


def tree_with(bench: Workbench, names: Sequence[str]) -> str:
    """A commit whose tree has these names, as no honest tool of the hub would write it."""
    blob = bench.git("hash-object", "-w", "--stdin", input=b"content of its own\n")
    lines = "".join(f"100644 blob {blob}\t{name}\0" for name in names)
    tree = bench.git("mktree", "-z", input=lines.encode())
    return bench.git(
        *("-c", "user.name=Eve", "-c", "user.email=eve@example.org"), "commit-tree", tree, "-p", bench.head, "-m", "x"
    )


@pytest.mark.parametrize("name", ["x" * 300, "a\\b", ".git\u200c", "bell\x07"])
def test_a_path_that_the_hub_could_not_address_is_refused(bench, ask, name):
    message = refused(ask, Invalid, "path_invalid", bench.update(tree_with(bench, [name])))
    assert message.isprintable()


@pytest.mark.parametrize("name", ["plain.txt", "with space", "ünïcode", ".gitattributes", "模型.bin", "a" * 255])
def test_ordinary_paths_are_let_in(bench, ask, name):
    ask(bench.update(tree_with(bench, [name])))


def test_an_object_that_is_not_there_is_refused(bench, ask):
    with pytest.raises(HubError):
        ask(bench.update("12" * 20))


# Room.


@pytest.mark.each_database
@pytest.mark.settings(quota_bytes=1_000_000)
def test_a_push_beyond_the_quota_is_refused(bench, ask):
    change = bench.update(bench.commit())
    refused(ask, QuotaExceeded, "quota_exceeded", change, new_bytes=2_000_000)
    ask(change, new_bytes=1000)


@pytest.mark.each_database
@pytest.mark.settings(quota_bytes=1_000_000)
def test_objects_of_unknown_size_on_disk_count_as_they_are(bench, ask):
    refused(ask, QuotaExceeded, "quota_exceeded", bench.update(bench.commit({"a.bin": b"y" * 2_000_000})))


@pytest.mark.each_database
@pytest.mark.settings(quota_bytes=1)
def test_over_the_quota_one_can_still_delete(bench, ask):
    bench.git("update-ref", "refs/heads/side", bench.head)
    ask(bench.update(ZERO_OID, ref="refs/heads/side"), new_bytes=0)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (10 * MIB, "10 MiB"), (1536 * MIB, "1.5 GiB"), (3 * 1024**4, "3.0 TiB")],
)
def test_sizes_are_told_as_people_say_them(size_bytes, text):
    assert checks.readable_size(size_bytes) == text
