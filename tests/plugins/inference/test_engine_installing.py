"""Engines that are installed here, and engines of strangers."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.base.context import Context
from hub.base.errors import Conflict, Failed, Invalid, NotFound
from plugins.inference.engines import registry
from plugins.inference.engines.commands import engine as command
from plugins.inference.engines.engine import ModelFacts, Order, Site, Target
from plugins.inference.engines.installing import (
    PACKAGES,
    find_python,
    install_engine,
    list_installed,
    read_pins,
    remove_engine,
)
from plugins.inference.engines.matching import find_engines
from tests.support.engines import engine_python
from tests.support.plugins import Shelf
from tests.support.venvs import CLIENTS

pytestmark = pytest.mark.any_database


def put(home: Path, name: str, version: str) -> Path:
    """An environment as far as it is looked at."""
    python = home / name / version / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return python


def test_the_newest_that_is_installed_is_used_unless_another_is_named(tmp_path):
    site = Site(tmp_path)
    assert find_python(site, "llama.cpp") is None
    for version in ("2026.9.1", "2026.10.2", "2026.10.11"):
        put(tmp_path, "llama.cpp", version)
    (tmp_path / "llama.cpp" / ".new-left").mkdir()
    (tmp_path / "llama.cpp" / "2027.1").mkdir()  # what is not whole is not there
    assert [each.version for each in list_installed(tmp_path)] == ["2026.10.11", "2026.10.2", "2026.9.1"]
    assert find_python(site, "llama.cpp") == tmp_path / "llama.cpp" / "2026.10.11" / "bin" / "python"
    assert find_python(Site(tmp_path, programs={"llama.cpp": "/opt/python3"}), "llama.cpp") == Path("/opt/python3")
    assert find_python(Site(tmp_path, programs={"llama.cpp": "/opt/llama-server"}), "llama.cpp") is None
    remove_engine(tmp_path, "llama.cpp", version="2026.10.11")
    assert find_python(site, "llama.cpp") == tmp_path / "llama.cpp" / "2026.10.2" / "bin" / "python"
    assert {each.name for each in (tmp_path / "llama.cpp").iterdir()} == {
        *("2026.10.2", "2026.9.1", "2027.1", ".new-left", ".lock")
    }
    for name, version in (("llama.cpp", "2026.10.11"), ("llama.cpp", "../.."), ("../x", "1")):
        with pytest.raises(NotFound):
            remove_engine(tmp_path, name, version=version)


def test_an_installation_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    (tmp_path / "llama.cpp" / ".new-left").mkdir(parents=True)
    said: list[str] = []
    with pytest.raises(Failed) as failed:
        install_engine(tmp_path, "llama.cpp", version="0.0.1", say=said.append)
    assert failed.value.code == "engine_install_failed"
    assert any("xllamacpp==0.0.1" in line for line in said)
    assert [each.name for each in (tmp_path / "llama.cpp").iterdir()] == [".lock"]
    put(tmp_path, "llama.cpp", "1.0")
    with pytest.raises(Conflict):
        install_engine(tmp_path, "llama.cpp", version="1.0")
    for version in ("1.0 --index-url x", "../1", "-1"):
        with pytest.raises(Invalid):
            install_engine(tmp_path, "llama.cpp", version=version)
    with pytest.raises(NotFound):
        install_engine(tmp_path, "vllm")


@pytest.mark.slow
def test_what_hub_engine_installs_has_the_version_that_is_pinned():
    """It was installed before the tests, as the command does it."""
    home = engine_python("llama.cpp").parents[3]
    [found] = [each for each in list_installed(home) if each.is_used]
    assert found.version == read_pins("llama.cpp")["xllamacpp"]
    assert (found.path / "pyvenv.cfg").exists()


def test_the_pins_of_transformers_are_those_that_the_tests_of_its_users_have():
    users = (CLIENTS / "transformers.txt").read_text()
    for name, version in read_pins("transformers").items():
        assert re.search(rf"^{re.escape(name)}=={re.escape(version)}$", users, re.MULTILINE), name
    assert all(PACKAGES[name] in read_pins(name) for name in PACKAGES)


def test_the_command_tells_where_each_engine_runs(hub: Context) -> None:
    put(hub.settings.home / "engines", "transformers", "5.0")
    done = CliRunner().invoke(command, ["list", "--json"], obj=hub)
    rows = {row["engine"]: row for row in json.loads(done.output)}
    assert (rows["transformers"]["here"], rows["transformers"]["installed"]) == (True, ["5.0"])
    assert (rows["vllm"]["here"], rows["vllm"]["reason"]) == (False, "It runs in containers only.")
    assert "ENGINE" in CliRunner().invoke(command, ["list"], obj=hub).output
    assert "Removed" in CliRunner().invoke(command, ["remove", "transformers", "5.0"], obj=hub).output
    again = CliRunner().invoke(command, ["remove", "transformers", "5.0"], obj=hub)
    assert (again.exit_code, "is not installed" in again.output) == (1, True)


PARROT = """
from plugins.inference.engines.engine import Declaration, EngineImage, InferenceEngine, Plan, Route

class Parrot(InferenceEngine):
    @classmethod
    def declare(cls):
        return Declaration(
            "parrot", "Parrot", images=(EngineImage("cpu", ""),), supported_archs=("ParrotForCausalLM",)
        )

    def explain_local(self):
        return ""

    def plan(self, order, *, target):
        return Plan(("parrot", "{port}"), {}, 8000, "/", "/", 10, order.repo_path, frozenset({Route.CHAT}))
"""


@pytest.fixture
def forget() -> Iterator[None]:
    """What a process has read of the installed engines is read anew, before and after."""
    caches = (registry.engine_names, registry.list_declarations, registry._load)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def test_a_stranger_s_engine_is_offered_and_a_broken_one_is_left_out(bring: Shelf, forget: None, hub: Context) -> None:
    bring.add_distribution(
        "hub-parrot",
        {"hub.inference.engines": "parrot = hub_parrot:Parrot\nbroken = hub_broken:Gone"},
        {"hub_parrot.py": PARROT, "hub_broken.py": "raise ImportError('no such library')"},
    )
    facts = ModelFacts(formats=("safetensors",), architectures=("ParrotForCausalLM",))
    matches = {match.name: match for match in find_engines(hub, facts)}
    assert matches["parrot"].is_fit
    assert [each.compute_type for each in matches["parrot"].frameworks] == ["cpu"]
    assert "broken" not in matches
    assert "vllm" in matches
    plan = registry.get_engine(hub, "parrot").plan(Order("ada/x", facts), target=Target.LOCAL)
    assert plan.argv == ("parrot", "{port}")
    with pytest.raises(NotFound):
        registry.get_engine(hub, "broken")
