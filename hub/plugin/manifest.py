"""What a plugin declares. The host reads it; what a plugin does not declare, it does not touch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from flask import Blueprint

    from hub.accounts.policy import Permission
    from hub.assets.indexing import Indexer
    from hub.assets.runtypes import RunType
    from hub.assets.security.files import Checker
    from hub.base.context import Context
    from hub.base.drivers import DriverGroup
    from hub.base.health import HealthCheck
    from hub.base.metrics import Metric
    from hub.base.topics import Topic
    from hub.db.uow import UnitOfWork
    from hub.jobs.schedule import Schedule
    from hub.jobs.service import JobSpec
    from hub.metering.usage import Usage
    from hub.repos.kinds import RepositoryKind
    from hub.repos.lfs.sources import ContentSource
    from hub.web.navigation import NavItem, Panel


class WhenExpired(StrEnum):
    """What becomes of a plugin whose feature the licence carried, once the licence and its grace are over."""

    LOCKED = "locked"
    """Nothing of it is mounted, as without a licence; its data stay."""

    READ_ONLY = "read_only"
    """What was begun goes on: pages and API answer reads, jobs and listeners run; requests that write are refused."""


class CheckPoint(StrEnum):
    """Where a plugin may refuse, by raising a ``HubError``. Any refusal refuses."""

    PRE_RECEIVE = "pre_receive"
    """Before refs move, whoever moves them: ``check(push: IncomingPush)``."""

    BEFORE_REPOSITORY_DELETE = "before_repository_delete"
    """Before a repository is deleted: ``check(work, repository, actor)``, inside the transaction."""

    BEFORE_USER_DELETE = "before_user_delete"
    """Before an account is deleted: ``check(work, departure)``, inside the transaction; takes back what it holds."""


class Plugin:
    """Plugin

    Base class of all plugins. The first line of a plugin's docstring is its title, the rest its description.

    A class attribute says what is always so; a method contributes and is called once, at the start of each process
    that needs what it gives. The module with the manifest is imported even while the licence locks the plugin, so it
    imports nothing heavy: views, tables and jobs are imported inside the methods or named as ``"module:name"``.
    """

    name: ClassVar[str] = ""
    """Lower-case letters, digits and underscores. It is the entry point's name, and the first word of all that the
    plugin adds: tables ``NAME_...``, blueprints ``NAME_api...`` and ``NAME_web...``, jobs ``NAME.verb_noun``,
    permissions ``NAME:...``, metrics ``hub_NAME_...``, templates ``NAME/...``, variables ``HUB_NAME_...``."""

    requires: ClassVar[tuple[str, ...]] = ()
    """Names of plugins that start first. Without one of them this plugin is broken."""

    feature: ClassVar[str | None] = None
    """The word that the licence must carry; None: every edition that names the plugin has it."""

    when_expired: ClassVar[WhenExpired] = WhenExpired.LOCKED
    """What becomes of it when the licence has expired."""

    url_prefixes: ClassVar[tuple[str, ...]] = ()
    """What the paths of its routes begin with ("/reports", "/api/v1/reports", "/api/v1/namespaces/<uuid>/reports").
    Nobody else serves these; while the plugin is locked the hub answers there."""

    wsgi_addresses: ClassVar[tuple[str, ...]] = ()
    """Single addresses of two parts or more ("/acme/v1/reports") that its ``wsgi_apps`` answer beside the prefixes:
    neither what lies below them nor a namespace with the name of their first part is taken from anybody."""

    repository_paths: ClassVar[tuple[str, ...]] = ()
    """The same for routes below a repository ("/reports" for ``/api/v1/models/NS/NAME/reports``)."""

    collection_paths: ClassVar[tuple[str, ...]] = ()
    """The same for single addresses below a kind of asset ("/reports" for ``/api/v1/models/reports``)."""

    settings: ClassVar[type | None] = None
    """A frozen dataclass whose fields are made by ``setting``: the file's section ``[plugin.NAME]``, the variables
    ``HUB_NAME_KEY``. A key that it does not have stops the start."""

    metric_prefix: ClassVar[str] = ""
    """What the names of its figures begin with where that is not ``hub_NAME_``: "hub_gateway_"."""

    permissions: ClassVar[tuple[Permission, ...]] = ()
    """What ``can`` may be asked about the plugin's things."""

    models: ClassVar[str | None] = None
    """The module with its tables."""

    migrations: ClassVar[bool] = False
    """Whether the package has a folder ``migrations`` with a history of its tables."""

    cli: ClassVar[str | None] = None
    """Its command group ("module:group"), mounted as ``hub NAME``."""

    commands: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Further groups under words of their own: ``{"engine": "module:group"}``, mounted as ``hub engine``."""

    def kinds(self) -> Iterable[RepositoryKind]:
        """Kinds of asset: members (``DetailField``), card (``CardKey``), pages (``Tab``) and actions of each."""
        return ()

    def indexers(self) -> Iterable[Indexer]:
        """Steps that read repositories' files after each push, after those of the hub."""
        return ()

    def file_checkers(self) -> Iterable[Checker]:
        """Further looks at each file's content for what could do harm; what they find is reported."""
        return ()

    def api_blueprints(self) -> Iterable[Any]:
        """flask-smorest blueprints (``hub.plugin.api.ApiBlueprint``), part of the described API."""
        return ()

    def web_blueprints(self) -> Iterable[Blueprint]:
        """Flask blueprints of pages, made by ``hub.plugin.web.create_pages``."""
        return ()

    def wsgi_apps(self) -> Mapping[str, Callable[[Context], WSGIApplication]]:
        """Prefix (one of ``url_prefixes``; or one of ``wsgi_addresses``, for that alone) -> what makes a WSGI
        application that answers below it, beside Flask: for traffic that cannot afford the hub's own way of a request,
        whose guards, limits and errors are then its own."""
        return {}

    def nav_items(self) -> Iterable[NavItem]:
        """Entries of the navigation, repository tabs among them."""
        return ()

    def panels(self) -> Iterable[Panel]:
        """Pieces of the hub's own pages."""
        return ()

    def run_types(self) -> Iterable[RunType]:
        """Kinds of run that it records through ``hub.plugin.runs``: ``NAME`` or ``NAME.verb``."""
        return ()

    def jobs(self) -> Iterable[JobSpec]:
        """Kinds of background job."""
        return ()

    def schedules(self) -> Iterable[Schedule]:
        """When its jobs run by themselves."""
        return ()

    def listeners(self) -> Mapping[type, str | Callable[[Context, Any], None]]:
        """Event class -> ``listener(context, event)``, called after the commit; it cannot refuse."""
        return {}

    def recorders(self) -> Mapping[type, str | Callable[[UnitOfWork, Any], None]]:
        """Event class -> ``recorder(work, event)``, called inside the event's transaction: for rows that must be there
        whenever what they tell of is. It writes its rows and nothing else; what it raises undoes the transaction."""
        return {}

    def topics(self) -> Iterable[Topic]:
        """What webhooks tell of its events: topics ``NAME....``, described inside the event's transaction."""
        return ()

    def usage_reader(self) -> str | Callable[[UnitOfWork, Sequence[Usage]], None] | None:
        """``reader(work, usages)``: hears of all that is used, each event once and in one order, from the first one
        that there is; in the transaction that remembers how far it has come. What it raises is logged, and the same
        events come again."""
        return None

    def checks(self) -> Mapping[CheckPoint, str | Callable[..., None]]:
        """Where it may refuse, and the function that does."""
        return {}

    def driver_groups(self) -> Iterable[DriverGroup[Any]]:
        """Groups of entry points that others add drivers to."""
        return ()

    def content_sources(self) -> Mapping[str, ContentSource]:
        """Ways in which it keeps the bytes of LFS objects; each is named like the plugin."""
        return {}

    def services(self) -> Mapping[str, Callable[[Context], object]]:
        """What others find by name through ``hub.plugin.services``: name -> how it is made, once, when asked for."""
        return {}

    def metrics(self) -> Iterable[Metric]:
        """Figures that it can be asked for."""
        return ()

    def health(self) -> HealthCheck | None:
        """A quick look at what it stands on."""
        return None

    @property
    def title(self) -> str:
        """What people call it: the first line of the docstring."""
        return (inspect.getdoc(type(self)) or self.name).partition("\n")[0].rstrip(".")

    @property
    def description(self) -> str:
        """What it is for: the rest of the docstring."""
        return (inspect.getdoc(type(self)) or "").partition("\n")[2].strip()
