"""``hub webhook``: the webhooks of a repository, a namespace or the whole hub, as the hub itself."""

from __future__ import annotations

import sys
from typing import Any

import click

from hub.accounts import service as accounts
from hub.accounts.policy import SYSTEM, Actor
from hub.base.context import Context
from hub.base.paging import PageArgs
from hub.cli.main import load_context, print_json, print_table
from hub.community.models import Webhook, WebhookDelivery
from hub.community.service import webhooks as service
from hub.community.service.webhooks import MAX_SECRET_CHARS, Place
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.repos.kinds import find_kind
from hub.repos.service import get_readable

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
repository_option = click.option("--repository", default="", help="Of this one, such as models/ada/bert.")
namespace_option = click.option("--namespace", default="", help="Of this user or organisation.")


def _find_place(work: UnitOfWork, repository: str, namespace: str) -> Place:
    if repository and namespace:
        raise click.UsageError("a webhook is of a repository or of a namespace, not of both")
    if namespace:
        return Place(namespace_id=accounts.get_namespace(work, namespace).id)
    if not repository:
        return Place()
    collection, _, path = repository.partition("/")
    kind = find_kind(work.context, collection)
    if kind is None:
        raise click.UsageError(f"{repository!r} does not begin with a kind of asset, as models/ada/bert does")
    return Place(repository_id=get_readable(work, actor=SYSTEM, kind=kind.name, path=path).id)


def _describe(webhook: Webhook) -> dict[str, Any]:
    return {
        "uuid": webhook.uuid,
        "name": webhook.name,
        "url": webhook.url,
        "topics": webhook.topics,
        "active": webhook.is_active,
        "has_secret": bool(webhook.sealed_secret),
        "failure_count": webhook.failure_count,
        "created_by": webhook.created_by.name if webhook.created_by else None,
        "created_at": webhook.created_at,
    }


def _describe_delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    return {
        "uuid": delivery.uuid,
        "topic": delivery.topic,
        "state": delivery.state.value,
        "attempt": delivery.attempt,
        "status": delivery.status,
        "error": delivery.error,
        "created_at": delivery.created_at,
        "sent_at": delivery.sent_at,
    }


@click.group()
def webhook() -> None:
    """Set up webhooks, and see what became of their messages.

    Without --repository and --namespace a webhook hears of the whole hub.
    """


@webhook.command("list")
@repository_option
@namespace_option
@json_option
def list_webhooks(repository: str, namespace: str, as_json: bool) -> None:
    """List the webhooks of a repository, a namespace or the hub."""
    with reading(load_context()) as work:
        place = _find_place(work, repository, namespace)
        page = PageArgs(per=service.MAX_WEBHOOKS)
        values = [_describe(found) for found in service.list_webhooks(work, actor=SYSTEM, place=place, page=page).items]
    if as_json:
        print_json(values)
        return
    rows = [
        [v["uuid"], v["name"], v["url"], ",".join(v["topics"]) or "all", "on" if v["active"] else "off"] for v in values
    ]
    print_table(["UUID", "NAME", "URL", "TOPICS", "STATE"], rows)


@webhook.command("create")
@click.argument("url")
@click.option("--user", "user_name", required=True, help="In whose name it is told; they must have the right to it.")
@repository_option
@namespace_option
@click.option("--topic", "topics", multiple=True, help="Only this; may be repeated. Without: all.")
@click.option("--name", default="", help="What people call it.")
@click.option("--secret-stdin", is_flag=True, help="Read the secret that signs the messages from standard input.")
@json_option
def create_webhook(
    url: str,
    user_name: str,
    repository: str,
    namespace: str,
    topics: tuple[str, ...],
    name: str,
    secret_stdin: bool,
    as_json: bool,
) -> None:
    """Have an address told what happens."""
    context = load_context()
    secret = sys.stdin.readline(MAX_SECRET_CHARS + 2).rstrip("\r\n") if secret_stdin else ""
    with reading(context) as work:
        actor = _actor(work, user_name)
        place = _find_place(work, repository, namespace)
    created = service.create_webhook(
        context, actor=actor, place=place, url=url, name=name, secret=secret, topics=topics
    )
    if as_json:
        print_json(_describe(created))
    else:
        click.echo(f"Created the webhook {created.uuid}.")


def _actor(work: UnitOfWork, name: str) -> Actor:
    return Actor.of_user(accounts.get_user(work, name), via="command")


@webhook.command("delete")
@click.argument("uuid")
def delete_webhook(uuid: str) -> None:
    """Forget a webhook and its log."""
    with unit_of_work(load_context()) as work:
        service.delete_webhook(work, actor=SYSTEM, uuid=uuid)
    click.echo(f"Deleted the webhook {uuid}.")


@webhook.command("deliveries")
@click.argument("uuid")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@json_option
def list_deliveries(uuid: str, limit: int, as_json: bool) -> None:
    """List what was sent to a webhook, newest first."""
    with reading(load_context()) as work:
        found = service.list_deliveries(work, actor=SYSTEM, uuid=uuid, page=PageArgs(per=limit)).items
        values = [_describe_delivery(delivery) for delivery in found]
    if as_json:
        print_json(values)
        return
    rows = [[v["uuid"], v["topic"], v["state"], v["attempt"], v["status"] or "-", v["error"]] for v in values]
    print_table(["UUID", "TOPIC", "STATE", "TRIES", "STATUS", "ERROR"], rows)


@webhook.command("redeliver")
@click.argument("uuid")
@click.argument("delivery")
@json_option
def redeliver(uuid: str, delivery: str, as_json: bool) -> None:
    """Send a message again."""
    context: Context = load_context()
    with unit_of_work(context) as work:
        again = service.redeliver(work, actor=SYSTEM, uuid=uuid, delivery_uuid=delivery)
    if as_json:
        print_json(_describe_delivery(again))
    else:
        click.echo(f"Queued the delivery {again.uuid}.")
