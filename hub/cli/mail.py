"""``hub mail``: whether e-mail goes out."""

from __future__ import annotations

import click

from hub.base.mail import MAILER, send_test
from hub.cli.main import load_context


@click.group()
def mail() -> None:
    """See whether e-mail goes out; HUB_MAIL_URL says where."""


@mail.command("test")
@click.argument("address")
def test(address: str) -> None:
    """Send a message to ADDRESS, now, and say what the server answered."""
    context = load_context(plugins=False)
    mailer = context[MAILER]
    send_test(mailer, to=address, base_url=context.settings.effective_base_url)
    click.echo(f"Sent to {address} by {mailer.describe()}.")
