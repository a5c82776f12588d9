"""Markdown as safe HTML: cards, comments, profiles. What people wrote is hostile; only what is named here comes out.

Parsed by ``markdown_rules``, cleaned and given its addresses by ``markdown_html``, kept in memory by content.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from flask_babel import get_locale, gettext
from markupsafe import Markup, escape

from hub.base.frontmatter import find_head
from hub.base.offload import offload
from hub.http.context import current_context
from hub.web.markdown_html import LinkBase as LinkBase
from hub.web.markdown_html import Words, clean_html, is_too_deep
from hub.web.markdown_rules import Heading as Heading
from hub.web.markdown_rules import Link as Link
from hub.web.markdown_rules import Linker as Linker
from hub.web.markdown_rules import Run, TooLongError, to_html

# What a person reads of one document. It takes about half a second when it is first shown.
MAX_CHARS = 256 * 1024
# Text made to be slow is shown as it was written.
_BUDGET_S = 2.0
# From here on it is worth a thread of its own.
_OFFLOAD_CHARS = 8 * 1024
_KEPT_CHARS = 8 * 1024 * 1024


@dataclass(frozen=True)
class Document:
    """A rendered text. headings: those of Markdown, in order. is_cut: whether its end is missing for its length."""

    html: Markup
    headings: Sequence[Heading] = ()
    is_cut: bool = False


def render_markdown(
    text: str,
    *,
    base: LinkBase | None = None,
    is_breaks: bool = False,
    linkers: Sequence[Linker] = (),
    key: str = "",
) -> Markup:
    """The HTML of a text, to stand in an element of class "markdown".

    base: where its relative links and pictures point; None: nowhere in particular, as in a comment.
    is_breaks: whether a new line is a new line, as people expect in comments. linkers: find what is to be a link in
    plain text, such as names; what they find is not kept in memory. key: tells the ids of several texts on a page
    apart.
    """
    return render_document(text, base=base, is_breaks=is_breaks, linkers=linkers, key=key).html


def render_document(
    text: str,
    *,
    base: LinkBase | None = None,
    is_breaks: bool = False,
    linkers: Sequence[Linker] = (),
    key: str = "",
) -> Document:
    """As ``render_markdown``, with what a table of contents needs."""
    locale = str(get_locale() or "en")
    digest = blake2b(text[: MAX_CHARS + 1].encode(errors="replace"), digest_size=16).digest()
    place = (digest, base, is_breaks, key, locale)
    if not linkers and (kept := _KEPT.find(place)):
        return kept
    words = Words(
        site=current_context().settings.effective_base_url.rstrip("/"),
        task=gettext("Task"),
        anchor=gettext("Link to this section"),
        back=gettext("Back to the text"),
        outside=gettext("Picture from another site"),
        alerts={
            "note": gettext("Note"),
            "tip": gettext("Tip"),
            "important": gettext("Important"),
            "warning": gettext("Warning"),
            "caution": gettext("Caution"),
        },
        cut=gettext("The text is too long to be shown whole. Open the file to read the rest."),
        plain=gettext("This text takes too long to be formatted and is shown as it was written."),
    )
    arguments = (text, base, is_breaks, tuple(linkers), key, words)
    # Linkers may ask the database, which is not for threads.
    document = offload(_render, *arguments) if len(text) > _OFFLOAD_CHARS and not linkers else _render(*arguments)
    if not linkers:
        _KEPT.keep(place, document)
    return document


def without_head(text: str) -> str:
    """The text of a file without the block of YAML at its beginning."""
    head = find_head(text)
    return text if head is None else text[text.index(head, 3) + len(head) :].partition("\n")[2]


def _render(
    text: str, base: LinkBase | None, is_breaks: bool, linkers: tuple[Linker, ...], key: str, words: Words
) -> Document:
    is_cut = len(text) > MAX_CHARS
    if is_cut:
        # At the end of a line, so that no tag is cut in two.
        text = text[: text.rfind("\n", MAX_CHARS // 2, MAX_CHARS) + 1 or MAX_CHARS]
    run = Run(deadline=time.monotonic() + _BUDGET_S, linkers=linkers, key=key, words=words)
    try:
        html = to_html(text, run, is_breaks=is_breaks)
        if is_too_deep(html):
            raise TooLongError
        html = clean_html(html, base=base, words=words)
        headings = run.headings
    except (TooLongError, RecursionError):
        html = f'<p class="notice">{escape(words.plain)}</p><pre tabindex="0">{escape(text)}</pre>'
        headings = []
    if is_cut:
        html += f'<p class="notice">{escape(words.cut)}</p>'
    return Document(Markup(html), tuple(headings), is_cut)  # noqa: S704 - cleaned above


class _Kept:
    """The documents shown last, by content, within a bound of memory."""

    def __init__(self, limit_chars: int) -> None:
        self._limit = limit_chars
        self._size = 0
        self._documents: OrderedDict[object, Document] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, place: object) -> Document | None:
        with self._lock:
            found = self._documents.get(place)
            if found is not None:
                self._documents.move_to_end(place)
            return found

    def keep(self, place: object, document: Document) -> None:
        with self._lock:
            if place in self._documents or len(document.html) > self._limit // 4:
                return
            self._documents[place] = document
            self._size += len(document.html)
            while self._size > self._limit:
                _place, oldest = self._documents.popitem(last=False)
                self._size -= len(oldest.html)


_KEPT = _Kept(_KEPT_CHARS)
