"""Markdown as HTML: what it can do, what it lets nobody do, and within what bounds."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from hub.web.markdown import LinkBase, render_document, render_markdown, without_head
from hub.web.markdown_rules import Link
from tests.support.plugins import open_client
from tests.support.xss import VECTORS

pytestmark = pytest.mark.any_database

BASE = LinkBase("/models/ada/bert", "v1/x", "docs")


@pytest.fixture
def render(context):
    """``render_document`` within a request."""
    app = open_client(context).application

    def run(text, **options):
        with app.test_request_context("/"):
            return render_document(text, **options)

    return run


@pytest.mark.parametrize(
    "text, part",
    [
        ("~~gone~~ :rocket: :tada: 12:30:10", "<s>gone</s> 🚀 🎉 12:30:10"),
        ("- [x] done", 'checked="" '),
        ("| a |\n|:-:|\n| b |", '<td align="center">b</td>'),
        ("a[^1]\n\n[^1]: note", '<a id="user-content-fnref1" href="#user-content-fn1">[1]</a>'),
        ("see www.example.org and README.md", ">www.example.org</a> and README.md"),
        ("$5 and $6, but $a<b$", '$5 and $6, but <span class="maths">a&lt;b</span>'),
        ("$$\nx\n$$", '<span class="maths block">x</span>'),
        ("> [!WARNING]\n> hot", 'markdown-alert-title">Warning<'),
        ("!!! tip\n    well", '<div class="admonition tip">'),
        ("```python\ndef f(): ...\n```", '<span class="nf">f</span>'),
        ("```mermaid\ngraph TD; A-->B\n```", '<pre class="mermaid-source" tabindex="0">graph TD; A--&gt;B'),
        ("<details><summary>s</summary>\n\n**b**\n</details>", "<strong>b</strong>"),
        ('<img src="a.png" width="10" style="color:red" class="bar">', '<img width="10" src="'),
    ],
)
def test_what_people_write_on_github_looks_alike_here(render, text, part):
    assert part in render(text, base=BASE).html


@pytest.mark.parametrize(
    "text, address",
    [
        ("[a](other.md)", "/models/ada/bert/blob/v1%2Fx/docs/other.md"),
        ("[a](../LICENSE)", "/models/ada/bert/blob/v1%2Fx/LICENSE"),
        ("[a](../../../../etc/passwd)", "/models/ada/bert/blob/v1%2Fx/etc/passwd"),
        ("[a](/src/a%20b.py?x=1)", "/models/ada/bert/blob/v1%2Fx/src/a%20b.py"),
        ("[a](..)", "/models/ada/bert/files/v1%2Fx"),
        ("[a](b.md#part)", "/models/ada/bert/blob/v1%2Fx/docs/b.md#user-content-part"),
        ("[a](/datasets/ada/texts)", "/datasets/ada/texts"),
        ("![a](pic.png)", "/models/ada/bert/resolve/v1%2Fx/docs/pic.png"),
        ('<video src="a.mp4"></video>', "/models/ada/bert/resolve/v1%2Fx/docs/a.mp4"),
        ("# Part\n[a](#part)", "#user-content-part"),
    ],
)
def test_relative_addresses_lead_to_the_files_of_that_revision(render, text, address):
    assert f'"{address}"' in render(text, base=BASE).html


def test_no_picture_of_another_site_is_fetched_and_foreign_links_lend_no_weight(render):
    html = render("[![badge](https://a.example/b.svg)](https://c.example) ![](//d.example/e.png)", base=BASE).html
    assert "<img" not in html
    assert html.count("<a ") == 2
    assert html.count('rel="nofollow noopener noreferrer"') == 2
    assert 'title="Picture from another site: https://a.example/b.svg">badge<' in html


def test_headings_stand_below_the_pages_own_without_gaps_and_are_listed(render):
    found = render("# One\n#### Deep\n## One\n<h1>Raw</h1>")
    assert [heading.id for heading in found.headings] == [f"user-content-{id}" for id in ("one", "deep", "one-1")]
    tags = [found.html[at + 1 : at + 3] for at in range(len(found.html)) if found.html.startswith("<h", at)]
    assert tags == ["h2", "h3", "h3", "h2"]


def test_names_become_links_where_somebody_knows_them(context):
    def link_ada(text):
        at = text.find("@ada")
        return [Link(at, at + 4, "/profile/ada")] if at >= 0 else []

    with open_client(context).application.test_request_context("/"):
        html = render_markdown("hi @ada, `@ada` and [@ada](x)", linkers=[link_ada])
    assert html.count('<a href="/profile/ada">@ada</a>') == 1


@pytest.mark.parametrize(
    "text",
    [
        "<div>" * 300,
        "<b>" * 300,
        "".join(f"<b id={n}></i>" for n in range(300)),
        "".join(f"<b id={n}>" for n in range(100)) + "<p>x" * 6000,
    ],
    ids=["elements", "unclosed", "closed wrongly", "made anew"],
)
def test_html_that_would_take_minutes_to_read_is_shown_as_it_is_written(render, text):
    assert "takes too long to be formatted" in render(text).html
    assert "&lt;" in render(text).html


def test_markdown_that_takes_too_long_is_shown_as_it_is_written(render, monkeypatch):
    monkeypatch.setattr("hub.web.markdown._BUDGET_S", 0)
    assert render("**[** [[[[ not bold").html.endswith('<pre tabindex="0">**[** [[[[ not bold</pre>')


def test_nine_megabytes_are_cut_with_a_notice(render):
    found = render("word " * 1_900_000)
    assert found.is_cut
    assert "too long to be shown whole" in found.html
    assert len(found.html) < 400_000


def test_the_head_of_a_file_is_no_text():
    assert without_head("---\na: 1\n---\n# Title\n") == "# Title\n"
    assert without_head("# Title\n---\n") == "# Title\n---\n"


class _Judge(HTMLParser):
    """Notes what could run, or ask another site for something."""

    def __init__(self):
        super().__init__()
        self.faults = []

    def handle_starttag(self, tag, attrs):
        if tag in (
            "script",
            "style",
            "iframe",
            "object",
            "embed",
            "svg",
            "math",
            "base",
            "meta",
            "link",
            "form",
            "button",
        ):
            self.faults.append(tag)
        for name, value in attrs:
            value = "".join((value or "").split()).lower()
            if name.startswith(("on", "hx-", "data-", "style", "srcset", "ping", "formaction", "xlink")):
                self.faults.append(name)
            if name in ("src", "poster", "background") and not (value.startswith("/") and not value.startswith("//")):
                self.faults.append(f"{name}={value}")
            if name == "href" and not value.startswith(("/", "#", "https://", "http://", "mailto:")):
                self.faults.append(f"href={value}")
            if name == "id" and not value.startswith("user-content-"):
                self.faults.append(f"id={value}")


def test_no_vector_leaves_a_handler_a_script_or_a_foreign_address(render):
    assert len(set(VECTORS)) >= 200
    for options in ({"base": BASE}, {"is_breaks": True}):
        for vector in VECTORS:
            judge = _Judge()
            judge.feed(str(render(vector, **options).html))
            assert judge.faults == [], vector


def test_a_preview_is_for_those_who_are_signed_in(client, make_user, make_token):
    given = {"text": "**b** ![](a.png)", "base": "/models/ada/bert/blob/main/docs/x.md"}
    assert client.post("/-/preview", data=given).status_code == 401
    token = make_token(make_user(), "read")
    answer = client.post("/-/preview", data=given, headers={"Authorization": f"Bearer {token}"})
    assert "<strong>b</strong>" in answer.text
    assert 'src="/models/ada/bert/resolve/main/docs/a.png"' in answer.text


def test_diagrams_are_drawn_where_no_right_reaches(client):
    policy = client.get("/-/diagram").headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none';")
    assert "connect-src" not in policy
