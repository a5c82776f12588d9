"""``hub license``: the hub's licence from the machine's own command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from hub.accounts.policy import SYSTEM
from hub.accounts.service import licenses as service
from hub.base.context import Context
from hub.cli.main import load_context, print_json
from hub.db.uow import reading, unit_of_work
from hub.licensing.armour import MAX_TEXT_BYTES
from hub.licensing.judge import LicenseState, Standing

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def describe(standing: Standing) -> dict[str, Any]:
    """A standing as JSON prints it."""
    license = standing.license
    described: dict[str, Any] = {
        "state": standing.state.value,
        "reason": standing.reason,
        "message": standing.message,
        "active_edition": standing.edition_name,
        "days_left": standing.days_left,
        "usage": dict(standing.usage),
    }
    if license is not None:
        described |= {
            "license_id": license.id,
            "company": license.company,
            "email": license.email,
            "edition": license.edition,
            "start_time": license.start_time,
            "expire_time": license.expire_time,
            "maintenance_until": license.maintenance_until,
            "max_user": license.max_user,
            "max_node": license.max_node,
            "max_gpu": license.max_gpu,
            "max_cluster": license.max_cluster,
            "features": sorted(license.features),
            "quotas": dict(license.quotas),
            "is_bound": license.fingerprint is not None,
            "signed_by": license.kid,
        }
    return described


def read_text(path: str) -> str:
    """A file's text ("-": standard input), a little more than a licence may have at most."""
    if path == "-":
        return sys.stdin.read(MAX_TEXT_BYTES + 1)
    with Path(path).open("rb") as stream:
        return stream.read(MAX_TEXT_BYTES + 1).decode(errors="replace")


def print_standing(standing: Standing, *, as_json: bool) -> None:
    """Show a standing: its state and what it means, then its terms."""
    described = describe(standing)
    if as_json:
        print_json(described)
        return
    click.echo(f"{described.pop('state')}: {described.pop('message')}")
    width = max(len(name) for name in described)
    for name, value in described.items():
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value
        click.echo(f"{name.ljust(width)}  {'-' if text in (None, '') else text}")


def _load_context(*, migrate: bool = False) -> Context:
    # The licence is what mends a hub whose plugins cannot start.
    return load_context(migrate=migrate, is_strict=False)


file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))


@click.group()
def license() -> None:
    """Show, check, import and remove the licence."""


@license.command()
@json_option
def show(as_json: bool) -> None:
    """Show the licence that is in force, and how the hub stands with it."""
    with reading(_load_context()) as work:
        standing = service.get_license_status(work, actor=SYSTEM)
    print_standing(standing, as_json=as_json)


@license.command()
@file_argument
@json_option
def verify(file: str, as_json: bool) -> None:
    """Show what the licence in FILE (-: standard input) would be worth here; exit status 1 when nothing."""
    with reading(_load_context()) as work:
        standing = service.verify_license(work, actor=SYSTEM, text=read_text(file))
    print_standing(standing, as_json=as_json)
    if not standing.is_in_force:
        raise SystemExit(1)


@license.command("import")
@file_argument
@click.option("--remark", default="", help="A line to remember it by.")
@json_option
def import_file(file: str, remark: str, as_json: bool) -> None:
    """Install the licence, or the revocation list, in FILE (-: standard input)."""
    with unit_of_work(_load_context(migrate=True)) as work:
        done = service.import_license(work, actor=SYSTEM, text=read_text(file), remark=remark)
    if as_json:
        print_json({**describe(done.standing), "revoked": done.revoked})
    elif done.stored is None:
        click.echo(f"Imported a list of {done.revoked} revoked licences. {done.standing.message}")
    else:
        click.echo(f"Imported the licence of {done.stored.company}. {done.standing.message}")


@license.command()
@json_option
def request(as_json: bool) -> None:
    """Print what to send to the vendor for a licence that is bound to this hub."""
    with unit_of_work(_load_context(migrate=True)) as work:
        text = service.make_request(work, actor=SYSTEM)
    if as_json:
        print_json({"request": text})
    else:
        click.echo(text, nl=False)


@license.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def remove(yes: bool, as_json: bool) -> None:
    """Take the licence out of force: the hub goes on with the features that need none. Data stays."""
    context = _load_context()
    if not yes:
        click.confirm("Take the licence out of force?", abort=True, err=True)
    with unit_of_work(context) as work:
        removed = service.remove_license(work, actor=SYSTEM)
    if as_json:
        print_json({"id": removed.id, "license_id": removed.license_id, "state": LicenseState.NONE.value})
    else:
        click.echo(f"Removed the licence of {removed.company}; `hub license import` brings it back.")
