"""The face that features ask: ``context[LICENSING].has("...")``, never the name of an edition."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy.exc import OperationalError, ProgrammingError

from hub.base.context import Context, Key
from hub.base.errors import FeatureLocked
from hub.base.log import get_logger
from hub.base.registry import Registry
from hub.base.settings import SettingsError
from hub.db.uow import UnitOfWork, reading
from hub.licensing.editions import NO_LIMIT, Edition, load_editions, load_features
from hub.licensing.judge import Facts, LicenseState, Standing, judge
from hub.licensing.marks import WITNESSES
from hub.licensing.snapshot import Snapshot, load_snapshot
from hub.licensing.trust import VENDOR_KEYS, Keyring
from hub.licensing.usage import USAGE, count_usage
from hub.licensing.verify import Verifier

log = get_logger(__name__)

# How old what this process knows may be: another replica's import is seen here this much later.
SNAPSHOT_S = 2.0
# Enterprise is no setting: it comes with a licence.
_DEFAULT_EDITIONS = ("ce", "lite")


class Licensing:
    """Which edition is active and what it allows, at any moment and without waiting.

    Asking never raises for a fault of the licence or the database: while the database is away, what was read last
    stands. The licence is judged by the context's clock at every call.
    """

    def __init__(self, context: Context, keyring: Keyring) -> None:
        self.editions: Mapping[str, Edition] = load_editions()
        self.verifier = Verifier(keyring)
        self._context = context
        self._nothing = Snapshot(None, Facts(default_edition=context.settings.edition))
        self._snapshot = self._nothing
        self._next_look_s = 0.0
        self._is_blind = False

    @property
    def edition(self) -> Edition:
        """The active edition: Lite where the settings say so; EE while a licence for it is in force; else CE."""
        return self._edition_of(self.standing())

    def has(self, feature: str) -> bool:
        """Whether the feature may be used now: the active edition has it, or a licence that is in force carries it."""
        standing = self.standing()
        if feature in self._edition_of(standing).features:
            return True
        return standing.is_in_force and standing.license is not None and standing.license.grants(feature)

    def was_granted(self, feature: str) -> bool:
        """Whether the licence carries the feature, expired or not: what was made with it can still be read."""
        standing = self.standing()
        is_real = standing.is_in_force or standing.state is LicenseState.EXPIRED
        return is_real and standing.license is not None and standing.license.grants(feature)

    def require(self, feature: str) -> None:
        """Return when the feature may be used. Raises FeatureLocked as ``locked_error`` makes it."""
        if not self.has(feature):
            raise self.locked_error(feature)

    def locked_error(self, feature: str | None = None) -> FeatureLocked:
        """What to raise for a locked feature: ``LICENSE-ERR-1`` when its licence has expired, else ``LICENSE-ERR-0``.

        Source of the codes: the architecture, "The plugin seam".
        """
        standing = self.standing()
        code, message = "LICENSE-ERR-0", _NEEDS_LICENSE
        if standing.state is LicenseState.EXPIRED and (feature is None or self.was_granted(feature)):
            code, message = "LICENSE-ERR-1", standing.message
        elif standing.state is LicenseState.INVALID:
            message = f"This needs a licence, and the one that is installed is not valid. {standing.message}"
        elif standing.is_in_force and feature is not None:
            what = load_features().get(feature)
            message = f"The licence does not cover {feature!r}{f' ({what})' if what else ''}. Ask the vendor to add it."
        return FeatureLocked(message, code=code, **({"feature": feature} if feature else {}))

    def limit(self, name: str) -> int | None:
        """The most of something ("users", "nodes", "gpus", "clusters", or a quota's word); None: no limit."""
        return self.limits().get(name)

    def limits(self, standing: Standing | None = None) -> dict[str, int]:
        """Every limit that there is under a standing (None: the one now); what is absent has no limit."""
        standing = standing or self.standing()
        limits = dict(self._edition_of(standing).limits)
        if standing.is_in_force and standing.license is not None:
            # The licence's own numbers replace the edition's; where it sets none, the edition's stand.
            limits |= standing.license.limits
        return {name: most for name, most in limits.items() if most != NO_LIMIT}

    def seat_limit(self) -> int | None:
        """How many active users there may be, the licence's overage included; None: no limit."""
        standing = self.standing()
        if standing.is_in_force and standing.license is not None and standing.license.seats is not None:
            return standing.license.seats
        return self.limits(standing).get("users")

    def standing(self, work: UnitOfWork | None = None) -> Standing:
        """How the hub stands with its licence now.

        Without ``work`` seats and capacity are not counted, so that it is cheap enough for every request.
        """
        snapshot = self._look()
        facts = snapshot.facts if work is None else replace(snapshot.facts, usage=count_usage(work))
        return judge(snapshot.license, self._context.clock.now(), facts)

    def refresh(self) -> None:
        """Read the database and the file now instead of within two seconds."""
        # First, so that of many who come at once only one looks.
        self._next_look_s = time.monotonic() + SNAPSHOT_S
        try:
            with reading(self._context) as work:
                self._snapshot = load_snapshot(work, self.verifier)
            self._is_blind = False
        except Exception as error:
            if _is_missing_table(error):
                self._snapshot = self._nothing
            if not self._is_blind:
                log.warning("license_not_read", reason=type(error).__name__)
            self._is_blind = True

    def _look(self) -> Snapshot:
        if time.monotonic() >= self._next_look_s:
            self.refresh()
        return self._snapshot

    def _edition_of(self, standing: Standing) -> Edition:
        return self.editions[standing.edition_name]


_NEEDS_LICENSE = (
    "This needs a licence, and none is installed. Ask the vendor for one, and import it with `hub license import FILE`."
)


def _is_missing_table(error: Exception) -> bool:
    words = ("no such table", "no such column", "UndefinedTable", "UndefinedColumn")
    return isinstance(error, (OperationalError, ProgrammingError)) and any(word in str(error) for word in words)


LICENSING: Key[Licensing] = Key("licensing.licensing")


def install(context: Context, keyring: Keyring | None = None) -> None:
    """Provide the licensing and its registries; done once, by ``build_context``. Nothing is read yet.

    keyring: whose signatures count; tests hand in their own, everybody else has the vendor's.
    Raises SettingsError for an edition that is none.
    """
    if context.settings.edition not in _DEFAULT_EDITIONS:
        raise SettingsError(
            f"setting edition: write {' or '.join(_DEFAULT_EDITIONS)}; the enterprise edition comes with a licence"
        )
    context.provide(USAGE, Registry("usage counters"))
    context.provide(WITNESSES, Registry("clock witnesses"))
    context.provide(LICENSING, Licensing(context, keyring or VENDOR_KEYS))
