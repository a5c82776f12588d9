"""The fixtures that all tests share: settings, databases, people, and real servers.

A test that asks for ``context`` (or for what stands on it: ``work``, ``client``, ``make_user`` ...) runs twice, on
SQLite and on PostgreSQL; ``pytest -k sqlite`` leaves the second out, and so does ``@pytest.mark.any_database``.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import itertools
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import redis
from flask.testing import FlaskClient
from sqlalchemy import event

import hub.assets.models
import hub.community.models
import hub.compute.models
import hub.http.models
import hub.jobs.models
import hub.repos.models  # noqa: F401 - every table must be known before the first migration
from hub.accounts.models import AccessToken, Namespace, NamespaceKind, Organization, TokenScope, User
from hub.accounts.passwords import HashCost
from hub.accounts.policy import Actor
from hub.accounts.service.setup import SET_UP
from hub.app import build_context, create_app, preload
from hub.base.clock import FixedClock
from hub.base.context import Context
from hub.base.names import fold_name
from hub.base.settings import Settings
from hub.db import migrate
from hub.db.engine import DATABASE, Database
from hub.db.uow import UnitOfWork, unit_of_work
from hub.plugin.discovery import find_installed
from hub.repos.downloads import DOWNLOADS
from hub.repos.models import Repository
from tests.support.assets import fetch_model
from tests.support.databases import Databases, spare_syncs
from tests.support.git import GitUser
from tests.support.hub import Account, HubServer, kept_log_level
from tests.support.licenses import KEYRING
from tests.support.plugins import bring  # noqa: F401 - a fixture
from tests.support.processes import tail
from tests.support.servers import S3, PostgreSQL, Redis, run_postgresql, run_redis, run_s3, scratch_directory

# Servers: started when the first test asks for one, stopped at the end of the run.


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server."""
    with run_postgresql() as server:
        # What it knows of a test's rows must not depend on when it last looked.
        server.switch_off("autovacuum")
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """A Redis server."""
    with run_redis() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """An S3 server (SeaweedFS)."""
    with run_s3() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """The address of an empty Redis database."""
    url = redis_server.url()
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def s3_storage_url(s3_server: S3) -> str:
    """What ``HUB_STORAGE_URL`` takes, with an empty bucket."""
    return s3_server.storage_url(s3_server.create_bucket())


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    """A command that a test runs in its process sets the level of its logs; the next test has its own again."""
    with kept_log_level():
        yield


# Databases: migrated once; each test has a copy of its own.


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file with no rows."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_databases(postgresql: PostgreSQL) -> Iterator[Databases]:
    """Migrated PostgreSQL databases with no rows, to be lent."""
    name = postgresql.create_database()
    _migrate(postgresql.url(name).replace("postgresql://", "postgresql+psycopg://", 1))
    databases = Databases(postgresql, template=name)
    yield databases
    databases.close()


def _migrate(url: str) -> None:
    database = Database(url)
    migrate.upgrade(database)
    for installed in find_installed().values():
        if branch := installed.find_branch():
            migrate.upgrade(database, branch)
    # A database with an open connection can be neither copied (SQLite's log) nor used as a template (PostgreSQL).
    database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a migrated database with no rows: SQLite in one run of the test, PostgreSQL in the other."""
    if request.param == "sqlite":
        path = tmp_path / "hub.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    databases: Databases = request.getfixturevalue("postgresql_databases")
    with databases.lend() as url:
        yield url


# One hub inside the test's process.


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings with a home of the test's own; ``@pytest.mark.settings(quota_bytes=1)`` changes some."""
    changes: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("settings"))):
        changes |= marker.kwargs
    return Settings(home=tmp_path / "home", log_level="warning", **changes)


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands still at 2026-11-23 12:00 UTC; ``context`` uses it in tests that ask for it."""
    return FixedClock(datetime(2026, 11, 23, 12, tzinfo=UTC))


@pytest.fixture
def context(request: pytest.FixtureRequest, settings: Settings, database_url: str) -> Iterator[Context]:
    """A hub's context on a migrated database."""
    # The cheapest password hash that argon2 makes; the real cost has a test of its own.
    cheap = HashCost(passes=1, memory_kib=8, lanes=1)
    settings = dataclasses.replace(settings, database_url=database_url)
    context = build_context(settings, hash_cost=cheap, keyring=KEYRING)
    spare_syncs(context[DATABASE])
    # Few tests have an administrator; only those of the set-up are led to it.
    context[SET_UP].is_done = True
    if "clock" in request.fixturenames:
        context.clock = request.getfixturevalue("clock")
    yield context
    context[DOWNLOADS].close()
    context[DATABASE].dispose()


@pytest.fixture
def work(context: Context) -> Iterator[UnitOfWork]:
    """An open unit of work, committed at the end of the test.

    Units of work do not nest: a test that calls what opens its own (``make_repository``, a push) opens and closes
    its own with ``unit_of_work(context)`` instead of asking for this.
    """
    with unit_of_work(context) as work:
        yield work


@pytest.fixture
def count_queries(context: Context) -> Callable[[], Any]:
    """``with count_queries() as queries:`` collects the statements that the block sends, without BEGIN and the like."""

    @contextmanager
    def collect() -> Iterator[list[str]]:
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if statement.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
                seen.append(statement)

        engine = context[DATABASE].engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(engine, "before_cursor_execute", note)

    return collect


@pytest.fixture(scope="session")
def _imports() -> None:
    """What an application imports, out of the garbage collector's sight."""
    preload()
    _freeze()


@pytest.fixture
def client(context: Context, _imports: None) -> FlaskClient:
    """Flask's test client on the whole application; what the application does not expect is raised in the test."""
    app = create_app(context)
    app.testing = True
    return app.test_client()


# People and their things. Rows are written directly: these are the ground of a test, not what it tests.


@pytest.fixture
def writing(request: pytest.FixtureRequest, context: Context) -> Callable[[], Any]:
    """A unit of work to write the ground with: the test's own when it holds one open, else a fresh one."""

    @contextmanager
    def open_unit() -> Iterator[UnitOfWork]:
        if "work" in request.fixturenames:
            work: UnitOfWork = request.getfixturevalue("work")
            yield work
            work.session.flush()
        else:
            with unit_of_work(context) as work:
                yield work

    return open_unit


def _add_namespace(work: UnitOfWork, name: str, kind: NamespaceKind) -> Namespace:
    namespace = Namespace(path=name, path_key=fold_name(name), kind=kind, created_at=work.now())
    work.session.add(namespace)
    return namespace


@pytest.fixture
def make_user(writing: Callable[[], Any]) -> Callable[..., User]:
    """``make_user("ada", admin=False)``: an account without a password."""

    def make(name: str = "ada", *, admin: bool = False) -> User:
        with writing() as work:
            email = f"{name}@example.org"
            user = User(
                namespace=_add_namespace(work, name, NamespaceKind.USER),
                name=name,
                email=email,
                email_key=email.lower(),
                nickname=name,
                is_admin=admin,
                created_at=work.now(),
                updated_at=work.now(),
            )
            work.session.add(user)
            work.session.flush()
        return user

    return make


@pytest.fixture
def make_organization(writing: Callable[[], Any]) -> Callable[..., Organization]:
    """``make_organization("acme")``: an organisation without members."""

    def make(name: str = "acme") -> Organization:
        with writing() as work:
            organization = Organization(
                namespace=_add_namespace(work, name, NamespaceKind.ORGANIZATION),
                name=name,
                display_name=name,
                created_at=work.now(),
                updated_at=work.now(),
            )
            work.session.add(organization)
            work.session.flush()
        return organization

    return make


@pytest.fixture
def make_token(writing: Callable[[], Any]) -> Callable[..., str]:
    """``make_token(user, "read")``: the clear value of a fresh token."""
    numbers = itertools.count(1)

    def make(user: User, scope: str = "write", *, expires_at: datetime | None = None) -> str:
        value = secrets.token_hex(16)
        with writing() as work:
            work.session.add(
                AccessToken(
                    user_id=user.id,
                    name=f"token-{next(numbers)}",
                    token_hash=hashlib.sha256(value.encode()).hexdigest(),
                    hint=value[:4],
                    scope=TokenScope(scope),
                    expires_at=expires_at,
                    created_at=work.now(),
                )
            )
        return value

    return make


@pytest.fixture
def actor_of() -> Callable[[User], Actor]:
    """``actor_of(user)``: the user as the policy sees one who signed in by a session."""
    return lambda user: Actor.of_user(user, via="session")


@pytest.fixture
def make_repository(context: Context) -> Callable[..., Repository]:
    """``make_repository(owner, "thing", kind="model", private=False)``: a ready repository with its first commit."""
    from hub.accounts.policy import SYSTEM
    from hub.repos.service import create_repository

    def make(
        owner: User | Organization, name: str = "thing", kind: str = "model", private: bool = False, **fields: Any
    ) -> Repository:
        actor = Actor.of_user(owner, via="session") if isinstance(owner, User) else SYSTEM
        return create_repository(
            context, actor=actor, namespace=owner.name, name=name, kind=kind, private=private, **fields
        )

    return make


# A hub in processes of its own, and those who use it.


@pytest.fixture
def start_hub(request: pytest.FixtureRequest) -> Iterator[Callable[..., HubServer]]:
    """``start_hub(quota_bytes=1)`` runs ``hub serve`` with these settings for the length of the test."""
    servers: list[HubServer] = []
    with scratch_directory("hub") as directory:

        def start(**settings: Any) -> HubServer:
            server = HubServer(directory / f"home{len(servers)}", settings)
            servers.append(server)
            request.node.stash.setdefault(_LOGS, []).append(server)
            return server.start()

        yield start
        for server in servers:
            server.__exit__()


@pytest.fixture(scope="session")
def single_hub() -> Iterator[HubServer]:
    """``hub serve`` as it comes: SQLite, files, its own Redis. One for all tests, which keep to users of their own."""
    with scratch_directory("single") as directory, HubServer(directory / "home") as server:
        yield server


@pytest.fixture(scope="session")
def scaled_hub(postgresql: PostgreSQL, redis_server: Redis, s3_server: S3) -> Iterator[HubServer]:
    """``hub serve`` on PostgreSQL, an external Redis and S3. One for all tests, as ``single_hub``."""
    settings = {
        "database_url": postgresql.url(postgresql.create_database()),
        "redis_url": redis_server.url(1),
        "storage_url": s3_server.storage_url(s3_server.create_bucket()),
    }
    with scratch_directory("scaled") as directory, HubServer(directory / "home", settings) as server:
        yield server


@pytest.fixture
def hub_server(request: pytest.FixtureRequest, single_hub: HubServer) -> HubServer:
    """The running hub that tests share."""
    request.node.stash.setdefault(_LOGS, []).append(single_hub)
    return single_hub


@pytest.fixture(params=["single", "scaled"])
def any_hub(request: pytest.FixtureRequest) -> HubServer:
    """Each kind of hub in turn: as it comes, and scaled out."""
    server: HubServer = request.getfixturevalue(f"{request.param}_hub")
    request.node.stash.setdefault(_LOGS, []).append(server)
    return server


@pytest.fixture
def account(hub_server: HubServer) -> Account:
    """A fresh account on the running hub."""
    return hub_server.new_account()


@pytest.fixture
def git_user(tmp_path: Path) -> GitUser:
    """A person with git and git lfs."""
    return GitUser(tmp_path / "person")


@pytest.fixture(scope="session")
def model_file() -> Path:
    """A real language model of 98 MB in GGUF."""
    return fetch_model()


# How a run ends, and what a failed test says.


def pytest_configure() -> None:
    """Let a run that is told to end stop its servers, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # No test judges by the clock, hypothesis included, nor by chance: its examples are the same in every run, and it is
    # `make fuzz` that looks for others.
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile("hub", deadline=None, derandomize=True, suppress_health_check=slow)
    hypothesis.settings.load_profile("hub")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the second run of tests to which one database is as good as another, and put long files first."""

    def is_second(item: pytest.Item) -> bool:
        call = getattr(item, "callspec", None)
        is_marked = item.get_closest_marker("any_database") is not None
        is_marked &= item.get_closest_marker("each_database") is None
        return is_marked and call is not None and call.params.get("database_url") == "postgresql"

    second = [item for item in items if is_second(item)]
    if second:
        config.hook.pytest_deselected(items=second)
        items[:] = [item for item in items if not is_second(item)]
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    # Two processes share the files in this order, and should be done at about the same time: long files first, short
    # ones last. What needs running hubs comes late, for the hubs run to the end.
    return next((turn for turn, places in _TURNS.items() if item.nodeid.startswith(places)), 1)


_TURNS = {
    0: ("tests/matrix/", "tests/hub/jobs/", "tests/hub/cli/"),
    2: ("tests/browser/", "tests/clients/", "tests/flows/", "tests/plugins/"),
    3: ("tests/hub/base/", "tests/hub/git/", "tests/hub/licensing/", "tests/hub/objects/", "tests/test_house.py"),
}


def pytest_collection_finish() -> None:
    """Take what the tests import out of the garbage collector's sight."""
    _freeze()


def _freeze() -> None:
    # Applications are heaps of cycles, so full collections are many, and each went through 400,000 imported objects:
    # a third of all time.
    gc.collect()
    gc.freeze()


# Why the tests of the pages are skipped where that is so.
NO_BROWSER = "there is no Chromium (apt-get install chromium)"

_LOGS = pytest.StashKey[list[HubServer]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Show the log of the hub that a failed test used."""
    report = yield
    if report.failed:
        for server in item.stash.get(_LOGS, []):
            report.sections.append((f"log of the hub at {server.url}", tail(server.log_path)))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name the tests of the pages that did not run for want of a browser."""
    skipped = [report.nodeid for report in terminalreporter.getreports("skipped") if NO_BROWSER in str(report.longrepr)]
    if skipped:
        terminalreporter.section(f"{len(skipped)} tests of the pages did not run: {NO_BROWSER}")
        for nodeid in skipped:
            terminalreporter.line(nodeid)
