import dataclasses

import pytest

from hub.accounts import service
from hub.accounts.models import RevokedJWT
from hub.accounts.policy import ANONYMOUS, SERVICE, SYSTEM, Action, Actor, can
from hub.accounts.service.jwts import create_jwt, delete_expired_jwts, find_jwt_user
from hub.base.errors import HubError, Invalid
from hub.base.settings import SettingsError, load
from hub.db.uow import reading, unit_of_work


def make(context, user, **options):
    with unit_of_work(context) as work:
        return create_jwt(work, actor=SYSTEM, user_uuid=user.uuid, **options)


def who(context, value):
    with reading(context) as work:
        user = find_jwt_user(work, value)
        return user and user.name


def test_a_token_stands_for_its_user_until_it_ends_is_revoked_or_the_user_goes(context, clock, make_user):
    ada = make_user("ada")
    value, _ = make(context, ada)
    assert who(context, value) == "ada"
    renewed, _ = make(context, ada, old_token=value)
    assert (who(context, value), who(context, renewed)) == (None, "ada")
    with pytest.raises(Invalid, match="revoked before") as refused:
        make(context, ada, old_token=value)
    assert refused.value.code == "AUTH-ERR-4"
    with unit_of_work(context) as work:
        clock.advance(1)
        service.deactivate_user(work, actor=SYSTEM, user=service.get_user(work, "ada"))
    assert who(context, renewed) is None
    clock.advance(1)
    with unit_of_work(context) as work:
        service.reactivate_user(work, actor=SYSTEM, user=service.get_user(work, "ada"))
    assert who(context, renewed) is None  # being switched off signs out everywhere
    renewed, expires_at = make(context, ada)
    assert who(context, renewed) == "ada"
    clock.advance(context.settings.session_ttl_s)
    assert who(context, renewed) is None
    assert clock.now() >= expires_at
    make(context, ada, old_token=renewed)  # one that ended by itself is no hindrance
    with unit_of_work(context) as work:
        assert delete_expired_jwts(work) == 1
        assert not work.session.query(RevokedJWT).count()


@pytest.mark.any_database
def test_what_this_hub_did_not_sign_for_this_user_is_none(context, make_user):
    from joserfc import jwt
    from joserfc.jwk import OctKey

    ada, eve = make_user("ada"), make_user("eve")
    value, _ = make(context, ada)
    head, body, signature = value.split(".")
    none = jwt.encode({"alg": "HS256"}, {"uuid": ada.uuid}, OctKey.import_key(b"x" * 32))
    unsigned = "eyJhbGciOiJub25lIn0"
    for forged in (
        none,
        f"{unsigned}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        "..",
        "a.b.c",
        value + "x" * 3000,
    ):
        assert who(context, forged) is None
    for old in (none, make(context, eve)[0]):
        with pytest.raises(Invalid, match="none of this user's"):
            make(context, ada, old_token=old)
    assert who(context, value) == "ada"
    with unit_of_work(context) as work:
        for actor in (ANONYMOUS, Actor.of_user(ada, via="session")):
            with pytest.raises(HubError):
                create_jwt(work, actor=actor, user_uuid=ada.uuid)


@pytest.mark.any_database
def test_the_service_administers_the_site_and_is_nobody_in_it(context, make_user):
    ada = make_user("ada")
    with unit_of_work(context) as work:
        assert can(work, SERVICE, Action.SITE_ADMIN)
        assert can(work, SERVICE, Action.ACCOUNT_CREDENTIALS, ada)
        assert not SERVICE.is_anonymous
        assert not SERVICE.is_system
        with pytest.raises(HubError, match="current_user=NAME"):
            service.get_own_user(work, actor=SERVICE)
        assert not dataclasses.replace(SERVICE, is_admin=False).is_anonymous


@pytest.mark.any_database
@pytest.mark.parametrize("token", ["short", "x" * 31, "with a blank" + "x" * 32, "é" * 32])
def test_a_weak_api_token_stops_the_start(tmp_path, token):
    with pytest.raises(SettingsError, match="api_token"):
        load({"HUB_HOME": str(tmp_path), "HUB_API_TOKEN": token})
