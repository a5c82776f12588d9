import pytest
from jinja2 import DictLoader, Environment
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


def test_what_is_called_and_is_not_there_is_a_fault(render):
    with pytest.raises(Exception, match="'icon' is undefined"):
        render("{{ icon('x') }}")
