"""``hub search``: what the search over everything finds, as everybody sees it or as one account does."""

from __future__ import annotations

from typing import Any

import click

from hub.accounts import service as accounts
from hub.accounts.policy import ANONYMOUS, Actor
from hub.assets.search.code import CodeHit
from hub.assets.search.repositories import RELEVANCE, SORTS
from hub.assets.search.service import ALL, Answer
from hub.assets.search.service import search as find
from hub.base.paging import PageArgs
from hub.cli.main import load_context, print_json, print_table
from hub.db.uow import reading


@click.command()
@click.argument("query", nargs=-1, required=True)
@click.option("--type", "type", default=ALL, help="models, datasets, ..., code; default: five of each.")
@click.option("--sort", type=click.Choice(SORTS), default=RELEVANCE, help="Of repositories of one type.")
@click.option("--user", default="", help="As this account sees it; default: as everybody does.")
@click.option("--page", type=click.IntRange(1), default=1)
@click.option("--per", type=click.IntRange(1, 100), default=20)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def search(query: tuple[str, ...], type: str, sort: str, user: str, page: int, per: int, as_json: bool) -> None:
    """Search names, descriptions, cards and code: hub search llama license:mit --type models

    A filter to leave out begins with a minus, so put it behind --: hub search -- llama -license:mit
    """
    context = load_context()
    with reading(context) as work:
        actor = Actor.of_user(accounts.get_user(work, user), via="session") if user else ANONYMOUS
        text = " ".join(query)
        found = find(work, actor=actor, text=text, type=type, sort=sort, page=PageArgs(page, per))
    rows = [row for section in found.sections for row in _rows_of(section.type, section.items)]
    if as_json:
        print_json(_described(found, rows))
        return
    if found.corrected:
        click.echo(f"Nothing has {found.query!r}; searched for {found.corrected!r} instead.", err=True)
    print_table(["TYPE", "NAME", "SAYS"], [[row["type"], row["name"], row["says"]] for row in rows])
    for section in found.sections:
        if section.total > len(section.items):
            more = "more than " if section.is_estimate else ""
            click.echo(f"{section.title}: {len(section.items)} of {more}{section.total}.", err=True)
    for dropped in found.dropped:
        click.echo(f"Without {dropped.text}: {dropped.total}.", err=True)


def _rows_of(type: str, items: Any) -> list[dict[str, Any]]:
    return [{"type": type, "name": _name_of(item), "says": _words_of(item)} for item in items]


def _name_of(item: Any) -> str:
    if isinstance(item, CodeHit):
        return f"{item.repository}/{item.path}"
    path = getattr(item, "path", "") or item.name
    number = getattr(item, "number", 0)
    return f"{path}#{number}" if number else path


def _words_of(item: Any) -> str:
    if isinstance(item, CodeHit):
        return "; ".join(f"{number}: {text.strip()}" for number, text in item.lines[:1])
    words = getattr(item, "title", "") or getattr(item, "description", "") or getattr(item, "nickname", "")
    line = " ".join(words.split())
    return line if len(line) <= 80 else f"{line[:79]}…"


def _described(found: Answer, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "query": found.query,
        "corrected_query": found.corrected,
        "total": found.total,
        "totals": {section.type: section.total for section in found.sections},
        "items": rows,
        "dropped": [{"filter": one.text, "total": one.total} for one in found.dropped],
    }
