"""How far a workload is kept apart from the hub and from others. Levels and options: compute contract, 15.5."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import hub

SANDBOX, MOUNTS = "/sandbox", "/mnt"
_PROBE_LIMIT_S = 5.0
# A hub's own variables are not among them, nor is anything else of its environment.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ETC = (
    *("ssl", "ca-certificates", "pki", "resolv.conf", "hosts", "nsswitch.conf", "localtime", "passwd", "group"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "mime.types", "OpenCL", "vulkan", "nginx"),
)
_DEVICES = ("nvidia*", "dri", "kfd", "davinci*", "devmm_svm", "hisi_hdc")


@dataclass(frozen=True)
class Isolation:
    """The level of this machine. bwrap: the program, at level 3."""

    level: int
    words: str
    bwrap: str = ""


def find_isolation(wanted: str) -> Isolation:
    """The strongest that works here. wanted: "auto", or "none" to do without."""
    plain = Isolation(
        1, "1: own directory, environment and limits, but the hub's user; not a border against hostile code"
    )
    bwrap = shutil.which("bwrap") if wanted != "none" else None
    if bwrap is None:
        return plain
    command = [bwrap, *_base_options(), "--", "/usr/bin/env", "true"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_LIMIT_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return plain
    return plain if done.returncode else Isolation(3, "3: a sandbox of its own (bubblewrap)", bwrap)


def _base_options() -> list[str]:
    options = ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--unshare-user", "--unshare-pid"]
    options += ["--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            options += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    for name in _ETC:
        options += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return [*options, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 - the sandbox's own


def sandbox_options(
    *, work: Path, mounts: Mapping[str, str], environment: Mapping[str, str], devices: bool, program: str = ""
) -> list[str]:
    """What bubblewrap is told, but for the command. mounts: target to directory. devices: whether it has cards.

    program: that will run; where its whole path is said, it is seen with what lies beside it.
    """
    options = _base_options()
    for path in _code_paths(program):
        options += ["--ro-bind", path, path]
    if devices:
        for pattern in _DEVICES:
            for device in sorted(Path("/dev").glob(pattern)):
                options += ["--dev-bind", str(device), str(device)]
        options += ["--ro-bind-try", "/sys", "/sys"]
    options += ["--bind", str(work), SANDBOX]
    for target, directory in mounts.items():
        options += ["--ro-bind", directory, f"{MOUNTS}/{target}"]
    options += ["--chdir", SANDBOX, "--clearenv"]
    for name, value in environment.items():
        options += ["--setenv", name, value]
    return options


def _code_paths(program: str) -> Sequence[str]:
    """Where Python, the hub's own programs and this one lie, so that engines run in the sandbox."""
    code = Path(hub.__file__).parent
    paths = [sys.base_prefix, sys.prefix, str(code), str(code.parent / "plugins"), *_places_of(program)]
    chosen: list[str] = []
    for path in paths:
        if not path.startswith("/usr/") and os.path.isdir(path) and not any(_is_in(path, other) for other in chosen):
            chosen.append(path)
    return chosen


def _places_of(program: str) -> Sequence[str]:
    """The environment that a program is of, with the Python it was made with; else the program's directory."""
    if not os.path.isabs(program):
        return ()
    folder = Path(program).parent
    try:
        lines = (folder.parent / "pyvenv.cfg").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return (str(folder),)
    homes = [value.strip() for name, _, value in (line.partition("=") for line in lines) if name.strip() == "home"]
    return (str(folder.parent), *(str(Path(home).parent) for home in homes))


def _is_in(path: str, other: str) -> bool:
    return os.path.commonpath([path, other]) == other
