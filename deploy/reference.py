"""Write the generated parts of the documentation: what a reader looks up, taken from the code that decides it.

``python deploy/reference.py`` rewrites the blocks between ``<!-- generated: NAME -->`` and ``<!-- /generated -->`` in
``deploy/docs/*.md``; with ``--check`` it changes nothing, and exits with 1 when a block is not what it should be.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import hub.plugin
from hub.accounts.policy import CORE_PERMISSIONS, Permission
from hub.base.settings import Settings
from hub.licensing.editions import NO_LIMIT, load_editions, load_features
from hub.plugin import events as seam_events
from hub.plugin.discovery import find_installed
from hub.plugin.loading import load_plugin
from hub.plugin.manifest import CheckPoint, Plugin, WhenExpired
from hub.web.navigation import Section, Slot

DOCS = Path(__file__).parent / "docs"
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
# What a plugin may import; the host's own modules may move.
SEAM = (
    *("api", "assets", "cli", "compute", "counters", "db", "drivers", "errors", "events", "health", "indexing"),
    *("jobs", "lfs", "licensing", "metering", "metrics", "notices", "objects", "outgoing", "policy", "ranges"),
    *("repos", "runs", "security", "services", "settings", "signing", "topics", "web", "wire"),
)


def table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    lines = [list(headers), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def attribute_docs(cls: type) -> dict[str, str]:
    """The docstrings that stand below a class's attributes, on one line each, by name."""
    [tree] = ast.parse(inspect.getsource(cls)).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for node, after in zip(tree.body, tree.body[1:], strict=False):
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign):
            [target] = node.targets
        if isinstance(target, ast.Name) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[target.id] = _one_line(str(after.value.value))
    return found


def _one_line(text: str | None) -> str:
    return " ".join((text or "").replace("``", "`").split())


def first_line(item: Any) -> str:
    """The first sentence of a docstring."""
    return _one_line((inspect.getdoc(item) or "").partition("\n\n")[0])


def extension_points() -> str:
    """Every attribute and method of ``Plugin`` that a plugin may declare."""
    rows = [[f"`{name}`", text] for name, text in attribute_docs(Plugin).items()]
    for name, member in vars(Plugin).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            rows.append([f"`{name}()`", _one_line(inspect.getdoc(member))])
    return table(["declares", "what it gives"], rows)


def words() -> str:
    """The words that declarations are made of."""
    rows = []
    for enum in (CheckPoint, WhenExpired):
        docs = attribute_docs(enum)
        rows += [[f"`{enum.__name__}.{member.name}`", docs[member.name]] for member in enum]
    rows += [[f"`Section.{member.name}`", _comment(Section, member.name)] for member in Section]
    rows += [[f"`Slot.{member.name}`", f"panels on {member.value} pages"] for member in Slot]
    return table(["word", "meaning"], rows)


def _comment(enum: type, name: str) -> str:
    found = re.search(rf"^    {name} = .*?  # (.+)$", inspect.getsource(enum), re.MULTILINE)
    return found[1] if found else ""


def seam() -> str:
    """The modules that a plugin may import, and what each hands on."""
    rows = [["`hub.plugin`", "what a manifest is made of", _names(hub.plugin)]]
    for name in SEAM:
        module = __import__(f"hub.plugin.{name}", fromlist=["_"])
        rows.append([f"`hub.plugin.{name}`", first_line(module).removeprefix("The seam: "), _names(module)])
    return table(["module", "for", "names"], rows)


def _names(module: Any) -> str:
    return ", ".join(f"`{name}`" for name in sorted(module.__all__, key=str.lower))


def events() -> str:
    """What the hub tells."""
    found = [getattr(seam_events, name) for name in seam_events.__all__]
    rows = [[f"`{item.__name__}`", first_line(item)] for item in found if dataclasses.is_dataclass(item)]
    return table(["event", "told after the commit when"], sorted(rows))


def bundled_plugins() -> list[Plugin]:
    """The plugins of this distribution."""
    return [load_plugin(found) for found in find_installed().values() if found.target.startswith("plugins.")]


def permissions() -> str:
    """Every permission of the core and of the bundled plugins."""
    found: list[Permission] = [*CORE_PERMISSIONS.values()]
    found += [permission for plugin in bundled_plugins() for permission in plugin.permissions]
    return table(
        ["permission", "allows to", "about", "weakest role", "weakest token"],
        [[f"`{p.name}`", p.meaning, p.on.value, _role(p), p.scope.value] for p in found],
    )


def _role(permission: Permission) -> str:
    return {"account": "its owner", "site": "site administrator"}.get(permission.on.value, permission.role.value)


def _setting_rows(cls: Any, variable: str, key: str) -> Iterator[list[str]]:
    for item in dataclasses.fields(cls):
        default = "" if item.default in (dataclasses.MISSING, "") else f"`{item.default}`"
        yield [
            f"`{variable}{item.name.upper()}`",
            f"`{key}{item.name}`",
            default,
            str(item.metadata["unit"]),
            str(item.metadata["help"]),
        ]


def settings() -> str:
    """Every setting of the core and of the bundled plugins."""
    rows = [*_setting_rows(Settings, "HUB_", "")]
    for plugin in bundled_plugins():
        if plugin.settings is not None:
            rows += _setting_rows(plugin.settings, f"HUB_{plugin.name.upper()}_", f"[plugin.{plugin.name}] ")
    return table(["variable", "in hub.toml", "default", "unit", "what for"], rows)


def plugins() -> str:
    """The bundled plugins and the editions that have them."""
    editions = load_editions().values()
    rows = []
    for plugin in bundled_plugins():
        having = ", ".join(edition.title for edition in editions if plugin.name in edition.plugins)
        rows.append(
            [
                f"`{plugin.name}`",
                having,
                f"`{plugin.feature}`" if plugin.feature else "none",
                _one_line(plugin.description),
            ]
        )
    return table(["plugin", "editions", "word of the licence", "what it adds"], rows)


def editions() -> str:
    """What each edition carries and limits."""
    rows = []
    for edition in load_editions().values():
        limits = ", ".join(f"{name} {most}" for name, most in edition.limits.items() if most != NO_LIMIT)
        having = ", ".join(edition.plugins), ", ".join(sorted(edition.features)), limits
        rows.append([edition.title, *(words or "none" for words in having)])
    return table(["edition", "plugins", "features without a licence's word", "limits"], rows)


def features() -> str:
    """The words of a licence."""
    return table(["word", "what it opens"], [[f"`{word}`", meaning] for word, meaning in load_features().items()])


BLOCKS: dict[str, Callable[[], str]] = {
    block.__name__: block
    for block in (extension_points, words, seam, events, permissions, settings, plugins, editions, features)
}


def render(text: str) -> str:
    """A page with its generated blocks made anew. Raises KeyError for a block that nobody makes."""
    return _BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]]()}{found[3]}", text)


def seam_modules() -> set[str]:
    """The modules below ``hub.plugin`` that call themselves a part of the seam."""
    found = set()
    for module in pkgutil.iter_modules(hub.plugin.__path__):
        text = (Path(hub.plugin.__path__[0]) / f"{module.name}.py").read_text()
        if (ast.get_docstring(ast.parse(text)) or "").startswith("The seam:"):
            found.add(module.name)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when something would change")
    arguments = parser.parse_args()
    stale = []
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text()
        wanted = render(text)
        if wanted != text:
            stale.append(path.name)
            if not arguments.check:
                path.write_text(wanted)
    if arguments.check and stale:
        print(f"out of date: {', '.join(stale)}; run `make docs`", file=sys.stderr)
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
