"""Workloads that misbehave, for the driver that really runs them."""

from __future__ import annotations

import sys
from typing import Any

from hub.compute.spec import Health, Kind, WorkloadSpec
from tests.hub.compute.programs import serving

# Answers, and prints a number ten times a second.
_TICK = """
import http.server, os, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for number in range(10**9):
    print("tick", number, flush=True)
    time.sleep(0.1)
"""

# Answers well so many times, then ends (or answers badly for good).
_FADE = """
import http.server, os, sys
left = int(sys.argv[2])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global left
        left -= 1
        self.send_response(200 if left >= 0 else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
while left > 0 or sys.argv[3] == "stay":
    server.handle_request()
print("it is all too much", file=sys.stderr)
sys.exit(5)
"""

# Starts a child, a child in a session of its own that fears no SIGTERM, and says who they are.
_FAMILY = """
import os, signal, subprocess, sys
child = "import signal; print(flush=True); signal.pause()"
deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
pids = [os.getpid()]
for code, apart in ((child, False), (deaf, True)):
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=apart)
    process.stdout.readline()
    pids.append(process.pid)
print("family", *pids, flush=True)
signal.pause()
"""


def ticking(svc_name: str = "clock", task_id: int = 1, **changes: Any) -> WorkloadSpec:
    """It serves, and prints ``tick N`` again and again."""
    return serving(svc_name, task_id, **{"argv": (sys.executable, "-c", _TICK, "{port}")} | changes)


def fading(svc_name: str = "frail", *, answers: int = 1, stays: bool = False, **changes: Any) -> WorkloadSpec:
    """It answers well that many times; then it ends with status 5, or stays and answers 500."""
    argv = (sys.executable, "-c", _FADE, "{port}", str(answers), "stay" if stays else "end")
    values: dict[str, Any] = {"argv": argv, "health": Health("/", ready_timeout_s=30, interval_s=1, failures=1)}
    return serving(svc_name, **values | changes)


def mute(svc_name: str = "mute", **changes: Any) -> WorkloadSpec:
    """It talks, and never answers."""
    # A shell, which is there at once: it has said all long before its time is over.
    script = 'n=0; while [ $n -lt 60 ]; do echo "line $n"; n=$((n + 1)); done; exec sleep 600'
    values = {"argv": ("/bin/sh", "-c", script), "health": Health("/", ready_timeout_s=1)}
    return serving(svc_name, **values | changes)


def family(svc_name: str = "family") -> WorkloadSpec:
    """It has children, one of them in a session of its own and deaf to SIGTERM; prints ``family`` and their pids."""
    return WorkloadSpec(svc_name, Kind.SPACE, 1, argv=(sys.executable, "-c", _FAMILY))
