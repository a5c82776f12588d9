"""How Markdown is read: that of GitHub, with mathematics, diagrams, admonitions and names of emoji."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import escape

from hub.web.emoji import find_emoji
from hub.web.highlight import highlight

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

    from hub.web.markdown_html import Words

# Of one block of code that gets colours.
_MAX_COLOURED_CHARS = 32 * 1024
_EMOJI = re.compile(r":([a-z0-9_+-]{2,40}):")


class TooLongError(Exception):
    """The text takes longer to be read than anybody waits."""


class Heading(NamedTuple):
    """One of a table of contents. level: 1 to 6, as written. id: in the page."""

    level: int
    text: str
    id: str


class Link(NamedTuple):
    """A piece of plain text that is to be a link: from the start to before the end."""

    start: int
    end: int
    url: str


Linker = Callable[[str], Iterable[Link]]


@dataclass
class Run:
    """One rendering: until when, and what is found on the way."""

    deadline: float
    linkers: Sequence[Linker]
    key: str
    words: Words
    headings: list[Heading] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def check(self) -> None:
        """Raises TooLongError when the time is over."""
        if time.monotonic() > self.deadline:
            raise TooLongError


def to_html(text: str, run: Run, *, is_breaks: bool) -> str:
    """The HTML of a text, with what its author put into it: NOT safe, ``clean_html`` makes it so.

    Raises TooLongError.
    """
    return str(_parser(is_breaks).render(text, {"run": run} | ({"docId": run.key} if run.key else {})))


@cache
def _parser(is_breaks: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.admon import admon_plugin
    from mdit_py_plugins.dollarmath import dollarmath_plugin
    from mdit_py_plugins.gfm import gfm_plugin

    parser = MarkdownIt("commonmark", {"breaks": is_breaks, "maxNesting": 40})
    parser.use(gfm_plugin)
    parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, allow_labels=False, double_inline=True)
    parser.use(admon_plugin)
    parser.block.ruler.before("table", "deadline", _check_block)
    parser.inline.ruler.before("text", "deadline", _check_inline)
    parser.core.ruler.push("own", _go_over)
    for name in ("math_inline", "math_inline_double", "math_block"):
        parser.add_render_rule(name, _render_maths)
    parser.add_render_rule("fence", _render_fence)
    parser.add_render_rule("code_block", _render_fence)
    parser.add_render_rule("footnote_anchor", _render_back)
    return parser


def _check_block(state: StateBlock, _start: int, _end: int, _silent: bool) -> bool:
    state.env["run"].check()
    return False


def _check_inline(state: StateInline, _silent: bool) -> bool:
    state.env["run"].check()
    return False


def _go_over(state: StateCore) -> None:
    """Give headings their ids and links, cells their alignment, alerts their titles, texts their emoji and links."""
    run: Run = state.env["run"]
    for at, token in enumerate(state.tokens):
        if token.type == "heading_open":
            _mark_heading(token, state.tokens[at + 1], run)
        elif token.type in ("th_open", "td_open"):
            if style := str(token.attrs.pop("style", "")):
                token.attrSet("align", style.removeprefix("text-align:"))
        elif token.type == "alert_title_open":
            title = state.tokens[at + 1]
            title.content = run.words.alerts.get(title.content.lower(), title.content)
            for child in title.children or ():
                child.content = title.content
        elif token.type == "footnote_block_open":
            run.check()
        if token.type == "inline" and token.children:
            token.children = _go_over_inline(token.children, run)


def _mark_heading(token: Token, inline: Token, run: Run) -> None:
    from markdown_it.token import Token

    text = "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline")).strip()
    slug = _slug(text, run)
    token.attrSet("id", slug)
    run.headings.append(Heading(int(token.tag[1:]), text, f"user-content-{slug}"))
    link = Token("link_open", "a", 1, attrs={"href": f"#{slug}", "class": "anchor", "aria-label": run.words.anchor})
    mark = Token("text", "", 0, content="#")
    inline.children = [*(inline.children or ()), link, mark, Token("link_close", "a", -1)]


def _slug(text: str, run: Run) -> str:
    """As GitHub makes them: letters, digits, dashes; a second one of the same name gets a number."""
    kept = "".join(c for c in text.lower() if c in " -_" or unicodedata.category(c)[0] in "LMN")[:100]
    begin = (f"{run.key}-" if run.key else "") + (kept.strip().replace(" ", "-") or "section")
    slug, number = begin, 0
    while slug in run.ids:
        number += 1
        slug = f"{begin}-{number}"
    run.ids.add(slug)
    return slug


def _go_over_inline(children: list[Token], run: Run) -> list[Token]:
    done: list[Token] = []
    depth = 0
    for child in children:
        run.check()
        depth += (child.type == "link_open") - (child.type == "link_close")
        if child.type != "text":
            done.append(child)
            continue
        if ":" in child.content:
            child.content = _EMOJI.sub(lambda found: find_emoji(found[1]) or found[0], child.content)
        done += _link_text(child, run) if run.linkers and not depth else [child]
    return done


def _link_text(token: Token, run: Run) -> list[Token]:
    from markdown_it.token import Token

    text, done, reached = token.content, list[Token](), 0
    for link in sorted(found for linker in run.linkers for found in linker(text)):
        if link.start < reached or link.end <= link.start:
            continue
        done.append(Token("text", "", 0, content=text[reached : link.start]))
        done.append(Token("link_open", "a", 1, attrs={"href": link.url}))
        done.append(Token("text", "", 0, content=text[link.start : link.end]))
        done.append(Token("link_close", "a", -1))
        reached = link.end
    return [*done, Token("text", "", 0, content=text[reached:])]


def _render_maths(_renderer: Any, tokens: Sequence[Token], at: int, _options: Any, _env: Any) -> str:
    return _maths(tokens[at].content, is_block=tokens[at].type != "math_inline")


def _maths(source: str, *, is_block: bool) -> str:
    # A span in both cases: it may stand in a paragraph.
    return f'<span class="maths{" block" if is_block else ""}">{escape(source.strip())}</span>'


def _render_fence(_renderer: Any, tokens: Sequence[Token], at: int, _options: Any, env: dict[str, Any]) -> str:
    run: Run = env["run"]
    run.check()
    token = tokens[at]
    language = token.info.strip().split()[0].strip("{}.").lower()[:40] if token.info.strip() else ""
    if language == "mermaid":
        return f'<pre class="mermaid-source">{escape(token.content)}</pre>\n'
    if language == "math":
        return f"<p>{_maths(token.content, is_block=True)}</p>\n"
    if language and len(token.content) <= _MAX_COLOURED_CHARS:
        code = "\n".join(highlight(token.content, language=language)) + "\n"
    else:
        code = str(escape(token.content))
    return f'<pre class="code"><code>{code}</code></pre>\n'


def _render_back(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    place = renderer.rules["footnote_anchor_name"](tokens, at, options, env)
    if tokens[at].meta.get("subId", 0) > 0:
        place += f":{tokens[at].meta['subId']}"
    return f' <a href="#fnref{place}" class="footnote-backref" aria-label="{escape(env["run"].words.back)}">↩</a>'
