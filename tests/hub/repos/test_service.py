"""Repositories are made, moved, hidden and removed as their services promise."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from hub.accounts.models import Member, Organization, Role, User
from hub.accounts.policy import ANONYMOUS, SYSTEM, Actor
from hub.accounts.service import set_grant
from hub.base.clock import FixedClock
from hub.base.context import Context
from hub.base.errors import Conflict, Denied, Invalid, NotFound, NotSignedIn, QuotaExceeded
from hub.base.paging import PageArgs
from hub.db.engine import DATABASE
from hub.db.uow import reading, unit_of_work
from hub.git.repository import list_refs
from hub.jobs.models import Job
from hub.repos import directories, service
from hub.repos.events import RefsUpdated, RepositoryCreated
from hub.repos.lfs.holdings import register_object, sizes_of_held
from hub.repos.models import Push, PushState, Repository, RepositoryRedirect, RepositoryState
from hub.repos.service import creation

MakeUser = Callable[..., User]
MakeRepository = Callable[..., Repository]
ActorOf = Callable[[User], Actor]


def show(path: Path, name: str) -> str:
    """A file at HEAD, as git sees it."""
    shown = subprocess.run(["git", "-C", path, "show", f"HEAD:{name}"], capture_output=True, text=True, check=True)
    return shown.stdout


def found(context: Context, actor: Actor, path: str, kind: str = "model") -> Repository | None:
    """The repository as the actor finds it."""
    with reading(context) as work:
        try:
            return service.get_readable(work, actor=actor, kind=kind, path=path)
        except NotFound:
            return None


def rows(context: Context) -> list[Repository]:
    with reading(context) as work:
        return list(work.session.scalars(select(Repository)))


# Making.


def test_a_new_repository_has_a_first_commit_by_its_maker(
    context: Context, make_user: MakeUser, actor_of: ActorOf
) -> None:
    ada = actor_of(make_user("ada"))
    heard: list[object] = []
    context.events.subscribe(RepositoryCreated, heard.append)
    context.events.subscribe(RefsUpdated, heard.append)
    repository = service.create_repository(
        context, actor=ada, namespace="ada", name="Thing", kind="model", license="mit", description="What it is."
    )
    path = service.repository_path(context.settings, repository)
    assert repository.state == RepositoryState.READY
    assert show(path, "README.md") == "---\nlicense: mit\n---\n\n# Thing\n\nWhat it is.\n"
    assert "*.safetensors filter=lfs diff=lfs merge=lfs -text\n" in show(path, ".gitattributes")
    author = subprocess.run(["git", "-C", path, "log", "-1", "--format=%an <%ae>"], capture_output=True, text=True)
    assert author.stdout == "ada <ada@example.org>\n"
    assert subprocess.run(["git", "-C", path, "fsck", "--strict"], capture_output=True).returncode == 0
    assert repository.git_size_bytes > 0
    assert [type(event) for event in heard] == [RefsUpdated, RepositoryCreated]
    with reading(context) as work:
        push = work.session.scalars(select(Push)).one()
    tip = list_refs(path)["refs/heads/main"]
    assert push.state == PushState.APPLIED
    assert push.changes == [{"ref": "refs/heads/main", "old": "0" * 40, "new": tip}]


@pytest.mark.parametrize("sdk, file", [("gradio", "app.py"), ("docker", "Dockerfile"), ("nginx", "nginx.conf")])
def test_a_new_space_starts_with_the_files_of_its_sdk(
    context: Context, make_user: MakeUser, actor_of: ActorOf, sdk: str, file: str
) -> None:
    ada = actor_of(make_user("ada"))
    space = service.create_repository(
        context, actor=ada, namespace="ada", name="demo", kind="space", details={"sdk": sdk}
    )
    path = service.repository_path(context.settings, space)
    assert f"sdk: {sdk}\n" in show(path, "README.md")
    assert show(path, file)


@pytest.mark.parametrize("license", ["no", 'odd "text": #1', "1.0", "Apache-2.0"])
def test_a_licence_survives_the_front_matter_whatever_it_says(
    context: Context, make_user: MakeUser, actor_of: ActorOf, license: str
) -> None:
    yaml = pytest.importorskip("yaml")
    repository = service.create_repository(
        context, actor=actor_of(make_user("ada")), namespace="", name="thing", kind="model", license=license
    )
    text = show(service.repository_path(context.settings, repository), "README.md")
    assert yaml.safe_load(text.split("---")[1]) == {"license": license}


@pytest.mark.parametrize("name", ["..", "a--b", "x.git", "-a", "a" * 65, "a/b", "a\0b", "é1"])
def test_a_bad_name_is_refused_and_leaves_nothing(
    context: Context, make_user: MakeUser, actor_of: ActorOf, name: str
) -> None:
    with pytest.raises(Invalid) as refused:
        service.create_repository(context, actor=actor_of(make_user("ada")), namespace="ada", name=name, kind="model")
    assert refused.value.code == "REPO-ERR-1"
    assert rows(context) == []


def test_a_default_branch_that_would_hide_pull_requests_is_refused(
    context: Context, make_user: MakeUser, actor_of: ActorOf
) -> None:
    ada = actor_of(make_user("ada"))
    with pytest.raises(Invalid) as refused:
        service.create_repository(
            context, actor=ada, namespace="ada", name="thing", kind="model", default_branch="refs/pr/1"
        )
    assert refused.value.code == "ref_invalid"


def test_a_name_is_taken_in_every_spelling_but_not_for_other_kinds(
    context: Context, make_user: MakeUser, make_repository: MakeRepository
) -> None:
    ada = make_user("ada")
    make_repository(ada, "Thing")
    with pytest.raises(Conflict) as refused:
        make_repository(ada, "tHING")
    assert refused.value.code == "REPO-ERR-0"
    make_repository(ada, "thing", kind="dataset")


def test_of_many_who_want_one_name_at_once_one_gets_it(
    context: Context, make_user: MakeUser, actor_of: ActorOf
) -> None:
    ada = actor_of(make_user("ada"))

    def create(name: str) -> str:
        try:
            return service.create_repository(context, actor=ada, namespace="", name=name, kind="model").name
        except Conflict as error:
            return error.code

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(create, ["thing", "Thing", "THING", "thinG"]))
    assert sorted(answers)[:3] == ["REPO-ERR-0"] * 3
    assert [row.state for row in rows(context)] == [RepositoryState.READY]
    assert len(list(directories.uuids_on_disk(context.settings.repositories_path))) == 1


def test_making_asks_for_the_namespace_and_the_right(context: Context, make_user: MakeUser, actor_of: ActorOf) -> None:
    make_user("ada")
    bob = actor_of(make_user("bob"))
    create = lambda actor, namespace: service.create_repository(  # noqa: E731 - three calls of one shape
        context, actor=actor, namespace=namespace, name="thing", kind="model"
    )
    with pytest.raises(Denied):
        create(bob, "ada")
    with pytest.raises(NotSignedIn):
        create(ANONYMOUS, "ada")
    with pytest.raises(NotFound) as missing:
        create(bob, "nobody")
    assert missing.value.code == "REPO-ERR-2"
    assert rows(context) == []


def test_a_failure_while_git_works_leaves_neither_row_nor_files(
    context: Context, make_user: MakeUser, actor_of: ActorOf
) -> None:
    with pytest.raises(Invalid):  # two names that a file system may hold for one
        service.create_repository(
            context,
            actor=actor_of(make_user("ada")),
            namespace="ada",
            name="thing",
            kind="model",
            files={"a.txt": b"1", "A.TXT": b"2"},
        )
    assert rows(context) == []
    assert list(directories.uuids_on_disk(context.settings.repositories_path)) == []


class Crash(BaseException):
    """The process dies here: nothing of ours runs any more."""


def crash_at(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Crash

    monkeypatch.setattr(module, name, die)


def half_made(context: Context, actor: Actor, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> Repository:
    """The row of a repository whose maker died where the named function would have run."""
    with monkeypatch.context() as patch:
        # A process that is gone cleans nothing up either.
        patch.setattr(creation, "_forget", lambda *_: None)
        patch.setattr(directories, "_remove_tree", lambda *_: None)
        crash_at(patch, module, name)
        with pytest.raises(Crash):
            service.create_repository(context, actor=actor, namespace="ada", name="thing", kind="model")
    return rows(context)[0]


@pytest.mark.parametrize("module, name", [(creation, "build_commit"), (directories, "_sync_tree")])
def test_a_crash_before_the_rename_is_undone(
    context: Context, make_user: MakeUser, actor_of: ActorOf, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    ada = actor_of(make_user("ada"))
    repository = half_made(context, ada, monkeypatch, module, name)
    assert repository.state == RepositoryState.CREATING
    assert found(context, SYSTEM, "ada/thing") is None
    assert service.reconcile_creating(context) == 0, "a young row may still be in the making"
    assert service.reconcile_creating(context, older_than_s=0) == 1
    assert rows(context) == []
    assert list(directories.uuids_on_disk(context.settings.repositories_path)) == []
    service.create_repository(context, actor=ada, namespace="ada", name="thing", kind="model")


def test_a_crash_after_the_rename_is_finished(
    context: Context, make_user: MakeUser, actor_of: ActorOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = actor_of(make_user("ada"))
    half_made(context, ada, monkeypatch, creation, "_finish")
    assert found(context, ada, "ada/thing") is None
    assert service.reconcile_creating(context, older_than_s=0) == 1
    repository = found(context, ada, "ada/thing")
    assert repository is not None
    assert "refs/heads/main" in list_refs(service.repository_path(context.settings, repository))
    assert service.reconcile_creating(context, older_than_s=0) == 0


def test_what_a_living_process_makes_is_left_alone(
    context: Context, make_user: MakeUser, actor_of: ActorOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = half_made(context, actor_of(make_user("ada")), monkeypatch, creation, "build_commit")
    path = service.repository_path(context.settings, repository)
    with directories.building(path) as draft:
        draft.mkdir()
        assert service.reconcile_creating(context, older_than_s=0) == 0
    assert len(rows(context)) == 1


# Forks.


def test_a_fork_has_the_branches_and_the_lfs_objects_of_its_source(
    context: Context, make_user: MakeUser, make_repository: MakeRepository, actor_of: ActorOf
) -> None:
    source = make_repository(make_user("ada"), private=False)
    bob = actor_of(make_user("bob"))
    with unit_of_work(context) as work:
        register_object(work, work.session.get_one(Repository, source.id), "a" * 64, 7)
    fork = service.fork_repository(context, actor=bob, source_id=source.id)
    assert fork.path == "bob/thing"
    assert fork.forked_from_id == source.id
    settings = context.settings
    source_path, fork_path = service.repository_path(settings, source), service.repository_path(settings, fork)
    assert list_refs(fork_path) == list_refs(source_path)
    with reading(context) as work:
        assert sizes_of_held(work, fork.id, ["a" * 64]) == {"a" * 64: 7}
        assert work.session.get_one(Repository, fork.id).lfs_size_bytes == 7
    directories.remove(source_path)
    assert subprocess.run(["git", "-C", fork_path, "fsck"], capture_output=True).returncode == 0


def test_the_fork_of_a_private_repository_is_private(
    context: Context, make_user: MakeUser, make_repository: MakeRepository, actor_of: ActorOf
) -> None:
    ada, bob = make_user("ada"), make_user("bob")
    source = make_repository(ada, private=True)
    with pytest.raises(NotFound):
        service.fork_repository(context, actor=actor_of(bob), source_id=source.id)
    fork = service.fork_repository(context, actor=actor_of(ada), source_id=source.id, name="copy", private=False)
    assert fork.is_private


@pytest.mark.settings(quota_bytes=1500)
def test_a_fork_must_fit_the_quota(
    context: Context, make_user: MakeUser, make_repository: MakeRepository, actor_of: ActorOf
) -> None:
    ada = make_user("ada")
    source = make_repository(ada)
    with unit_of_work(context) as work:
        register_object(work, work.session.get_one(Repository, source.id), "a" * 64, 1400)
    with pytest.raises(QuotaExceeded):
        service.fork_repository(context, actor=actor_of(make_user("bob")), source_id=source.id)
    assert len(rows(context)) == 1


# Changing.


def test_texts_are_for_writers_and_visibility_for_admins(
    context: Context, make_user: MakeUser, make_repository: MakeRepository, actor_of: ActorOf
) -> None:
    ada, bob = make_user("ada"), make_user("bob")
    repository = make_repository(ada)
    with unit_of_work(context) as work:
        set_grant(work, actor=actor_of(ada), resource=repository, user=bob, role=Role.WRITE)
    with unit_of_work(context) as work:
        service.update_repository(work, actor=actor_of(bob), repository_id=repository.id, description="new")
    with pytest.raises(Denied), unit_of_work(context) as work:
        service.set_visibility(work, actor=actor_of(bob), repository_id=repository.id, private=True)
    with unit_of_work(context) as work:
        service.set_visibility(work, actor=actor_of(ada), repository_id=repository.id, private=True)
    assert found(context, ANONYMOUS, "ada/thing") is None
    seen = found(context, actor_of(bob), "ada/thing")
    assert seen is not None
    assert seen.description == "new"


@pytest.mark.parametrize("texts", [{"description": "x" * 1001}, {"nickname": "a\nb"}, {"license": "x" * 101}])
def test_texts_have_limits(
    context: Context,
    make_user: MakeUser,
    make_repository: MakeRepository,
    actor_of: ActorOf,
    texts: dict[str, str],
) -> None:
    ada = make_user("ada")
    repository = make_repository(ada)
    with pytest.raises(Invalid) as refused, unit_of_work(context) as work:
        service.update_repository(work, actor=actor_of(ada), repository_id=repository.id, **texts)
    assert refused.value.code == "REQ-ERR-6"


def test_what_lists_search_follows_every_change(
    context: Context, make_user: MakeUser, make_repository: MakeRepository, actor_of: ActorOf
) -> None:
    ada, repository = actor_of(make_user("ada", admin=True)), make_repository(make_user("Bob"), description="A\nB")

    def searched(change: Callable[..., Repository], **changes: Any) -> str:
        with unit_of_work(context) as work:
            change(work, actor=ada, repository_id=repository.id, **changes)
        with reading(context) as work:
            return work.session.get_one(Repository, repository.id).search_text

    assert repository.search_text == "bob/thing\nthing\na\nb"
    assert searched(service.update_repository, nickname="Nick", description="New") == "bob/thing\nnick\nnew"
    assert searched(service.rename_repository, name="Other") == "bob/other\nnick\nnew"
    assert searched(service.transfer_repository, namespace="ada") == "ada/other\nnick\nnew"
    fork = service.fork_repository(context, actor=ada, source_id=repository.id, name="fork")
    assert fork.search_text == "ada/fork\nfork\nnew"


def test_an_archived_repository_is_read_and_administered_but_not_written(
    context: Context, make_user: MakeUser, make_repository: MakeRepository, actor_of: ActorOf
) -> None:
    user = make_user("ada")
    ada, repository = actor_of(user), make_repository(user)
    with unit_of_work(context) as work:
        service.archive_repository(work, actor=ada, repository_id=repository.id)
    with pytest.raises(Denied) as refused, unit_of_work(context) as work:
        service.update_repository(work, actor=ada, repository_id=repository.id, description="new")
    assert refused.value.code == "archived"
    # Its administrators say who sees it, and nothing else with that.
    with pytest.raises(Denied) as refused, unit_of_work(context) as work:
        service.update_repository(work, actor=ada, repository_id=repository.id, private=True, description="new")
    assert refused.value.code == "archived"
    with pytest.raises(Denied) as refused, unit_of_work(context) as work:
        service.update_repository(
            work, actor=ada, repository_id=repository.id, private=True, details={"base_model": "x"}
        )
    assert refused.value.code == "archived"
    with unit_of_work(context) as work:
        assert service.set_visibility(work, actor=ada, repository_id=repository.id, private=True).is_private
        service.unarchive_repository(work, actor=ada, repository_id=repository.id)
        service.update_repository(work, actor=ada, repository_id=repository.id, description="new")


def test_a_former_path_leads_on_until_somebody_takes_it(
    context: Context, make_user: MakeUser, make_repository: MakeRepository, actor_of: ActorOf
) -> None:
    user = make_user("ada")
    ada, repository = actor_of(user), make_repository(user, "one")
    for name in ("two", "three"):
        with unit_of_work(context) as work:
            service.rename_repository(work, actor=ada, repository_id=repository.id, name=name)
    for path in ("ada/one", "ada/TWO", "ada/three"):
        seen = found(context, ada, path)
        assert seen is not None
        assert (seen.id, seen.path) == (repository.id, "ada/three")
    taker = make_repository(user, "one")
    seen = found(context, ada, "ada/one")
    assert seen is not None
    assert seen.id == taker.id
    with unit_of_work(context) as work:
        service.delete_repository(work, actor=ada, repository_id=taker.id)
    assert found(context, ada, "ada/one") is None, "the redirect does not come back"
    with unit_of_work(context) as work:
        service.rename_repository(work, actor=ada, repository_id=repository.id, name="Three")
        service.rename_repository(work, actor=ada, repository_id=repository.id, name="two")
    with reading(context) as work:
        assert set(work.session.scalars(select(RepositoryRedirect.path_key))) == {"ada/three"}


def test_a_private_former_path_tells_strangers_nothing(
    context: Context, make_user: MakeUser, make_repository: MakeRepository, actor_of: ActorOf
) -> None:
    user = make_user("ada")
    repository = make_repository(user, "one", private=True)
    with unit_of_work(context) as work:
        service.rename_repository(work, actor=actor_of(user), repository_id=repository.id, name="two")
    assert found(context, actor_of(make_user("bob")), "ada/one") is None


def test_a_transfer_needs_rights_at_both_ends(
    context: Context,
    make_user: MakeUser,
    make_organization: Callable[..., Organization],
    make_repository: MakeRepository,
    actor_of: ActorOf,
) -> None:
    ada, bob, acme = make_user("ada"), make_user("bob"), make_organization("acme")
    repository = make_repository(ada)

    def transfer(actor: Actor, namespace: str) -> str:
        with unit_of_work(context) as work:
            return service.transfer_repository(work, actor=actor, repository_id=repository.id, namespace=namespace).path

    for actor, namespace, code in (
        (actor_of(bob), "bob", "AUTH-ERR-14"),
        (actor_of(ada), "acme", "AUTH-ERR-15"),
        (actor_of(ada), "ada", "REQ-ERR-14"),
        (actor_of(ada), "nobody", "REQ-ERR-13"),
    ):
        with pytest.raises((Denied, Invalid, NotFound)) as refused:
            transfer(actor, namespace)
        assert refused.value.code == code
    with unit_of_work(context) as work:
        work.session.add(Member(organization_id=acme.id, user_id=ada.id, role=Role.WRITE, created_at=work.now()))
    make_repository(acme, "thing")
    with pytest.raises(Conflict) as taken:
        transfer(actor_of(ada), "acme")
    assert taken.value.code == "REQ-ERR-15"
    with unit_of_work(context) as work:
        service.rename_repository(work, actor=actor_of(ada), repository_id=repository.id, name="other")
    assert transfer(actor_of(ada), "ACME") == "acme/other"
    seen = found(context, actor_of(ada), "ada/other")
    assert seen is not None
    assert seen.path == "acme/other"


# Removing.


def test_a_deleted_repository_frees_its_name_and_comes_back_within_its_time(
    context: Context, clock: FixedClock, make_user: MakeUser, make_repository: MakeRepository, actor_of: ActorOf
) -> None:
    user = make_user("ada")
    ada, repository = actor_of(user), make_repository(user)

    def undelete() -> Repository:
        with unit_of_work(context) as work:
            return service.undelete_repository(work, actor=ada, kind="model", path="ada/thing")

    with unit_of_work(context) as work:
        service.delete_repository(work, actor=ada, repository_id=repository.id)
    assert found(context, ada, "ada/thing") is None
    second = make_repository(user)
    with pytest.raises(Conflict) as taken:
        undelete()
    assert taken.value.code == "REPO-ERR-0"
    with unit_of_work(context) as work:
        service.rename_repository(work, actor=ada, repository_id=second.id, name="second")
    assert undelete().id == repository.id
    with unit_of_work(context) as work:
        service.delete_repository(work, actor=ada, repository_id=repository.id)
    clock.advance(context.settings.undelete_ttl_s + 1)
    with pytest.raises(NotFound):
        undelete()


def test_purging_waits_for_its_time_and_may_be_repeated(
    context: Context, clock: FixedClock, make_user: MakeUser, make_repository: MakeRepository, actor_of: ActorOf
) -> None:
    ada, bob = make_user("ada"), make_user("bob")
    repository, other = make_repository(ada), make_repository(ada, "other")
    path = service.repository_path(context.settings, repository)
    fork = service.fork_repository(context, actor=actor_of(bob), source_id=repository.id)
    with unit_of_work(context) as work:
        set_grant(work, actor=actor_of(ada), resource=repository, user=bob, role=Role.READ)
        service.delete_repository(work, actor=actor_of(ada), repository_id=repository.id)
    with reading(context) as work:
        job = work.session.scalars(select(Job).where(Job.name == service.PURGE_JOB)).one()
    assert job.run_after == clock.now() + timedelta(seconds=context.settings.undelete_ttl_s)
    assert not service.purge_repository(context, repository_id=repository.id)
    assert path.exists()
    clock.advance(context.settings.undelete_ttl_s)
    assert service.purge_repository(context, repository_id=repository.id)
    assert service.purge_repository(context, repository_id=repository.id)
    assert not path.exists()
    assert {row.id for row in rows(context)} == {other.id, fork.id}
    assert not service.purge_repository(context, repository_id=other.id), "what is not deleted stays"


def test_garbage_is_what_is_due_and_what_no_row_knows(
    context: Context, clock: FixedClock, make_user: MakeUser, make_repository: MakeRepository, actor_of: ActorOf
) -> None:
    user = make_user("ada")
    kept, due = make_repository(user, "kept"), make_repository(user, "due")
    orphan = service.path_of_uuid(context.settings, "default", "0badcafe-0000-4000-8000-000000000000")
    orphan.mkdir(parents=True)
    (orphan / "HEAD").write_text("ref: refs/heads/main\n")
    with unit_of_work(context) as work:
        service.delete_repository(work, actor=actor_of(user), repository_id=due.id)
    assert service.collect_garbage(context) == 0
    clock.advance(context.settings.undelete_ttl_s)
    assert service.collect_garbage(context, orphan_age_s=-1) == 2
    on_disk = {uuid for _, uuid in directories.uuids_on_disk(context.settings.repositories_path)}
    assert on_disk == {kept.uuid}


# Lists.


def test_lists_show_each_viewer_what_they_may_see(
    context: Context,
    make_user: MakeUser,
    make_organization: Callable[..., Organization],
    make_repository: MakeRepository,
    actor_of: ActorOf,
) -> None:
    ada, bob, eve, root = make_user("ada"), make_user("bob"), make_user("eve"), make_user("root", admin=True)
    acme = make_organization("acme")
    make_repository(ada, "open")
    shared = make_repository(ada, "shared", private=True)
    make_repository(ada, "secret", private=True)
    make_repository(acme, "inner", private=True)
    make_repository(ada, "data", kind="dataset")
    with unit_of_work(context) as work:
        work.session.add(Member(organization_id=acme.id, user_id=bob.id, role=Role.READ, created_at=work.now()))
        set_grant(work, actor=actor_of(ada), resource=shared, user=bob, role=Role.WRITE)

    def names(actor: Actor, **query: Any) -> set[str]:
        with reading(context) as work:
            page = service.list_repositories(work, actor=actor, kind="model", **query)
        assert page.total == len(page.items)
        return {repository.name for repository in page.items}

    assert names(ANONYMOUS) == {"open"}
    assert names(actor_of(eve)) == {"open"}
    assert names(actor_of(bob)) == {"open", "shared", "inner"}
    assert names(actor_of(ada)) == {"open", "shared", "secret"}
    assert names(actor_of(root)) == {"open", "shared", "secret", "inner"}
    assert names(actor_of(bob), namespace="ACME") == {"inner"}
    assert names(actor_of(ada), search="A/SEC") == {"secret"}
    assert names(actor_of(ada), search="%") == set()
    with reading(context) as work, pytest.raises(Invalid) as refused:
        service.list_repositories(work, actor=ANONYMOUS, sort="oldest")
    assert refused.value.details["allowed"]


def test_a_list_takes_as_many_queries_for_fifty_as_for_one(
    context: Context, make_user: MakeUser, make_repository: MakeRepository, actor_of: ActorOf
) -> None:
    user = make_user("ada")
    viewer = actor_of(make_user("bob"))
    statements: list[str] = []
    engine = context[DATABASE].engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    def count() -> int:
        statements.clear()
        with reading(context) as work:
            page = service.list_repositories(work, actor=viewer, page=PageArgs(per=100))
            service.access_of(work, actor=viewer, repositories=page.items)
            for repository in page.items:
                assert repository.path
                assert repository.created_by
        return len([statement for statement in statements if statement.lstrip().upper().startswith("SELECT")])

    make_repository(user, "first")
    alone = count()
    with unit_of_work(context) as work:
        first = work.session.scalars(select(Repository)).one()
        for number in range(49):
            work.session.add(
                Repository(
                    kind="model",
                    namespace_id=first.namespace_id,
                    name=f"copy{number}",
                    name_key=f"copy{number}",
                    state=RepositoryState.READY,
                    created_by_id=user.id,
                    created_at=work.now(),
                    updated_at=work.now(),
                )
            )
    assert count() == alone <= 4


def test_access_says_what_the_policy_says(
    context: Context,
    make_user: MakeUser,
    make_organization: Callable[..., Organization],
    make_repository: MakeRepository,
    actor_of: ActorOf,
) -> None:
    from hub.accounts.policy import Action, can

    ada, bob, root = make_user("ada"), make_user("bob"), make_user("root", admin=True)
    acme = make_organization("acme")
    mine, theirs, archived = make_repository(ada, "mine"), make_repository(acme, "theirs"), make_repository(ada, "old")
    with unit_of_work(context) as work:
        work.session.add(Member(organization_id=acme.id, user_id=ada.id, role=Role.ADMIN, created_at=work.now()))
        set_grant(work, actor=actor_of(ada), resource=mine, user=bob, role=Role.WRITE)
        service.archive_repository(work, actor=actor_of(ada), repository_id=archived.id)
    actors = [ANONYMOUS, SYSTEM, *(actor_of(user) for user in (ada, bob, root))]
    with reading(context) as work:
        repositories = list(work.session.scalars(select(Repository)))
        for actor in actors:
            access = service.access_of(work, actor=actor, repositories=repositories)
            for repository in repositories:
                given = access[repository.id]
                assert given.can_write == can(work, actor, Action.REPOSITORY_WRITE, repository)
                assert given.can_manage == can(work, actor, Action.REPOSITORY_ADMIN, repository)
    assert theirs.id in access
