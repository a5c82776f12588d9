"""``python -m tests.support.indexing [STEP]``: runs the jobs that are due, in a process of its own.

With the name of a step, the process kills itself at its end, when all of its results are written and not committed.
Prints how many bytes of memory it had taken at most after the first job, and after all.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import signal
import sys
from typing import Any

from hub.app import build_context
from hub.assets.indexing import INDEXERS, Indexer, IndexRun
from hub.base.context import Context
from hub.base.dotted import load_dotted
from hub.base.registry import Registry
from hub.base.settings import load
from hub.db.uow import UnitOfWork
from hub.jobs.run import run_due


class DeadlyRun(IndexRun):
    """A run whose process ends where its step would be committed."""

    def finish(self, work: UnitOfWork) -> None:
        super().finish(work)
        work.session.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def make_deadly(context: Context, name: str) -> None:
    """Let the step of that name end the process."""
    steps: Registry[Indexer] = context[INDEXERS]
    indexer = steps[name]

    def run(given: IndexRun) -> None:
        values: dict[str, Any] = {field.name: getattr(given, field.name) for field in dataclasses.fields(given)}
        load_dotted(indexer.run)(DeadlyRun(**values))

    entry = steps._entries[name]
    steps._entries[name] = dataclasses.replace(entry, value=dataclasses.replace(indexer, run=run))


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    context = build_context(load().settings)
    if len(sys.argv) > 1:
        make_deadly(context, sys.argv[1])
    run_due(context, limit=1)
    before = _peak_bytes()
    run_due(context)
    print(json.dumps({"first": before, "all": _peak_bytes()}))


if __name__ == "__main__":
    main()
