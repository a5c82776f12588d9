"""Those who call the REST API."""

import pytest

from tests.support.api import Caller


@pytest.fixture
def as_user(client, make_user, make_token):
    """``as_user("ada", scope="admin", admin=False)``: a fresh user's caller, its ``user`` and ``token`` with it."""

    def make(name="ada", *, scope="admin", admin=False):
        user = make_user(name, admin=admin)
        token = make_token(user, scope)
        caller = Caller(client, token)
        caller.user, caller.token = user, token
        return caller

    return make


@pytest.fixture
def nobody(client):
    """A caller who has not signed in."""
    return Caller(client)
