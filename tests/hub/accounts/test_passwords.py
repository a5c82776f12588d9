import threading

import pytest

from hub.accounts.passwords import PASSWORDS, HashCost, Passwords, hash_password, validate_password
from hub.base.errors import Invalid

CHEAP = HashCost(passes=1, memory_kib=8, lanes=1)


def test_the_real_cost_is_that_of_rfc_9106_for_little_memory():
    stored = Passwords().hash("long enough")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert len(stored) <= 255


def test_a_hash_matches_its_password_alone():
    passwords = Passwords(CHEAP)
    stored = passwords.hash("long enough")
    assert passwords.verify(stored, "long enough")
    assert not passwords.verify(stored, "long enough ")
    assert passwords.hash("long enough") != stored


def test_no_account_no_password_and_damaged_hashes_match_nothing():
    passwords = Passwords(CHEAP)
    for stored in (None, "", "$argon2id$", "plain"):
        assert not passwords.verify(stored, "long enough")


def test_an_unknown_account_costs_a_whole_hash():
    # The decoy is worked out with the very cost of a real hash; damaged ones would be refused at once.
    passwords = Passwords(CHEAP)
    real = passwords.hash("long enough")
    assert passwords._decoy.split("$")[:4] == real.split("$")[:4]
    assert [len(part) for part in passwords._decoy.split("$")] == [len(part) for part in real.split("$")]
    assert not passwords.needs_rehash(passwords._decoy)


def test_passwords_that_cannot_be_hashed_are_wrong_not_errors():
    passwords = Passwords(CHEAP)
    stored = passwords.hash("long enough")
    for password in ("\ud800", "x" * 100_000, ""):
        assert not passwords.verify(stored, password)
        assert not passwords.is_remembered(stored, password)


def test_a_check_that_succeeded_is_remembered_for_its_hash_only():
    passwords = Passwords(CHEAP)
    stored = passwords.hash("long enough")
    assert not passwords.is_remembered(stored, "long enough")
    passwords.verify(stored, "wrong word")
    assert not passwords.is_remembered(stored, "wrong word")
    passwords.verify(stored, "long enough")
    assert passwords.is_remembered(stored, "long enough")
    assert not passwords.is_remembered(passwords.hash("long enough"), "long enough")


def test_a_hash_of_another_cost_is_due_for_renewal():
    old = Passwords(CHEAP).hash("long enough")
    assert Passwords(HashCost(passes=2, memory_kib=8, lanes=1)).needs_rehash(old)
    assert not Passwords(CHEAP).needs_rehash(old)


def test_many_hashes_at_once_all_come_out_right():
    passwords = Passwords(CHEAP)
    stored, results = passwords.hash("long enough"), []
    threads = [
        threading.Thread(target=lambda: results.append(passwords.verify(stored, "long enough"))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 12


@pytest.mark.parametrize("password", ["short", "x" * 257, "", "\ud800" * 8])
def test_passwords_outside_the_bounds_are_refused(password):
    with pytest.raises(Invalid):
        validate_password(password)


@pytest.mark.parametrize("password", ["12345678", "x" * 256, "пароль-слово", "🦄" * 256])
def test_passwords_within_the_bounds_are_taken(password):
    assert validate_password(password) == password


def test_the_accounts_name_and_address_are_no_passwords():
    for password in ("Ada.Lovelace", "ADA@example.org"):
        with pytest.raises(Invalid):
            validate_password(password, name="ada.lovelace", email="ada@Example.org")


def test_hash_password_judges_before_it_hashes(context):
    stored = hash_password(context, "long enough", name="ada")
    assert context[PASSWORDS].verify(stored, "long enough")
    with pytest.raises(Invalid):
        hash_password(context, "lovelace", name="Lovelace")
