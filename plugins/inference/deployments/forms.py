"""What people say of a deployment, checked as far as it says nothing of machines and models. Source: contract, 1.8."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from hub.plugin.errors import Invalid
from plugins.inference.deployments.models import Deployment

MAX_REPLICAS = 64
MAX_REVISION, MAX_ENTRYPOINT, MAX_TASK = 255, 1024, 64
MAX_VARIABLES, MAX_TEXT_CHARS = 64, 16_384
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}[A-Za-z0-9]\Z")
_DOUBLED = re.compile(r"--|__|\.\.")
_TASK = re.compile(r"[a-z0-9][a-z0-9-]*\Z")


@dataclass(frozen=True)
class DeploymentForm:
    """What is to be served, and how.

    resource_id: of the SKU. framework_id: of an image of an engine; engine: by its name instead. revision: a branch,
    tag or commit; empty: the default branch. entrypoint: the file of a GGUF model. engine_args: those that differ
    from the engine's defaults. environment, variables: for the engine's process; the latter win.
    """

    name: str
    resource_id: int
    framework_id: int | None = None
    engine: str = ""
    min_replica: int = 0
    max_replica: int = 1
    revision: str = ""
    is_private: bool = True
    entrypoint: str = ""
    engine_args: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    task: str = ""

    def changed(self, changes: Mapping[str, Any]) -> DeploymentForm:
        """The same with other members; None, and what is not named, stays. Another engine comes in its own image."""
        known = {item.name for item in fields(self)}
        given = {name: value for name, value in changes.items() if value is not None and name in known}
        if given.get("engine", self.engine) != self.engine:
            given.setdefault("framework_id", None)
        return replace(self, **given)


def form_of(
    deployment: Deployment, *, sku_id: int | None, is_private: bool, replicas: tuple[int, int]
) -> DeploymentForm:
    """What its owner last said of a deployment."""
    return DeploymentForm(
        deployment.name,
        sku_id or 0,
        deployment.framework_id,
        deployment.engine,
        *replicas,
        deployment.revision,
        is_private,
        deployment.entrypoint,
        deployment.engine_args,
        deployment.environment,
        deployment.variables,
        deployment.task,
    )


def check_form(form: DeploymentForm) -> None:
    """Raises Invalid: ``deployment_name_invalid``, ``replicas_invalid``, ``deployment_invalid``."""
    if not _NAME.match(form.name) or _DOUBLED.search(form.name):
        raise Invalid(
            "A deployment's name has 2 to 64 letters, digits and single -_., begins with a letter and ends with a "
            "letter or digit.",
            code="deployment_name_invalid",
        )
    if not 0 <= form.min_replica <= form.max_replica or not 1 <= form.max_replica <= MAX_REPLICAS:
        raise Invalid(
            f"There are 0 to {MAX_REPLICAS} replicas, 1 at most or more, and not fewer than at least.",
            code="replicas_invalid",
        )
    for what, text, limit in (
        ("revision", form.revision, MAX_REVISION),
        ("entrypoint", form.entrypoint, MAX_ENTRYPOINT),
        ("task", form.task, MAX_TASK),
    ):
        if len(text) > limit or not text.isprintable():
            raise Invalid(f"The {what} is no text of {limit} characters or fewer.", code="deployment_invalid")
    if form.task and not _TASK.match(form.task):
        raise Invalid("A task is a word such as text-generation.", code="deployment_invalid")


def parse_variables(text: str, what: str) -> dict[str, str]:
    """Variables as clients send them: a JSON object in a string; empty: none.

    Raises Invalid (``variables_invalid``).
    """
    if not text.strip():
        return {}
    try:
        found = json.loads(text) if len(text) <= MAX_TEXT_CHARS else None
    except (ValueError, RecursionError):
        found = None
    if (
        not isinstance(found, dict)
        or len(found) > MAX_VARIABLES
        or not all(isinstance(value, str | int | float) for value in found.values())
    ):
        raise Invalid(
            f"'{what}' must be a JSON object of at most {MAX_VARIABLES} texts.", code="variables_invalid", member=what
        )
    return {name: _as_text(value) for name, value in found.items()}


def _as_text(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
