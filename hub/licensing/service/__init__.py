"""What can be asked of licences and done with them. Who may do it is decided above, in the accounts' room."""

from __future__ import annotations

from hub.licensing.installation import installation
from hub.licensing.marks import WITNESSES, advance_clock
from hub.licensing.request import make_request
from hub.licensing.service.face import LICENSING, Licensing, install
from hub.licensing.service.importing import (
    Imported,
    get_license,
    import_license,
    list_licenses,
    remove_license,
    verify_license,
)
from hub.licensing.service.seats import check_seat
from hub.licensing.service.upkeep import check
from hub.licensing.usage import USAGE

__all__ = [
    "LICENSING",
    "USAGE",
    "WITNESSES",
    "Imported",
    "Licensing",
    "advance_clock",
    "check",
    "check_seat",
    "get_license",
    "import_license",
    "install",
    "installation",
    "list_licenses",
    "make_request",
    "remove_license",
    "verify_license",
]
