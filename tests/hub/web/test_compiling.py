import pytest
from jinja2 import DictLoader, Environment, UndefinedError
from markupsafe import Markup

from hub.web.compiling import install


class Odd(str):
    def __html__(self):
        return "<i>odd</i>"


@pytest.fixture
def render():
    """``render("{{ x }}", x="<b>")``, escaping as pages do."""

    def find(source, **values):
        environment = Environment(autoescape=True, loader=DictLoader({"page": source, "part": "{{ x }}"}))
        install(environment)
        return environment.get_template("page").render(**values)

    return find


@pytest.mark.parametrize(
    "source, values, text",
    [
        ("{{ x }}", {"x": "<b> & \"'"}, "&lt;b&gt; &amp; &#34;&#39;"),
        ("{{ x }}", {"x": Markup("<b>")}, "<b>"),
        ("{{ x }}|{{ y }}|{{ none }}", {"x": 7, "y": ["<"]}, "7|[&#39;&lt;&#39;]|None"),
        ("{{ x }}", {"x": Odd("<script>")}, "<i>odd</i>"),
        ("{% set it %}{{ x }}{% endset %}{{ it }}{{ it }}", {"x": "<"}, "&lt;&lt;"),
        ("{% macro m(a) %}<p>{{ a }}</p>{% endmacro %}{{ m(x) }}", {"x": "<"}, "<p>&lt;</p>"),
        (
            "{% macro m() %}<p>{{ caller() }}</p>{% endmacro %}{% call m() %}{{ x }}{% endcall %}",
            {"x": "<"},
            "<p>&lt;</p>",
        ),
        ("{% block b %}{{ x }}{% endblock %}{{ self.b() }}", {"x": "<"}, "&lt;&lt;"),
        ("{% autoescape false %}{{ x }}{% endautoescape %}{% include 'part' %}", {"x": "<"}, "<&lt;"),
        ("{% for a in x %}{{ _('%(a)s <', a=a) }}{% endfor %}", {"x": "<>"}, "&lt; &lt;&gt; &lt;"),
        ("{{ x ~ '<' }}{{ (x ~ '<')|safe }}", {"x": ">"}, "&gt;&lt;><"),
    ],
)
def test_what_is_said_is_safe_and_said_once(render, source, values, text):
    assert render(source, _=lambda english, **named: english % named, **values) == text


class Thing:
    one = 1

    @property
    def broken(self):
        raise AttributeError("in the property")


@pytest.mark.parametrize(
    "source, text",
    [
        ("{{ d.one }}{{ d['one'] }}{{ o.one }}{{ o['one'] }}", "1111"),
        ("{{ d.two }}|{{ o.two }}|{{ o.broken }}|{{ none.two is defined }}", "|||False"),
        ("{{ d.items()|list }}", "[(&#39;one&#39;, 1)]"),  # the method, not a member of that name
        ("{% for a in [d] %}{{ loop.index }}{{ loop.nowhere }}{{ a.one }}{% endfor %}", "11"),
        ("{{ [d, o]|map(attribute='one')|list }}{{ d.none is none }}{{ d.one.real }}", "[1, 1]False1"),
    ],
)
def test_members_are_found_as_jinja_finds_them(render, source, text):
    values = {"d": {"one": 1}, "o": Thing()}
    assert render(source, **values) == Environment(autoescape=True).from_string(source).render(**values) == text


def test_a_member_of_nothing_is_a_fault(render):
    with pytest.raises(UndefinedError, match="'nothing' is undefined"):
        render("{{ nothing.at.all }}")


def test_what_is_called_and_is_not_there_is_a_fault(render):
    with pytest.raises(Exception, match="'icon' is undefined"):
        render("{{ icon('x') }}")
