"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import dataclasses
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from click.testing import CliRunner

import hub.base.errors
from hub.base.errors import HubError
from hub.base.settings import Settings
from hub.cli.main import cli
from hub.http.errors import STATUS

ROOT = Path(__file__).parent.parent
MODULES = sorted([*ROOT.glob("hub/**/*.py"), *ROOT.glob("plugins/**/*.py")])
TESTS = sorted(ROOT.glob("tests/**/*.py"))

# What one can hold in mind.
MAX_LINES = 500

# Beside these, only what a tool insists on having at the root.
TOP_LEVEL = {"hub", "plugins", "git_hooks", "themes", "deploy", "licenses", "tests", "setup.cfg", "README.md"}
TOOLS = {"setup.py", "Makefile", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "pyproject.toml"}


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_for_and_is_not_too_long(path):
    text = path.read_text()
    if "migrations/versions" not in str(path):
        assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(ast.parse(text)), "no docstring"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_left_for_later(path):
    unfinished = re.search(
        r"\b(TODO|FIXME|XXX|NotImplementedError)\b|pragma: no cover|# type: ignore(?!\[)", path.read_text()
    )
    assert unfinished is None, unfinished


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_no_test_is_skipped_mocks_our_code_or_waits_on_the_clock(path):
    text = path.read_text()
    if path == Path(__file__):
        return
    assert "unittest.mock" not in text
    assert "mark.skip(" not in text
    assert "mark.xfail" not in text
    # What waits for a condition, with a limit, is in tests/support; a test asks for it by name.
    if path.name.startswith("test_"):
        assert not re.search(r"\btime\.sleep\(", text)


def test_the_top_level_holds_only_what_belongs_there():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = {line.split("/")[0] for line in listed.splitlines()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL | TOOLS


@pytest.mark.parametrize("name", ["pre-receive", "post-receive"])
def test_a_hook_is_executable_and_decides_nothing(name):
    """Three lines of shell that hand over to the script below."""
    path = ROOT / "git_hooks" / name
    assert os.access(path, os.X_OK)
    assert len(path.read_text().splitlines()) <= 3


@pytest.mark.parametrize("path", sorted(ROOT.glob("git_hooks/*.py")), ids=name_of)
def test_what_the_hooks_run_needs_nothing_but_python(path):
    """git starts it outside of our environment."""
    tree = ast.parse(path.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_every_setting_is_explained():
    for item in dataclasses.fields(Settings):
        assert item.metadata["help"], item.name
        assert item.metadata["unit"] or not item.name.endswith(("_s", "_bytes")), item.name


def test_every_error_has_a_code_and_a_status():
    classes = [c for c in vars(hub.base.errors).values() if isinstance(c, type) and issubclass(c, HubError)]
    assert len(classes) > 10
    for error in classes:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
        assert set(error.__mro__) & set(STATUS)


@pytest.mark.parametrize("name", ["file", "s3"])
def test_each_storage_driver_is_an_entry_point(name):
    from hub.objects.store import ObjectStore

    [found] = entry_points(group="hub.storage", name=name)
    assert issubclass(found.load(), ObjectStore)


def test_the_commands_that_others_build_on_are_there():
    done = subprocess.run([Path(sys.executable).with_name("hub"), "--help"], capture_output=True, text=True, check=True)
    commands = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and line.split()}
    names = "serve web worker scheduler ssh user token license db config doctor gc reconcile"
    assert set(names.split()) <= commands
    for name in names.split():
        shown = CliRunner().invoke(cli, [name, "--help"], prog_name="hub")
        assert shown.exit_code == 0, shown.output
        assert shown.output.startswith(f"Usage: hub {name}")
