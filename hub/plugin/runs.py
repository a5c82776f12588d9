"""The seam: runs, for plugins that train, measure, deploy or convert. See ``deploy/docs/lineage.md``.

What a plugin records this way is recorded by the platform: the relations that follow are trusted. ``actor`` is who
asked for it, and what that one may not read or write, the run neither takes nor gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.accounts.policy import Actor
from hub.assets.events import RunFinished
from hub.assets.models_lineage import RelationType, Run, RunState
from hub.assets.runtypes import RunType
from hub.assets.service import runs as _service
from hub.assets.service.runs import Link, get_run
from hub.base.context import Context

__all__ = [
    "Link",
    "RelationType",
    "Run",
    "RunFinished",
    "RunState",
    "RunType",
    "create_run",
    "finish_run",
    "get_run",
    "start_run",
    "update_run",
]


def create_run(
    context: Context,
    *,
    actor: Actor,
    type: str,
    namespace: str = "",
    title: str = "",
    inputs: Sequence[Link] = (),
    outputs: Sequence[Link] = (),
    parameters: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    is_private: bool = True,
    client_id: str = "",
) -> str:
    """Record a run that is about to be, as the platform; return its uuid.

    client_id: an id of the plugin's own ("finetune:12"): whoever comes with it again gets the same run. Raises
    NotFound, NotSignedIn, Denied, Invalid, Conflict (``client_id_taken``).
    """
    return _service.create_run(
        context,
        actor=actor,
        type=type,
        namespace=namespace,
        title=title,
        inputs=inputs,
        outputs=outputs,
        parameters=parameters,
        environment=environment,
        is_private=is_private,
        client_id=client_id,
        is_trusted=True,
    )


def start_run(context: Context, *, actor: Actor, uuid: str, log_url: str | None = None) -> None:
    """Say that a run is running. Harmless when it is. Raises as ``update_run``."""
    _service.update_run(context, actor=actor, uuid=uuid, state=RunState.RUNNING, log_url=log_url, is_trusted=True)


def update_run(
    context: Context, *, actor: Actor, uuid: str, metrics: Mapping[str, Any] | None = None, log_url: str | None = None
) -> None:
    """Add what was measured so far. Raises NotFound, NotSignedIn, Denied, Invalid, Conflict (``run_finished``)."""
    _service.update_run(context, actor=actor, uuid=uuid, metrics=metrics, log_url=log_url, is_trusted=True)


def finish_run(
    context: Context,
    *,
    actor: Actor,
    uuid: str,
    state: RunState = RunState.SUCCEEDED,
    outputs: Sequence[Link] = (),
    metrics: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Say how a run ended, and what it gave. With success the relations that follow are there at once.

    Harmless, without anything further, when it ended so already. Raises as ``update_run``, and Conflict
    (``run_state``).
    """
    _service.update_run(
        context,
        actor=actor,
        uuid=uuid,
        state=state,
        outputs=outputs,
        metrics=metrics,
        error=error,
        is_trusted=True,
    )
