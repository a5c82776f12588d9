"""Skills over REST: versions bound to commits, packages, and the registry in ClawHub's dialect.

Source of the shapes: CSGHub contract, sections 4.3, 4.10, 5.1 and 5.3.
"""

import base64
import hashlib
import io
import json
import threading
import zipfile

import pytest

from hub.assets.records import packages
from tests.support.api import data, refusal
from tests.support.jobs import run_now

anywhere = pytest.mark.any_database


def skill_md(name, **members):
    lines = [f"name: {name}", f"description: Does what {name} does."]
    lines += [f"{key}: {value}" for key, value in members.items()]
    return "\n".join(["---", *lines, "---", "# Do it", ""]).encode()


def put(caller, path, name, content):
    body = {"message": "m", "branch": "main", "content": base64.b64encode(content).decode()}
    return data(caller.post(f"{path}/raw/{name}", body))["commit_id"]


def zipped(**files):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def index(context, caller, path):
    run_now(context, "assets.index", repository_id=data(caller.get(f"/skills/{path}"))["repository_id"])


@anywhere
def test_a_version_stays_bound_to_its_commit(as_user, nobody):
    ada = as_user("ada")
    data(ada.post("/skills", {"name": "weather", "license": "mit"}))
    base = "/skills/ada/weather"
    missing = data(nobody.get(f"{base}/manifest"))
    assert (missing["is_valid"], missing["slug"]) == (False, "ada--weather")
    put(ada, base, "SKILL.md", b"---\nname: Weather!\n---\n")
    refused = ada.post(f"{base}/publish", {"version": "1.0.0"})
    assert refusal(refused) == (422, "SKILL-ERR-2")
    assert [problem["line"] for problem in refused.json["context"]["problems"]] == [2, 2]
    assert nobody.get(f"{base}/versions").json["data"] == []

    first = put(ada, base, "SKILL.md", skill_md("weather", license="Apache-2.0"))
    made = data(ada.post(f"{base}/publish", {"version": "v1.0.0", "changelog": "First"}))
    assert (made["ok"], made["version"], made["commit"]) == (True, "1.0.0", first)
    assert {"skillId", "versionId"} <= set(made)
    assert refusal(ada.post(f"{base}/publish", {"version": "1.0.0"})) == (409, "SKILL-ERR-6")
    assert refusal(ada.post(f"{base}/publish", {"version": "1.0"})) == (400, "REQ-ERR-6")
    put(ada, base, "more.txt", b"more")
    data(ada.post(f"{base}/publish", {"version": "1.10.0-rc.1", "license": "MIT"}))
    data(ada.post(f"{base}/publish", {"version": "1.2.0"}))
    # A tag that somebody has put elsewhere is not moved.
    data(ada.post(f"{base}/git_tags", {"name": "v3.0.0", "revision": first}))
    assert refusal(ada.post(f"{base}/publish", {"version": "3.0.0"})) == (409, "SKILL-ERR-6")

    shown = data(nobody.get(base))
    assert shown["latest_version"] == "1.2.0"
    assert [version["version"] for version in shown["versions"]] == ["1.10.0-rc.1", "1.2.0", "1.0.0"]
    assert {"commit", "changelog", "license", "created_at"} <= set(shown["versions"][0])
    listed = nobody.get(f"{base}/versions?per=2")
    assert (listed.json["total"], data(listed)[0]["license"], data(listed)[0]["username"]) == (3, "MIT", "ada")
    assert data(nobody.get(f"{base}/versions/1.0.0"))["license"] == "Apache-2.0"
    assert refusal(nobody.get(f"{base}/versions/9.9.9")) == (404, "SKILL-ERR-1")
    packed = nobody.client.get(f"/api/v1{base}/versions/1.0.0/download")
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        assert set(archive.namelist()) == {"README.md", ".gitattributes", "SKILL.md"}
    # Whatever becomes of the branch, the version is there.
    data(ada.post(f"{base}/branches", {"name": "other", "revision": first}))
    data(ada.put(base, {"default_branch": "other"}))
    data(ada.delete(f"{base}/branches/main"))
    with zipfile.ZipFile(io.BytesIO(nobody.client.get(f"/api/v1{base}/versions/1.2.0/download").data)) as archive:
        assert archive.read("more.txt") == b"more"


def test_of_two_who_publish_a_version_at_once_one_is_told(as_user, client):
    ada = as_user("ada")
    data(ada.post("/skills", {"name": "weather"}))
    put(ada, "/skills/ada/weather", "SKILL.md", skill_md("weather"))
    codes, barrier = [], threading.Barrier(2)

    def publish():
        barrier.wait()
        with client.application.test_client() as own:
            answer = own.post("/api/v1/skills/ada/weather/publish", json={"version": "1.0.0"}, headers=ada.headers)
            codes.append(answer.status_code)

    threads = [threading.Thread(target=publish) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, 409]


def send_package(caller, content, ticket=None, segment="skills"):
    form = ticket or data(caller.post(f"/{segment}/upload_url"))
    fields = dict(form["formData"]) | {"file": (io.BytesIO(content), "package.zip")}
    return caller.client.post(form["url"].partition("/api/v1")[1] + "/packages", data=fields)


@anywhere
def test_a_repository_is_made_of_a_package(as_user, nobody, monkeypatch):
    ada, bob = as_user("ada"), as_user("bob")
    files = {"weather/SKILL.md": skill_md("weather"), "weather/data/a.bin": b"\0" * 100, "__MACOSX/x": b"x"}
    content = zipped(**files)
    stored = data(send_package(ada, content))
    assert stored == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    data(ada.post("/skills", {"name": "weather", "skill_file": stored["sha256"]}))
    names = {file["path"] for file in data(ada.get("/skills/ada/weather/all_files"))}
    assert {"SKILL.md", "data/a.bin", "README.md"} <= names
    assert data(ada.get("/skills/ada/weather/manifest"))["is_valid"]
    code = data(send_package(ada, zipped(**{"main.py": b"1"}), segment="codes"))["sha256"]
    data(ada.post("/codes", {"name": "thing", "code_file": code}))
    assert data(ada.get("/codes/ada/thing/raw/main.py")) == "1"
    # It is its sender's.
    assert refusal(bob.post("/skills", {"name": "weather", "skill_file": stored["sha256"]}))[0] == 404
    assert refusal(ada.post("/models", {"name": "weather", "skill_file": stored["sha256"]})) == (400, "REQ-ERR-6")

    ticket = data(ada.post("/skills/upload_url"))
    ticket["formData"]["policy"] = ticket["formData"]["policy"].replace(".", ".1", 1)
    assert refusal(send_package(ada, content, ticket)) == (403, "ticket_invalid")
    monkeypatch.setattr(packages, "MAX_UNPACKED_BYTES", 1000)
    linked = io.BytesIO()
    with zipfile.ZipFile(linked, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    for bad, code in (
        (b"no zip", "archive_unreadable"),
        (zipped(**{"../../etc/passwd": b"x"}), "REQ-ERR-6"),
        (zipped(**{"/etc/passwd": b"x"}), "REQ-ERR-6"),
        (zipped(**{"a/.git/config": b"x", "b": b"x"}), "REQ-ERR-6"),
        (zipped(bomb=b"\0" * 5000), "SKILL-ERR-9"),
        (zipped(**{f"f{at}": b"" for at in range(2001)}), "SKILL-ERR-8"),
        (zipped(A=b"x", a=b"y"), "archive_unreadable"),
        (zipped(), "archive_unreadable"),
        (linked.getvalue(), "archive_unreadable"),
        (content[:-30], "archive_unreadable"),
    ):
        sha256 = data(send_package(ada, bad))["sha256"]
        assert refusal(ada.post("/skills", {"name": "bad", "skill_file": sha256}))[1] == code, code
        assert nobody.get("/skills/ada/bad").status_code == 404


def claw(caller, path, **form):
    address = f"/claw/api/v1{path}"
    if form:
        return caller.client.post(address, data=form, headers=caller.headers)
    return caller.client.get(address, headers=caller.headers)


def publish(caller, slug, version, *, files=None, **members):
    name = slug.rpartition("--")[2]
    files = {"SKILL.md": skill_md(name, metadata="{category: Weather}")} if files is None else files
    payload = {"slug": slug, "version": version, "displayName": name.title(), **members}
    parts = [(io.BytesIO(content), path) for path, content in files.items()]
    return claw(caller, "/skills", payload=json.dumps(payload), files=parts)


def test_the_registry_publishes_finds_and_gives_skills(as_user, nobody, context, count_queries):
    ada, bob = as_user("ada"), as_user("bob")
    made = publish(ada, "weather", "1.0.0", changelog="First").json
    assert (made["ok"], set(made)) == (True, {"ok", "skillId", "versionId", "version", "commit"})
    about = {"SKILL.md": skill_md("weather"), "lib/a.py": b"a"}
    assert publish(ada, "ada--weather", "1.1.0", files=about).status_code == 200
    assert publish(ada, "weather", "1.2.0", files={"SKILL.md": skill_md("weather")}).status_code == 200
    assert publish(bob, "hidden", "1.0.0", private=True).status_code == 200
    index(context, ada, "ada/weather")
    index(context, bob, "bob/hidden")

    results = claw(nobody, "/search?q=DOES+weather").json["results"]
    assert [(item["slug"], item["version"], item["displayName"]) for item in results] == [
        ("ada--weather", "1.2.0", "Weather")
    ]
    assert {item["slug"] for item in claw(bob, "/search?limit=5").json["results"]} == {"ada--weather", "bob--hidden"}
    assert claw(nobody, "/search?q=hidden").json["results"] == []
    shown = claw(nobody, "/skills/weather").json
    assert shown["latestVersion"]["version"] == "1.2.0"
    assert [version["version"] for version in shown["versions"]] == ["1.2.0", "1.1.0", "1.0.0"]
    assert (shown["owner"]["handle"], shown["moderation"]["isSuspicious"]) == ("ada", False)
    version = claw(nobody, "/skills/ada--weather/versions/1.1.0").json
    assert "lib/a.py" in {file["path"] for file in version["version"]["files"]}
    # A version holds exactly what was sent.
    gone = claw(nobody, "/skills/ada--weather/versions/latest").json
    assert "lib/a.py" not in {file["path"] for file in gone["version"]["files"]}
    for path in ("/download/weather?version=1.1.0", "/download?slug=ada--weather&version=1.1.0"):
        with zipfile.ZipFile(io.BytesIO(claw(nobody, path).data)) as archive:
            assert archive.read("lib/a.py") == b"a"
    assert claw(nobody, "/resolve/weather").json == {"match": None, "latestVersion": {"version": "1.2.0"}}
    assert claw(nobody, "/resolve?slug=weather&version=1.0.0").json["match"] == {"version": "1.0.0"}
    assert claw(bob, "/whoami").json["user"]["handle"] == "bob"

    hidden = claw(nobody, "/skills/bob--hidden")
    assert (hidden.status_code, hidden.json["code"], hidden.json["data"]["code"]) == (404, 404, "SKILL-ERR-0")
    assert {"msg", "timestamp", "requestId"} <= set(hidden.json)
    assert claw(nobody, "/whoami").status_code == 401
    assert publish(nobody, "weather", "1.0.0").status_code == 401
    assert publish(bob, "ada--weather", "2.0.0").status_code == 403
    # What is private answers like what is not there.
    refused = [
        publish(ada, slug, "1.0.0").json | {"timestamp": "", "requestId": ""} for slug in ("bob--hidden", "bob--none")
    ]
    assert refused[0] == refused[1]
    assert publish(ada, "weather", "1.2.0").json["data"]["code"] == "SKILL-ERR-6"
    assert publish(ada, "weather", "1.3.0", files={"a": b"a"}).json["data"]["code"] == "SKILL-ERR-2"
    assert publish(ada, "../x", "1.3.0").status_code == 400
    assert publish(ada, "weather", "1.3.0", files={"../SKILL.md": skill_md("weather")}).status_code == 400
    assert claw(ada, "/skills", payload="[", files=[(io.BytesIO(b"x"), "x")]).status_code == 400
    # A bare name that several have means one's own, and else none.
    assert publish(bob, "weather", "5.0.0").status_code == 200
    assert claw(bob, "/resolve/weather").json["latestVersion"] == {"version": "5.0.0"}
    assert claw(nobody, "/resolve/weather").json["data"]["slugs"] == ["ada--weather", "bob--weather"]

    index(context, bob, "bob/weather")
    records = nobody.get("/skills/records?category=WEATHER")
    assert [record["slug"] for record in data(records)] == ["bob--weather"]
    assert nobody.get("/skills/records").json["total"] == 2
    assert data(nobody.get("/skills/categories")) == [{"category": "weather", "count": 1}]
    assert data(bob.get("/skills/categories")) == [{"category": "weather", "count": 2}]
    counts = []
    for per in (1, 3):
        with count_queries() as queries:
            data(bob.get(f"/skills/records?per={per}"))
            data(bob.get(f"/skills?per={per}"))
        counts.append(len(queries))
    assert max(counts) - min(counts) <= 2  # the totals
