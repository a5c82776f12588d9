"""What repositories are, one by one and in lists. Sources: CSGHub contract, 3.1 and 3.2; Hugging Face contract, 5."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flask import Response
from sqlalchemy import ColumnElement, false, or_

from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import find_namespace
from hub.assets.security.reports import find_issues
from hub.assets.service import labels_of, list_labels
from hub.assets.service.facts import Facts, find_facts, read_facts, read_weight_heads
from hub.assets.service.modelmetadata import with_span
from hub.assets.service.tags import OUR_SDKS, count_children, names_any, names_one_of, related_of, with_tags, word_of
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound, TooLarge
from hub.base.paging import Page, PageArgs
from hub.compat import info_schemas, schemas, views
from hub.compat.addresses import CompatBlueprint, Place, next_link, revision_only
from hub.compat.members import (
    OF_CARD,
    OF_COMMIT,
    OF_FACTS,
    OF_FILES,
    OF_RELATED,
    Subject,
    check_members,
    info_view,
    usual_members,
)
from hub.compat.spaces import runtime_view
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos import contents, entries, service
from hub.repos.filters import has_detail
from hub.repos.gates import Gate, require_content
from hub.repos.kinds import RepositoryKind, get_kind
from hub.repos.models import Repository
from hub.repos.rows import RepositoryRow

blp = CompatBlueprint("infos", __name__, description="What repositories are, as huggingface_hub asks")

_SORTS = {
    "lastModified": "recently_update",
    "createdAt": "recently_create",
    "downloads": "most_download",
    "likes": "most_favorite",
    "trendingScore": "trending",
}
# Of a repository in a list; more are for its own page.
_MAX_SIBLINGS = 5_000
_MAX_PAGE = 1_000_000


@blp.get("/api/<collection:kind>")
@blp.arguments(info_schemas.HubListQuery, location="query")
@blp.response(200, info_schemas.HubInfoSchema(many=True))
def list_repositories(query: dict[str, Any], kind: RepositoryKind) -> Response:
    """The repositories of a kind that the caller may see; the next page's address is in the ``Link`` header."""
    context, actor = current_context(), current_actor()
    wanted = _wanted_in_list(kind, query)
    most = info_schemas.MAX_LIST_OF_FILES if wanted & OF_COMMIT else info_schemas.MAX_LIST
    # A page's size; the client stops by itself when it has as many as it wants.
    per = most if query["limit"] is None else min(query["limit"], most)
    if per < 1:
        return views.send_json([])
    args = PageArgs(_read_cursor(query["cursor"]) if query["cursor"] else 1, per)
    with reading(context) as work:
        page: Page[RepositoryRow] = Page([], 0)
        if not query["author"] or find_namespace(work, query["author"]) is not None:
            page = service.list_repositories(
                work,
                actor=actor,
                kind=kind.name,
                namespace=query["author"] or None,
                search=query["search"],
                sort=_sort_of(query),
                where=_conditions(work, actor, kind, query),
                page=args,
            )
        found = page.items
        ids = [repository.id for repository in found]
        labels = labels_of(work, ids)
        related = related_of(work, actor=actor, repository_ids=ids) if wanted & OF_RELATED else {}
    items = []
    for repository in found:
        subject = Subject(repository, labels.get(repository.id, ()), related.get(repository.id, ()))
        items.append(info_view(_with_files(context, subject, wanted), wanted))
    # What is not counted to the end has a page without items as its last one, at worst.
    has_more = len(found) == per and (page.is_estimate or args.offset + per < page.total) and args.page < _MAX_PAGE
    link = {"Link": next_link(cursor=_make_cursor(args.page + 1))} if has_more else None
    return views.send_json(items, link)


@blp.get("/api/spaces/semantic-search")
@blp.arguments(info_schemas.HubSearchQuery, location="query")
@blp.response(200, info_schemas.HubInfoSchema(many=True))
def search_spaces(query: dict[str, Any]) -> Response:
    """The 100 most liked spaces with these words, which is what this hub can search by."""
    context, actor = current_context(), current_actor()
    kind = get_kind(context, "space")
    sdk = next(field for field in kind.details if field.name == "sdk")
    with reading(context) as work:
        conditions = with_tags(work, actor=actor, scope=kind.name, tags=query["filter"])
        if query["sdk"]:
            conditions.append(or_(*(has_detail(sdk, OUR_SDKS.get(name, name)) for name in query["sdk"])))
        found = service.list_repositories(
            work,
            actor=actor,
            kind=kind.name,
            search=query["q"],
            sort=_SORTS["likes"],
            where=conditions,
            page=PageArgs(per=info_schemas.MAX_LIST),
        ).items
        labels = labels_of(work, [repository.id for repository in found])
    wanted = usual_members(kind.name, with_files=False)
    return views.send_json(
        [info_view(Subject(repository, labels.get(repository.id, ()), ()), wanted) for repository in found]
    )


@blp.at("/leaderboard")
@blp.response(200, {"type": "array", "items": {"type": "object"}})
def show_leaderboard(place: Place) -> Response:
    """Nobody: this hub ranks no models by their results on a data set."""
    place.get()
    if place.kind.name != "dataset":
        raise NotFound(f"A {place.kind.name} has no leaderboard.", code="not_a_dataset")
    return views.send_json([])


def _wanted_in_list(kind: RepositoryKind, query: dict[str, Any]) -> frozenset[str]:
    if asked := [*query["expand"], *query["expand_too"]]:
        return check_members(kind.name, asked)
    wanted = usual_members(kind.name, with_files=False)
    if query["full"]:
        wanted |= {"sha", "siblings"} | ({"cardData"} if kind.name != "model" else set())
    for member in ("config", "cardData"):
        wanted |= {member} if query[member] else set()
    return wanted


def _sort_of(query: dict[str, Any]) -> str:
    sort = _SORTS.get(query["sort"])
    if sort is None or query["direction"] != "-1":
        raise Invalid(f"Lists are sorted by {', '.join(_SORTS)}, descending.", code="REQ-ERR-6", query="sort")
    return sort


def _conditions(
    work: UnitOfWork, actor: Actor, kind: RepositoryKind, query: dict[str, Any]
) -> list[ColumnElement[bool]]:
    """What a request narrows a list by. Three queries at most. Raises Invalid."""
    tags = [*query["filter"], *(f"apps:{name}" for name in query["apps"])]
    if query["pipeline_tag"]:
        tags.append(f"pipeline_tag:{query['pipeline_tag']}")
    conditions = with_tags(work, actor=actor, scope=kind.name, tags=tags)
    if query["num_parameters"]:
        conditions += with_span(query["num_parameters"])
    if query["gated"] is not None:
        is_open = Repository.gate == Gate.OPEN
        conditions.append(~is_open if query["gated"] else is_open)
    if query["inference"] or query["inference_provider"]:
        conditions.append(false())
    for name, of in (("models", "model"), ("datasets", "dataset")):
        if query[name]:
            conditions.append(names_one_of(work, actor=actor, targets=[(of, path) for path in query[name]]))
    if query["linked"]:
        conditions.append(names_any(("model", "dataset")))
    return conditions


def _make_cursor(page: int) -> str:
    return base64.urlsafe_b64encode(str(page).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> int:
    """The page. Raises Invalid (``cursor_invalid``)."""
    try:
        page = int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii"))
    except (binascii.Error, ValueError):
        page = 0
    if not 1 <= page <= _MAX_PAGE:
        raise Invalid("The cursor is none of ours; begin at the first page.", code="cursor_invalid", query="cursor")
    return page


def _with_files(context: Context, subject: Subject, wanted: frozenset[str]) -> Subject:
    """A repository of a list with what its default branch says, where that is wanted and there is one."""
    if not wanted & OF_COMMIT:
        return subject
    repository = subject.repository
    most = _MAX_SIBLINGS if wanted & OF_FILES else 0
    try:
        snapshot = entries.read_snapshot(context, repository, revision=repository.default_branch, max_files=most)
    except NotFound:
        return subject
    facts = find_facts(context, repository, commit_id=snapshot.commit.id) if wanted & OF_FACTS else Facts()
    return Subject(repository, subject.labels, subject.related, snapshot, facts)


@blp.at("", "/revision/<path:revision>")
@blp.arguments(info_schemas.HubInfoQuery, location="query")
@blp.response(200, info_schemas.HubInfoSchema)
def show_repository(query: dict[str, Any], place: Place, revision: str = "") -> Response:
    """A repository at one of its revisions, with all its files; no envelope. ``sha`` is the commit in every case."""
    context, actor = current_context(), current_actor()
    asked = [*query["expand"], *query["expand_too"]]
    with reading(context) as work:
        repository = place.load(work)
        kind = repository.kind
        wanted = check_members(kind, asked) if asked else usual_members(kind, with_files=True)
        labels = labels_of(work, [repository.id]).get(repository.id, [])
        related = []
        if wanted & OF_RELATED:
            related = related_of(work, actor=actor, repository_ids=[repository.id]).get(repository.id, [])
        children = None
        if "childrenModelCount" in wanted:
            children = count_children(work, actor=actor, repository_id=repository.id)
    snapshot = entries.read_snapshot(
        context,
        repository,
        revision=revision_only(repository) if revision else repository.default_branch,
        with_sizes=query["blobs"],
        max_files=None if wanted & OF_FILES else 0,
    )
    has_facts = wanted & (OF_FACTS | OF_CARD)
    facts = read_facts(context, repository, commit_id=snapshot.commit.id) if has_facts else Facts()
    size = _measure(context, repository, snapshot.commit.id) if "mainSize" in wanted else None
    runtime = runtime_view(context, repository) if "runtime" in wanted else None
    view = info_view(Subject(repository, labels, related, snapshot, facts, children, size, runtime), wanted)
    if query["securityStatus"] and kind == "model":
        issues = find_issues(context, repository, commit_id=snapshot.commit.id)
        found = [{"path": path, "level": state.value} for path, state in issues or ()]
        view["securityRepoStatus"] = {"scansDone": issues is not None, "filesWithIssues": found}
    return views.send_json(view)


def _measure(context: Context, repository: Repository, commit_id: str) -> int | None:
    try:
        return contents.measure_files(context, repository, revision=commit_id)
    except TooLarge:
        return None


@blp.at("/safetensors-metadata/<path:path>")
@blp.response(200, info_schemas.HubWeightsSchema)
def show_weights(place: Place, path: str) -> Response:
    """The heads of a safetensors file, or of all that an index names, on the default branch."""
    found = read_weight_heads(current_context(), place.get(), actor=current_actor(), path=path)
    return views.send_json({"index": {"metadata": found.metadata}, "headers": found.heads})


@blp.at("/auth-check")
@blp.response(200, schemas.HubDoneSchema)
def check_access(place: Place) -> dict[str, Any]:
    """Whether the caller gets the repository's content."""
    with reading(current_context()) as work:
        require_content(work, current_actor(), place.load(work))
    return {"success": True}


@blp.at("/auth-check/write")
@blp.response(200, schemas.HubDoneSchema)
def check_write_access(place: Place) -> dict[str, Any]:
    """Whether the caller may change the repository."""
    with reading(current_context()) as work:
        require(work, current_actor(), Action.REPOSITORY_WRITE, place.load(work))
    return {"success": True}


# How the categories of labels are called, by the kind of what carries them, and what stands before their names.
_TYPES: dict[str, dict[str, tuple[str, str]]] = {
    "model": {
        "task": ("pipeline_tag", ""),
        "framework": ("library", ""),
        "language": ("language", ""),
        "license": ("license", "license:"),
    },
    "dataset": {
        "task": ("task_categories", "task_categories:"),
        "size": ("size_categories", "size_categories:"),
        "framework": ("library", "library:"),
        "language": ("language", "language:"),
        "license": ("license", "license:"),
    },
}


@blp.get("/api/models-tags-by-type")
@blp.response(200, {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "object"}}})
def list_model_tags() -> Response:
    """The tags of models by what they say: the first 5,000 of the catalogue."""
    return _tags_by_type("model")


@blp.get("/api/datasets-tags-by-type")
@blp.response(200, {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "object"}}})
def list_dataset_tags() -> Response:
    """The tags of data sets by what they say: the first 5,000 of the catalogue."""
    return _tags_by_type("dataset")


def _tags_by_type(scope: str) -> Response:
    with reading(current_context()) as work:
        labels = list_labels(work, actor=current_actor(), scopes=[scope]).items
    found: dict[str, list[dict[str, str]]] = {}
    for label in labels:
        kind, head = _TYPES[scope].get(label.category, ("other", ""))
        tag = {"id": f"{head}{word_of(label)}", "label": label.show_name or label.name, "type": kind}
        found.setdefault(kind, []).append(tag)
    return views.send_json(found)
