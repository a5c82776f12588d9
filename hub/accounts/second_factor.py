"""Codes of the second factor where somebody gives one: attempts are counted before a code is judged.

Each function opens its own short units of work. What codes are is ``service.second_factors``'s.
"""

from __future__ import annotations

from hub.accounts.attempts import ATTEMPTS, attempt_key, count_attempt
from hub.accounts.models import User
from hub.accounts.policy import Actor
from hub.accounts.service import second_factors
from hub.accounts.service.users import get_user
from hub.base.context import Context
from hub.base.errors import NotSignedIn
from hub.base.log import get_logger
from hub.db.uow import reading, unit_of_work

log = get_logger(__name__)

# Of the million codes three are good at any moment: by so few in a quarter of an hour nobody finds one.
MAX_CODE_ATTEMPTS = 10


class SecondFactorNeeded(NotSignedIn):
    """The password is right and does not do alone. user: whose it is; never told."""

    code = "second_factor_needed"

    def __init__(self, user: User) -> None:
        super().__init__(
            "This account has a second factor. Programs sign in with an access token; git takes it as the password. "
            "The API also takes the password with a code in the header X-Second-Factor."
        )
        self.user = user


def check_code(context: Context, user: User, code: str, *, address: str = "") -> None:
    """Return when the code is good for the account, which takes it.

    Raises NotSignedIn (``second_factor_wrong``), RateLimited.
    """
    count_code(context, user)
    with unit_of_work(context) as work:
        is_good = second_factors.take_code(work, user=work.session.get_one(User, user.id), code=code)
    if not is_good:
        log.info("second_factor_failed", user_id=user.id, address=address)
        raise NotSignedIn(
            "The code is wrong, or was used before. Wait for the next one.", code="second_factor_wrong", member="code"
        )
    clear_codes(context, user)


def count_code(context: Context, user: User) -> None:
    """Count an attempt at a code of the account, from whatever address: who tries has its password. Raises RateLimited.

    No account has a space in its name, so this is no count of anybody's sign-ins.
    """
    count_attempt(context[ATTEMPTS], f" code {user.uuid}", "", most=MAX_CODE_ATTEMPTS)


def clear_codes(context: Context, user: User) -> None:
    """Forget the attempts: a code was good."""
    context[ATTEMPTS].clear(attempt_key(f" code {user.uuid}", ""))


def switch_on(context: Context, *, actor: Actor, name: str, code: str, session_key: str = "") -> list[str]:
    """As ``second_factors.confirm``, with the attempt counted. Raises RateLimited, too."""
    user = _find(context, actor, name)
    count_code(context, user)
    with unit_of_work(context) as work:
        codes = second_factors.confirm(work, actor=actor, user=get_user(work, name), code=code, session_key=session_key)
    clear_codes(context, user)
    return codes


def renew_codes(context: Context, *, actor: Actor, name: str, code: str) -> list[str]:
    """As ``second_factors.renew_recovery_codes``, with the attempt counted. Raises RateLimited, too."""
    user = _find(context, actor, name)
    count_code(context, user)
    with unit_of_work(context) as work:
        codes = second_factors.renew_recovery_codes(work, actor=actor, user=get_user(work, name), code=code)
    clear_codes(context, user)
    return codes


def _find(context: Context, actor: Actor, name: str) -> User:
    """The account, for its own: nobody else's attempts count against it."""
    with reading(context) as work:
        user = get_user(work, name)
        second_factors.require_own(work, actor, user)
    return user
