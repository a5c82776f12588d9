"""``python -m hub.compute.local``: the supervisor, without anything else of the hub in its memory."""

from __future__ import annotations

import gc
import sys

from hub.base import log
from hub.base.settings import SettingsError, load
from hub.compute.local.supervisor import AlreadyRuns, Supervisor


def main() -> None:
    """Run the supervisor of this home. Exit status 1, with the reason, when it cannot."""
    try:
        settings = load().settings
        log.configure(level=settings.log_level, style=settings.log_style)
        supervisor = Supervisor(settings)
    except (SettingsError, AlreadyRuns, OSError) as error:
        sys.exit(f"hub: {error}")
    gc.freeze()
    supervisor.run()


if __name__ == "__main__":
    main()
