import threading

import pytest
from sqlalchemy import func, select

from hub.accounts import service
from hub.accounts.models import Member, Namespace, Role
from hub.accounts.policy import ANONYMOUS, SYSTEM, Actor
from hub.base.errors import Conflict, Denied, HubError, Invalid, NotFound, NotSignedIn, PreconditionFailed
from hub.db.uow import reading, unit_of_work
from hub.repos.models import Repository


@pytest.fixture
def acme(work, make_user):
    """The organisation "acme" with a member of each role, named after it."""
    owner = make_user("owner-1")
    organization = service.create_organization(work, actor=Actor.of_user(owner, via="session"), name="acme")
    for role in (Role.ADMIN, Role.WRITE, Role.READ):
        service.add_member(work, actor=SYSTEM, organization=organization, user=make_user(f"{role}-1"), role=role)
    return organization


@pytest.fixture
def as_user(work):
    return lambda name: Actor.of_user(service.get_user(work, name), via="session")


def change(work, acme, actor, name, role, **args):
    return service.change_member(
        work, actor=actor, organization=acme, user=service.get_user(work, name), role=role, **args
    )


def remove(work, acme, actor, name):
    service.remove_member(work, actor=actor, organization=acme, user=service.get_user(work, name))


def test_the_creator_becomes_the_owner(work, acme):
    member = service.find_member(work, organization=acme, user=service.get_user(work, "owner-1"))
    assert member.role is Role.OWNER
    assert service.get_organization(work, "ACME") is acme
    with pytest.raises(NotFound):
        service.get_organization(work, "owner-1")


def test_one_must_be_signed_in_to_create_and_an_administrator_to_name_somebody_else(work, make_user, actor_of):
    ada, eve = make_user("ada"), make_user("eve")
    with pytest.raises(NotSignedIn):
        service.create_organization(work, actor=ANONYMOUS, name="acme")
    with pytest.raises(Denied):
        service.create_organization(work, actor=actor_of(ada), name="acme", owner=eve)
    assert service.create_organization(work, actor=SYSTEM, name="acme", owner=eve).name == "acme"


def test_an_admin_manages_members_but_makes_and_unmakes_no_owner(work, acme, as_user, make_user):
    admin = as_user("admin-1")
    assert change(work, acme, admin, "read-1", Role.ADMIN).role is Role.ADMIN
    with pytest.raises(Denied):
        change(work, acme, admin, "write-1", Role.OWNER)
    with pytest.raises(Denied):
        change(work, acme, admin, "owner-1", Role.READ)
    with pytest.raises(Denied):
        remove(work, acme, admin, "owner-1")
    with pytest.raises(Denied):
        service.add_member(work, actor=admin, organization=acme, user=make_user("new-1"), role=Role.OWNER)
    remove(work, acme, admin, "write-1")
    assert service.find_member(work, organization=acme, user=service.get_user(work, "write-1")) is None


@pytest.mark.parametrize("who", ["write-1", "read-1", "stranger"])
def test_other_members_and_strangers_manage_nobody(work, acme, as_user, make_user, who):
    make_user("stranger")
    actor = as_user(who)
    with pytest.raises(Denied):
        change(work, acme, actor, "admin-1", Role.READ)
    with pytest.raises(Denied):
        remove(work, acme, actor, "admin-1")
    with pytest.raises(Denied):
        service.add_member(work, actor=actor, organization=acme, user=make_user("new-1"), role=Role.READ)
    with pytest.raises(Denied):
        service.update_organization(work, actor=actor, organization=acme, description="x")
    with pytest.raises(Denied):
        service.delete_organization(work, actor=actor, organization=acme)


def test_nobody_promotes_themselves_not_even_a_site_administrator(work, acme, as_user, make_user, actor_of):
    root = make_user("root-1", admin=True)
    with pytest.raises(Denied) as caught:
        change(work, acme, as_user("admin-1"), "admin-1", Role.OWNER)
    with pytest.raises(Denied) as joining:
        service.add_member(work, actor=actor_of(root), organization=acme, user=root, role=Role.READ)
    service.add_member(work, actor=SYSTEM, organization=acme, user=root, role=Role.READ)
    with pytest.raises(Denied) as rising:
        change(work, acme, actor_of(root), "root-1", Role.OWNER)
    assert [e.value.code for e in (joining, rising)] == ["SYS-ERR-7"] * 2
    assert caught.value.code == "denied"  # an admin may make nobody an owner to begin with
    assert change(work, acme, as_user("admin-1"), "admin-1", Role.READ).role is Role.READ


def test_the_last_owner_can_neither_go_nor_be_demoted(work, acme, as_user):
    owner = as_user("owner-1")
    for act in (
        lambda: change(work, acme, owner, "owner-1", Role.ADMIN),
        lambda: remove(work, acme, owner, "owner-1"),
        lambda: remove(work, acme, SYSTEM, "owner-1"),
    ):
        with pytest.raises(Conflict) as caught:
            act()
        assert caught.value.code == "SYS-ERR-6"
    change(work, acme, owner, "write-1", Role.OWNER)
    remove(work, acme, owner, "owner-1")


def test_an_owner_whose_account_is_off_does_not_count_as_one(work, acme, as_user):
    change(work, acme, SYSTEM, "write-1", Role.OWNER)
    service.deactivate_user(work, actor=SYSTEM, user=service.get_user(work, "write-1"))
    with pytest.raises(Conflict):
        remove(work, acme, as_user("owner-1"), "owner-1")


@pytest.mark.parametrize("way", ["membership", "account"])
def test_two_owners_who_leave_at_once_do_not_both_go(context, make_user, way):
    with unit_of_work(context) as work:
        first = service.create_user(work, actor=SYSTEM, name="ada", email="ada@example.org")
        second = service.create_user(work, actor=SYSTEM, name="eve", email="eve@example.org")
        organization = service.create_organization(work, actor=SYSTEM, name="acme", owner=first)
        service.add_member(work, actor=SYSTEM, organization=organization, user=second, role=Role.OWNER)
    codes, barrier = [], threading.Barrier(2)

    def leave(user):
        barrier.wait()
        try:
            with unit_of_work(context) as work:
                actor = Actor.of_user(user, via="session")
                if way == "account":
                    service.close_account(work, actor=actor, name=user.name)
                else:
                    own = {"actor": actor, "user": service.get_user(work, user.name)}
                    service.remove_member(work, organization=service.get_organization(work, "acme"), **own)
        except HubError as error:
            codes.append(error.code)

    threads = [threading.Thread(target=leave, args=(user,)) for user in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == ["USER-ERR-15" if way == "account" else "SYS-ERR-6"]
    with reading(context) as work:
        assert work.session.scalar(select(func.count(Member.id))) == 1


def test_members_leave_by_themselves(work, acme, as_user):
    remove(work, acme, as_user("read-1"), "read-1")
    with pytest.raises(NotFound):
        remove(work, acme, as_user("read-1"), "read-1")


def test_a_change_that_rests_on_an_old_role_is_refused(work, acme):
    with pytest.raises(PreconditionFailed):
        change(work, acme, SYSTEM, "read-1", Role.ADMIN, old_role=Role.WRITE)
    assert change(work, acme, SYSTEM, "read-1", Role.ADMIN, old_role=Role.READ).role is Role.ADMIN


def test_a_member_cannot_be_added_twice_nor_with_a_role_that_there_is_not(work, acme):
    user = service.get_user(work, "read-1")
    with pytest.raises(Conflict):
        service.add_member(work, actor=SYSTEM, organization=acme, user=user, role=Role.WRITE)
    with pytest.raises(Invalid):
        service.add_member(work, actor=SYSTEM, organization=acme, user=user, role="chief")


def test_roles_and_sign_ins_are_for_members(work, acme, as_user, make_user):
    make_user("stranger")
    for actor, sees in ((as_user("read-1"), True), (as_user("stranger"), False), (ANONYMOUS, False)):
        page = service.list_members(work, actor=actor, organization=acme)
        assert [member.name for member in page.items] == ["admin-1", "owner-1", "read-1", "write-1"]
        assert all((member.role is not None) == sees for member in page.items)
    owner = service.get_user(work, "owner-1")
    with pytest.raises(Denied):
        service.get_member_role(work, actor=as_user("stranger"), organization=acme, user=owner)
    with pytest.raises(NotSignedIn):
        service.get_member_role(work, actor=ANONYMOUS, organization=acme, user=owner)
    stranger = service.get_user(work, "stranger")
    assert service.get_member_role(work, actor=as_user("stranger"), organization=acme, user=stranger) is None
    assert service.get_member_role(work, actor=as_user("read-1"), organization=acme, user=owner) is Role.OWNER


def test_an_organisation_that_holds_a_repository_cannot_be_deleted(work, acme, as_user):
    repository = Repository(
        kind="model",
        namespace_id=acme.namespace_id,
        name="thing",
        name_key="thing",
        created_at=work.now(),
        updated_at=work.now(),
    )
    work.session.add(repository)
    work.session.flush()
    with pytest.raises(Conflict) as caught:
        service.delete_organization(work, actor=as_user("owner-1"), organization=acme)
    assert caught.value.code == "organization_not_empty"
    assert service.find_member(work, organization=acme, user=service.get_user(work, "read-1")) is not None
    work.session.delete(repository)
    work.session.flush()
    service.delete_organization(work, actor=as_user("owner-1"), organization=acme)
    assert service.find_organization(work, "acme") is None
    assert work.session.scalar(select(Namespace).where(Namespace.path_key == "acme")) is None


def test_an_admin_edits_the_record(work, acme, as_user):
    service.update_organization(
        work, actor=as_user("admin-1"), organization=acme, display_name="Acme", logo="https://a.example/l.png"
    )
    assert (acme.display_name, acme.logo) == ("Acme", "https://a.example/l.png")
    with pytest.raises(Invalid):
        service.update_organization(work, actor=SYSTEM, organization=acme, homepage="javascript:1")
    with pytest.raises(Invalid):
        service.update_organization(work, actor=SYSTEM, organization=acme, description="x" * 500)


def test_organisations_are_listed_in_all_and_of_a_user(work, acme, as_user):
    service.create_organization(work, actor=as_user("read-1"), name="Zebra", display_name="Stripes", kind="school")

    def names(**wanted):
        wanted = service.OrganizationFilter(**wanted)
        return [o.name for o in service.list_organizations(work, actor=ANONYMOUS, wanted=wanted).items]

    assert names() == ["acme", "Zebra"]
    assert names(search="strip") == names(kind="school") == ["Zebra"]
    user = service.get_user(work, "read-1")

    def belongs(actor, **wanted):
        page = service.list_user_organizations(work, actor=actor, user=user, **wanted)
        return [(o.name, role) for o, role in page.items]

    assert belongs(SYSTEM) == belongs(as_user("read-1"), role="all") == [("acme", Role.READ), ("Zebra", Role.OWNER)]
    assert belongs(SYSTEM, role="owner") == [("Zebra", Role.OWNER)]
    assert belongs(ANONYMOUS) == belongs(as_user("write-1")) == [("acme", None), ("Zebra", None)]
    with pytest.raises(Denied):
        belongs(as_user("write-1"), role="owner")
    with pytest.raises(Invalid):
        belongs(SYSTEM, role="chief")


def test_grants_are_given_changed_listed_and_taken_by_those_who_administer(work, acme, as_user, make_user):
    class Thing:
        resource_type, id, is_public, is_frozen = "repository", 7, False, False
        namespace_id = acme.namespace_id

    friend, other = make_user("friend"), make_user("other")
    grant = service.set_grant(work, actor=as_user("admin-1"), resource=Thing, user=friend, role=Role.READ)
    assert service.set_grant(work, actor=as_user("admin-1"), resource=Thing, user=friend, role=Role.WRITE) is grant
    with pytest.raises(Denied):
        service.set_grant(work, actor=as_user("friend"), resource=Thing, user=other, role=Role.READ)
    with pytest.raises(NotFound):
        service.set_grant(work, actor=as_user("other"), resource=Thing, user=other, role=Role.ADMIN)
    with pytest.raises(Invalid):
        service.set_grant(work, actor=as_user("admin-1"), resource=Thing, user=friend, role=Role.OWNER)
    listed = service.list_grants(work, actor=as_user("admin-1"), resource=Thing)
    assert [(g.user.name, g.role) for g in listed.items] == [("friend", Role.WRITE)]
    service.remove_grant(work, actor=as_user("friend"), resource=Thing, user=friend)
    with pytest.raises(NotFound):
        service.remove_grant(work, actor=as_user("admin-1"), resource=Thing, user=friend)
    service.set_grant(work, actor=SYSTEM, resource=Thing, user=other, role=Role.READ)
    service.remove_all_grants(work, resource_type="repository", resource_id=7)
    assert service.list_grants(work, actor=SYSTEM, resource=Thing).total == 0
