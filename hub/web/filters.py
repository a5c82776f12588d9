"""The filters of lists of repositories: which a kind has, what an address chooses, and the addresses that change it.

Source: web UI contract, section 6.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request

from hub.assets.search.choices import SHORT_KEYS, values_of
from hub.assets.search.facets import Facet
from hub.base.errors import Invalid
from hub.repos.kinds import RepositoryKind
from hub.web.i18n import gettext
from hub.web.label_titles import label_title
from hub.web.pages import with_query

# The bounds of a model's size, in billions of parameters.
SIZES = (1, 3, 7, 14, 34, 72)
# Of each facet; the rest is shown when it is asked for.
SHOWN_VALUES = 8
# By the members of an address; those of kinds that a plugin brings are their own members that lists are narrowed by.
_FACETS = {
    "model": ("task", "framework", "language", "license", "industry"),
    "dataset": ("task", "size_cat", "modality", "format", "language", "license", "industry"),
    "code": ("programlanguage", "license"),
    "space": ("sdk", "task", "license"),
    "prompt": ("language", "task", "license"),
    "skill": ("category", "license"),
    "mcpserver": ("category", "runmode", "programlanguage", "license"),
}
_OTHERS = ("license",)
_TEXTS = ("search", "author", "source", "visibility")
_NUMBERS = {"params_min": "model_params_min", "params_max": "model_params_max", "fits": "fits"}


_Counted = tuple[str, str, str, int | None]  # name, own title, group, count


@dataclass(frozen=True)
class Value:
    """A value of a facet. url: of the list with it, or without it where it is chosen. count: None where not counted."""

    name: str
    title: str
    group: str
    count: int | None
    is_chosen: bool
    url: str


@dataclass(frozen=True)
class FacetView:
    """A facet as the page shows it. all_url: where all of its values are shown; "": these are all, in their groups."""

    key: str
    title: str
    values: Sequence[Value]
    all_url: str = ""
    is_estimate: bool = False
    is_whole: bool = False

    def groups(self) -> list[tuple[str, list[Value]]]:
        """The values by the title of their group; in one without a title, where not all are shown."""
        if not self.is_whole:
            return [("", [*self.values])]
        found: dict[str, list[Value]] = {}
        for value in self.values:
            found.setdefault(value.group, []).append(value)
        titles = group_titles()
        names = sorted(found, key=lambda name: (not name, [*titles].index(name) if name in titles else len(titles)))
        return [(titles.get(name) or name.replace("_", " ").capitalize(), found[name]) for name in names]


@dataclass(frozen=True)
class SizeSpan:
    """A span of models' sizes as two places on a track: 0 is no least size, ``last`` no greatest one.

    told: the span in short; words: what each of the two says.
    """

    low: int
    high: int
    told: str
    words: Mapping[str, str]
    last: int = len(SIZES) + 1


@dataclass(frozen=True)
class Chip:
    """Something that is chosen, and the address without it."""

    title: str
    url: str


def titles() -> dict[str, str]:
    """What each facet is called."""
    return {
        "task": gettext("Task"),
        "framework": gettext("Library"),
        "language": gettext("Language"),
        "programlanguage": gettext("Programming language"),
        "license": gettext("Licence"),
        "industry": gettext("Industry"),
        "size_cat": gettext("Rows"),
        "modality": gettext("Modality"),
        "format": gettext("Format"),
        "category": gettext("Category"),
        "runmode": gettext("Run mode"),
        "sdk": gettext("SDK"),
    }


def group_titles() -> dict[str, str]:
    """What the groups of tasks are called, in the order in which they stand."""
    return {
        "natural_language_processing": gettext("Language"),
        "computer_vision": gettext("Vision"),
        "audio": gettext("Audio"),
        "audio_processing": gettext("Audio"),
        "multimodal": gettext("Multimodal"),
        "tabular": gettext("Tabular"),
        "reinforcement_learning": gettext("Reinforcement learning"),
        "other": gettext("Other"),
    }


def facet_keys(kind: RepositoryKind) -> tuple[str, ...]:
    """The members of an address that narrow lists of a kind by its facets."""
    own = tuple(field.name for field in kind.details if field.is_filter)
    return _FACETS.get(kind.name) or (*own, *_OTHERS)


def categories_of(kind: RepositoryKind) -> list[str]:
    """The categories of labels of its facets."""
    return [SHORT_KEYS[key] for key in facet_keys(kind) if key in SHORT_KEYS]


def read_filters(kind: RepositoryKind) -> dict[str, Any]:
    """What the request's address asks of a list, by the names of ``hub.assets.search.listing``.

    Raises Invalid (``REQ-ERR-6``) for what should be a number and is none.
    """
    asked: dict[str, Any] = {key: request.args.get(key, "") for key in (*_TEXTS, *facet_keys(kind))}
    if kind.name == "model":
        asked |= {name: _number(key) for key, name in _NUMBERS.items()}
    return asked


def _number(key: str) -> float | None:
    text = request.args.get(key, "")
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1_000_000:
        raise Invalid(f"'{key}' must be a number from 0 to 1,000,000.", code="REQ-ERR-6", query=key)
    return found


def facet_views(kind: RepositoryKind, found: Sequence[Facet], *, whole: str = "") -> list[FacetView]:
    """The facets in the order of the kind's. whole: the key of the one that is shown with all of its values."""
    by_category, names = {facet.category: facet for facet in found}, titles()
    views = []
    for key in facet_keys(kind):
        chosen, category = values_of(request.args.get(key, "")), ""
        if key in SHORT_KEYS:
            facet = by_category.get(SHORT_KEYS[key])
            if facet is None:
                continue
            category = facet.category
            values: list[_Counted] = [(value.name, value.show_name, value.group, value.count) for value in facet.values]
            # What was chosen and nothing has any more must be there to be given up.
            known = {name for name, *_ in values}
            values = [(name, name, "", 0) for name in chosen if name not in known] + values
            is_estimate = facet.is_estimate
        else:
            field = next(field for field in kind.details if field.name == key)
            values, is_estimate = [(choice, choice, "", None) for choice in field.choices], False
        views.append(_view_of(key, names.get(key, key), category, values, chosen, whole == key, is_estimate))
    return [view for view in views if view.values or whole == view.key]


def _view_of(
    key: str,
    title: str,
    category: str,
    values: Sequence[_Counted],
    chosen: Sequence[str],
    is_whole: bool,
    is_estimate: bool,
) -> FacetView:
    # What is chosen stays in sight.
    sorted_values = sorted(values, key=lambda value: value[0] not in chosen)
    shown = sorted_values if is_whole else sorted_values[: max(SHOWN_VALUES, len(chosen))]
    all_url = with_query(facet=key) if len(shown) < len(values) else ""
    views = [
        Value(
            *(name, label_title(category, name, own_title) if category else own_title, group, count, name in chosen),
            _toggled(key, name, chosen),
        )
        for name, own_title, group, count in shown
    ]
    return FacetView(key, title, views, all_url, is_estimate, is_whole)


def _toggled(key: str, name: str, chosen: Sequence[str]) -> str:
    left = [other for other in chosen if other != name] if name in chosen else [*chosen, name]
    return with_query(**{key: ",".join(left) or None})


def chips(kind: RepositoryKind, facets: Sequence[FacetView]) -> list[Chip]:
    """All that is chosen, in the order of the page."""
    args, found = request.args, []
    if text := args.get("search"):
        found.append(Chip(f"“{text}”", with_query(search=None)))
    if author := args.get("author"):
        found.append(Chip(gettext("By %(name)s", name=author), with_query(author=None)))
    shown = {(facet.key, value.name): value.title for facet in facets for value in facet.values}
    for key in facet_keys(kind):
        chosen = values_of(args.get(key, ""))
        found += [Chip(shown.get((key, name), name), _toggled(key, name, chosen)) for name in chosen]
    low, high = args.get("params_min"), args.get("params_max")
    if kind.name == "model" and (low or high):
        found.append(Chip(size_title(low or "", high or ""), with_query(params_min=None, params_max=None)))
    if kind.name == "model" and (fits := args.get("fits")):
        found.append(Chip(gettext("Runs on %(size)s GiB", size=fits), with_query(fits=None)))
    for key in ("source", "visibility"):
        if value := args.get(key):
            found.append(Chip(value, with_query(**{key: None})))
    return found


def size_span() -> SizeSpan:
    """What the request's address chooses of ``SIZES``."""
    low, high = (_place(request.args.get(key, "")) for key in ("params_min", "params_max"))
    low, high = (0 if low is None else low), (len(SIZES) + 1 if high is None else max(high, 1))
    least, most = (SIZES[low - 1] if low else 0), (SIZES[high - 1] if high <= len(SIZES) else 0)
    told = f"{least}–{most} B" if least and most else f"> {least} B" if least else f"< {most} B" if most else ""
    words = {"low": f"{least} B" if least else gettext("Any"), "high": f"{most} B" if most else gettext("Any")}
    return SizeSpan(low, high, told, words)


def _place(text: str) -> int | None:
    """How many of ``SIZES`` are not more; None for none that is chosen."""
    try:
        return sum(size <= float(text) for size in SIZES) if text else None
    except ValueError:
        return None


def size_title(low: str, high: str) -> str:
    """A span of sizes of models in words."""
    if low and high:
        return str(gettext("%(low)s to %(high)s B parameters", low=low, high=high))
    if low:
        return str(gettext("At least %(low)s B parameters", low=low))
    return str(gettext("At most %(high)s B parameters", high=high))
