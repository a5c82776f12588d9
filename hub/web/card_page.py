"""What the first page of a repository shows beside its card: figures, relations, the first rows of a data set."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal
from flask_babel import get_locale, gettext, ngettext
from markupsafe import Markup

from hub.accounts.policy import Actor
from hub.assets.models import Collection
from hub.assets.models_indexing import ModelMetadata
from hub.assets.models_lineage import RelationType
from hub.assets.service.cardtext import CardText, read_card_text
from hub.assets.service.collections import list_collections
from hub.assets.service.lineage import Graph, Node, find_lineage
from hub.assets.service.modelmetadata import find_known_metadata
from hub.assets.viewer.rows import Asked, RowPage, read_rows
from hub.assets.viewer.tables import Catalogue, find_catalogue
from hub.base.context import Context
from hub.base.errors import Conflict, HubError
from hub.base.paging import PageArgs
from hub.db.uow import UnitOfWork
from hub.repos.downloads import DayCount
from hub.repos.lookup import get_readable
from hub.repos.models import Repository
from hub.web.markdown import Document, LinkBase, render_document
from hub.web.repository import RepositoryPage

DAYS = 30
PREVIEW_ROWS = 5
MAX_COLLECTIONS = 10
MAX_CELL_CHARS = 160
MAX_RESULTS = 30
MAX_NAMED = 12  # of one kind of relation
_LINE_SIZE = (280, 48)


@dataclass(frozen=True)
class Card:
    """The card as the page shows it. text: None where content is given on request and the viewer has not got it."""

    text: CardText | None
    document: Document | None = None
    gate_code: str = ""


def read_card(context: Context, repo: RepositoryPage, *, actor: Actor, language: str) -> Card:
    """The repository's card, rendered."""
    try:
        text = read_card_text(context, repo.shown, actor=actor, language=language)
    except HubError as error:
        if not repo.shown.gate:
            raise
        return Card(None, gate_code=error.code or "gated_repository")
    base = LinkBase(repo.url(), repo.shown.default_branch, text.path.rpartition("/")[0])
    return Card(text, render_document(text.text, base=base) if text.text.strip() else None)


def draw_downloads(days: Sequence[DayCount]) -> Markup:
    """The downloads of the last days as a small line; what it says stands in words beside it."""
    width, height = _LINE_SIZE
    most = max((day.downloads for day in days), default=0) or 1
    step = width / max(len(days) - 1, 1)
    points = [f"{at * step:.1f},{height - 2 - day.downloads / most * (height - 6):.1f}" for at, day in enumerate(days)]
    line = " ".join(points)
    return Markup(
        '<svg class="sparkline" viewBox="0 0 {w} {h}" preserveAspectRatio="none" aria-hidden="true">'
        '<polygon points="0,{h} {line} {w},{h}"/><polyline points="{line}"/></svg>'
    ).format(w=width, h=height, line=line)


# Relations.


@dataclass(frozen=True)
class Related:
    """Repositories of one relation. title: what they are to this one. more: how many are not named here."""

    title: str
    nodes: Sequence[Node]
    more: int = 0


@dataclass(frozen=True)
class Relations:
    """What a repository was made from, what was made from it, and the collections that hold it."""

    origins: Sequence[Related] = ()
    heirs: Sequence[Related] = ()
    collections: Sequence[Collection] = ()
    collection_count: int = 0


def find_relations(work: UnitOfWork, repo: RepositoryPage, *, actor: Actor) -> Relations:
    """The relations that the viewer may see, and the collections."""
    row = get_readable(work, actor=actor, repository_id=repo.id)
    graph = find_lineage(work, actor=actor, repository=row, depth=1)
    held = list_collections(work, actor=actor, holding=[repo.id], sort="most_favorite", page=PageArgs(1, 10))
    origins, heirs = _grouped(graph)
    return Relations(
        origins=[Related(_origin_title(type), nodes[:MAX_NAMED], len(nodes[MAX_NAMED:])) for type, nodes in origins],
        heirs=[
            Related(_heir_title(type, count := graph.counts.get(type, len(nodes))), nodes[:4], max(count - 4, 0))
            for type, nodes in heirs
        ],
        collections=held.items[:MAX_COLLECTIONS],
        collection_count=held.total,
    )


_Groups = list[tuple[RelationType, list[Node]]]


def _grouped(graph: Graph) -> tuple[_Groups, _Groups]:
    nodes = {node.id: node for node in graph.nodes}
    up: dict[RelationType, list[Node]] = defaultdict(list)
    down: dict[RelationType, list[Node]] = defaultdict(list)
    for edge in graph.edges:
        if edge.source == graph.root and edge.target in nodes:
            up[edge.type].append(nodes[edge.target])
        elif edge.target == graph.root and edge.source in nodes:
            down[edge.type].append(nodes[edge.source])
    return [*up.items()], [*down.items()]


def _origin_title(type: RelationType) -> str:
    titles = {
        RelationType.FINETUNE: gettext("Fine-tuned from"),
        RelationType.ADAPTER: gettext("Adapter of"),
        RelationType.QUANTIZED: gettext("Quantised from"),
        RelationType.MERGE: gettext("Merged from"),
        RelationType.DISTILLED: gettext("Distilled from"),
        RelationType.TRAINED_ON: gettext("Trained on"),
        RelationType.EVALUATED_ON: gettext("Evaluated on"),
        RelationType.GENERATED_BY: gettext("Generated by"),
        RelationType.USES: gettext("Uses"),
        RelationType.DERIVED_FROM: gettext("Derived from"),
        RelationType.DEPLOYED_AS: gettext("Deployed as"),
        RelationType.MIRRORED_FROM: gettext("Mirrored from"),
        RelationType.NEW_VERSION: gettext("Replaced by"),
    }
    return str(titles[type])


def _heir_title(type: RelationType, count: int) -> str:
    match type:
        case RelationType.FINETUNE:
            title = ngettext("%(num)s fine-tune", "%(num)s fine-tunes", count)
        case RelationType.ADAPTER:
            title = ngettext("%(num)s adapter", "%(num)s adapters", count)
        case RelationType.QUANTIZED:
            title = ngettext("%(num)s quantisation", "%(num)s quantisations", count)
        case RelationType.MERGE:
            title = ngettext("%(num)s merge", "%(num)s merges", count)
        case RelationType.TRAINED_ON:
            title = ngettext("%(num)s model trained on it", "%(num)s models trained on it", count)
        case RelationType.USES:
            title = ngettext("Used by %(num)s repository", "Used by %(num)s repositories", count)
        case _:
            title = ngettext("%(num)s more that comes from it", "%(num)s more that come from it", count)
    return str(title)


# The first rows of a data set.


@dataclass(frozen=True)
class Preview:
    """The beginning of a data set. fault: why there are no rows to be seen."""

    catalogue: Catalogue | None = None
    page: RowPage | None = None
    fault: str = ""

    @property
    def num_rows(self) -> int:
        """Of all splits, as far as they are counted."""
        found = self.catalogue.configs if self.catalogue else ()
        return sum(split.num_rows or 0 for config in found for split in config.splits)


def read_preview(context: Context, repo: RepositoryPage, *, actor: Actor) -> Preview:
    """The tables of a data set and the first rows of the first one; with a reason where they cannot be had."""
    catalogue = None
    try:
        catalogue = find_catalogue(context, repo.shown, actor=actor)
        if not catalogue.configs or not catalogue.configs[0].splits:
            return Preview(catalogue)
        first = catalogue.configs[0]
        asked = Asked(first.name, first.splits[0].name)
        source = catalogue.sources[asked.config, asked.split]
        page = read_rows(context, repo.shown, asked, actor=actor, limit=PREVIEW_ROWS, source=source)
        return Preview(catalogue, page)
    except Conflict:
        return Preview(catalogue, fault=gettext("The table is being made. Come back in a moment."))
    except HubError as error:
        return Preview(catalogue, fault=str(error))


def cell_text(value: object) -> str:
    """A cell of a table in a line, cut."""
    if isinstance(value, dict) and "_type" in value:
        return f"[{value['_type']}] {value.get('path') or ''}".strip()
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_CELL_CHARS else f"{text[:MAX_CELL_CHARS]}…"


class Result(NamedTuple):
    """One result of an evaluation, as a card tells it."""

    dataset: str
    metric: str
    value: str


def results_in(index: object) -> list[Result]:
    """The results in a card's ``model-index``, whatever shape somebody gave it; at most ``MAX_RESULTS``."""
    found: list[Result] = []
    for model in _members(index):
        for result in _members(model.get("results")):
            dataset = result.get("dataset")
            name = dataset.get("name") or dataset.get("type") if isinstance(dataset, dict) else dataset
            for metric in _members(result.get("metrics")):
                value = metric.get("value")
                # True is a number to Python, and to nobody else.
                if isinstance(value, int | float) and not isinstance(value, bool):
                    shown = format_decimal(value, locale=get_locale())
                else:
                    shown = cell_text(value)
                found.append(Result(str(name or ""), str(metric.get("name") or metric.get("type") or ""), shown))
    return found[:MAX_RESULTS]


def _members(value: object) -> Sequence[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def language_name(code: str) -> str:
    """A language in its own words; the code where it is not known."""
    try:
        return Locale.parse(code.replace("-", "_")).get_display_name() or code
    except (UnknownLocaleError, ValueError):
        return code


def find_model(work: UnitOfWork, repo: RepositoryPage) -> ModelMetadata | None:
    """What the files of a model say of it; None for other kinds, and before they were read. One query."""
    return find_known_metadata(work, repo.shown) if repo.kind.name == "model" else None


def find_fork_source(work: UnitOfWork, repo: RepositoryPage, *, actor: Actor) -> Repository | None:
    """What it was copied from, where the viewer may see that."""
    if repo.shown.forked_from_id is None:
        return None
    try:
        return get_readable(work, actor=actor, repository_id=repo.shown.forked_from_id)
    except HubError:
        return None
