"""What MCP servers offer, over REST. Source of the shapes: CSGHub contract, sections 1.4, 4.3 and 5.3."""

import base64
import json

import pytest

from hub.api.mcp_schemas import McpLaunchSchema
from tests.hub.assets.test_mcp_form import MANIFEST, SERVER, TOOLS
from tests.support.api import data
from tests.support.jobs import run_now


def put(context, caller, name, **files):
    changes = [
        {"path": path, "action": "create", "content": base64.b64encode(json.dumps(content).encode()).decode()}
        for path, content in files.items()
    ]
    data(caller.post(f"/mcps/ada/{name}/commit/main", {"message": "m", "files": changes}))
    run_now(context, "assets.index", repository_id=data(caller.get(f"/mcps/ada/{name}"))["repository_id"])


def test_tools_are_listed_over_all_servers_that_one_may_read(as_user, nobody, context, count_queries):
    ada = as_user("ada")
    for name, private in (("weather", False), ("inner", True)):
        data(ada.post("/mcps", {"name": name, "private": private, "configuration": ""}))
        put(context, ada, name, **{"manifest.json": MANIFEST, "tools.json": TOOLS, "server.json": SERVER})

    def listed(caller, query=""):
        return data(caller.get(f"/mcps/tools?{query}"))

    page = listed(nobody)
    assert (page["total"], [item["repo_path"] for item in page["data"]]) == (1, ["ada/weather"])
    tool = page["data"][0]
    assert (tool["kind"], tool["name"], json.loads(tool["schema"])["type"]) == ("tool", "forecast", "object")
    assert {"id", "mcp_server_id", "repository_id", "description", "created_at", "updated_at", "tags"} <= set(tool)
    assert listed(ada, "search=SAYS+weather")["total"] == 2
    assert listed(nobody, "search=nothing")["data"] == []
    shown = data(nobody.get("/mcps/ada/weather"))
    assert [shown[f"{name}_num"] for name in ("tools", "prompts", "resources")] == [1, 1, 2]
    assert shown["transports"] == ["stdio", "streamable-http"]
    assert json.loads(shown["schema"])["required"] == ["KEY"]
    of_one = nobody.get("/mcps/ada/weather/properties?kind=resource")
    assert [item["name"] for item in data(of_one)] == ["now"]
    assert nobody.get("/mcps/ada/weather/properties").json["total"] == 4
    assert nobody.get("/mcps/ada/inner/properties").status_code == 404
    counts = []
    for per in (1, 2):
        with count_queries() as queries:
            listed(ada, f"per={per}")
        counts.append(len(queries))
    assert max(counts) - min(counts) <= 1  # the total
    # What leaves the files leaves the list; what stays keeps its id.
    put(context, ada, "weather", **{"manifest.json": MANIFEST | {"tools": []}, "tools.json": []})
    assert listed(nobody)["data"] == []
    assert data(nobody.get("/mcps/ada/weather"))["tools_num"] == 0
    # Of gated ones only who gets the content is told.
    put(context, ada, "weather", **{"tools.json": TOOLS})
    data(ada.put("/mcps/ada/weather/gate", {"gated": "manual"}))
    assert listed(nobody)["data"] == []
    assert nobody.get("/mcps/ada/weather/properties").status_code == 401
    assert not data(nobody.get("/mcps/ada/weather"))["schema"]
    assert listed(ada)["total"] == 2


@pytest.mark.any_database
def test_how_a_server_is_started_is_told_by_its_files_and_its_owner(as_user, nobody, context):
    ada = as_user("ada")
    data(ada.post("/mcps", {"name": "weather"}))
    empty = data(nobody.get("/mcps/ada/weather/launch"))
    assert not McpLaunchSchema().validate(empty)
    assert (empty["command"], empty["options"], empty["commit_id"]) == ("", [], "")
    conf = {"language": "python", "launch_cmds": ["python a.py", "wait"]}
    put(context, ada, "weather", **{"server.json": SERVER, "mcp_space_conf.json": conf})
    launch = data(nobody.get("/mcps/ada/weather/launch"))
    assert (launch["command"], launch["source"], launch["transport"]) == ("uvx", "server.json", "stdio")
    assert (launch["program_language"], launch["launch_cmds"]) == ("python", "python a.py\nwait")
    assert launch["env_schema"]["properties"]["WEATHER_KEY"]["writeOnly"]
    assert [option["image"] for option in launch["options"]] == ["", "registry.example/weather:1.2.0", ""]
    own = {
        "command": "python",
        "args": ["-m", "weather"],
        "env": {"WEATHER_MODE": "slow", "WEATHER_KEY": "mine", "NEW": 1},
    }
    body = {"configuration": json.dumps(own), "launch_cmds": "python b.py", "run_mode": "http"}
    data(ada.put("/mcps/ada/weather", body))
    launch = data(nobody.get("/mcps/ada/weather/launch"))
    assert (launch["command"], launch["args"], launch["source"]) == ("python", ["-m", "weather"], "configuration")
    assert (launch["launch_cmds"], launch["run_mode"]) == ("python b.py", "http")
    assert {each["name"]: each["default"] for each in launch["env"]} == {
        "WEATHER_KEY": "",
        "WEATHER_MODE": "slow",
        "NEW": "1",
    }
    data(ada.put("/mcps/ada/weather", {"configuration": "not json"}))
    launch = data(nobody.get("/mcps/ada/weather/launch"))
    assert (launch["command"], len(launch["problems"])) == ("uvx", 1)
