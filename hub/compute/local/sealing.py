"""Secrets of workloads, encrypted as they lie in the supervisor's memory on disk.

The driver seals them. To read them again after a restart the supervisor starts a program for a moment: the libraries
for it would be a third of its own size. So they are imported where they are used.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

_PURPOSE = "compute.local"
_LIMIT_S = 30.0


def seal(secret: bytes, values: Mapping[str, str]) -> str:
    """The values as one sealed text; empty for none."""
    from hub.base.secrets import Sealer

    return Sealer(secret, _PURPOSE).seal(json.dumps(dict(values))) if values else ""


def unseal_elsewhere(sealed: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Name to values, as far as they can be read: for each name a sealed text is given. By another process."""
    command = [sys.executable, "-P", "-c", "from hub.compute.local.sealing import main; main()"]
    done = subprocess.run(
        command, input=json.dumps(dict(sealed)).encode(), stdout=subprocess.PIPE, timeout=_LIMIT_S, check=False
    )
    found: dict[str, dict[str, str]] = json.loads(done.stdout) if not done.returncode else {}
    return found


def main() -> None:
    """Read sealed texts by name, write the values of those that can be opened."""
    from hub.base.errors import Failed
    from hub.base.secrets import Sealer, load_secret
    from hub.base.settings import load

    sealer = Sealer(load_secret(load().settings), _PURPOSE)
    opened = {}
    for name, text in json.load(sys.stdin).items():
        try:
            opened[name] = json.loads(sealer.open(text))
        except Failed:
            continue
    json.dump(opened, sys.stdout)
