"""The texts of the pages and their translations: ``python deploy/translations.py`` brings the catalogues up to date.

It collects every text that templates, Python and scripts mark, adds what is new to each language's ``messages.po``
and takes out what nobody says any more; with ``--missing`` it only lists what is not translated. The translations
themselves are written by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
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


def script_texts() -> set[str]:
    """The texts that scripts say; each must stand in ``parts/texts.html`` to reach them."""
    scripts = (ROOT / "themes").glob("*/assets/ts/**/*.ts")
    found = (_SCRIPT_TEXT.findall(path.read_text()) for path in scripts)
    return {text.replace('\\"', '"') for texts in found for text in texts}


def path_of(language: str) -> Path:
    """Where a language's catalogue lies."""
    return TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"


def read_catalogue(language: str) -> Catalog:
    """A language's catalogue; an empty one when there is none yet."""
    path = path_of(language)
    if not path.is_file():
        return Catalog(locale=language, project="hub", charset="utf-8")
    with path.open("rb") as texts:
        return read_po(texts, locale=language)


def missing(language: str, texts: Catalog) -> list[Message]:
    """What is said somewhere and not translated."""
    catalogue = read_catalogue(language)
    return [
        message
        for message in texts
        if message.id
        and ((found := catalogue.get(message.id, message.context)) is None or not found.string or not all(found.string))
    ]


def update(language: str, texts: Catalog) -> None:
    """Add what is new to a language's catalogue, and take out what nobody says any more."""
    catalogue = read_catalogue(language)
    catalogue.update(texts, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=0, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)


def main() -> None:
    """What the command does."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--missing", action="store_true", help="list what is not translated; change nothing")
    asked = parser.parse_args()
    texts = collect_texts()
    for language in LANGUAGES:
        if not asked.missing:
            update(language, texts)
        for message in (left := missing(language, texts)):
            print(f"{language}: {message.id}")
        if left:
            print(f"{len(left)} texts are not translated into {language}.", file=sys.stderr)


if __name__ == "__main__":
    main()
