from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.accounts import service
from hub.accounts.attempts import MAX_ATTEMPTS
from hub.accounts.authentication import (
    authenticate_basic,
    authenticate_session,
    authenticate_token,
    change_password,
    check_password,
    identify_session,
    identify_ssh_key,
    identify_token,
    record_use,
)
from hub.accounts.models import AccessToken, SSHKey, TokenScope, User, WebSession
from hub.accounts.passwords import HashCost, Passwords, hash_password
from hub.accounts.policy import SYSTEM, Actor
from hub.accounts.service.sessions import csrf_token_of
from hub.accounts.service.tokens import hash_token
from hub.accounts.signing_in import sign_in
from hub.base.errors import Conflict, Denied, Invalid, NotFound, NotSignedIn, RateLimited
from hub.db.uow import reading, unit_of_work
from tests.hub.accounts.test_keys import ed25519_line

WORD = "correct-horse"


@pytest.fixture
def ada(context):
    """A user with a password."""
    with unit_of_work(context) as work:
        return service.create_user(
            work, actor=SYSTEM, name="ada", email="ada@example.org", password=hash_password(context, WORD)
        )


@pytest.fixture
def issue(context, ada):
    """``issue("name", scope)``: a fresh token's row and value."""

    def create(name="laptop", scope=TokenScope.WRITE, **args):
        with unit_of_work(context) as work:
            user = service.get_user(work, ada.name)
            return service.create_token(work, actor=SYSTEM, user=user, name=name, scope=scope, **args)

    return create


def actor_of_token(context, value):
    with reading(context) as work:
        return authenticate_token(work, value)


def test_a_token_is_32_hex_digits_and_only_its_hash_is_kept(context, issue):
    token, value = issue()
    assert len(value) == 32
    assert int(value, 16) >= 0
    assert token.token_hash == hash_token(value)
    assert (token.hint, token.scope) == (value[:4], TokenScope.WRITE)
    with reading(context) as work:
        row = work.session.execute(select(AccessToken.__table__)).one()
    assert value not in map(str, row)


def test_a_token_stands_for_its_user_with_its_scope(context, ada, issue):
    token, value = issue(scope=TokenScope.READ)
    expected = Actor.of_user(ada, via="token", scope=TokenScope.READ, token_id=token.id)
    assert actor_of_token(context, value) == expected
    for bad in ("", value[:-1], value.upper(), value + "0", "0" * 32, "ä" * 32, f" {value}"):
        assert actor_of_token(context, bad) is None


def test_a_token_costs_one_query(context, issue, count_queries):
    _, value = issue()
    with count_queries() as queries:
        assert actor_of_token(context, value)
    assert len(queries) == 1
    with count_queries() as queries:
        assert actor_of_token(context, "not a token") is None
    assert queries == []


def test_a_token_ends_when_it_expires_is_revoked_refreshed_or_its_user_is_off(clock, context, ada, issue):
    _, short = issue("short", expires_at=clock.now() + timedelta(seconds=60))
    _, revoked = issue("revoked")
    _, old = issue("refreshed")
    clock.advance(59)
    assert actor_of_token(context, short)
    clock.advance(1)
    assert actor_of_token(context, short) is None
    own = Actor.of_user(ada, via="session")
    with unit_of_work(context) as work:
        service.revoke_token(work, actor=own, user=ada, name="revoked")
        _, new = service.refresh_token(work, actor=own, user=ada, name="refreshed")
    assert actor_of_token(context, revoked) is None
    assert actor_of_token(context, old) is None
    assert actor_of_token(context, new)
    with unit_of_work(context) as work:
        service.deactivate_user(work, actor=SYSTEM, user=service.get_user(work, "ada"))
    assert actor_of_token(context, new) is None


def test_tokens_are_refused_that_could_never_be_used_or_told_apart(clock, context, ada, issue):
    issue("laptop")
    with pytest.raises(Conflict):
        issue("laptop")
    assert issue("laptop", app="mirror")[0].scope is TokenScope.READ
    for bad in ({"expires_at": clock.now()}, {"app": "other"}, {"name": ""}, {"name": "x" * 65}, {"name": "a\0b"}):
        with pytest.raises(Invalid):
            issue(**bad)
    issue("short", expires_at=clock.now() + timedelta(seconds=60))
    clock.advance(61)
    with unit_of_work(context) as work, pytest.raises(Invalid):
        service.refresh_token(work, actor=SYSTEM, user=ada, name="short")
    with unit_of_work(context) as work:
        later = clock.now() + timedelta(days=1)
        _, renewed = service.refresh_token(work, actor=SYSTEM, user=ada, name="short", expires_at=later)
    assert actor_of_token(context, renewed)
    with unit_of_work(context) as work, pytest.raises(NotFound):
        service.revoke_token(work, actor=SYSTEM, user=ada, name="none")


def test_nobody_sees_or_makes_tokens_of_others_nor_with_a_lesser_token(work, make_user, actor_of):
    ada, eve = make_user("ada"), make_user("eve")
    writer = Actor.of_user(ada, via="token", scope=TokenScope.WRITE)
    for actor in (actor_of(eve), writer):
        with pytest.raises(Denied):
            service.create_token(work, actor=actor, user=ada, name="x", scope=TokenScope.READ)
        with pytest.raises(Denied):
            service.revoke_token(work, actor=actor, user=ada, name="x")
    with pytest.raises(Denied):
        service.list_tokens(work, actor=actor_of(eve), user=ada)
    service.create_token(work, actor=actor_of(ada), user=ada, name="x", scope=TokenScope.ADMIN)
    service.create_token(work, actor=actor_of(ada), user=ada, name="y", scope=TokenScope.READ, app="mirror")
    assert [t.name for t in service.list_tokens(work, actor=writer, user=ada).items] == ["y", "x"]
    assert [t.name for t in service.list_tokens(work, actor=writer, user=ada, app="git").items] == ["x"]


def last_uses(context, model):
    with reading(context) as work:
        return work.session.scalars(select(model.last_used_at)).all()


def test_the_last_use_is_written_apart_and_at_most_once_a_minute(clock, context, issue, count_queries):
    _, value = issue()
    with reading(context) as work:
        use = identify_token(work, value).use
    assert last_uses(context, AccessToken) == [None]
    record_use(context, use)
    first = clock.now()
    assert last_uses(context, AccessToken) == [first]
    clock.advance(59)
    with reading(context) as work:
        assert identify_token(work, value).use is None
    record_use(context, use)  # told by a request that began before the first was written
    assert last_uses(context, AccessToken) == [first]
    clock.advance(1)
    with reading(context) as work:
        record_use(context, identify_token(work, value).use)
    assert last_uses(context, AccessToken) == [clock.now()]


def test_a_keys_last_use_is_written_too(clock, context, ada):
    line = ed25519_line()
    with unit_of_work(context) as work:
        service.add_ssh_key(work, actor=SYSTEM, user=ada, name="k", public_key=line)
    with reading(context) as work:
        record_use(context, identify_ssh_key(work, line).use)
    assert last_uses(context, SSHKey) == [clock.now()]


def test_a_use_that_cannot_be_written_troubles_nobody(context, issue, caplog):
    _, value = issue()
    with reading(context) as work:
        use = identify_token(work, value).use
    with unit_of_work(context):
        record_use(context, use)  # units of work do not nest
    assert "use_not_recorded" in caplog.text


def test_basic_takes_a_token_whatever_the_user_part_says(context, ada, issue):
    token, value = issue()
    for login in ("ada", "someone-else", "an-org", "", "ada@example.org"):
        assert authenticate_basic(context, login, value).token_id == token.id


def test_basic_takes_a_name_or_address_with_the_password(context, ada):
    for login in ("ada", "ADA", "ada@example.org"):
        assert authenticate_basic(context, login, WORD) == Actor.of_user(ada, via="password")
    for login, word in (("ada", "wrong"), ("eve", WORD), ("", WORD), ("ada", ""), ("ada\0", WORD), ("\ud800", WORD)):
        assert authenticate_basic(context, login, word) is None


def test_a_password_may_look_like_a_token(context, ada):
    word = "0123456789abcdef" * 2
    with unit_of_work(context) as work:
        user = service.get_user(work, "ada")
        service.set_password(work, actor=SYSTEM, user=user, password=hash_password(context, word))
    assert authenticate_basic(context, "ada", word).via == "password"


def test_guessing_is_stopped_for_that_account_from_that_address(context, ada):
    for _ in range(MAX_ATTEMPTS):
        assert authenticate_basic(context, "ada", "wrong", address="192.0.2.1") is None
    with pytest.raises(RateLimited):
        authenticate_basic(context, "ada", WORD, address="192.0.2.1")
    assert authenticate_basic(context, "ada", WORD, address="192.0.2.2")


def test_signing_in_clears_the_count(context, ada):
    for _ in range(2):
        for _ in range(MAX_ATTEMPTS - 1):
            assert authenticate_basic(context, "ada", "wrong") is None
        with unit_of_work(context) as work:  # else the right word would be remembered, and not be counted at all
            user = service.get_user(work, "ada")
            service.set_password(work, actor=SYSTEM, user=user, password=hash_password(context, WORD))
        assert authenticate_basic(context, "ada", WORD)


def test_unknown_names_are_counted_as_well(context):
    for _ in range(MAX_ATTEMPTS):
        authenticate_basic(context, "nobody", "wrong")
    with pytest.raises(RateLimited):
        authenticate_basic(context, "nobody", "wrong")


def test_a_hash_of_a_former_cost_is_renewed_by_signing_in(context, ada):
    former = Passwords(HashCost(passes=2, memory_kib=16, lanes=1)).hash(WORD)
    with unit_of_work(context) as work:
        service.set_password(work, actor=SYSTEM, user=service.get_user(work, "ada"), password=former)
    assert check_password(context, "ada", WORD)
    with reading(context) as work:
        renewed = work.session.scalar(select(User.password_hash))
    assert "$m=8,t=1,p=1$" in renewed
    assert check_password(context, "ada", WORD)


def test_signing_in_opens_a_session_that_lasts_while_it_is_used(clock, context, ada):
    session, key = sign_in(context, login="ada", password=WORD, address="192.0.2.1", user_agent="Browser" * 100)
    assert (session.address, len(session.user_agent), len(key)) == ("192.0.2.1", 255, 43)
    assert key not in session.key_hash
    ttl_s = context.settings.session_ttl_s
    clock.advance(ttl_s - 1)
    with reading(context) as work:
        identity = identify_session(work, key)
    assert identity.actor == Actor.of_user(ada, via="session")
    record_use(context, identity.use)
    clock.advance(ttl_s - 1)
    with reading(context) as work:
        assert authenticate_session(work, key)
    clock.advance(1)
    with reading(context) as work:
        assert authenticate_session(work, key) is None
        assert work.session.scalar(select(User.last_login_at)) is not None


def test_a_wrong_password_opens_no_session(context, ada):
    for login, word in (("ada", "wrong"), ("nobody", WORD)):
        with pytest.raises(NotSignedIn) as caught:
            sign_in(context, login=login, password=word)
        assert caught.value.code == "AUTH-ERR-0"


def session_count(context):
    with reading(context) as work:
        return len(work.session.scalars(select(WebSession.id)).all())


def test_a_session_ends_by_signing_out_a_new_password_or_a_switched_off_account(context, ada):
    keys = [sign_in(context, login="ada", password=WORD)[1] for _ in range(3)]
    with unit_of_work(context) as work:
        service.close_session(work, keys[0])
        service.close_session(work, "no such key")
    with reading(context) as work:
        assert [bool(authenticate_session(work, key)) for key in keys] == [False, True, True]
    change_password(
        context, actor=Actor.of_user(ada, via="session"), name="ada", old_password=WORD, new_password="another word"
    )
    assert session_count(context) == 0
    sign_in(context, login="ada", password="another word")
    with unit_of_work(context) as work:
        service.deactivate_user(work, actor=SYSTEM, user=service.get_user(work, "ada"))
    assert session_count(context) == 0
    with pytest.raises(NotSignedIn):
        sign_in(context, login="ada", password="another word")


def test_expired_sessions_are_removed(clock, context, ada):
    sign_in(context, login="ada", password=WORD)
    clock.advance(context.settings.session_ttl_s)
    sign_in(context, login="ada", password=WORD)  # takes the user's own expired ones along
    assert session_count(context) == 1
    clock.advance(context.settings.session_ttl_s)
    with unit_of_work(context) as work:
        assert service.delete_expired_sessions(work) == 1
        assert service.delete_expired_sessions(work) == 0


def test_the_word_against_forged_requests_belongs_to_one_session(context, ada):
    keys = [sign_in(context, login="ada", password=WORD)[1] for _ in range(2)]
    assert csrf_token_of(keys[0]) == csrf_token_of(keys[0])
    assert csrf_token_of(keys[0]) != csrf_token_of(keys[1])
    assert keys[0] not in csrf_token_of(keys[0])


def test_a_new_password_asks_for_the_old_one(context, ada):
    own = Actor.of_user(ada, via="session")

    def change(actor, old, new="another word"):
        change_password(context, actor=actor, name="ada", old_password=old, new_password=new)

    with pytest.raises(Denied) as caught:
        change(own, "wrong")
    assert caught.value.code == "password_wrong"
    with pytest.raises(Invalid):
        change(own, WORD, "short")
    with pytest.raises(NotSignedIn):
        change(Actor(), WORD)
    with pytest.raises(Denied):
        change(Actor.of_user(ada, via="token", scope=TokenScope.WRITE), WORD)
    change(own, WORD)
    assert check_password(context, "ada", WORD) is None
    change(SYSTEM, "")
    with unit_of_work(context) as work:
        root = service.create_user(work, actor=SYSTEM, name="root-1", email="r@example.org", is_admin=True)
    change(Actor.of_user(root, via="session"), "", "a third word")
    assert check_password(context, "ada", "a third word")
