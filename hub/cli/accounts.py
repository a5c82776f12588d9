"""``hub user``, ``hub org`` and ``hub token``: accounts from the machine's own command line, as the hub itself."""

from __future__ import annotations

import dataclasses
import sys
from datetime import timedelta
from typing import Any, TextIO

import click

from hub.accounts import service
from hub.accounts.models import AccessToken, Organization, Role, TokenScope, User
from hub.accounts.passwords import MAX_PASSWORD_BYTES, PasswordHash, hash_password
from hub.accounts.policy import SYSTEM
from hub.accounts.service import importing, invitations, second_factors
from hub.accounts.service.tokens import APPS
from hub.base.context import Context
from hub.base.paging import PageArgs
from hub.cli.main import load_context, print_json, print_table
from hub.db.uow import reading, unit_of_work

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
limit_option = click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many.")
password_option = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
app_option = click.option("--app", type=click.Choice(APPS), default="git", show_default=True, help="What it is for.")


def _describe_user(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "email": user.email,
        "nickname": user.nickname,
        "uuid": user.uuid,
        "is_admin": user.is_admin,
        "is_active": user.is_active,
        "has_password": user.password_hash is not None,
        "has_second_factor": user.second_factor_at is not None,
        "created_at": user.created_at,
        "last_login_at": user.last_login_at,
    }


def _describe_organization(organization: Organization) -> dict[str, Any]:
    return {
        "name": organization.name,
        "display_name": organization.display_name,
        "uuid": organization.uuid,
        "created_at": organization.created_at,
    }


def _describe_token(token: AccessToken) -> dict[str, Any]:
    return {
        "user": token.user.name,
        "name": token.name,
        "app": token.app,
        "scope": token.scope.value,
        "hint": f"{token.hint}...",
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "created_at": token.created_at,
    }


def _print_one(value: dict[str, Any]) -> None:
    width = max(len(key) for key in value)
    for key, item in value.items():
        click.echo(f"{key.ljust(width)}  {'-' if item is None else item}")


def _report(value: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(value)
    else:
        click.echo(sentence)


def _read_password(context: Context, *, name: str, email: str = "") -> PasswordHash:
    line = sys.stdin.readline(MAX_PASSWORD_BYTES + 2)
    return hash_password(context, line.rstrip("\r\n"), name=name, email=email)


@click.group()
def user() -> None:
    """Create and manage users."""


@user.command("create")
@click.argument("name")
@click.option("--email", required=True, help="The e-mail address, which must not belong to another account.")
@password_option
@click.option("--admin", is_flag=True, help="Make a site administrator.")
@click.option("--nickname", default="", help="The name that pages show.")
@json_option
def create_user(name: str, email: str, password_stdin: bool, admin: bool, nickname: str, as_json: bool) -> None:
    """Create a user; without a password the account signs in by tokens and SSH keys only."""
    context = load_context(migrate=True)
    password = _read_password(context, name=name, email=email) if password_stdin else None
    with unit_of_work(context) as work:
        created = service.create_user(
            work, actor=SYSTEM, name=name, email=email, password=password, is_admin=admin, nickname=nickname
        )
    _report(_describe_user(created), f"Created the user {created.name}.", as_json=as_json)


@user.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Look it over and make nothing.")
@json_option
def import_users(file: TextIO, dry_run: bool, as_json: bool) -> None:
    """Make many users of a CSV: username, email; nickname and role (user or admin) when wanted.

    All are made, or, where anything stands against a line, none. Their passwords are known to nobody: each owner
    chooses one by the link for a lost password.
    """
    text = file.read(importing.MAX_CHARS + 1)
    done = importing.import_users(load_context(migrate=True), actor=SYSTEM, text=text, is_dry=dry_run)
    if as_json:
        findings = [dataclasses.asdict(finding) for finding in done.findings]
        print_json({"rows": len(done.rows), "created": done.created, "findings": findings})
    else:
        for finding in done.findings:
            where = f"{finding.column}: " if finding.column else ""
            click.echo(f"line {finding.line}: {where}{finding.message}", err=True)
        click.echo(f"{len(done.rows)} users can be made." if dry_run else f"Created {done.created} users.")
    if done.findings:
        raise SystemExit(1)


@user.command("invite")
@click.option("--email", default="", help="The only address that it is good for.")
@click.option("--note", default="", help="Whom it is for, to know it again.")
@click.option("--days", type=click.IntRange(1, invitations.MAX_DAYS), default=7, show_default=True, help="How long.")
@click.option("--send", is_flag=True, help="Send the link by e-mail instead of printing it.")
@json_option
def invite_user(email: str, note: str, days: int, send: bool, as_json: bool) -> None:
    """Print a link by which somebody makes one account, also where registration is closed."""
    with unit_of_work(load_context()) as work:
        row, url = invitations.invite(work, actor=SYSTEM, email=email, note=note, days=days, sends=send)
        described = {"uuid": row.uuid, "email": row.email, "expires_at": row.expires_at, "url": url}
    _report(described, url or f"The invitation goes to {row.email}.", as_json=as_json)


@user.command("list")
@click.option("--search", default="", help="Part of the name, nickname or e-mail address.")
@limit_option
@json_option
def list_users(search: str, limit: int, as_json: bool) -> None:
    """List users by name."""
    with reading(load_context()) as work:
        wanted = service.UserFilter(search=search)
        users = service.list_users(work, actor=SYSTEM, wanted=wanted, page=PageArgs(per=limit)).items
    if as_json:
        print_json([_describe_user(found) for found in users])
        return
    rows = [
        [u.name, u.email, "admin" if u.is_admin else "user", "active" if u.is_active else "disabled"] for u in users
    ]
    print_table(["NAME", "E-MAIL", "ROLE", "STATE"], rows)


@user.command("show")
@click.argument("name")
@json_option
def show_user(name: str, as_json: bool) -> None:
    """Show one user."""
    with reading(load_context()) as work:
        value = _describe_user(service.get_user(work, name))
    if as_json:
        print_json(value)
    else:
        _print_one(value)


@user.command("update")
@click.argument("name")
@click.option("--email", help="The new e-mail address.")
@click.option("--nickname", help="The name that pages show.")
@click.option("--admin/--no-admin", "is_admin", default=None, help="Make or unmake a site administrator.")
@json_option
def update_user(name: str, email: str | None, nickname: str | None, is_admin: bool | None, as_json: bool) -> None:
    """Change what is named."""
    with unit_of_work(load_context()) as work:
        changed = service.update_user(
            work, actor=SYSTEM, user=service.get_user(work, name), email=email, nickname=nickname, is_admin=is_admin
        )
    _report(_describe_user(changed), f"Changed the user {changed.name}.", as_json=as_json)


@user.command("password")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, required=True, help="Read the password from standard input.")
def change_password(name: str, password_stdin: bool) -> None:
    """Give a user a new password and end the user's browser sessions."""
    context = load_context()
    with reading(context) as work:
        found = service.get_user(work, name)
    password = _read_password(context, name=found.name, email=found.email)
    with unit_of_work(context) as work:
        service.set_password(work, actor=SYSTEM, user=service.get_user(work, name), password=password)
    click.echo(f"Changed the password of {found.name}.")


@user.command("reset-second-factor")
@click.argument("name")
def reset_second_factor(name: str) -> None:
    """Take the second factor off a user who has lost it, recovery codes and remembered devices included.

    The password alone signs in again.
    """
    with unit_of_work(load_context()) as work:
        found = service.get_user(work, name)
        second_factors.reset(work, actor=SYSTEM, user=found)
    click.echo(f"{found.name} signs in by the password alone again.")


@user.command("disable")
@click.argument("name")
def disable_user(name: str) -> None:
    """Switch a user off: no password, token, key or session of theirs is good any more."""
    with unit_of_work(load_context()) as work:
        found = service.get_user(work, name)
        service.deactivate_user(work, actor=SYSTEM, user=found)
    click.echo(f"Disabled the user {found.name}.")


@user.command("enable")
@click.argument("name")
def enable_user(name: str) -> None:
    """Switch a user on again."""
    with unit_of_work(load_context()) as work:
        found = service.get_user(work, name)
        service.reactivate_user(work, actor=SYSTEM, user=found)
    click.echo(f"Enabled the user {found.name}.")


@user.command("delete")
@click.argument("name")
@click.option("--repositories", is_flag=True, help="Delete its repositories, too (for a while they can come back).")
@click.option("--discussions", is_flag=True, help="Delete the discussions and comments, too.")
@click.confirmation_option(prompt="The account cannot be brought back. Delete it?")
def delete_user(name: str, repositories: bool, discussions: bool) -> None:
    """Delete a user for good; without --repositories only one that has none."""
    with unit_of_work(load_context()) as work:
        found = service.delete_user(
            work, actor=SYSTEM, name=name, with_repositories=repositories, with_discussions=discussions
        )
    click.echo(f"Deleted the user {found.name}.")


@click.group()
def org() -> None:
    """Create and manage organisations."""


@org.command("create")
@click.argument("name")
@click.option("--owner", required=True, help="The user who becomes its first owner.")
@click.option("--display-name", default="", help="The name that pages show.")
@json_option
def create_organization(name: str, owner: str, display_name: str, as_json: bool) -> None:
    """Create an organisation."""
    with unit_of_work(load_context()) as work:
        created = service.create_organization(
            work, actor=SYSTEM, name=name, owner=service.get_user(work, owner), display_name=display_name
        )
    _report(_describe_organization(created), f"Created the organisation {created.name}.", as_json=as_json)


@org.command("list")
@click.option("--search", default="", help="Part of the name.")
@limit_option
@json_option
def list_organizations(search: str, limit: int, as_json: bool) -> None:
    """List organisations by name."""
    with reading(load_context()) as work:
        wanted = service.OrganizationFilter(search=search)
        found = service.list_organizations(work, actor=SYSTEM, wanted=wanted, page=PageArgs(per=limit)).items
    if as_json:
        print_json([_describe_organization(organization) for organization in found])
    else:
        print_table(["NAME", "DISPLAY NAME"], [[o.name, o.display_name] for o in found])


@org.command("members")
@click.argument("name")
@limit_option
@json_option
def list_members(name: str, limit: int, as_json: bool) -> None:
    """List an organisation's members and their roles."""
    with reading(load_context()) as work:
        organization = service.get_organization(work, name)
        members = service.list_members(work, actor=SYSTEM, organization=organization, page=PageArgs(per=limit)).items
    if as_json:
        print_json([dataclasses.asdict(member) for member in members])
    else:
        print_table(["NAME", "ROLE"], [[member.name, member.role] for member in members])


@org.command("add")
@click.argument("name")
@click.argument("member")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What they may do.")
def add_member(name: str, member: str, role: str) -> None:
    """Make a user a member, or give a member another role."""
    with unit_of_work(load_context()) as work:
        organization, found = service.get_organization(work, name), service.get_user(work, member)
        is_member = service.find_member(work, organization=organization, user=found) is not None
        give = service.change_member if is_member else service.add_member
        give(work, actor=SYSTEM, organization=organization, user=found, role=Role(role))
    click.echo(f"{found.name} is {role} of {organization.name}.")


@org.command("remove")
@click.argument("name")
@click.argument("member")
def remove_member(name: str, member: str) -> None:
    """End a membership."""
    with unit_of_work(load_context()) as work:
        organization, found = service.get_organization(work, name), service.get_user(work, member)
        service.remove_member(work, actor=SYSTEM, organization=organization, user=found)
    click.echo(f"{found.name} is no member of {organization.name} any more.")


@click.group()
def token() -> None:
    """Create and revoke access tokens."""


@token.command("create")
@click.argument("user_name", metavar="USER")
@click.option("--name", required=True, help="A name to tell it from the user's other tokens.")
@click.option(
    "--scope", type=click.Choice([scope.value for scope in TokenScope]), required=True, help="What it allows."
)
@click.option("--expires-days", type=click.IntRange(1, 36_500), help="Days until it ends; without: never.")
@app_option
@click.option("--quiet", is_flag=True, help="Print the token alone.")
@json_option
def create_token(
    user_name: str, name: str, scope: str, expires_days: int | None, app: str, quiet: bool, as_json: bool
) -> None:
    """Create an access token. It is shown this once."""
    context = load_context()
    with unit_of_work(context) as work:
        created, value = service.create_token(
            work,
            actor=SYSTEM,
            user=service.get_user(work, user_name),
            name=name,
            scope=TokenScope(scope),
            app=app,
            expires_at=work.now() + timedelta(days=expires_days) if expires_days else None,
        )
    if quiet:
        click.echo(value)
    else:
        sentence = f"{value}\nKeep it now: it cannot be shown again. It allows {created.scope} as {created.user.name}."
        _report({**_describe_token(created), "token": value}, sentence, as_json=as_json)


@token.command("list")
@click.argument("user_name", metavar="USER")
@json_option
def list_tokens(user_name: str, as_json: bool) -> None:
    """List a user's tokens, without their values."""
    with reading(load_context()) as work:
        tokens = service.list_tokens(work, actor=SYSTEM, user=service.get_user(work, user_name)).items
        values = [_describe_token(found) for found in tokens]
    if as_json:
        print_json(values)
        return
    rows = [
        [v["name"], v["app"], v["scope"], v["hint"], v["expires_at"] or "never", v["last_used_at"] or "never"]
        for v in values
    ]
    print_table(["NAME", "APP", "SCOPE", "TOKEN", "ENDS", "LAST USED"], rows)


@token.command("revoke")
@click.argument("user_name", metavar="USER")
@click.argument("name")
@app_option
def revoke_token(user_name: str, name: str, app: str) -> None:
    """End a token at once."""
    with unit_of_work(load_context()) as work:
        service.revoke_token(work, actor=SYSTEM, user=service.get_user(work, user_name), name=name, app=app)
    click.echo(f"Revoked the token {name}.")
