"""``hub prompt``: the prompts of a repository, listed, read from a file and written to one, as the hub or as a user."""

from __future__ import annotations

from dataclasses import asdict
from typing import IO, Any, cast

import click

from hub.accounts import service as accounts
from hub.accounts.policy import SYSTEM, Actor
from hub.assets.records import prompt_lists, prompt_transfer
from hub.base.context import Context
from hub.base.paging import PageArgs
from hub.cli.main import load_context, print_json, print_table
from hub.db.uow import reading
from hub.repos.models import Repository
from hub.repos.service import get_readable

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
format_option = click.option(
    "--format",
    "format",
    type=click.Choice(prompt_transfer.FORMATS),
    help="Without: by the ending of the file's name, else jsonl.",
)


def _find(context: Context, path: str) -> Repository:
    with reading(context) as work:
        return get_readable(work, actor=SYSTEM, kind="prompt", path=path.removeprefix("prompts/"))


def _format_of(name: str, format: str | None) -> prompt_transfer.Format:
    ending = name.rpartition(".")[2].lower()
    return cast(prompt_transfer.Format, format or (ending if ending in prompt_transfer.FORMATS else "jsonl"))


@click.group()
def prompt() -> None:
    """List the prompts of the hub, read many from a file, write many to one."""


@prompt.command("list")
@click.option("--repository", default="", help="Only of this one, namespace/name.")
@click.option("--search", default="", help="Words in the title, tags, categories or content.")
@click.option("--tag", default="")
@click.option("--language", default="")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@json_option
def list_prompts(repository: str, search: str, tag: str, language: str, limit: int, as_json: bool) -> None:
    """List prompts, those that changed last first; as far as they are indexed."""
    with reading(load_context()) as work:
        found = prompt_lists.list_prompts(
            work,
            actor=SYSTEM,
            search=search,
            tag=tag,
            language=language,
            repository_path=repository,
            page=PageArgs(per=limit),
        ).items
    values: list[dict[str, Any]] = [
        {
            "repository": listed.repository_path,
            "path": listed.record.path,
            "title": listed.record.title,
            "language": listed.record.language,
            "tags": listed.tags,
            "likes": listed.record.like_count,
        }
        for listed in found
    ]
    if as_json:
        print_json(values)
        return
    rows: list[list[Any]] = [
        [v["repository"], v["path"], v["title"], v["language"], ",".join(v["tags"]), v["likes"]] for v in values
    ]
    print_table(["REPOSITORY", "FILE", "TITLE", "LANGUAGE", "TAGS", "LIKES"], rows)


@prompt.command("import")
@click.argument("repository")
@click.argument("file", type=click.File("rb"))
@click.option("--user", "user_name", required=True, help="In whose name they are committed; they must have the right.")
@format_option
@click.option("--replace", is_flag=True, help="Write anew what is there already; without, it is skipped.")
@click.option("--message", default="", help="Of the commit.")
@json_option
def import_prompts(
    repository: str, file: IO[bytes], user_name: str, format: str | None, replace: bool, message: str, as_json: bool
) -> None:
    """Write the prompts of FILE ("-": standard input) into REPOSITORY, in one commit."""
    context = load_context()
    with reading(context) as work:
        actor = Actor.of_user(accounts.get_user(work, user_name), via="command")
    done = prompt_transfer.import_prompts(
        context,
        actor=actor,
        repository_id=_find(context, repository).id,
        stream=file,
        format=_format_of(getattr(file, "name", ""), format),
        replace=replace,
        message=message,
    )
    if as_json:
        print_json(asdict(done))
        return
    click.echo(f"{len(done.created)} created, {len(done.replaced)} replaced, {len(done.skipped)} skipped.")
    for error in done.errors:
        click.echo(f"{error.place}: {error.reason}", err=True)
    if done.error_count > len(done.errors):
        click.echo(f"and {done.error_count - len(done.errors)} more", err=True)


@prompt.command("export")
@click.argument("repository")
@click.argument("file", type=click.File("wb"))
@format_option
@click.option("--revision", default="", help="A branch, tag or commit; without: the default branch.")
def export_prompts(repository: str, file: IO[bytes], format: str | None, revision: str) -> None:
    """Write the prompts of REPOSITORY to FILE ("-": standard output)."""
    context = load_context()
    pieces = prompt_transfer.export_prompts(
        context,
        _find(context, repository),
        actor=SYSTEM,
        format=_format_of(getattr(file, "name", ""), format),
        revision=revision,
    )
    for piece in pieces:
        file.write(piece)
