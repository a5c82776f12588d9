"""Workloads that behave: each is an image's name for the driver that runs nothing, and a command for those that do."""

from __future__ import annotations

import sys
from typing import Any

from hub.compute.spec import Health, Kind, WorkloadSpec

_SERVE = """
import http.server, os, sys
os.makedirs(os.path.join(sys.argv[2], "served"), exist_ok=True)
print("token is", os.environ.get("TOKEN"), flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def serving(svc_name: str = "web", task_id: int = 1, **changes: Any) -> WorkloadSpec:
    """It answers every request, and prints its secret ``TOKEN`` as it starts."""
    values: dict[str, Any] = {
        "kind": Kind.SERVICE,
        "image": "echo",
        "argv": (sys.executable, "-c", _SERVE, "{port}", "{work}"),
        "port": 8000,
        "health": Health("/", ready_timeout_s=60, interval_s=1),
    }
    return WorkloadSpec(svc_name, task_id=task_id, **values | changes)


def failing(svc_name: str = "bad", task_id: int = 1, **changes: Any) -> WorkloadSpec:
    """It says why and ends before it has served."""
    argv = (sys.executable, "-c", "import sys; print('cannot', file=sys.stderr); sys.exit(3)")
    return serving(svc_name, task_id, **{"image": "fail", "argv": argv} | changes)


def job(code: str = "print('done')", *, image: str = "work", svc_name: str = "job", **changes: Any) -> WorkloadSpec:
    """A job that runs some Python."""
    values: dict[str, Any] = {"kind": Kind.JOB, "task_id": 1, "image": image, "argv": (sys.executable, "-c", code)}
    return WorkloadSpec(svc_name, **values | changes)


def endless_job(**changes: Any) -> WorkloadSpec:
    """A job that never ends by itself."""
    return job("import signal; print('begun', flush=True); signal.pause()", image="wait", **changes)
