"""The CSGHub SDK as its users have it: from the package index, unmodified, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.git import GitUser, Result
from tests.support.venvs import make_venv


def environment_path() -> Path:
    """The environment's directory, made when it is not there yet: half a minute, once for each set of pins."""
    return make_venv("csghub-sdk")


@dataclass
class SDK:
    """One person's SDK, talking to one hub with one token.

    default_client: the SDK's own choice for models, datasets and spaces, huggingface_hub under ``/hf``. Otherwise its
    native client under ``/csg`` and ``/api/v1``, as with ``CSGHUB_DISABLE_XNET=true``.
    """

    user: GitUser
    url: str
    token: str = ""
    default_client: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def _environment(self) -> dict[str, str]:
        programs = environment_path() / "bin"
        values = {
            **self.user.environment,
            "PATH": os.pathsep.join([str(programs), self.user.environment["PATH"]]),
            "CSGHUB_DOMAIN": self.url,
            "CSGHUB_HOME": str(self.user.home),
            "CSGHUB_DISABLE_XNET": "false" if self.default_client else "true",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.environment,
        }
        return values | ({"CSGHUB_TOKEN": self.token} if self.token else {})

    def cli(self, *arguments: str | Path, check: bool = True, timeout_s: float = 120) -> Result:
        """``csghub-cli`` with these arguments."""
        return self._run(["csghub-cli", *map(str, arguments)], check, timeout_s)

    def python(self, script: str, *, timeout_s: float = 200, **values: Any) -> Any:
        """What a script, given the values as ``given``, hands to ``answer``, as JSON."""
        head = (
            "import json, sys\ngiven = json.loads(sys.argv[1])\n"
            "answer = lambda value: print('ANSWER ' + json.dumps(value))\n"
        )
        done = self._run(["python", "-c", head + script, json.dumps(values, default=str)], True, timeout_s)
        found = [line.partition(" ")[2] for line in done.output.splitlines() if line.startswith("ANSWER ")]
        return json.loads(found[-1]) if found else None

    def _run(self, command: list[str], check: bool, timeout_s: float) -> Result:
        environment = self._environment()
        program = environment_path() / "bin" / command[0]
        done = subprocess.run(
            [str(program), *command[1:]],
            cwd=self.user.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
        )
        result = Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        assert result.ok or not check, f"{command[:3]}: {result.status}\n{result.output}\n{result.error}"
        return result

    def with_(self, **changes: Any) -> SDK:
        """The same person's SDK with other settings; ``environment`` is added to."""
        environment: Mapping[str, str] = changes.pop("environment", {})
        values = {"user": self.user, "url": self.url, "token": self.token, "default_client": self.default_client}
        return SDK(**{**values, **changes}, environment={**self.environment, **environment})
