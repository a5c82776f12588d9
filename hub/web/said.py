"""What the floors below the pages say, in the language of the page: errors, faults of fields, findings, notices.

They say it in plain English, ready and often out of the database; programs, logs and the command line read it so.
Here, where people read it, it is found again among the templates of the catalogue ``services.po``
(``deploy/translations.py`` collects them from where they are said): "There is no branch main." is
"There is no branch {name}." with a name, which stays as it is. What no template fits is shown as it was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Formatter

from babel.messages.pofile import read_po

from hub.web.i18n import current_language

_CATALOGUES = Path(__file__).with_name("translations")
_MAX_CHARS = 4000
_MAX_KEPT = 2000
# What stands at these places was said by the hub, too; at all others stand names and numbers.
_SAID_PLACES = {"reason", "error", "message", "problem", "told", "said", "what", "who", "kind", "type", "role", "bound"}
_MAX_DEPTH = 3
# A template that says no more than this around its places fits sentences that are none of its own: "There is no {ref}."
_MIN_CHARS = 20
# What people wrote stands there, in as many words as they liked.
_FREE_PLACES = {"title"}


@dataclass(frozen=True, slots=True)
class _Template:
    literals: tuple[str, ...]  # before, between and after the places
    places: tuple[str, ...]
    translation: str

    def match(self, text: str) -> dict[str, str] | None:
        """What stands at the places of a text; None when the template is another's."""
        first, *between, last = self.literals
        at, end = len(first), len(text) - len(last)
        if end < at or not text.startswith(first) or not text.endswith(last):
            return None
        found = []
        for literal in between:
            if (next_at := text.find(literal, at, end)) < 0:
                return None
            found.append(text[at:next_at])
            at = next_at + len(literal)
        found.append(text[at:end])
        values = dict(zip(self.places, found, strict=True))
        if sum(map(len, self.literals)) < _MIN_CHARS:
            names = [value for place, value in values.items() if place not in _FREE_PLACES]
            if any(" " in value.strip() for value in names):
                return None
        return values


@dataclass(frozen=True, slots=True)
class _Catalogue:
    whole: dict[str, str]
    templates: Sequence[_Template]  # the most telling first

    def translate(self, text: str, depth: int = 0) -> str:
        if (found := self.whole.get(text)) is not None:
            return found
        if len(text) > _MAX_CHARS or depth >= _MAX_DEPTH:
            return text
        for template in self.templates:
            if (values := template.match(text)) is not None:
                for name in _SAID_PLACES & values.keys():
                    values[name] = self.translate(values[name].strip(), depth + 1)
                return template.translation.format_map(values)
        return text


def said(text: str) -> str:
    """What a floor below said, in the language of the page; as it was said where that is English or not translated."""
    language = current_language()
    if language == "en" or not text:
        return text
    plain = str(text)
    found = _translate(language, plain)
    # What the page itself made is already as it should be, marked as safe or not.
    return text if found == plain else found


@lru_cache(maxsize=_MAX_KEPT)
def _translate(language: str, text: str) -> str:
    return _catalogue(language).translate(text)


@lru_cache
def _catalogue(language: str) -> _Catalogue:
    path = _CATALOGUES / language / "LC_MESSAGES" / "services.po"
    if not path.is_file():
        return _Catalogue({}, ())
    whole: dict[str, str] = {}
    templates: list[_Template] = []
    with path.open("rb") as texts:
        messages = [message for message in read_po(texts, locale=language) if message.id and message.string]
    for message in messages:
        literals, places = _split(str(message.id))
        if places:
            templates.append(_Template(literals, places, str(message.string)))
        else:
            whole[literals[0]] = str(message.string).format()
    templates.sort(key=lambda template: -sum(map(len, template.literals)))
    return _Catalogue(whole, templates)


def _split(english: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What stands around the places of a template, one more than there are places; and the places' names."""
    literals, places, said = [], [], ""
    for literal, name, _, _ in Formatter().parse(english):
        said += literal
        if name is not None:
            literals.append(said)
            places.append(name)
            said = ""
    return (*literals, said), tuple(places)
