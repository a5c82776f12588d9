import dataclasses
import threading

import pytest

from hub.app import build_context
from hub.base.errors import Invalid
from hub.db.engine import DATABASE
from hub.db.uow import reading, unit_of_work
from hub.licensing.armour import Kind, find_block, wrap
from hub.licensing.installation import find_row
from hub.licensing.request import read_request
from hub.licensing.service import LICENSING, installation, make_request
from tests.support.licenses import KEYRING, install, make_license


@pytest.fixture
def replant(context, settings, database_url):
    """``replant()``: another hub, with another secret, on this hub's database."""
    built = []

    def build():
        home = settings.home.parent / f"other{len(built)}"
        other = build_context(dataclasses.replace(settings, home=home, database_url=database_url), keyring=KEYRING)
        other.clock = context.clock
        built.append(other)
        return other

    yield build
    for other in built:
        other[DATABASE].dispose()


def identity(context):
    with unit_of_work(context) as work:
        return installation(work)


def test_an_installation_has_one_id_for_ever(context):
    with reading(context) as work:
        assert find_row(work) is None
    first = identity(context)
    assert first == identity(context)
    assert first.is_genuine
    assert len(first.fingerprint) == 64


def test_processes_that_come_first_at_once_agree(context):
    found = []
    threads = [threading.Thread(target=lambda: found.append(identity(context).fingerprint)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_a_bound_licence_is_invalid_on_a_copied_database_and_a_floating_one_is_not(context, replant):
    install(context, make_license(fingerprint=identity(context).fingerprint))
    copy = replant()
    standing = copy[LICENSING].standing()
    assert (standing.state, standing.reason) == ("invalid", "fingerprint")
    assert "secret" in standing.message
    assert context[LICENSING].standing().state == "valid"
    install(context, make_license())
    copy[LICENSING].refresh()
    assert copy[LICENSING].standing().state == "valid"


def test_a_copied_hub_becomes_one_of_its_own_when_it_asks_for_a_licence(context, replant):
    original = identity(context).fingerprint
    copy = replant()
    assert not identity(copy).is_genuine
    with unit_of_work(copy) as work:
        asked = read_request(make_request(work))
    assert asked.fingerprint == identity(copy).fingerprint != original
    assert identity(copy).is_genuine
    assert install(copy, make_license(fingerprint=asked.fingerprint)).standing.state == "valid"


def test_a_request_says_who_asks_and_how_much_is_used(context, make_user):
    make_user("ada")
    with unit_of_work(context) as work:
        first, again = make_request(work), make_request(work)
    assert first != again
    asked = read_request(first)
    assert asked.fingerprint == identity(context).fingerprint
    assert (asked.product, asked.counts["users"], asked.created_at[:10]) == ("hub", 1, "2026-11-23")


def test_a_request_that_was_changed_is_refused(context):
    with unit_of_work(context) as work:
        text = make_request(work)
    content = find_block(text).content
    for damaged in (
        wrap(Kind.REQUEST, content.replace(b'"sig":"', b'"sig":"A', 1)),
        wrap(Kind.REQUEST, content.replace(b'"payload":"e', b'"payload":"f', 1)),
        wrap(Kind.REQUEST, b'{"alg":"ed25519","kid":"installation","payload":"e30","sig":"AA"}'),
        text[: len(text) // 2],
        make_license(),
    ):
        with pytest.raises(Invalid):
            read_request(damaged)
