"""What HTML a Markdown text may become, and where its links and pictures lead.

Everything goes through nh3, which parses as browsers do and writes well-formed HTML of what is allowed here. Only
then are addresses changed, tag by tag: in what nh3 writes there is no "<" or ">" but those of tags.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from markupsafe import escape

from hub.web.routing import quote_revision

if TYPE_CHECKING:
    from nh3 import Cleaner


@dataclass(frozen=True)
class LinkBase:
    """Where relative addresses of a file point. repo_url: the repository's page; folder: that the file lies in."""

    repo_url: str
    revision: str
    folder: str = ""


@dataclass(frozen=True)
class Words:
    """What the page says in its reader's language. site: the hub's own address, without a slash at its end."""

    site: str
    task: str
    anchor: str
    back: str
    outside: str
    alerts: Mapping[str, str]
    cut: str
    plain: str


PREFIX = "user-content-"
_NAMES = (
    "a abbr audio b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure "
    "h1 h2 h3 h4 h5 h6 hr i img input ins kbd li mark ol p picture pre q rp rt ruby s samp section small source span "
    "strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var video wbr"
)
# Gone with what is in them.
_GONE = {"script", "style", "textarea", "xmp", "iframe", "noembed", "noframes", "plaintext", "svg", "math"}
_ALIGN = {"left", "right", "center", "justify"}
_ALIGNED = ("div", "h1", "h2", "h3", "h4", "h5", "h6", "img", "p", "table", "td", "th", "tr")
_ATTRIBUTES = {
    "*": {"id", "title", "lang", "dir"},
    "a": {"href", "aria-label"},
    "audio": {"src"},
    "col": {"span", "width"},
    "colgroup": {"span", "width"},
    "details": {"open"},
    "img": {"src", "alt", "width", "height"},
    "input": {"checked"},
    "li": {"value"},
    "ol": {"start", "reversed", "type"},
    "source": {"src"},
    "table": {"width"},
    "td": {"colspan", "rowspan", "width"},
    "th": {"colspan", "rowspan", "width", "scope"},
    "time": {"datetime"},
    "video": {"src", "width", "height", "muted", "loop"},
}
# Classes that the parser gives; those of code are Pygments'.
_CLASSES = {
    "a": {"anchor", "footnote-backref"},
    "div": {"admonition", "note", "tip", "important", "warning", "caution", "danger", "hint", "info"}
    | {"markdown-alert", *(f"markdown-alert-{kind}" for kind in ("note", "tip", "important", "warning", "caution"))},
    "hr": {"footnotes-sep"},
    "input": {"task-list-item-checkbox"},
    "li": {"task-list-item", "footnote-item"},
    "ol": {"footnotes-list"},
    "p": {"markdown-alert-title", "admonition-title"},
    "pre": {"mermaid-source", "code"},
    "section": {"footnotes"},
    "sup": {"footnote-ref"},
    "ul": {"contains-task-list"},
}
_SCHEMES = {"http", "https", "mailto"}
_TAG = re.compile(r"<(/?)(a|img|video|audio|source|picture|table|h[1-6])((?: [^>]*)?)>")
_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
# What browsers leave out of an address, wherever it stands.
_IGNORED = re.compile(r"[\x00-\x1f\x7f]")
# Addresses that begin so are the site's; other absolute ones are meant from the repository's root, as on GitHub.
_SITE_PATHS = re.compile(
    r"/(?:models|datasets|codes|spaces|prompts|skills|mcp|profile|organizations|collections|api|-)/"
)


# Of elements that stand open within each other, and of those times all elements: a browser's way of reading HTML makes
# what was left open anew in each paragraph that follows.
_MAX_DEPTH = 200
_MAX_WORK = 500_000
_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)


def is_too_deep(html: str) -> bool:
    """Whether HTML is nested as nobody writes it, so that reading it would take minutes."""
    open_tags: Counter[str] = Counter()
    depth = deepest = 0
    for count, found in enumerate(_ANY_TAG.finditer(html), 1):
        name = found[2].lower()
        if not found[1]:
            if name not in _VOID:
                open_tags[name] += 1
                depth += 1
                deepest = max(deepest, depth)
        elif open_tags[name]:
            open_tags[name] -= 1
            depth -= 1
        if deepest > _MAX_DEPTH or deepest * count > _MAX_WORK:
            return True
    return False


@cache
def _cleaner(task: str) -> Cleaner:
    import nh3
    from pygments.token import STANDARD_TYPES

    spans = {name for name in STANDARD_TYPES.values() if name} | {"maths", "block"}
    return nh3.Cleaner(
        tags=set(_NAMES.split()),
        clean_content_tags=set(_GONE),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        tag_attribute_values={tag: {"align": _ALIGN} for tag in _ALIGNED},
        set_tag_attribute_values={
            "input": {"type": "checkbox", "disabled": "", "aria-label": task},
            "pre": {"tabindex": "0"},
            "video": {"controls": "", "preload": "metadata"},
            "audio": {"controls": "", "preload": "metadata"},
        },
        allowed_classes={**{tag: set(names) for tag, names in _CLASSES.items()}, "span": spans},
        url_schemes=_SCHEMES,
        id_prefix=PREFIX,
        link_rel=None,
    )


def clean_html(html: str, *, base: LinkBase | None, words: Words) -> str:
    """The HTML with nothing in it but what is harmless, its links and pictures pointing where they are meant to."""
    return _Finisher(base, words).finish(str(_cleaner(words.task).clean(html)))


class _Finisher:
    """Goes over the tags of cleaned HTML once."""

    def __init__(self, base: LinkBase | None, words: Words) -> None:
        self.base = base
        self.words = words
        self.links = 0  # that are open
        self.level = 1  # of the last heading: the page's own
        self.headings: list[int] = []

    def finish(self, html: str) -> str:
        return _TAG.sub(self._tag, html)

    def _tag(self, found: re.Match[str]) -> str:
        end, name, rest = found.groups()
        if name[0] == "h":
            return self._heading(end, int(name[1]), rest)
        if name == "table":
            # So wide a table as it likes to be scrolls, and the page does not.
            return "</table></div>" if end else f'<div class="scroll" tabindex="0"><table{rest}>'
        if name == "picture":
            # Its sources would be fetched before anybody looks at them: the picture within stands alone.
            return ""
        if end:
            self.links -= name == "a"
            return found[0]
        attributes = {key: unescape(value) for key, value in _ATTRIBUTE.findall(rest)}
        if name == "a":
            self.links += 1
            return self._link(attributes)
        return self._medium(name, attributes)

    def _heading(self, end: str, level: int, rest: str) -> str:
        """Below the page's own heading, and never more than one step below the one before."""
        if end:
            return f"</h{self.headings.pop() if self.headings else level}>"
        shown = min(level + 1, self.level + 1, 6)
        self.level = shown
        self.headings.append(shown)
        return f'<h{shown} class="level-{level}"{rest}>'

    def _link(self, attributes: dict[str, str]) -> str:
        address = attributes.pop("href", None)
        if address is not None and (target := self.address_of(address, "blob")):
            attributes["href"] = target
            if not target.startswith(("/", "#")):
                attributes["rel"] = "nofollow noopener noreferrer"
        return _write("a", attributes)

    def _medium(self, name: str, attributes: dict[str, str]) -> str:
        address = attributes.pop("src", "")
        # The content itself, where Git has a pointer to it.
        target = self.address_of(address, "resolve")
        if target.startswith("/"):
            attributes["src"] = target
            if name == "img":
                attributes["loading"] = "lazy"
                attributes.setdefault("alt", "")
            return _write(name, attributes)
        if not target.startswith(("http:", "https:")):
            return "" if name in ("img", "source") else _write(name, attributes)
        # No page asks another site for anything; who wants to see it goes there.
        about = attributes.get("alt") or target.partition("?")[0].rstrip("/").rpartition("/")[2]
        title = f"{self.words.outside}: {target}"
        mark = f'<span class="outside" title="{escape(title)}">{escape(about)}</span>'
        if not self.links:
            mark = f'<a href="{escape(target)}" rel="nofollow noopener noreferrer">{mark}</a>'
        return mark if name in ("img", "source") else mark + _write(name, {**attributes, "hidden": ""})

    def address_of(self, address: str, page: str) -> str:
        """Where an address leads: a path of the hub, "#…", or another site's; "" for one that leads nowhere.

        page: of the repository, for its own files.
        """
        address = _IGNORED.sub("", address).strip()
        if address.startswith("#"):
            return f"#{PREFIX}{address[1:]}" if len(address) > 1 else ""
        if scheme := _SCHEME.match(address):
            if scheme[1].lower() not in _SCHEMES:
                return ""
            if scheme[1].lower() != "mailto":
                # As browsers read "https:example.org" and "https:\\example.org" elsewhere.
                address = f"{scheme[1].lower()}://{address[scheme.end() :].lstrip('/' + chr(92))}"
            own = f"{self.words.site}/"
            return address[len(own) - 1 :] if address.startswith(own) and address[len(own) :][:1] != "/" else address
        address = address.replace("\\", "/")
        if address.startswith("//"):
            return f"https:{address}"
        if not address or address.startswith("?"):
            return ""
        if self.base is None:
            return address if address.startswith("/") else f"/{address}" if page == "blob" else ""
        if _SITE_PATHS.match(address):
            return address
        return self._file(self.base, address, page)

    def _file(self, base: LinkBase, address: str, page: str) -> str:
        path, mark, fragment = address.partition("#")
        path = unquote(path.partition("?")[0])
        is_folder = path.endswith(("/", "/.", "/..")) or path in (".", "..")
        joined = path if path.startswith("/") else posixpath.join("/", base.folder, path)
        # No way leads above the repository's root.
        inside = posixpath.normpath(f"/{joined.lstrip('/')}").strip("/")
        if page == "blob" and (is_folder or not inside):
            page = "files"
        parts = (base.repo_url, page, quote_revision(base.revision), quote(inside))
        target = "/".join(part for part in parts if part)
        return f"{target}#{PREFIX if inside.lower().endswith('.md') else ''}{fragment}" if mark else target


def _write(name: str, attributes: Mapping[str, str]) -> str:
    pairs = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{pairs}>"
