"""The texts of the pages and their translations: ``python deploy/translations.py`` brings the catalogues up to date.

It collects every text that templates, Python and scripts mark, adds what is new to each language's ``messages.po``
and takes out what nobody says any more; with ``--missing`` it only lists what is not translated. The translations
themselves are written by hand.

What the floors below the pages say (errors, faults of fields, findings) marks nothing: it is collected from where it
is said into ``services.po``, an f-string as the text with ``{name}`` at its places. ``hub.web.said`` finds it again.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "hub" / "web" / "translations"
# English is what the texts are written in.
LANGUAGES = ("zh",)
_METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
_FOLDERS = ("hub", "themes", "plugins")
_OPTIONS = {"**/templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}}
_KEYWORDS = {"_": None, "NavItem": None, "gettext": None, "ngettext": (1, 2), "lazy_gettext": None, "mark_text": None}
# What is said below the pages: by which calls, by which members and names, and where; not what only programs read.
_SAYING_CALLS = {"Check", "Exceeded", "Finding", "MailRefused", "MergeCheck", "ValidationError"}
_SAYING_CALLS |= {"fail", "miss", "ok", "warn"}
_SAYING_NAMES = re.compile(r"_*(message|reason|advice|error|messages|refusals|reasons)", re.IGNORECASE)
_SAYING_FOLDERS = ("accounts", "api", "assets", "base", "community", "compute", "git", "http", "jobs", "licensing")
_SAYING_FOLDERS += ("metering", "objects", "plugin", "repos", "web")
_FOR_PROGRAMS = re.compile(
    r"hub/(api/(claw|description|runs)|assets/service/runs|git/(pktline|pointer|incoming)|http/(idempotency|ndjson)"
    r"|metering/usage|plugin/migrations|compute/(local|fake|machines|spec)|repos/lfs/(locks|tickets|sightings))"
    r"|plugins/(inference/(files|gateway|servers)/|xnet/)"
)
_MIN_LETTERS = 7  # fewer around its places could be anything
_SCRIPT_TEXT = re.compile(r"""\btext\(\s*"((?:[^"\\]|\\.)+)\"""")


def collect_texts() -> Catalog:
    """Every text that is marked, with the places where it stands."""
    catalogue = Catalog(project="hub", charset="utf-8")
    for folder in _FOLDERS:
        found = extract_from_dir(
            ROOT / folder, _METHODS, _OPTIONS, keywords=_KEYWORDS, comment_tags=(), strip_comment_tags=True
        )
        for path, _line, text, _comments, context in found:
            catalogue.add(text, locations=[(f"{folder}/{path}", 0)], context=context)
    for text in navigation_texts():
        catalogue.add(text, locations=[("hub/web/navigation.py", 0)])
    return catalogue


def navigation_texts() -> Iterator[str]:
    """What is declared in English and translated where it is shown: kinds, tabs, navigation."""
    from hub.repos.kinds import CORE_KINDS
    from hub.web.navigation import OWN_ITEMS

    for kind in CORE_KINDS:
        yield kind.title
        yield from (tab.title for tab in kind.tabs)
    yield from (item.label for item in OWN_ITEMS)


def collect_said() -> Catalog:
    """Every text that a page may show and that is said below the pages, with the places where it stands."""
    from hub.web.said_texts import ALSO_SAID

    catalogue = Catalog(project="hub", charset="utf-8")
    errors = ast.parse((ROOT / "hub" / "base" / "errors.py").read_text())
    calls = _SAYING_CALLS | {node.name for node in errors.body if isinstance(node, ast.ClassDef)}
    folders = [*(ROOT / "hub" / folder for folder in _SAYING_FOLDERS), ROOT / "plugins"]
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not _FOR_PROGRAMS.match(name):
            for text in _said_in(ast.parse(path.read_text()), calls):
                catalogue.add(text, locations=[(name, 0)])
    for text in ALSO_SAID:
        catalogue.add(text, locations=[("hub/web/said_texts.py", 0)])
    return catalogue


def _said_in(module: ast.Module, calls: set[str]) -> Iterator[str]:
    for node in ast.walk(module):
        found: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            found = [*node.args] if name in calls else []
            found += [member.value for member in node.keywords if member.arg and _SAYING_NAMES.fullmatch(member.arg)]
        elif isinstance(node, ast.Return) and node.value is not None:
            found = [node.value]
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            names = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            if any(_SAYING_NAMES.fullmatch(getattr(name, "id", getattr(name, "attr", ""))) for name in names):
                found = [node.value]
        for text in (text for expression in found for text in _texts_of(expression)):
            if _is_sentence(text):
                yield text


def _is_sentence(text: str) -> bool:
    """Whether a text is said to people and tells itself from others by what stands around its places."""
    if " " not in text or "\n" in text or not re.search(r"\.$|[.:] \{\w+\}$", text):
        return False
    return sum(letter.isalpha() for letter in re.sub(r"\{\w+\}", "", text)) >= _MIN_LETTERS


def _texts_of(said: ast.expr) -> list[str]:
    """The texts that an expression may come to, as templates of ``str.format``."""
    match said:
        case ast.Constant(value=str(text)):
            return [text.replace("{", "{{").replace("}", "}}")]
        case ast.JoinedStr(values=parts):
            names: list[str] = []
            return ["".join(_part(part, names) for part in parts)]
        case ast.IfExp(body=body, orelse=orelse):
            return [*_texts_of(body), *_texts_of(orelse)]
        case ast.BoolOp(values=several) | ast.Dict(values=several):
            return [text for one in several for text in _texts_of(one)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [first + second for first in _texts_of(left) for second in _texts_of(right)]
        case ast.Subscript(value=value):
            return _texts_of(value)
    return []


def _part(part: ast.expr, names: list[str]) -> str:
    """A part of an f-string; what is put in goes by the first name in it, and a number where that stands before."""
    if isinstance(part, ast.Constant):
        return str(part.value).replace("{", "{{").replace("}", "}}")
    said = (getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(part))
    name = next((name.strip("_").lower() for name in said if name and name not in ("len", "join")), "value")
    names.append(name)
    number = names.count(name)
    return f"{{{name}{number if number > 1 else ''}}}"


def script_texts() -> set[str]:
    """The texts that scripts say; each must stand in ``parts/texts.html`` to reach them."""
    scripts = (ROOT / "themes").glob("*/assets/ts/**/*.ts")
    found = (_SCRIPT_TEXT.findall(path.read_text()) for path in scripts)
    return {text.replace('\\"', '"') for texts in found for text in texts}


def path_of(language: str, domain: str = "messages") -> Path:
    """Where a language's catalogue lies."""
    return TRANSLATIONS / language / "LC_MESSAGES" / f"{domain}.po"


def read_catalogue(language: str, domain: str = "messages") -> Catalog:
    """A language's catalogue; an empty one when there is none yet."""
    path = path_of(language, domain)
    if not path.is_file():
        return Catalog(locale=language, project="hub", charset="utf-8")
    with path.open("rb") as texts:
        return read_po(texts, locale=language)


def missing(language: str, texts: Catalog, domain: str = "messages") -> list[Message]:
    """What is said somewhere and not translated."""
    catalogue = read_catalogue(language, domain)
    return [
        message
        for message in texts
        if message.id
        and ((found := catalogue.get(message.id, message.context)) is None or not found.string or not all(found.string))
    ]


def update(language: str, texts: Catalog, domain: str = "messages") -> None:
    """Add what is new to a language's catalogue, and take out what nobody says any more."""
    catalogue = read_catalogue(language, domain)
    catalogue.update(texts, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    path = path_of(language, domain)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=0, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)


def main() -> None:
    """What the command does."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--missing", action="store_true", help="list what is not translated; change nothing")
    asked = parser.parse_args()
    collected = {"messages": collect_texts(), "services": collect_said()}
    for language, (domain, texts) in product(LANGUAGES, collected.items()):
        if not asked.missing:
            update(language, texts, domain)
        for message in (left := missing(language, texts, domain)):
            print(f"{language}: {message.id}")
        if left:
            print(f"{len(left)} texts are not translated into {language}.", file=sys.stderr)


if __name__ == "__main__":
    main()
