"""Fill an empty hub with a lifelike world, by its REST API and by git, for looking at pages:

``python -m tests.support.demo http://localhost:8000 root PASSWORD``. Everybody in it has the password PASSWORD, too.
"""

from __future__ import annotations

import base64
import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.support.demo_files import RECIPES, curve, waves
from tests.support.http import HTTPClient, basic

_DAYS = 28
_World = dict[str, Any]


def files_of(thing: _World, articles: dict[str, str]) -> dict[str, bytes]:
    """Path to content of what a repository of the world begins with."""
    kind, _, path = thing["at"].partition("/")
    name = path.partition("/")[2]
    article = articles[thing.get("article") or (kind if kind in articles else "others")]
    told = {"name": thing.get("nickname") or name, "path": path, "module": name.replace("-", "_")}
    text = article.format(description=thing["description"], **told)
    head = f"---\n{yaml.safe_dump(thing['card'], allow_unicode=True)}---\n\n" if "card" in thing else ""
    found = {"README.md": (head + text).encode()}
    if kind == "models":
        seed = sum(path.encode())
        found |= {"images/cover.png": waves(seed), "images/loss.png": curve(seed)}
    for recipe in thing.get("files", ()):
        [(name, arguments)] = recipe.items()
        found |= RECIPES[name](*arguments)
    return found


class Person:
    """Somebody who calls the REST API with a token of their own."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self.name, self.url, self.password = name, url, password
        self.client = HTTPClient(url)
        self.client.headers = {"Authorization": basic(name, password)}
        token = self.call("POST", f"/token/git/demo-{name}", {"permission": "admin"})
        # People wait between their requests, and the hub closes what is idle: no connection serves twice.
        self.client.headers = {"Authorization": f"Bearer {token['token']}", "Connection": "close"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The ``data`` of the answer. Stops the program with what was refused."""
        answer = self.client.request(method, f"/api/v1{path}", json_body=body)
        if answer.status >= 300:
            sys.exit(f"{self.name}: {method} {path}: {answer.status} {answer.body[:500]!r}")
        return answer.json.get("data")

    def commit(self, at: str, message: str, files: dict[str, bytes], branch: str = "main", **more: str) -> None:
        """One commit. at: the repository's address in the API."""
        changes = [
            {"path": path, "action": "create", "content": base64.b64encode(content).decode()}
            for path, content in files.items()
        ]
        self.call("POST", f"/{at}/commit/{branch}", {"message": message, "files": changes, **more})


class Demo:
    """The making of the world, in its order."""

    def __init__(self, url: str, admin: str, password: str) -> None:
        self.url, self.password = url, password
        self.world: _World = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
        self.admin = Person(url, admin, password)
        self.people: dict[str, Person] = {}
        self.ids: dict[str, int] = {}
        self.chance = random.Random(7)

    def make(self) -> None:
        """All of it."""
        self._make_people()
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(self._make_thing, self.world["things"]))
        self._push_history("codes/aurora-lab/trainer", self.people["mira-chen"])
        self._talk("codes/aurora-lab/trainer", "mira-chen")
        self._propose("codes/aurora-lab/trainer", "mira-chen")
        self._talk("models/aurora-lab/aurora-7b-chat", "mira-chen")
        self._like_and_follow()
        self._collect()
        self.people["oleg-petrov"].call("POST", "/models/oleg-petrov/old-bert/archive")
        self.people["amina-diallo"].call("PUT", "/models/amina-diallo/chest-xray-densenet/gate", {"gated": "manual"})
        self.admin.call(
            "POST",
            "/admin/broadcasts",
            {"content": "The hub is read-only on Sunday from 6 to 7 (UTC).", "status": "active"},
        )

    def _make_people(self) -> None:
        with ThreadPoolExecutor(3) as pool:
            self.people = {person.name: person for person in pool.map(self._make_person, self.world["people"])}
        for told in self.world["organizations"]:
            owner, name = self.people[told["owner"]], told["name"]
            body = {member: told[member] for member in ("name", "nickname", "description")}
            owner.call("POST", "/organizations", body | {"homepage": "https://example.org"})
            for role, users in told["members"].items():
                owner.call("POST", f"/organization/{name}/members", {"users": users, "role": role})

    def _make_person(self, told: _World) -> Person:
        name = told["name"]
        body = {"username": name, "email": f"{name}@example.org", "password": self.password}
        made = self.admin.call("POST", "/users", body | {"nickname": told["nickname"]})
        person = Person(self.url, name, self.password)
        person.call("PUT", f"/user/{made['uuid']}", {"bio": told["bio"]})
        return person

    def _make_thing(self, thing: _World) -> None:
        at = thing["at"]
        kind, namespace, name = at.split("/")
        owners = {told["name"]: told["owner"] for told in self.world["organizations"]}
        owner = self.people[owners.get(namespace, namespace)]
        body = {"namespace": namespace, "name": name, "nickname": thing.get("nickname", "")}
        body |= {"description": thing["description"]} | thing.get("members", {})
        self.ids[at] = owner.call("POST", f"/{kind}", body)["repository_id"]
        owner.commit(at, "Add the files", files_of(thing, self.world["articles"]))
        downloads = thing.get("downloads", 0)
        if downloads > 1000:
            owner.call("POST", f"/{at}/git_tags", {"name": "v1.0", "message": "The first release"})
            owner.commit(at, "Say more about limits", {"NOTES.md": b"# Notes\n\nKnown limits.\n"}, new_branch="next")
        for back in range(0, _DAYS, 4) if downloads else ():
            day = datetime.now(UTC).date() - timedelta(days=back)
            told = {"date": str(day), "download_count": downloads * self.chance.randint(20, 60) // 400}
            self.admin.call("POST", f"/{at}/update_downloads", told)

    def _push_history(self, at: str, author: Person) -> None:
        """Thirty commits over half a year, by several people, pushed by git."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "work"
            address = self.url.replace("://", f"://{author.name}:{author.password}@") + f"/{at}.git"
            self._git(Path(folder), "clone", "-q", address, "work")
            names = list(self.people)
            start = datetime.now(UTC) - timedelta(days=180)
            for number in range(30):
                path = root / f"trainer/{('loop', 'data', 'loss', 'optim', 'log')[number % 5]}.py"
                path.parent.mkdir(exist_ok=True)
                before = path.read_text() if path.exists() else '"""A part of the trainer."""\n'
                path.write_text(
                    f"{before}\n\ndef step_{number}(batch, *, rate=1e-{number % 5 + 2}):\n"
                    f'    """Do step {number}."""\n    return batch.mean() * rate\n'
                )
                who, when = names[number % 4], (start + timedelta(days=6 * number, hours=number)).isoformat()
                message = ("Speed up", "Mend", "Add", "Describe", "Simplify")[number % 5] + f" step {number}"
                identity = {"GIT_AUTHOR_NAME": who, "GIT_AUTHOR_EMAIL": f"{who}@example.org", "GIT_AUTHOR_DATE": when}
                identity |= {key.replace("AUTHOR", "COMMITTER"): value for key, value in identity.items()}
                self._git(root, "add", "-A")
                self._git(root, "commit", "-q", "-m", message, **identity)
                if number in (9, 19):
                    self._git(root, "tag", f"v0.{number // 10 + 1}")
            self._git(root, "push", "-q", "origin", "main", "--tags")

    def _git(self, folder: Path, *arguments: str, **environment: str) -> None:
        known = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(["git", *arguments], cwd=folder, env=os.environ | known | environment, check=True)

    def _talk(self, at: str, owner: str) -> None:
        for name, colour in self.world["labels"].items():
            known = {label["name"] for label in self.people[owner].call("GET", f"/{at}/community/labels")}
            if name not in known:
                self.people[owner].call("POST", f"/{at}/community/labels", {"name": name, "color": colour})
        others = list(self.people.values())
        for number, issue in enumerate(self.world["issues"], 1):
            body = {member: issue[member] for member in ("title", "description")}
            made = self.people[issue["author"]].call("POST", f"/{at}/community", body)
            thread = f"/{at}/community/{made['number']}"
            self.people[owner].call("POST", f"{thread}/labels", {"labels": issue["labels"]})
            for turn in range(number % 4 + 1):
                teller = others[(number * 3 + turn) % len(others)]
                answer = self.world["answers"][(number + turn) % len(self.world["answers"])]
                said = teller.call("POST", f"{thread}/comments", {"content": answer})
                for sign, fan in zip(("+1", "heart", "rocket"), others[turn:], strict=False):
                    fan.call("POST", f"{thread}/comments/{said['id']}/reactions/{sign}")
            if number == 2:
                self.people[owner].call("PUT", thread, {"status": "closed", "reason": "completed"})
            if number == 1:
                self.people[owner].call("POST", f"{thread}/pin")
                self.people[owner].call("POST", f"{thread}/assignees", {"users": ["raj-patel"]})

    def _propose(self, at: str, owner: str) -> None:
        """An open pull request with a review, a merged one, one that conflicts, and a draft."""
        loop = b'"""The loop."""\n\n\ndef run(steps):\n    """Run so many steps."""\n    return sum(range(steps))\n'
        person = self.people["raj-patel"]
        plans = (
            ("faster-loop", "Run the loop without copies", {"trainer/run.py": loop, "docs/loop.md": b"# Loop\n"}),
            ("licence-file", "Add the licence", {"LICENSE": b"Apache License 2.0\n"}),
            ("other-loss", "Another loss", {"trainer/loss.py": b"# another loss altogether\n"}),
            ("draft-notes", "Notes on memory (draft)", {"docs/memory.md": b"# Memory\n\nTo be written.\n"}),
        )
        numbers = []
        for branch, title, files in plans:
            person.commit(at, title, files, new_branch=branch)
            body = {"title": title, "description": f"What it does: {title.lower()}.", "revision": branch}
            made = person.call("POST", f"/{at}/pulls", body | {"is_draft": branch.startswith("draft")})
            numbers.append(made["number"])
        reviewer = self.people[owner]
        line = {"path": "trainer/run.py", "side": "new", "end_line": 6}
        remark = "Would a generator do?\n\n```suggestion\n    return steps * (steps - 1) // 2\n```"
        review = {"state": "changes", "content": "Nearly there.", "comments": [{**line, "content": remark}]}
        reviewer.call("POST", f"/{at}/pulls/{numbers[0]}/reviews", review)
        reviewer.call("POST", f"/{at}/pulls/{numbers[1]}/reviews", {"state": "approved", "content": "Good."})
        reviewer.call("POST", f"/{at}/pulls/{numbers[1]}/merge", {})
        reviewer.commit(at, "Write the loss anew", {"trainer/loss.py": b'"""The loss, written anew."""\n'})

    def _like_and_follow(self) -> None:
        others = list(self.people.values())
        for thing in self.world["things"]:
            if "private" in thing.get("members", ()):
                continue
            for fan in self.chance.sample(others, min(thing.get("likes", 0), len(others))):
                fan.call("PUT", f"/user/{fan.name}/likes/{self.ids[thing['at']]}")
        for place, fan in enumerate(others):
            for step in (1, 2, 5):
                fan.call("POST", f"/users/{others[(place + step) % len(others)].name}/follow")
            fan.call("POST", f"/organizations/{self.world['organizations'][place % 3]['name']}/follow")

    def _collect(self) -> None:
        for told in self.world["collections"]:
            owner = self.people[told["owner"]]
            body = {member: told[member] for member in ("name", "nickname", "description", "theme")}
            made = owner.call("POST", "/collections", body)
            ids = [self.ids[at] for at, *_ in told["items"]]
            remarks = {str(self.ids[at]): remark for at, *rest in told["items"] for remark in rest}
            owner.call("POST", f"/collections/{made['id']}/repos", {"repo_ids": ids, "remarks": remarks})
            for fan in list(self.people.values())[:: 3 - len(told["name"]) % 2]:
                fan.call("PUT", f"/user/{fan.name}/likes/collections/{made['id']}")


def main() -> None:
    """What the command does."""
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    Demo(*sys.argv[1:]).make()


if __name__ == "__main__":
    main()
