"""A hub with one person in each role, a public and a private repository, and requests in their names."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from hub.accounts import service as accounts
from hub.accounts.models import Role, TokenScope
from hub.accounts.passwords import HashCost
from hub.accounts.policy import SYSTEM, Actor
from hub.accounts.service.deploytokens import create_deploy_token
from hub.api.description import operations_of
from hub.api.documentation import documentation_of
from hub.app import build_context, create_app
from hub.base.clock import FixedClock
from hub.base.settings import Settings
from hub.community.models import Comment
from hub.community.models_reviews import ReviewThread
from hub.compute.service.workloads import create_workload
from hub.compute.spec import Kind, WorkloadSpec
from hub.db.engine import DATABASE
from hub.db.uow import unit_of_work
from hub.repos.models import Repository
from hub.repos.service import create_repository, delete_repository
from tests.matrix.rules import COLUMNS, Sample
from tests.support.databases import spare_syncs
from tests.support.licenses import KEYRING

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ORGANIZATION = "acme"
# Of a converter: the table need not say how large a row's id may be.
_BOUNDS = re.compile(r"(?<=<int)\([^)]*\)")


@dataclass(frozen=True)
class Route:
    """One method of one rule of the application."""

    method: str
    rule: Rule

    @property
    def key(self) -> str:
        """As the table spells it."""
        return f"{self.method} {_BOUNDS.sub('', self.rule.rule)}"

    @property
    def template(self) -> str:
        """The address as OpenAPI spells it."""
        return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", self.rule.rule)


class World:
    """The hub, its people, and what they find there. Every request meets it as it was made."""

    def __init__(self, home: Path, template: Path) -> None:
        self._path = home / "hub.db"
        home.mkdir(parents=True)
        self._path.write_bytes(template.read_bytes())
        settings = Settings(home=home, log_level="error", rate_limit_account=0, rate_limit_address=0)
        cheap = HashCost(passes=1, memory_kib=8, lanes=1)
        self.context = build_context(settings, hash_cost=cheap, keyring=KEYRING)
        self.context.clock = FixedClock(datetime.now(UTC))
        spare_syncs(self.context[DATABASE])
        self.tokens: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self.own: dict[str, dict[str, Any]] = {}
        self._make_people()
        self._make_repositories()
        self.app = create_app(self.context)
        self.app.testing = True
        self.client = self.app.test_client(use_cookies=False)
        self._bodies = self._find_bodies()
        self._make_things()
        for token in self.tokens.values():  # its first use is written down; after this no request writes another
            self.client.get("/api/v1/models", headers={"Authorization": f"Bearer {token}"})
        self._snapshot = home / "snapshot.db"
        with closing(sqlite3.connect(self._path)) as live, closing(sqlite3.connect(self._snapshot)) as kept:
            live.backup(kept)

    def close(self) -> None:
        """Let go of the database."""
        self.context[DATABASE].dispose()

    # What there is.

    def _make_people(self) -> None:
        with unit_of_work(self.context) as work:
            people = {
                name: accounts.create_user(
                    work, actor=SYSTEM, name=name, email=f"{name}@example.org", is_admin=name == "site"
                )
                for name in ("stranger", "reader", "writer", "maintainer", "manager", "owner", "site", "guest")
            }
            work.session.flush()
            organization = accounts.create_organization(work, actor=SYSTEM, name=ORGANIZATION, owner=people["owner"])
            self.values["organization_uuid"] = organization.uuid
            for name in ("reader", "writer", "manager", "guest"):
                role = {"writer": Role.WRITE, "manager": Role.ADMIN}.get(name, Role.READ)
                accounts.add_member(work, actor=SYSTEM, organization=organization, user=people[name], role=role)
            for column in COLUMNS[1:]:
                name, _, scope = column.partition(":")
                _, value = accounts.create_token(
                    work,
                    actor=SYSTEM,
                    user=people[name],
                    name=f"matrix-{scope or 'all'}",
                    scope=TokenScope(scope or "admin"),
                )
                self.tokens[column] = value
            self.values |= {"uuid": people["reader"].uuid, "reference": people["reader"].uuid}

    def _make_repositories(self) -> None:
        for kind in ("model", "dataset", "prompt", "skill", "mcpserver"):
            for name in ("open", "closed", "open-gone", "closed-gone"):
                self._make_repository(kind, name)

        self._make_repository("model", "elsewhere")
        with unit_of_work(self.context) as work:
            root = Actor.of_user(accounts.get_user(work, "site"), via="session")
            resource = work.session.get_one(Repository, self.own["elsewhere"]["repository_id"])
            _, self.tokens["elsewhere"] = create_deploy_token(
                work, actor=root, resource=resource, name="elsewhere", scope=TokenScope.WRITE
            )

    def _make_repository(self, kind: str, name: str) -> None:
        repository = create_repository(
            self.context,
            actor=SYSTEM,
            namespace=ORGANIZATION,
            name=name,
            kind=kind,
            private=name.startswith("closed"),
        )
        if kind == "model":
            self.own[name] = {
                "name": name,
                "repository_name": f"{name}.git",
                "repository_id": repository.id,
                "path_of_repository": repository.path,
            }
        with unit_of_work(self.context) as work:
            for user, role in (("maintainer", Role.ADMIN), ("guest", Role.READ)):
                person = accounts.get_user(work, user)
                accounts.set_grant(work, actor=SYSTEM, resource=repository, user=person, role=role)
            if name.endswith("-gone"):
                delete_repository(work, actor=SYSTEM, repository_id=repository.id)

    def _make_things(self) -> None:
        """What other rooms keep, made by their own routes."""
        for name in ("open", "closed"):
            place = f"/models/{ORGANIZATION}/{name}"
            discussion = self._make("reader", f"{place}/discussions", title="Which?")["id"]
            webhook = self._make("maintainer", f"{place}/webhooks", url="https://example.org/hook")["uuid"]
            collection = self._make(
                "owner", "/collections", name=f"Of the {name}", namespace=ORGANIZATION, private=name == "closed"
            )["id"]
            told = {"type": "training", "namespace": ORGANIZATION, "private": name == "closed"}
            run = self._make("owner", "/runs", **told)["uuid"]
            self.own[name] |= {
                "run": run,
                "workload_id": self._make_workload(name),
                "discussion_id": discussion,
                "comment_id": (
                    comment := self._make("reader", f"/discussions/{discussion}/comments", content="This.")["id"]
                ),
                "thread_number": 1,
                "discussion_label_id": self._make("owner", f"{place}/community/labels", name="odd")["id"],
                "num": 1,  # of the discussion, and the comment's id as the Hub's clients spell it
                "comment": f"{comment:024x}",
                **self._make_pull(place),
                "webhook": webhook,
                "collection_id": collection,
                "collection_slug": f"of-it-{collection:024x}",
                "item_id": f"{self.own[name]['repository_id']:024x}",
            }
        for word, status in (("broadcast_id", "active"), ("silent_broadcast_id", "inactive")):
            self.values[word] = self._make("site", "/admin/broadcasts", content="Ours.", status=status)["id"]
        self._make("owner", "/datasets", namespace=ORGANIZATION, name="data")
        watching = self.client.post(
            "/hf/api/settings/webhooks",
            json={"url": "https://example.org/hook", "watched": [{"type": "user", "name": "reader"}]},
            headers={"Authorization": f"Bearer {self.tokens['reader']}"},
        )
        self.values["watching"] = watching.get_json()["webhook"]["id"]
        self._make("site", "/users", username="person", email="person@example.org", password="correct-horse-battery")

    def _make_workload(self, name: str) -> int:
        """One of the organisation's, which nobody has started: by itself no route makes any."""
        with unit_of_work(self.context) as work:
            made = create_workload(
                work,
                actor=SYSTEM,
                namespace=accounts.get_namespace(work, ORGANIZATION),
                purpose="matrix",
                spec=WorkloadSpec(svc_name=name, kind=Kind.JOB, task_id=1, image="work"),
                is_private=name == "closed",
            )
            return made.id

    def _make_pull(self, place: str) -> dict[str, Any]:
        """A pull request with a review and a conversation, which a reader opened."""
        pull = self._make("reader", f"{place}/pulls", title="Better")
        at = f"{place}/pulls/{pull['number']}"
        review = self._make("reader", f"{at}/reviews", state="commented", content="See.")
        self._make("reader", f"{at}/review_requests", users=["manager"])
        with unit_of_work(self.context) as work:  # by its route it takes lines
            now = work.now()
            lines = {"path": "a.txt", "side": "new", "start_line": 1, "end_line": 1, "commit_id": review["commit_id"]}
            thread = ReviewThread(discussion_id=pull["id"], **lines, created_at=now)
            work.session.add(thread)
            work.session.flush()
            said = {"content": "```suggestion\nThis\n```", "thread_id": thread.id, "created_at": now, "updated_at": now}
            work.session.add(Comment(discussion_id=pull["id"], **said))
            return {"pull_number": pull["number"], "review_id": review["id"], "thread_id": thread.id}

    def _make(self, column: str, path: str, **body: Any) -> dict[str, Any]:
        answer = self.client.post(
            f"/api/v1{path}", json=body, headers={"Authorization": f"Bearer {self.tokens[column]}"}
        )
        assert answer.status_code == 200, f"{path}: {answer.get_data(as_text=True)}"
        made: dict[str, Any] = answer.get_json()["data"]
        return made

    # Requests.

    def routes(self) -> Iterator[Route]:
        """Every method of every rule, but for what Flask answers by itself."""
        for rule in self.app.url_map.iter_rules():
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Route(method, rule)

    def _find_bodies(self) -> dict[tuple[str, str], Any]:
        """The description's own examples of the bodies: minimal, and valid."""
        document = documentation_of(self.app).describe()
        schemas = document["components"]["schemas"]
        found: dict[tuple[str, str], Any] = {}
        for path, method, operation in operations_of(document):
            media = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if media is not None:
                schema = schemas.get(media["schema"].get("$ref", "").rpartition("/")[2], media["schema"])
                found[method.upper(), path] = media.get("example", schema.get("example"))
        return found

    def ask(self, route: Route, sample: Sample, column: str, *, private: bool) -> TestResponse:
        """Send the route's request as the one who has that role; what it changed is undone."""
        own = self.own[f"{'closed' if private else 'open'}{sample.suffix}"]
        values = {**_VALUES, **self.values, **own}
        values |= {name: _filled(value, values) for name, value in sample.values.items()}
        address = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", lambda found: str(values.get(found[1], "none")), route.rule.rule)
        options: dict[str, Any] = {"headers": dict(sample.headers)}
        if column in self.tokens:
            options["headers"]["Authorization"] = f"Bearer {self.tokens[column]}"
        body = self._bodies.get((route.method, route.template)) if sample.body is None else sample.body
        if sample.data is not None:
            options["data"] = sample.data
        elif body is not None:
            options["json"] = _filled(body, values)
        query = re.sub(r"\$(\w+)", lambda found: str(values[found[1]]), sample.query)
        with self.client.open(address, method=route.method, query_string=query, **options) as answer:
            answer.get_data()
        if route.method not in SAFE and answer.status_code < 400:
            self._undo()
        return answer

    def _undo(self) -> None:
        with closing(sqlite3.connect(self._snapshot)) as kept, closing(sqlite3.connect(self._path)) as live:
            live.execute("PRAGMA synchronous=OFF")
            kept.backup(live)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    """A sample's value with what ``$NAME`` stands for in this world."""
    if isinstance(value, str):
        return values[value[1:]] if value.startswith("$") else value
    if isinstance(value, dict):
        return {name: _filled(item, values) for name, item in value.items()}
    return [_filled(item, values) for item in value] if isinstance(value, list) else value


@contextmanager
def make_world(home: Path, template: Path) -> Iterator[World]:
    """A world for the length of a block. template: a migrated database without rows."""
    world = World(home, template)
    try:
        yield world
    finally:
        world.close()


# What stands in an address where nothing else is said.
_VALUES: Mapping[str, Any] = {
    "hub": "csg",
    "kind": "models",
    "collection": "models",
    "namespace": ORGANIZATION,
    "repository_namespace": ORGANIZATION,
    "username": "reader",
    "path": "README.md",
    "ref": "main",
    "branch": "main",
    "revision": "main",
    "rev": "main",
    "commit_id": "main",
    "format": "zip",
    "oid": "0" * 64,
    "size_bytes": 1,
    "number": 1,
    "app": "git",
    "license_id": 1,
    "resource_id": 1,
    "cluster_id": "local",
    "label_id": 1,
    "category_id": 1,
    "limit": 10,
    "verification_id": 1,
    "relation_id": 1,
    "session_id": 1,
    "device_id": 1,
    "token_id": 1,
}
