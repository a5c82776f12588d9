"""The documentation cannot fall behind: what it lists is made from the code, and nothing is left out."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from hub.plugin.manifest import Plugin
from hub.plugin.states import PluginState

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "deploy" / "docs").glob("*.md"))


@pytest.fixture(scope="module")
def reference():
    """The generator, ``deploy/reference.py``."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "deploy" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["reference"]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_the_generated_parts_are_what_the_code_says(reference, path):
    """``make docs`` mends it."""
    assert reference.render(path.read_text()) == path.read_text()


def test_every_block_that_can_be_generated_stands_in_a_page(reference):
    text = "".join(path.read_text() for path in DOCS)
    assert set(re.findall(r"<!-- generated: (\w+) -->", text)) == set(reference.BLOCKS)


def test_every_extension_point_says_what_it_gives(reference):
    listed = reference.extension_points()
    points = [name for name in vars(Plugin) if not name.startswith("_") and name not in ("title", "description")]
    assert len(points) > 20
    for name in points:
        [row] = [line for line in listed.splitlines() if line.startswith((f"| `{name}` |", f"| `{name}()` |"))]
        assert len(row) > len(name) + 20, row


def test_every_row_of_a_generated_table_says_something(reference):
    for name, block in reference.BLOCKS.items():
        for line in block().splitlines()[2:]:
            first, second = line.strip("|").split("|")[:2]
            assert first.strip(), (name, line)
            assert second.strip(), (name, line)


def test_every_module_of_the_seam_is_listed(reference):
    assert set(reference.SEAM) == reference.seam_modules()


@pytest.mark.parametrize("state", list(PluginState))
def test_every_state_of_a_plugin_is_explained(state):
    assert f"| `{state.value}` |" in (ROOT / "deploy" / "docs" / "plugins.md").read_text()


def test_the_sample_uses_every_extension_point():
    """Who copies it finds an example of each."""
    source = (ROOT / "tests" / "plugins" / "_sample" / "hub_sample" / "plugin.py").read_text()
    points = [name for name in vars(Plugin) if not name.startswith("_") and name not in ("title", "description")]
    unused = [name for name in points if not re.search(rf"^    (def )?{name}\b", source, re.MULTILINE)]
    # It requires no other plugin; the bundled ones do not either. Of contents in pieces a hub has one source: xnet's.
    assert unused == ["requires", "content_sources"]
