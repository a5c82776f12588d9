import html
import re

import pytest

from hub.web import highlight as module
from hub.web.highlight import MAX_CHARS, MAX_LINE_CHARS, highlight, highlight_blob, language_of, split_lines

pytestmark = pytest.mark.any_database

CODE = 'def f(x):\n    """Two\n    lines."""\n    return "<b>" + x  # ü\n'


def plain(lines):
    return [html.unescape(re.sub("<[^>]*>", "", line)) for line in lines]


@pytest.mark.parametrize("how", [{"path": "a/b.py"}, {"language": "python"}, {"language": "Python"}])
def test_each_line_is_a_piece_of_its_own_with_the_same_text(how):
    lines = highlight(CODE, **how)
    assert plain(lines) == CODE.splitlines()
    assert '<span class="k">def' in lines[0]
    assert lines[1].count("<span") == lines[1].count("</span>") == 1
    assert "<b>" not in "".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "a",
        "a\n",
        "\n\na\n\n",
        "a\r\nb\r\n",
        "a\u2028b\x0cc\x85d\n",
        "<script>alert(1)</script>",
        "\ud7ff\x00",
    ],
)
def test_lines_are_those_that_git_counts(text):
    for path in ("a.py", "a.html", "a.md", "a.json", "a.yaml", "a.unknown", "a.diff"):
        assert plain(highlight(text, path=path)) == split_lines(text)
        assert "<script" not in "".join(highlight(text, path=path))


@pytest.mark.parametrize("text", ["x = 1\n" * (MAX_CHARS // 6 + 1), "x = 1\n" + "y" * (MAX_LINE_CHARS + 1)])
def test_what_is_too_long_stays_plain(text):
    lines = highlight(text, path="a.py")
    assert lines == split_lines(text)


def test_what_takes_too_long_goes_on_without_colours(monkeypatch):
    monkeypatch.setattr(module, "_BUDGET_S", -1)
    assert highlight(CODE, path="a.py") == [html.escape(line).replace("&quot;", "&#34;") for line in CODE.splitlines()]


@pytest.mark.parametrize("language", ["", "text", "no-such-language", "x" * 10_000, "../../etc/passwd", "\0"])
def test_a_language_that_is_unknown_is_none(language):
    assert highlight("a < b", language=language) == ["a &lt; b"]


def test_languages_are_told_by_names_of_files():
    names = {"x/train.PY": "Python", "Dockerfile": "Docker", "CMakeLists.txt": "CMake", "a.R": "S", "notes.txt": ""}
    assert {name: language_of(name) for name in names} == names


def test_an_object_is_read_once(context, monkeypatch):
    first = highlight_blob(context, "0" * 40, CODE, path="a.py")
    monkeypatch.setattr(module, "highlight", None)
    assert highlight_blob(context, "0" * 40, CODE, path="dir/a.py") == first
