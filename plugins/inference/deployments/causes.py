"""Why a deployment does not run, in words for its owner, with what helps. Source of reasons: contract, 1.4, 15.6."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hub.plugin.compute import Code, Reason, Workload

# For the catalogues of translations; pages say it in the viewer's language.
mark_text = str

MAX_LOG_LINES = 40
_FAILED = frozenset({Code.BUILD_FAILED, Code.DEPLOY_FAILED, Code.RUNTIME_ERROR})
_BAD_ARGUMENT = re.compile(
    r"unrecogni[sz]ed argument|unknown (argument|option)|invalid argument|error: argument|unexpected argument", re.I
)
_NO_MEMORY = re.compile(
    r"out of memory|MemoryError|bad_alloc|failed to allocate|cannot allocate memory|alloc.* failed|OutOfMemory", re.I
)
_BAD_FILE = re.compile(
    r"invalid magic|failed to load model|error loading model|file of the model|SafetensorError|header too large"
    r"|missing tensor|unknown model architecture|no such file",
    re.I,
)
_NOT_THERE = re.compile(r"ModuleNotFoundError|No module named|command not found", re.I)


@dataclass(frozen=True)
class Cause:
    """What has failed, why, and what its owner may do. log_tail: the last lines it printed, as far as they are known.

    title, text and advice are English, marked for translation.
    """

    title: str
    text: str
    advice: str
    log_tail: str = ""


_ARGUMENT = (
    mark_text("The engine does not take one of its arguments"),
    mark_text("It ended at once and named an argument that it does not know, or whose value is wrong."),
    mark_text("Stop the deployment, correct the engine's arguments, and start it again."),
)
_MEMORY = (
    mark_text("There was too little memory"),
    mark_text("The model, with what it needs to answer, is larger than what this resource gives."),
    mark_text("Choose a resource with more memory, a smaller variant of the model, or a shorter context."),
)
_FILE = (
    mark_text("The engine cannot read the model's files"),
    mark_text("A file is missing, damaged, or of a kind that this version of the engine does not know."),
    mark_text("Look into the log for the file, check that it was uploaded whole, or choose another engine."),
)
_ENGINE = (
    mark_text("The engine is not there"),
    mark_text("Its program or image could not be started where the deployment was to run."),
    mark_text("Ask the administrator to install it or to name an image that can be had, or choose another engine."),
)
_LATE = (
    mark_text("It was not ready in time"),
    mark_text("The engine runs, but did not answer within the time that loading such a model should take."),
    mark_text("Look into the log for what it was doing; a resource with more cores or memory loads faster."),
)
_CRASHES = (
    mark_text("It ends again and again"),
    mark_text("The engine was started several times within minutes and ended each time; it is not started any more."),
    mark_text("Look into the log for the last error, correct it, and start the deployment again."),
)
_DISK = (
    mark_text("There is no room on the disk"),
    mark_text("The model's files, or what the engine writes, did not fit."),
    mark_text("Ask the administrator for room, or choose a resource with a larger disk."),
)
_FILES = (
    mark_text("The model's files could not be prepared"),
    mark_text("They are not as the repository says, or the hub's storage did not give them."),
    mark_text("Check that all files of the repository can be downloaded, and start the deployment again."),
)
_AWAY = (
    mark_text("What runs deployments does not answer"),
    mark_text("The hub could not hand the deployment over, or has not heard of it since."),
    mark_text("Ask the administrator to look at the cluster; then start the deployment again."),
)
_ROOM = (
    mark_text("There is no room for it"),
    mark_text("The processors, memory or cards that it asks for are taken."),
    mark_text("Stop what is not needed, choose a smaller resource, or try again later."),
)
_ENDED = (
    mark_text("The engine has ended"),
    mark_text("It ended by itself before, or while, it served."),
    mark_text("Look into the log for its last words, and start the deployment again."),
)
_BY_REASON = {
    Reason.OUT_OF_MEMORY: _MEMORY,
    Reason.READY_TIMEOUT: _LATE,
    Reason.CRASH_LOOP: _CRASHES,
    Reason.DISK_FULL: _DISK,
    Reason.SNAPSHOT: _FILES,
    Reason.DRIVER: _AWAY,
    Reason.NOT_FOUND: _AWAY,
    Reason.NO_CAPACITY: _ROOM,
    Reason.COMMAND: _ENGINE,
    "ErrImagePull": _ENGINE,
    "ImagePullBackOff": _ENGINE,
    "InvalidImageName": _ENGINE,
}
# What its own last words tell is nearer to the cause than that it ended, or did so often.
_BY_WORDS = ((_NO_MEMORY, _MEMORY), (_BAD_ARGUMENT, _ARGUMENT), (_NOT_THERE, _ENGINE), (_BAD_FILE, _FILE))


def why(workload: Workload) -> Cause | None:
    """Why a deployment's workload has failed; None: it has not."""
    if workload.state not in _FAILED:
        return None
    tail = "\n".join(workload.message.splitlines()[-MAX_LOG_LINES:])
    words = _BY_REASON.get(workload.reason, _ENDED)
    if words in (_ENDED, _CRASHES, _LATE):
        words = next((told for pattern, told in _BY_WORDS if pattern.search(tail)), words)
    return Cause(*words, log_tail=tail)
