"""Looking through one content with all checkers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, BinaryIO

from hub.assets.indexing import Indexer, add_indexer
from hub.assets.models_security import ScanState
from hub.assets.security.archives import check_pickles
from hub.assets.security.executables import check_executable
from hub.assets.security.files import (
    CHECKERS,
    HEAD_BYTES,
    Budget,
    CheckedFile,
    Checker,
    Exceeded,
    Level,
    Limits,
    Ranges,
    Result,
    Treatment,
    add_checker,
    clean,
    describe,
    limits_of,
    open_content,
)
from hub.assets.security.secrets import check_secrets
from hub.base.context import Context
from hub.base.log import get_logger
from hub.base.registry import Registry
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register

log = get_logger(__name__)

_WORST_FIRST = (ScanState.UNSAFE, ScanState.SUSPICIOUS, ScanState.ERROR, ScanState.SKIPPED, ScanState.QUEUED)
MAX_REASON_CHARS = 500


def install(context: Context) -> None:
    """Provide the registry of checkers with the hub's own in it, and the jobs; done once, by ``hub.assets.install``."""
    context.provide(CHECKERS, Registry("checkers"))
    add_checker(context, Checker("pickle", f"1.{version('picklescan')}", check_pickles))
    add_checker(context, Checker("secrets", "1", check_secrets))
    add_checker(context, Checker("executable", "1", check_executable))
    add_indexer(context, Indexer("security", "Security of the files", "hub.assets.security.revisions:index_security"))
    register(
        context,
        JobSpec("assets.scan_revision", "hub.assets.security.revisions:scan_job", queue="index", timeout_s=3600),
    )
    register(context, JobSpec("assets.prune_scans", "hub.assets.security.revisions:prune_job", timeout_s=3600))
    register_schedule(context, Schedule("assets.prune_scans", "40 4 * * *", "assets.prune_scans"))


def checkers_version(context: Context) -> str:
    """A word that changes with the checkers and their versions; results of other words count no more."""
    words = sorted(f"{checker.name}={checker.version}" for checker in context[CHECKERS].values())
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Verdict:
    """What was found in a content, as it is stored. is_script: it begins as a script does."""

    state: ScanState
    reason: str = ""
    is_script: bool = False
    findings: list[dict[str, Any]] = field(default_factory=list)
    imports: list[list[str]] = field(default_factory=list)


def scan_content(
    context: Context,
    *,
    size_bytes: int,
    open_range: Callable[[int, int], Iterable[bytes]],
    treatment: Treatment,
    limits: Limits | None = None,
) -> Verdict:
    """Look through a content; a checker that fails, or finds the content too costly, leaves the others' findings.

    open_range: its bytes from a place on, so many of them. limits: None: as its size allows. Raises what
    ``open_range`` raises.
    """
    result = Result()
    head = b"".join(open_range(0, min(size_bytes, HEAD_BYTES))) if size_bytes else b""
    for checker in context[CHECKERS].values():
        _check(checker, result, head, size_bytes, open_range, treatment, limits or limits_of(size_bytes))
    return Verdict(
        _state_of(result),
        clean(result.reason),
        head.startswith(b"#!"),
        describe(result.findings),
        [[clean(module), clean(name), safety] for module, name, safety in result.imports],
    )


def _check(
    checker: Checker,
    result: Result,
    head: bytes,
    size_bytes: int,
    open_range: Callable[[int, int], Iterable[bytes]],
    treatment: Treatment,
    limits: Limits,
) -> None:
    budget = Budget(limits)
    opened: list[Ranges] = []

    def open() -> BinaryIO:
        stream, ranges = open_content(size_bytes, open_range, budget)
        opened.append(ranges)
        return stream

    failure: Exception | None = None
    try:
        checker.check(CheckedFile(treatment, size_bytes, head, budget, open), result)
    except Exceeded as exceeded:
        result.miss(str(exceeded), is_skipped=exceeded.is_size)
    except Exception as error:  # a stranger's file may break any library
        failure = error
    unread = next((ranges.failure for ranges in opened if ranges.failure is not None), None)
    if unread is not None:
        # The content is not to blame: another try may read it.
        raise unread
    if failure is not None:
        log.warning("content_unchecked", checker=checker.name, error=repr(failure)[:MAX_REASON_CHARS])
        result.miss(f"It cannot be read: {type(failure).__name__}: {str(failure)[:200]}")


def _state_of(result: Result) -> ScanState:
    levels = {finding.level for finding in result.findings}
    if Level.UNSAFE in levels:
        return ScanState.UNSAFE
    if levels:
        return ScanState.SUSPICIOUS
    if result.reason:
        return ScanState.SKIPPED if result.is_skipped else ScanState.ERROR
    return ScanState.SAFE


def worst_of(*states: ScanState) -> ScanState:
    """The worst of states."""
    return next((state for state in _WORST_FIRST if state in states), ScanState.SAFE)
