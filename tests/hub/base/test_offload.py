"""Native threads for slow work: only where greenlets run, and with the same outcome everywhere."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from hub.base.offload import begin, is_cooperative, offload

# In a process of its own, because patching cannot be undone.
IN_A_WEB_WORKER = """
from gevent import monkey
monkey.patch_all()
import gevent
from gevent.monkey import get_original
from hub.base.errors import NotFound
from hub.base.offload import begin, is_cooperative, offload

thread_id, native_lock = get_original("threading", "get_ident"), get_original("threading", "Lock")
assert is_cooperative()
assert offload(thread_id) != thread_id()
assert offload(divmod, 7, 2) == (3, 1)

# The work goes on while this greenlet does something else, and the answer is fetched when it is wanted.
gate = native_lock()
gate.acquire()
wait = begin(lambda: gate.acquire() and "done")
gevent.sleep(0)
gate.release()
assert wait() == "done"

def fail():
    raise ValueError("broken")

for attempt in (lambda: offload(fail), begin(fail)):
    try:
        attempt()
    except ValueError as error:
        assert str(error) == "broken"
    else:
        raise AssertionError("the error was lost")

def sink(depth=0):
    return sink(depth + 1)

for attempt in (lambda: offload(sink), begin(sink)):
    try:
        attempt()
    except RecursionError as error:
        assert "in sink" in error.__notes__[0] and len(error.__notes__[0]) < 10_000
    else:
        raise AssertionError("the error was lost")

def refuse():
    raise NotFound("not there")

for attempt in (lambda: offload(refuse), begin(refuse)):
    try:
        attempt()
    except NotFound:
        pass
    else:
        raise AssertionError("the refusal was lost")
print("all is well")
"""


def test_without_greenlets_the_work_is_done_at_once_and_here():
    assert not is_cooperative()
    assert offload(threading.get_ident) == threading.get_ident()
    assert begin(threading.get_ident)() == threading.get_ident()
    with pytest.raises(ValueError, match="not a number"):
        offload(_fail)
    with pytest.raises(ValueError, match="not a number"):
        begin(_fail)()


def _fail() -> None:
    raise ValueError("not a number")


def test_with_greenlets_the_work_is_done_in_a_native_thread():
    done = subprocess.run([sys.executable, "-c", IN_A_WEB_WORKER], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "all is well", done.stderr
    # Who asked tells of what broke; gevent would print it, too.
    assert not done.stderr
