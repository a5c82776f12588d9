"""List the licences of everything that the hub runs on, and refuse those that we cannot ship beside Apache-2.0.

``python deploy/licences.py`` prints the table; with ``--check`` only what is refused, and exit status 1 if anything
is. What counts is the distribution's own metadata: the licence expression, else its classifiers, else its text.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

ROOT = "hub-forge"
# The extras whose packages run in production; tests and linters are never shipped.
EXTRAS = ("dataset", "kubernetes", "spaces")

# Copyleft that would reach our own code. The LGPL does not when one merely imports a library.
REFUSED = re.compile(r"AGPL|Affero|\bGPL|(?<!Lesser )General Public License|SSPL|BUSL|Commons Clause", re.IGNORECASE)

# Allowed by name, each with the reason.
ALLOWED = {
    "pygit2": "GPL-2.0 with an exception that allows linking from programs of any licence",
}


@dataclass(frozen=True)
class Licence:
    """One installed distribution and what it says of itself. verdict: "", or why it is refused or allowed."""

    name: str
    version: str
    licence: str
    is_refused: bool
    verdict: str = ""


def key_of(name: str) -> str:
    """The one spelling by which distributions are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(found: Distribution) -> str:
    """What a distribution says its licence is, on one line; "unknown" when it says nothing."""
    meta = found.metadata
    expression = meta.get("License-Expression")
    if expression:
        return str(expression)
    names = [line.rpartition(" :: ")[2] for line in meta.get_all("Classifier") or () if line.startswith("License ::")]
    names = [name for name in names if name != "OSI Approved"]
    if names:
        return "; ".join(names)
    lines = [line.strip() for line in (meta.get("License") or "").splitlines() if line.strip()]
    return lines[0][:60] if lines else "unknown"


def list_distributions(root: str, extras: tuple[str, ...]) -> list[Distribution]:
    """The distributions that ``root`` needs here, with theirs, that are installed; sorted by name."""
    found: dict[str, Distribution] = {}
    open_names = [(root, frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while open_names:
        name, wanted = open_names.pop()
        if (key_of(name), wanted) in seen:
            continue
        seen.add((key_of(name), wanted))
        try:
            here = distribution(name)
        except PackageNotFoundError:
            continue  # an extra that is not installed
        found[key_of(name)] = here
        for line in here.requires or ():
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                open_names.append((need.name, frozenset(need.extras)))
    found.pop(key_of(root), None)
    return [found[name] for name in sorted(found)]


def judge(found: Distribution) -> Licence:
    """A distribution's licence and whether we may run on it."""
    name, licence = found.metadata["Name"], licence_of(found)
    # "A OR B" lets us choose: refused only when each choice is.
    choices = re.split(r"\s+OR\s+|; ", licence)
    if key_of(name) in ALLOWED:
        return Licence(name, found.version, licence, False, f"allowed: {ALLOWED[key_of(name)]}")
    if licence == "unknown":
        return Licence(name, found.version, licence, True, "refused: it names no licence")
    if all(REFUSED.search(choice) for choice in choices):
        return Licence(name, found.version, licence, True, "refused: copyleft that would reach our code")
    return Licence(name, found.version, licence, False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="print only what is refused")
    check = parser.parse_args().check
    licences = [judge(found) for found in list_distributions(ROOT, EXTRAS)]
    if not licences:
        print(f"{ROOT} is not installed here; run `make install` first", file=sys.stderr)
        return 1
    for item in licences:
        if item.is_refused or not check:
            print(f"{item.name:28} {item.version:14} {item.licence:45} {item.verdict}".rstrip())
    refused = sum(item.is_refused for item in licences)
    print(f"{len(licences)} dependencies, {refused} with a licence that is refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
