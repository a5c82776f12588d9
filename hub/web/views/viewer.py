"""Data sets as tables: pages of rows with what their columns hold, filters, single rows, exports."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request

from hub.assets.viewer.expressions import quote_name
from hub.assets.viewer.rows import MAX_ROWS, Asked, RowPage, read_rows
from hub.assets.viewer.statistics import find_statistics
from hub.assets.viewer.tables import Catalogue, SplitState, find_catalogue
from hub.base.errors import Conflict, HubError, Invalid, NotFound, Unprocessable
from hub.base.paging import PageArgs
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos.entries import read_ref_names
from hub.repos.kinds import RepositoryKind
from hub.web.pages import wants_part
from hub.web.repository import RepositoryPage, open_page, render_repository_page
from hub.web.routing import REPOSITORY
from hub.web.tables import bars_of, classes_of, joined, rows_of, top_of

blueprint = Blueprint("tables", __name__)

PER = 50
# Drawn at a time. Source: the pages' contract, section 8.
COLUMNS = 200
# Branches, and as many tags, that one chooses from; the address takes any.
REVISIONS = 100
_WORDS_CHARS = {"search": 500, "where": 10_000, "orderby": 500, "ref": 255}


def _open(kind: RepositoryKind, namespace: str, name: str) -> RepositoryPage:
    repo = open_page(kind, namespace, name, tab="viewer")
    if "viewer" not in {tab.name for tab in kind.tabs}:
        raise NotFound("There are no tables here.", code="not_a_dataset")
    return repo


def _word(name: str) -> str:
    return request.args.get(name, "").strip()[: _WORDS_CHARS[name]]


def _number(name: str, default: int, *, least: int = 1, most: int = 10**9) -> int:
    try:
        return min(max(int(request.args.get(name, default)), least), most)
    except ValueError:
        return default


@blueprint.get(f"{REPOSITORY}/viewer")
def show_first_table(kind: RepositoryKind, namespace: str, name: str) -> Any:
    """The first table, or that there is none."""
    repo = _open(kind, namespace, name)
    found = find_catalogue(current_context(), repo.shown, actor=current_actor(), revision=_word("ref"))
    for config in found.configs:
        for split in config.splits:
            return redirect(repo.url("viewer", config.name, split.name, ref=_word("ref")), 302)
    return render_repository_page("viewer/none.html", repo, page="V1", state="empty", found=found)


@blueprint.get(f"{REPOSITORY}/viewer/<config>/<path:split>")
def show_table(kind: RepositoryKind, namespace: str, name: str, config: str, split: str) -> Response:
    """A page of a split's rows, or of what is asked of them; a part of that page where one asks for a part."""
    context, actor = current_context(), current_actor()
    repo = _open(kind, namespace, name)
    asked = Asked(config, split, _word("ref"))
    if request.args.get("part") == "statistics" and wants_part():
        return _show_statistics(repo, asked)
    found = find_catalogue(context, repo.shown, actor=actor, revision=asked.revision)
    state = _state_of(found, config, split)
    per, number = _number("per", PER, least=10, most=MAX_ROWS), _number("page", 1)
    words = {name: _word(name) for name in ("search", "where", "orderby")}
    fault = None
    page: RowPage | None = None
    try:
        page = read_rows(
            *(context, repo.shown, asked),
            actor=actor,
            offset=(number - 1) * per,
            limit=per,
            search=words["search"],
            where=words["where"],
            order_by=words["orderby"],
            source=found.sources.get((config, split)),
        )
    except (Conflict, Invalid, Unprocessable) as error:
        fault = error
    return _render(repo, asked, found, state, page, fault, words=words, args=PageArgs(number, per))


def _state_of(found: Catalogue, config: str, split: str) -> SplitState:
    for each in found.configs:
        for one in each.splits:
            if (each.name, one.name) == (config, split):
                return one
    raise NotFound("There is no such table at this revision.", code="table_not_found")


def _render(
    repo: RepositoryPage,
    asked: Asked,
    found: Catalogue,
    state: SplitState,
    page: RowPage | None,
    fault: HubError | None,
    *,
    words: dict[str, str],
    args: PageArgs,
) -> Response:
    all_columns = page.columns if page is not None else state.columns
    first = _number("column", 0, least=0)
    shown = range(first, min(first + COLUMNS, len(all_columns)))
    return render_repository_page(
        "viewer/_body.html" if wants_part() else "viewer/page.html",
        repo,
        page="V1",
        state="error" if fault is not None else "empty" if page is not None and not page.rows else "ready",
        asked=asked,
        found=found,
        split=state,
        table=page,
        fault=fault,
        columns=[all_columns[at] for at in shown],
        rows=rows_of(repo, asked, page, columns=shown) if page is not None else [],
        words=words,
        args=args,
        column_count=len(all_columns),
        first_column=first,
        columns_at_once=COLUMNS,
        row=_shown_row(repo, asked, page),
        revisions=read_ref_names(current_context(), repo.shown, limit=REVISIONS),
        quote_name=quote_name,
        failures=[each for each in found.failures if (each.config, each.split) == (asked.config, asked.split)],
    )


def _shown_row(repo: RepositoryPage, asked: Asked, page: RowPage | None) -> dict[str, Any] | None:
    """The row that ``?row=`` names, whole as far as a page tells it: its members with their names."""
    if page is None or "row" not in request.args:
        return None
    number = _number("row", 0, least=0, most=2**53)
    if number in page.numbers:
        one, at = page, list(page.numbers).index(number)
    else:
        try:
            one = read_rows(current_context(), repo.shown, asked, actor=current_actor(), offset=number, limit=1)
        except HubError:
            return None
        at = 0
    if not one.rows:
        return None
    return {
        "number": number,
        "cells": list(zip(one.columns, one.rows[at], strict=False)),
        "shown": rows_of(repo, asked, one, columns=range(len(one.columns)))[at].cells,
    }


def _show_statistics(repo: RepositoryPage, asked: Asked) -> Response:
    """The heads of the columns: what each holds, as far as it is measured."""
    first = _number("column", 0, least=0)
    found = find_statistics(
        *(current_context(), repo.shown),
        actor=current_actor(),
        config=asked.config,
        split=asked.split,
        revision=asked.revision,
        page=PageArgs(first // COLUMNS + 1, COLUMNS),
    )
    where = _word("where")
    classes = {
        column.name: classes_of(column.feature)
        for column in _state_of(
            find_catalogue(current_context(), repo.shown, actor=current_actor(), revision=asked.revision),
            asked.config,
            asked.split,
        ).columns
    }
    return render_repository_page(
        "viewer/_statistics.html",
        repo,
        found=found,
        bars={each["name"]: bars_of(each, classes.get(each["name"], [])) for each in found.columns},
        top={each["name"]: top_of(each) for each in found.columns},
        joined=lambda more: joined(where, more),
        column_count=min(found.column_count - first, COLUMNS),
        is_done=found.state.value in ("done", "failed"),
    )
