"""A stranger's plugin: the distribution in ``tests/plugins/_sample``, brought in and taken away with pip."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.plugins import begin_anew

SOURCE = Path(__file__).parent.parent / "plugins" / "_sample"
DISTRIBUTION = "hub-sample-plugin"
EVALUATION_LICENSE = Path(__file__).parent.parent.parent / "licenses" / "evaluation.license"


def pip(*arguments: str | Path) -> None:
    """Run pip in the tests' environment. Raises AssertionError with what it said when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def install(scratch: Path) -> None:
    """Install the plugin as its users do; nothing is fetched. scratch: where it is built, so that the tree is clean."""
    source = scratch / "sample"
    shutil.copytree(SOURCE, source, dirs_exist_ok=True)
    pip("install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", source)
    begin_anew()  # tests run some commands in their own process


def uninstall() -> None:
    """Take it away; harmless when it is not there."""
    pip("uninstall", "--quiet", "--yes", DISTRIBUTION)
    begin_anew()
