"""``hub mail``: whether e-mail goes out."""

from __future__ import annotations

from uuid import uuid4

import click

from hub.base.mail import MAILER, Letter
from hub.cli.main import load_context


@click.group()
def mail() -> None:
    """See whether e-mail goes out; HUB_MAIL_URL says where."""


@mail.command("test")
@click.argument("address")
def send_test(address: str) -> None:
    """Send a message to ADDRESS, now, and say what the server answered."""
    context = load_context(plugins=False)
    mailer = context[MAILER]
    base = context.settings.effective_base_url
    letter = Letter(
        to=address,
        subject="A test of the hub's e-mail",
        text=f"This hub sends e-mail:\n\n{base}\n",
        html=f'<!DOCTYPE html><html lang="en"><body><p>This hub sends e-mail: {base}</p></body></html>\n',
        message_id=mailer.message_id(f"test-{uuid4()}"),
    )
    with mailer.session() as send:
        send(letter)
    click.echo(f"Sent to {address} by {mailer.describe()}.")
