"""schemathesis over the whole description of the API, against a hub that runs.

``python -m tests.support.fuzz`` does it at length (`make fuzz`); a test in ``tests/flows`` does it in small.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.hub import Account, HubServer
from tests.support.servers import scratch_directory
from tests.support.venvs import CLIENTS, make_venv

# An answer is never the hub's fault, and its status, type, headers and body are what the description says.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# What would end the run or the account that it runs for, and what is there twice.
EXCLUDED = (
    "/token/",  # revokes the run's own token
    "/session$",  # signs in and out
    "close_account",  # of the run's own account
    "/password$",  # the limit of attempts would lock the account
    "/api/repos/(delete|move)$",  # name the repository in their bodies, and take it away from everything else
    "^/(hf|ms)/",  # the same views as /csg
)
# Routes that take a repository away try another one than all the others use.
_TAKING = ("DELETE /api/v1/{kind}/{namespace}/{name}", "/transfer", "/archive", "/undelete", "/change_path")


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    status: int
    report: str

    @property
    def tested(self) -> int:
        """How many operations were tried."""
        found = re.search(r"^  Tested: (\d+)", self.report, re.MULTILINE)
        return int(found[1]) if found else 0

    @property
    def failures(self) -> str:
        """What was found, at full length; empty for nothing."""
        if self.status == 0:
            return ""
        found = re.search(r"=+ (FAILURES|ERRORS) =+\n(.*?)\n=+ (WARNINGS|SUMMARY) =+", self.report, re.DOTALL)
        return found[2] if found else self.report


class Fuzzer:
    """schemathesis on one hub, with a person who owns a repository of each kind and something of everything else."""

    def __init__(self, hub: HubServer, directory: Path) -> None:
        self.hub = hub
        self.owner = hub.new_account()
        self._directory = directory
        self._parameters = {
            **dict.fromkeys(("namespace", "username"), self.owner.name),
            **dict.fromkeys(("ref", "branch", "revision", "commit_id"), "main"),
            "name": "thing",
            **self._make_things(),
        }

    def _make_things(self) -> dict[str, Any]:
        owner, administrator = self.owner, self.hub.administrator
        for collection in ("models", "datasets", "codes", "spaces", "prompts", "skills", "mcps"):
            for name in ("thing", "victim"):
                owner.create_repository(
                    name, collection=collection, **({"sdk": "gradio"} if collection == "spaces" else {})
                )
        place = f"/api/v1/models/{owner.name}/thing"
        discussion = owner.api.post(f"{place}/discussions", {"title": "Which?"}).data["id"]
        return {
            "discussion_id": discussion,
            "comment_id": owner.api.post(f"/api/v1/discussions/{discussion}/comments", {"content": "x"}).data["id"],
            "collection_id": owner.api.post("/api/v1/collections", {"name": "All of it"}).data["id"],
            "broadcast_id": administrator.api.post("/api/v1/admin/broadcasts", {"content": "Ours."}).data["id"],
            "repository_id": owner.api.get(place).data["repository_id"],
            "label_id": 1,
            "category_id": 1,
            "type": "model",
        }

    def run(
        self, who: Account | None, *, examples: int, phases: tuple[str, ...], only: str = "", seed: int | None = None
    ) -> Outcome:
        """Try every operation in somebody's name; None: nobody's.

        examples: generated requests an operation, besides those that the description gives. only: a pattern of
        addresses. seed: None: the same requests in every run.
        """
        config = self._directory / "schemathesis.toml"
        config.write_text(_configuration(self._parameters))
        command: list[str | Path] = [make_venv("schemathesis") / "bin" / "schemathesis", "--config-file", config, "run"]
        command += [f"{self.hub.url}/api/openapi.json", "--checks", ",".join(CHECKS), "--phases", ",".join(phases)]
        # One worker: Python 3.11 may fail to parse in two threads at once.
        command += ["--max-examples", str(examples), "--workers", "1", "--continue-on-failure", "--no-color"]
        command += ["--suppress-health-check", "all", "--request-timeout", "60", "--no-shrink"]
        command += ["--generation-deterministic"] if seed is None else ["--seed", str(seed)]
        command += ["--exclude-path-regex", "|".join(EXCLUDED)]
        command += ["--include-path-regex", only] if only else []
        command += ["--header", f"Authorization: Bearer {who.token}"] if who else []
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(CLIENTS)}
        done = subprocess.run(
            command, cwd=self._directory, env=environment, capture_output=True, text=True, timeout=3600
        )
        return Outcome(done.returncode, done.stdout + done.stderr)


def _configuration(parameters: Mapping[str, Any]) -> str:
    """What the operations are told to use. TOML's texts and numbers are JSON's."""
    lines = ["[parameters]", *(f'"path.{name}" = {json.dumps(value)}' for name, value in parameters.items())]
    for pattern in _TAKING:
        is_name = " " in pattern
        lines += [
            "",
            "[[operations]]",
            f"{'include-name' if is_name else 'include-path-regex'} = {json.dumps(pattern)}",
        ]
        lines += ["[operations.parameters]", '"path.name" = "victim"']
    return "\n".join(lines) + "\n"


@contextmanager
def make_fuzzer() -> Iterator[Fuzzer]:
    """A fuzzer with a hub of its own for the length of a block: it leaves nothing as it was."""
    with scratch_directory("fuzz") as directory:
        settings = {"rate_limit_account": 0, "rate_limit_address": 0, "ssh_port": 0}
        with HubServer(directory / "home", settings) as hub:
            yield Fuzzer(hub, directory)


def main() -> None:
    """Try everything at length: in three names, with new requests each time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=15, help="generated requests an operation")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)), help="of a run to repeat")
    given = parser.parse_args()
    phases = ("examples", "coverage", "fuzzing")
    is_good = True
    with make_fuzzer() as fuzzer:
        for name, who in (("a user", fuzzer.owner), ("an administrator", fuzzer.hub.administrator), ("nobody", None)):
            print(f"As {name}, with --seed {given.seed} ...", flush=True)
            outcome = fuzzer.run(who, examples=given.examples, phases=phases, seed=given.seed)
            print(outcome.failures or f"{outcome.tested} operations, nothing found.", flush=True)
            is_good &= outcome.status == 0
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
