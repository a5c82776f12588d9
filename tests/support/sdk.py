"""The CSGHub SDK as its users have it: from the package index, unmodified, in an environment of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.git import GitUser, Result
from tests.support.venvs import Client, make_venv


def environment_path() -> Path:
    """The environment's directory, made when it is not there yet: half a minute, once for each set of pins."""
    return make_venv("csghub-sdk")


@dataclass
class SDK(Client):
    """One person's SDK, talking to one hub with one token.

    default_client: the SDK's own choice for models, datasets and spaces, huggingface_hub under ``/hf``. Otherwise its
    native client under ``/csg`` and ``/api/v1``, as with ``CSGHUB_DISABLE_XNET=true``.
    """

    user: GitUser
    url: str
    token: str = ""
    default_client: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def programs(self) -> Path:
        return environment_path() / "bin"

    def place(self) -> Path:
        return self.user.home

    def variables(self) -> dict[str, str]:
        values = {
            **self.user.environment,
            "PATH": os.pathsep.join([str(self.programs()), self.user.environment["PATH"]]),
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
        return self.run("csghub-cli", *arguments, check=check, timeout_s=timeout_s)

    def with_(self, **changes: Any) -> SDK:
        """The same person's SDK with other settings; ``environment`` is added to."""
        environment: Mapping[str, str] = changes.pop("environment", {})
        values = {"user": self.user, "url": self.url, "token": self.token, "default_client": self.default_client}
        return SDK(**{**values, **changes}, environment={**self.environment, **environment})
