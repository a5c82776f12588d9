"""The manifest: imports the seam only, and nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from hub.plugin import (
    Audience,
    CheckPoint,
    Context,
    JobSpec,
    Metric,
    NavItem,
    Panel,
    Permission,
    Plugin,
    RepositoryKind,
    Role,
    Sample,
    Schedule,
    Slot,
    TokenScope,
    WhenExpired,
    setting,
)
from hub.plugin.drivers import DriverGroup
from hub.plugin.health import Check, HealthCheck, fail, ok
from hub.plugin.indexing import COMMON_KEYS, USUAL_TABS, CardKey, CardType, Indexer, Tab
from hub.plugin.security import Checker
from hub.plugin.topics import Told, Topic
from hub_sample.events import NoteWritten
from hub_sample.greeters import Greeter

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from flask import Blueprint

    from hub.plugin.db import UnitOfWork
    from hub.plugin.runs import RunType


@dataclass(frozen=True)
class SampleSettings:
    """How notes are kept."""

    keep_s: int = setting(86_400, "how long a note is kept", unit="seconds")
    greeter: str = setting("polite", "driver of the group hub.sample.greeters")
    secret_word: str = setting("", "a word that pushes may not bring into a branch's name", secret=True)

    def __post_init__(self) -> None:
        if self.keep_s < 1:
            raise ValueError("keep_s must be positive")


class SamplePlugin(Plugin):
    """Notes

    Short notes on repositories, a kind of asset called notebook, and one of everything else that a plugin can bring.
    """

    name = "sample"
    feature = "sample.notes"
    when_expired = WhenExpired.READ_ONLY
    url_prefixes = ("/api/v1/sample", "/sample", "/sample-ticks")
    wsgi_addresses = ("/samples/ticks",)
    metric_prefix = "hub_sample_"
    collection_paths = ("/notes",)
    repository_paths = ("/notes",)
    settings = SampleSettings
    permissions = (
        Permission("sample:note:read", "read the notes on a repository", role=Role.READ, scope=TokenScope.READ),
        Permission("sample:note:write", "write a note on a repository"),
    )
    models = "hub_sample.models"
    migrations = True
    cli = "hub_sample.commands:sample"
    commands: ClassVar[Mapping[str, str]] = {"notes": "hub_sample.commands:sample"}

    def kinds(self) -> Iterable[RepositoryKind]:
        subject = CardKey("subject", CardType.WORDS, "what it is about", category="subject")
        return (
            RepositoryKind(
                *("notebook", "notebooks", "Notebook"),
                card=(*COMMON_KEYS, subject, CardKey("cells", CardType.NUMBER)),
                tabs=(*USUAL_TABS, Tab("cells", "Cells")),
                actions=frozenset({"fork", "sample.print"}),
            ),
        )

    def indexers(self) -> Iterable[Indexer]:
        return (Indexer("sample.notes", "Notes", "hub_sample.jobs:read_notes", kinds=frozenset({"notebook"})),)

    def file_checkers(self) -> Iterable[Checker]:
        from hub_sample.checkers import check_marked

        return (Checker("sample.marked", "1", check_marked),)

    def run_types(self) -> Iterable[RunType]:
        from hub.plugin.runs import RelationType, RunType

        return (RunType("sample.print", "Print", outputs={"": RelationType.DERIVED_FROM}),)

    def api_blueprints(self) -> Iterable[Any]:
        from hub_sample import api

        return (api.blp,)

    def web_blueprints(self) -> Iterable[Blueprint]:
        from hub_sample import web

        return (web.blueprint,)

    def wsgi_apps(self) -> Mapping[str, Callable[[Context], WSGIApplication]]:
        from hub_sample.ticks import create_ticks

        return {"/sample-ticks": create_ticks, "/samples/ticks": create_ticks}

    def nav_items(self) -> Iterable[NavItem]:
        return (NavItem("Notes", "sample_web.show_notes", audience=Audience.EVERYONE),)

    def panels(self) -> Iterable[Panel]:
        return (Panel("sample.latest", Slot.HOME, "hub_sample.web:render_latest"),)

    def jobs(self) -> Iterable[JobSpec]:
        return (JobSpec("sample.expire_notes", "hub_sample.jobs:expire_notes"),)

    def schedules(self) -> Iterable[Schedule]:
        return (Schedule("sample.expire_notes", "*/5 * * * *", "sample.expire_notes"),)

    def listeners(self) -> Mapping[type, str | Callable[[Context, Any], None]]:
        from hub.plugin.events import RepositoryCreated

        return {RepositoryCreated: "hub_sample.jobs:note_creation"}

    def recorders(self) -> Mapping[type, str | Callable[[UnitOfWork, Any], None]]:
        from hub.plugin.events import RepositoryMoved

        return {RepositoryMoved: "hub_sample.jobs:note_move"}

    def topics(self) -> Iterable[Topic]:
        return (Topic("sample.note_written", "Somebody wrote a note on a repository.", NoteWritten, _tell_note),)

    def usage_reader(self) -> str:
        return "hub_sample.jobs:read_usage"

    def checks(self) -> Mapping[CheckPoint, str | Callable[..., None]]:
        return {
            CheckPoint.PRE_RECEIVE: "hub_sample.checks:refuse_secret_word",
            CheckPoint.BEFORE_REPOSITORY_DELETE: "hub_sample.checks:refuse_pinned",
        }

    def driver_groups(self) -> Iterable[DriverGroup[Any]]:
        return (DriverGroup("hub.sample.greeters", Greeter, "greeter"),)

    def services(self) -> Mapping[str, Callable[[Context], object]]:
        from hub_sample.service import NoteCounter

        return {"notes": NoteCounter}

    def metrics(self) -> Iterable[Metric]:
        return (Metric("hub_sample_notes", "Notes that are kept.", _count),)

    def health(self) -> HealthCheck:
        return _look


def _tell_note(_work: object, event: NoteWritten) -> Told:
    return Told({"text": event.text}, repository_id=event.repository_id)


def _count(context: Context) -> Iterable[Sample]:
    from hub_sample.service import NoteCounter

    return (Sample(NoteCounter(context).count(), {}),)


def _look(context: Context) -> Check:
    from hub_sample.service import NoteCounter

    try:
        return ok("sample", f"{NoteCounter(context).count()} notes are kept.")
    except Exception as error:
        return fail("sample", f"The notes cannot be counted: {error}", "Run `hub db upgrade`.")
