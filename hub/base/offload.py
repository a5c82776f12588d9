"""Slow native work leaves the event loop."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from hub.base.errors import HubError

# Of what broke in a thread, the end of the way there is told.
_FRAMES_TOLD = 20

P = ParamSpec("P")
T = TypeVar("T")


def is_cooperative() -> bool:
    """Whether this process runs greenlets (a gevent web worker) rather than plain threads."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


def offload(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The function's result, worked out in a native thread when this process runs greenlets.

    For libgit2, hashing, compression and disk reads only: such a thread must not touch the database, Redis or any
    other thing that gevent has patched. Objects of libgit2 must not cross: pass paths in and plain values out.
    """
    if not is_cooperative():
        return function(*args, **kwargs)
    import gevent  # deliberate: only web workers pay for it

    result: T | _Failure = gevent.get_hub().threadpool.apply(_run, (function, args, kwargs))
    return _unwrap(result)


def begin(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
    """Start what ``offload`` would do; the returned callable waits for its result or raises its error.

    The caller can go on receiving while the bytes it has are hashed and written. Where there are no greenlets, the
    work is done at once.
    """
    if not is_cooperative():
        result = function(*args, **kwargs)
        return lambda: result
    import gevent  # deliberate: only web workers pay for it

    wait = gevent.get_hub().threadpool.spawn(_run, function, args, kwargs).get
    return lambda: _unwrap(wait())


class _Failure:
    """An error on its way back to who waits. What a thread raises itself, gevent takes apart and prints first, and an
    error at which that breaks (RecursionError) would never come out: who waits would wait for ever."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _run(function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T | _Failure:
    try:
        return function(*args, **kwargs)
    except Exception as error:
        if not isinstance(error, HubError):
            error.add_note("".join(traceback.format_exception(error, limit=-_FRAMES_TOLD)))
        # The frames, and what they hold, stay in the thread.
        error.__traceback__ = error.__context__ = error.__cause__ = None
        return _Failure(error)


def _unwrap(result: T | _Failure) -> T:
    if isinstance(result, _Failure):
        raise result.error
    return result
