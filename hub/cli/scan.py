"""``hub scan``: what could harm whoever uses a repository's files, looked for now."""

from __future__ import annotations

from typing import Any

import click

from hub.accounts.policy import SYSTEM
from hub.base.paging import MAX_PER, PageArgs
from hub.cli.main import load_context, print_json, print_table
from hub.db.uow import reading

_BAD = ("unsafe", "suspicious", "error", "skipped")


@click.command()
@click.argument("path", metavar="NAMESPACE/NAME")
@click.option("--kind", default="model", show_default=True, help="Its kind: model, dataset, code, space, ...")
@click.option("--ref", default="", help="A branch, tag or commit; without it the default branch.")
@click.option("--limit", type=click.IntRange(1, MAX_PER), default=MAX_PER, help="At most so many files of each state.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def scan(path: str, kind: str, ref: str, limit: int, as_json: bool) -> None:
    """Look through a repository's files for what could do harm, and show what was found.

    Pickles that import what runs programs, secrets in texts, executables. What was looked through before is not again.
    The default branch is looked through after each push, without this.
    """
    from hub.assets.models_security import ScanState
    from hub.assets.security.reports import find_security
    from hub.assets.security.revisions import scan_revision
    from hub.repos.contents import resolve
    from hub.repos.kinds import get_kind
    from hub.repos.lookup import get_readable

    context = load_context(freeze=True)
    with reading(context) as work:
        repository = get_readable(work, actor=SYSTEM, kind=get_kind(context, kind).name, path=path)
    commit_id = resolve(context, repository, ref)
    scan_revision(context, repository, commit_id=commit_id)
    files: list[dict[str, Any]] = []
    for state in _BAD:
        found = find_security(
            context, repository, actor=SYSTEM, revision=commit_id, state=ScanState(state), page=PageArgs(1, limit)
        )
        files += [
            {"path": file.path, "state": file.state.value, "reason": file.reason, "findings": file.findings}
            for file in found.files
        ]
    if as_json:
        print_json({"commit": commit_id, "counts": found.counts, "file_count": found.file_count, "files": files})
        return
    counts = ", ".join(f"{count:,} {state}" for state, count in sorted(found.counts.items())) or "none"
    click.echo(f"{commit_id}: {found.file_count:,} files: {counts}")
    rows = [[file["state"], file["path"], _words(file)] for file in files]
    if rows:
        print_table(["STATE", "PATH", "WHY"], rows)


def _words(file: dict[str, Any]) -> str:
    findings = [
        (f"line {one['line']}: " if one["line"] else "") + one["text"] + (f" ({one['where']})" if one["where"] else "")
        for one in file["findings"] or ()
    ]
    return "; ".join([*findings[:3], *(["..."] if len(findings) > 3 else []), *filter(None, [file["reason"]])])
