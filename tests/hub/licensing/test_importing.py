import dataclasses
import threading
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select, update

from hub.base.errors import Conflict, HubError, Invalid, NotFound
from hub.base.paging import PageArgs
from hub.db.uow import reading, unit_of_work
from hub.licensing.armour import Kind
from hub.licensing.events import LicenseChanged
from hub.licensing.models import StoredLicense, StoredRevocations
from hub.licensing.service import (
    get_license,
    import_license,
    installation,
    list_licenses,
    remove_license,
    verify_license,
)
from hub.licensing.sign import sign
from tests.support.licenses import (
    KID,
    NOW,
    install,
    make_license,
    make_older_license,
    make_payload,
    make_revocations,
    plant,
)

DAY = timedelta(days=1)
ONE = "6f1c7e0e-0000-4000-8000-000000000001"
TWO = "6f1c7e0e-0000-4000-8000-000000000002"


def refused(context, text, kind=Invalid):
    with pytest.raises(HubError) as caught:
        install(context, text)
    assert isinstance(caught.value, kind), caught.value
    return caught.value.code


@pytest.fixture
def heard(context):
    """The changes that were told of."""
    events = []
    context.events.subscribe(LicenseChanged, events.append)
    return events


def active_companies(context):
    with reading(context) as work:
        return list(work.session.scalars(select(StoredLicense.company).where(StoredLicense.status == "active")))


def test_an_imported_licence_is_in_force_and_told_of(context, licensing, heard, make_user):
    with unit_of_work(context) as work:
        done = import_license(work, f"see below\n{make_license(id=ONE)}", actor_id=7, remark="order 12")
    assert (done.standing.state, done.stored.license_id, done.stored.remark) == ("valid", ONE, "order 12")
    assert licensing.standing().row_id == done.standing.row_id == done.stored.id
    assert heard == [LicenseChanged(ONE, "imported", 7)]
    assert "see below" not in done.stored.text


def test_of_two_licences_the_one_that_was_imported_later_is_in_force(context, licensing):
    install(context, make_license(company="First", features=["audit"]))
    install(context, make_license(company="Second", features=["scim"]))
    assert active_companies(context) == ["Second"]
    assert (licensing.has("audit"), licensing.has("scim")) == (False, True)


def test_two_licences_in_one_file_are_refused_and_the_first_stays(context, licensing):
    install(context, make_license(company="First"))
    assert refused(context, make_license(company="A") + make_license(company="B")) == "license_two"
    assert licensing.standing().license.company == "First"


def test_of_two_that_are_imported_at_once_one_is_in_force(context, licensing):
    texts = [make_license(company=name) for name in "ABCD"]
    threads = [threading.Thread(target=install, args=(context, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [company] = active_companies(context)
    licensing.refresh()
    assert licensing.standing().license.company == company
    with reading(context) as work:
        assert list_licenses(work).total == 4
        assert list_licenses(work).items[0].company == company


def test_importing_the_same_again_is_harmless_and_brings_it_back(context, licensing):
    text, other = make_license(company="First"), make_license(company="Second")
    for one in (text, text, other, text):
        install(context, one)
    assert licensing.standing().license.company == "First"
    with reading(context) as work:
        assert [stored.company for stored in list_licenses(work).items] == ["First", "Second"]


def test_an_older_issue_of_a_licence_is_refused(context):
    install(context, make_license(id=ONE, issued_at=NOW))
    assert refused(context, make_license(id=ONE, issued_at=NOW - DAY), Conflict) == "license_older"
    install(context, make_license(id=ONE, issued_at=NOW, company="Acme & Sons"))
    with unit_of_work(context) as work:
        remove_license(work, None, actor_id=None)
    assert refused(context, make_license(id=ONE, issued_at=NOW - DAY), Conflict) == "license_older"


def test_a_licence_that_another_took_the_place_of_never_comes_back(context, licensing):
    old = make_license(id=ONE, max_user=500)
    install(context, old)
    install(context, make_license(id=TWO, supersedes=[ONE]))
    assert refused(context, old, Conflict) == "license_superseded"
    with unit_of_work(context) as work:
        work.session.execute(update(StoredLicense).values(status="inactive"))
        work.session.execute(update(StoredLicense).where(StoredLicense.license_id == ONE).values(status="active"))
    licensing.refresh()
    assert (licensing.standing().state, licensing.standing().reason) == ("invalid", "superseded")


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"product": "other"}, "license_product"),
        ({"version": 2}, "license_version"),
        ({"fingerprint": "ab" * 32}, "license_fingerprint"),
        ({"start_time": NOW + DAY}, "license_not_started"),
        ({"expire_time": NOW - 15 * DAY}, "license_expired"),
        ({"expire_time": None, "maintenance_until": NOW - 300 * DAY}, "license_maintenance"),
    ],
)
def test_what_would_be_worth_nothing_here_is_not_installed(context, licensing, members, code):
    assert refused(context, make_license(**members)) == code
    assert licensing.standing().state == "none"
    with reading(context) as work:
        assert list_licenses(work).total == 0


def test_a_licence_in_its_grace_can_be_installed(context):
    assert install(context, make_license(expire_time=NOW - DAY)).standing.state == "grace"


def test_a_licence_that_is_too_small_is_installed_and_says_so(context, make_user):
    for name in ("ada", "eve"):
        make_user(name)
    assert install(context, make_license(max_user=1)).standing.state == "over_seats"


def test_a_bound_licence_is_good_where_it_belongs(context, licensing):
    with unit_of_work(context) as work:
        fingerprint = installation(work).fingerprint
    assert install(context, make_license(fingerprint=fingerprint)).standing.state == "valid"
    assert licensing.has("billing")


def test_an_older_licence_is_installed_like_any(context, licensing):
    install(context, make_older_license(extra={"features": ["audit"]}))
    assert (licensing.has("audit"), licensing.has("scim")) == (True, False)


def test_a_licence_is_verified_without_being_installed(context, licensing):
    standing = verify_license(context, make_license(company="Looked at"))
    assert (standing.state, standing.license.company, standing.row_id) == ("valid", "Looked at", None)
    assert verify_license(context, make_license(fingerprint="ab" * 32)).reason == "fingerprint"
    assert verify_license(context, make_license(expire_time=NOW - 15 * DAY)).state == "expired"
    with pytest.raises(Invalid):
        verify_license(context, make_license()[:-40])
    assert licensing.standing().state == "none"


def test_a_removed_licence_is_out_of_force_and_its_row_stays(context, licensing, heard):
    stored = install(context, make_license(id=ONE)).stored
    with unit_of_work(context) as work:
        assert remove_license(work, stored.id, actor_id=3).status == "inactive"
    assert licensing.standing().state == "none"
    assert heard[-1] == LicenseChanged(ONE, "removed", 3)
    with unit_of_work(context) as work:
        assert get_license(work, stored.id).company == "Acme"
        with pytest.raises(NotFound):
            remove_license(work, None, actor_id=3)
        with pytest.raises(NotFound):
            get_license(work, 999)


def test_licences_are_listed_newest_first_and_found_by_what_is_known_of_them(context):
    for company in ("Acme", "Borg", "Acme Labs"):
        with unit_of_work(context) as work:
            import_license(work, make_license(company=company, email=""), actor_id=None, remark=f"for {company}")
    with reading(context) as work:
        assert [stored.company for stored in list_licenses(work).items] == ["Acme Labs", "Borg", "Acme"]
        assert list_licenses(work, search="ACME").total == 2
        assert list_licenses(work, search="for borg").total == 1
        assert list_licenses(work, search="%").total == 0
        assert list_licenses(work, edition="ce").total == list_licenses(work, product="other").total == 0
        page = list_licenses(work, product="hub", edition="ee", page=PageArgs(page=2, per=2))
    assert ([stored.company for stored in page.items], page.total) == (["Acme"], 3)


@pytest.mark.parametrize("remark", ["x" * 256, "a\nb"])
def test_a_remark_is_one_line(context, remark):
    with unit_of_work(context) as work, pytest.raises(Invalid):
        import_license(work, make_license(), actor_id=None, remark=remark)


# An edited database.


def test_edited_columns_grant_nothing(context, licensing):
    install(context, make_license(max_user=10, expire_time=NOW + DAY, features=["audit"]))
    with unit_of_work(context) as work:
        far = NOW + 9000 * DAY
        work.session.execute(update(StoredLicense).values(max_user=9999, expire_time=far, edition="ee", product="x"))
    licensing.refresh()
    assert licensing.limit("users") == 10
    assert licensing.standing().license.expire_time == NOW + DAY
    assert not licensing.has("scim")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (make_license()[:-80], "truncated"),
        (sign(Kind.LICENSE, make_payload(), kid=KID, key=Ed25519PrivateKey.generate()), "signature"),
        ("", "malformed"),
        (make_license() + make_license(), "two"),
        (make_revocations(), "kind"),
        (make_license(product="other"), "product"),
    ],
)
def test_an_edited_text_makes_the_licence_invalid(context, licensing, text, reason):
    plant(context, text)
    standing = licensing.standing()
    assert (standing.state, standing.reason) == ("invalid", reason)
    assert standing.notices[0].audience == "admin"
    assert (licensing.edition.name, licensing.has("billing")) == ("ce", False)


# Revocation lists.


def test_a_revoked_licence_is_invalid_and_cannot_be_imported_again(context, licensing, heard):
    text = make_license(id=ONE)
    install(context, text)
    done = install(context, make_revocations(ONE, TWO, reason="unpaid"))
    assert (done.stored, done.revoked, done.standing.state) == (None, 2, "invalid")
    assert (licensing.standing().reason, "unpaid" in licensing.standing().message) == ("revoked", True)
    assert heard[-1] == LicenseChanged("", "revoked", None)
    assert refused(context, text) == "license_revoked"
    install(context, make_license())
    assert licensing.standing().state == "valid"


def test_an_older_revocation_list_is_refused_and_a_newer_one_replaces_it(context, licensing):
    install(context, make_license(id=ONE))
    install(context, make_revocations(ONE, issued_at=NOW))
    assert refused(context, make_revocations(issued_at=NOW - DAY), Conflict) == "license_revocations_older"
    install(context, make_revocations(issued_at=NOW + DAY))
    assert licensing.standing().state == "valid"


def test_a_revocation_list_that_was_edited_counts_as_none_and_the_others_stand(context, licensing):
    install(context, make_license(id=ONE))
    install(context, make_revocations(ONE))
    with unit_of_work(context) as work:
        work.session.add(StoredRevocations(text="edited", issued_at=NOW + DAY, created_at=NOW))
    licensing.refresh()
    assert licensing.standing().reason == "revoked"


# A licence from a file.


@pytest.fixture
def file(tmp_path):
    return tmp_path / "hub.license"


@pytest.fixture
def settings(request, settings):
    """In a test that asks for the file, the setting names it."""
    if "file" not in request.fixturenames:
        return settings
    return dataclasses.replace(settings, license_file=str(request.getfixturevalue("file")))


def test_a_file_takes_the_place_of_what_was_imported_and_is_read_again(context, licensing, file):
    plant(context, make_license(company="Imported"))
    assert (licensing.standing().reason, licensing.edition.name) == ("file", "ce")
    for company in ("Filed", "Filed again"):
        file.write_text(make_license(company=company))
        licensing.refresh()
        assert (licensing.standing().license.company, licensing.standing().row_id) == (company, None)
    file.write_text("nonsense")
    licensing.refresh()
    assert licensing.standing().reason == "malformed"
    assert refused(context, make_license(), Conflict) == "license_from_file"
    with unit_of_work(context) as work, pytest.raises(Conflict):
        remove_license(work, None, actor_id=None)
    install(context, make_revocations(ONE))
    file.write_text(make_license(id=ONE))
    licensing.refresh()
    assert licensing.standing().reason == "revoked"


def test_nothing_of_an_import_that_fails_is_left(context):
    with pytest.raises(RuntimeError), unit_of_work(context) as work:
        import_license(work, make_license(), actor_id=None)
        raise RuntimeError
    with reading(context) as work:
        assert work.session.scalar(select(func.count(StoredLicense.id))) == 0
