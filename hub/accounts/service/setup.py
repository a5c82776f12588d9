"""The first administrator: who may make it, and that there is one only once.

While a hub has no administrator whoever sets it up has no account to sign in with. What they have is a code, which
``hub serve`` prints and which is worked out from the installation's secret: all processes know it, it is stored
nowhere, and it is good for nothing once there is an administrator.
"""

from __future__ import annotations

import hmac

from sqlalchemy import select

from hub.accounts.attempts import ATTEMPTS, count_attempt
from hub.accounts.models import User
from hub.accounts.passwords import hash_password
from hub.accounts.policy import SYSTEM
from hub.accounts.service.sessions import open_session
from hub.accounts.service.users import create_user
from hub.base.context import Context, Key
from hub.base.errors import Conflict, Denied
from hub.base.log import get_logger
from hub.base.secrets import SECRET, SET_UP_PURPOSE, spell_code
from hub.db.engine import advisory_lock
from hub.db.uow import UnitOfWork, reading, unit_of_work

log = get_logger(__name__)

# Two who finish at once must do so one after the other; any fixed number serves.
_LOCK_KEY = 0x68756203


class SetUp:
    """Whether this hub waits for its first administrator. Once it does not, it never will again."""

    def __init__(self) -> None:
        self.is_done = False

    def is_open(self, context: Context) -> bool:
        """Whether there is no administrator yet; one short query, until there is one."""
        if not self.is_done:
            with reading(context) as work:
                self.is_done = has_administrator(work)
        return not self.is_done


SET_UP: Key[SetUp] = Key("accounts.set_up")


def has_administrator(work: UnitOfWork) -> bool:
    """Whether somebody administers this hub."""
    return work.session.scalar(select(User.id).where(User.is_admin, User.is_active).limit(1)) is not None


def check_set_up_code(context: Context, code: str, *, address: str) -> None:
    """Return for the right code. address: who tries it. Raises Denied (``set_up_code_wrong``), RateLimited."""
    count_attempt(context[ATTEMPTS], " set-up", address)
    if not is_set_up_code(context, code):
        log.warning("set_up_code_wrong", address=address)
        raise Denied("This is not the code. The hub's log has it; `hub serve` prints it.", code="set_up_code_wrong")


def is_set_up_code(context: Context, code: str) -> bool:
    """Whether it is the code, in any spelling of case; compared in constant time."""
    wanted = spell_code(context[SECRET], SET_UP_PURPOSE)
    return hmac.compare_digest(wanted.encode(), code.strip().upper().encode(errors="replace"))


def create_first_administrator(
    context: Context, *, name: str, email: str, password: str, address: str = "", user_agent: str = ""
) -> tuple[User, str]:
    """The account that administers this hub, and the key of a fresh session of it. The caller has asked for the code.

    Opens its own units of work. Raises Invalid; Conflict: ``set_up_done`` when there is an administrator already, and
    as ``create_user``.
    """
    hashed = hash_password(context, password, name=name, email=email)
    with unit_of_work(context) as work:
        advisory_lock(work.session.connection(), _LOCK_KEY)
        if has_administrator(work):
            raise Conflict("Somebody has set this hub up already: it has an administrator.", code="set_up_done")
        user = create_user(work, actor=SYSTEM, name=name, email=email, password=hashed, is_admin=True)
        user.last_login_at = work.now()
        _, key = open_session(work, user=user, address=address, user_agent=user_agent)
    context[SET_UP].is_done = True
    log.info("set_up_done", user_id=user.id, address=address)
    return user, key
