"""The pages of prompts, skills and MCP servers: what they show to whom, and what they cost."""

from __future__ import annotations

import json

import pytest

from hub.accounts.policy import SYSTEM
from hub.assets.records.mcp_form import Launch, Variable
from hub.repos.files import FileEdit, commit_files
from hub.web.prompts import mark_places
from hub.web.records import client_configuration
from tests.hub.assets.test_mcp_form import SERVER, TOOLS
from tests.support.jobs import run_now

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html"}
PROMPT = {
    "title": "<b>Sum up</b>",
    "content": "Sum up {{text}} for {{reader}}.",
    "tags": ["Research"],
    "language": "en",
    "variables": [{"name": "text", "required": True, "description": "<i>all of it</i>"}, {"name": "old"}],
    "messages": [{"role": "system", "content": "You are <script>brief</script>."}],
    "examples": [{"input": "long", "output": "short"}],
    "source": "javascript:alert(1)",
}
SKILL = "---\nname: weather\ndescription: Tells <u>the weather</u>.\nallowed-tools: Read Bash(curl:*)\n---\n# Weather\n"


@pytest.fixture
def write(context):
    """``write(repository, {"a.jsonl": {...}})``: a commit of these files, read into the lists; its id."""

    def commit(repository, files, message="More"):
        texts = {path: text if isinstance(text, str) else json.dumps(text) for path, text in files.items()}
        edits = [FileEdit(path, content=text.encode()) for path, text in texts.items()]
        done = commit_files(context, actor=SYSTEM, repository_id=repository.id, message=message, edits=edits)
        run_now(context, "assets.index", repository_id=repository.id)
        return done.commit_id

    return commit


def test_a_library_lists_its_prompts_and_says_who_may_add_one(make_user, make_repository, write, sign, see):
    ada, bob = make_user(), make_user("bob")
    library = make_repository(ada, "texts", kind="prompt")
    assert 'data-testid="library.first"' in see("/prompts/library/ada/texts", sign(ada))
    assert 'data-testid="library.first"' not in see("/prompts/library/ada/texts", sign(bob))
    write(library, {"sum up.jsonl": PROMPT, "other.jsonl": {"title": "Other", "content": "Nothing", "language": "zh"}})
    page = see("/prompts/library/ada/texts")
    assert page.count('data-testid="prompts.card"') == 2
    assert "/prompts/library/ada/texts/prompt/sum%20up.jsonl" in page
    assert "&lt;b&gt;Sum up&lt;/b&gt;" in page
    assert "prompt/export?format=csv" in page
    one = see("/prompts/library/ada/texts?tag=Research")
    assert one.count('data-testid="prompts.card"') == 1
    assert 'value="Research"' in one
    assert 'data-testid="library.clear"' in see("/prompts/library/ada/texts?language=fr")
    assert see("/prompts/all?search=nothing+more").count('data-testid="prompts.card"') == 0
    assert see("/prompts/all?language=zh&sort=sideways").count('data-testid="prompts.card"') == 1


def test_a_prompt_shows_its_parts_escaped_and_what_is_wrong(make_user, make_repository, write, sign, see, client):
    ada, bob = make_user(), make_user("bob")
    first = write(
        make_repository(ada, "texts", kind="prompt"), {"a/b.jsonl": PROMPT | {"messages": []}, "a.jsonl": PROMPT}
    )
    address = "/prompts/library/ada/texts/prompt/a.jsonl"
    page = see(address)
    assert 'Sum up <mark class="place">{{text}}</mark> for' in page
    assert "&lt;script&gt;brief" in page
    assert "&lt;i&gt;all of it" in page
    assert 'href="javascript:' not in page
    assert "not in the table of variables: reader" in page
    assert "in no text: old" in page
    assert 'data-testid="prompt.edit"' not in page
    assert 'data-testid="prompt.edit"' in see(address, sign(ada))
    assert 'data-testid="prompt.delete"' not in see(address, sign(bob))
    assert 'data-testid="prompt-edit.save"' in see(f"{address}?mode=edit", sign(ada))
    assert 'data-testid="prompt-edit.save"' not in see(f"{address}?mode=edit", sign(bob))
    see(f"{address}?mode=edit", status=401)
    part = client.get(f"{address}?part=versions", headers={**HTML, "HX-Request": "true"}).text
    assert "<html" not in part
    assert first[:8] in part
    for wrong in (
        "/prompts/library/ada/texts/prompt/no.jsonl",
        f"{address}?ref=nowhere",
        "/models/ada/texts/prompt/a.jsonl",
    ):
        see(wrong, status=404)


def test_two_versions_stand_beside_each_other(make_user, make_repository, write, see):
    library = make_repository(make_user(), "texts", kind="prompt")
    old = write(library, {"a.jsonl": PROMPT})
    write(
        library, {"a.jsonl": PROMPT | {"content": "Sum up {{text}} at once.", "tags": ["Research", "Short"]}}, "Hurry"
    )
    address = "/prompts/library/ada/texts/prompt/a.jsonl?mode=compare"
    page = see(address)
    assert 'class="w add"' in page
    assert "Research, Short" in page
    assert "Hurry" in page
    assert 'class="w add"' in see(f"{address}&a={old}&view=split")
    assert 'data-testid="empty"' in see(f"{address}&a={old}&b={old}")
    assert 'data-state="error"' in see(f"{address}&a=nowhere")


def test_a_skill_tells_its_manifest_how_to_install_it_and_its_versions(
    client, make_user, make_repository, write, sign, see
):
    ada, bob = make_user(), make_user("bob")
    skill = make_repository(ada, "weather", kind="skill")
    page = see("/skills/ada/weather", sign(ada))
    assert "There is no SKILL.md" in page
    assert 'data-testid="skill.write"' in page
    write(skill, {"SKILL.md": SKILL.replace("name: weather", "name: Weather!")})
    page = see("/skills/ada/weather", sign(ada))
    assert "SKILL.md#L2" in page
    assert 'data-testid="publish.form"' not in page
    write(skill, {"SKILL.md": SKILL})
    assert 'data-testid="publish.form"' in see("/skills/ada/weather", sign(ada))
    body = {"version": "1.2.0", "changelog": "Knows <rain>"}
    assert client.post("/api/v1/skills/ada/weather/publish", json=body, headers=sign(ada)).status_code == 200
    page = see("/skills/ada/weather", sign(bob))
    assert "Tells &lt;u&gt;the weather" in page
    assert "Bash(curl:*)" in page
    assert "ada--weather" in page
    assert "Knows &lt;rain&gt;" in page
    assert "/api/v1/skills/ada/weather/versions/1.2.0/download" in page
    assert 'data-testid="publish.form"' not in page


def test_a_server_shows_what_it_offers_and_how_it_is_started(make_user, make_repository, write, see):
    ada = make_user()
    write(make_repository(ada, "maps", kind="mcpserver"), {"tools.json": TOOLS, "server.json": SERVER})
    assert 'data-testid="server.tool"' in see("/mcp/servers/ada/maps")
    page = see("/mcp/servers/ada/maps/schema")
    assert "forecast" in page
    assert "mcpServers" in page
    assert "KEY" in page
    assert see("/mcp/servers/ada/maps/schema?show=resource").count('data-testid="schema.item"') < page.count(
        'data-testid="schema.item"'
    )
    assert "Nothing matches" in see("/mcp/servers/ada/maps/schema?search=nothing")
    assert see("/mcp/tools?search=forecast").count('data-testid="tools.row"') == 1
    assert "No tool matches" in see("/mcp/tools?search=nothing")
    see("/models/ada/maps/schema", status=404)


def test_what_is_private_is_as_if_it_were_not_there(make_user, make_repository, write, sign, see):
    ada, bob = make_user(), make_user("bob")
    write(make_repository(ada, "texts", kind="prompt", private=True), {"a.jsonl": PROMPT})
    write(make_repository(ada, "maps", kind="mcpserver", private=True), {"tools.json": TOOLS})
    for query in ("", "?mode=edit", "?mode=compare"):
        see(f"/prompts/library/ada/texts/prompt/a.jsonl{query}", sign(bob), status=404)
    see("/prompts/library/ada/texts/prompt", sign(bob), status=404)
    see("/mcp/servers/ada/maps/schema", sign(bob), status=404)
    assert "prompts.card" not in see("/prompts/all", sign(bob))
    assert "tools.row" not in see("/mcp/tools", sign(bob))
    assert "tools.row" in see("/mcp/tools", sign(ada))


def test_these_pages_take_few_queries(make_user, make_repository, write, sign, see, count_queries):
    ada = make_user()
    prompts = {f"{number}.jsonl": PROMPT for number in range(20)}
    write(make_repository(ada, "texts", kind="prompt"), prompts)
    write(make_repository(ada, "maps", kind="mcpserver"), {"tools.json": TOOLS, "server.json": SERVER})
    headers, costs = sign(ada), {}
    for path, most in (
        ("/prompts/library/ada/texts", 26),
        ("/prompts/all", 9),
        ("/prompts/library/ada/texts/prompt/1.jsonl", 14),
        ("/mcp/tools", 8),
        ("/mcp/servers/ada/maps/schema", 20),
    ):
        see(path, headers)
        with count_queries() as queries:
            see(path, headers)
        costs[path] = (len(queries), most)
    assert all(count <= most for count, most in costs.values()), costs


def test_places_are_marked_and_hostile_texts_are_texts():
    assert mark_places("<{{ a }}>{{<b>}}") == '&lt;<mark class="place">{{ a }}</mark>&gt;{{&lt;b&gt;}}'


def test_a_client_is_told_a_command_an_image_or_an_address():
    secret = Variable("KEY", required=True, secret=True)
    command = Launch(
        "x", command="uvx", args=["maps"], env=[secret, Variable("STYLE", default="light"), Variable("NO")]
    )
    assert json.loads(client_configuration("maps", command))["mcpServers"]["maps"] == {
        "command": "uvx",
        "args": ["maps"],
        "env": {"KEY": "<KEY>", "STYLE": "light"},
    }
    image = json.loads(client_configuration("maps", Launch("x", image="ada/maps:1", env=[secret])))["mcpServers"][
        "maps"
    ]
    assert image["args"] == ["run", "-i", "--rm", "-e", "KEY", "ada/maps:1"]
    remote = Launch("x", "sse", url="https://maps.example.org", headers=[secret])
    assert json.loads(client_configuration("maps", remote))["mcpServers"]["maps"] == {
        "type": "sse",
        "url": "https://maps.example.org",
        "headers": {"KEY": "<KEY>"},
    }
