"""``hub sku``: what workloads can be run on, as it is offered."""

from __future__ import annotations

import json
from typing import Any

import click

from hub.accounts.policy import SYSTEM
from hub.base.paging import MAX_PER, PageArgs
from hub.cli.main import load_context, print_json, print_table
from hub.compute.hardware import ACCELERATORS, SCENARIOS, names_of
from hub.compute.service import skus as service
from hub.db.uow import unit_of_work


def _describe(offer: service.Offer) -> dict[str, Any]:
    return {
        "id": offer.sku.id,
        "name": offer.sku.name,
        "hardware": offer.hardware.label,
        "resources": offer.sku.resources,
        "scenarios": names_of(offer.sku.scenarios),
        "available": offer.is_available,
        "reasons": offer.reasons,
    }


@click.group()
def sku() -> None:
    """See and change what workloads can be run on."""


@sku.command("list")
@click.option("--page", type=click.IntRange(1), default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_skus(page: int, as_json: bool) -> None:
    """List what is offered, and whether there is room for it now."""
    found = service.list_offers(load_context(), page=PageArgs(page, MAX_PER))
    if as_json:
        print_json({"total": found.total, "skus": [_describe(offer) for offer in found.items]})
        return
    table = []
    for offer in found.items:
        names = names_of(offer.sku.scenarios)
        purposes = "all" if len(names) == len(SCENARIOS) else ",".join(names)
        reasons = ", ".join(sorted(set(offer.reasons.values())))
        table.append([offer.sku.id, offer.sku.name, offer.hardware.label, purposes, reasons])
    print_table(["ID", "NAME", "HARDWARE", "FOR", "ROOM"], table)


@sku.command()
@click.argument("name")
@click.option("--cpu", default="", help="Cores: 4, or 0.5.")
@click.option("--memory", default="", help="Such as 16Gi.")
@click.option("--disk", default="", help="Of the work directory, such as 100Gi.")
@click.option("--cards", type=click.IntRange(0), default=0, help="Whole accelerator cards.")
@click.option("--card-kind", type=click.Choice(ACCELERATORS), default="gpu", show_default=True)
@click.option("--card-model", default="", help="As its machine calls it, such as A10; without it any.")
@click.option("--json-file", type=click.File(), help="The hardware as JSON, instead of the options.")
@click.option("--for", "scenarios", multiple=True, type=click.Choice(list(SCENARIOS)), help="Without it: for all.")
def add(
    name: str,
    cpu: str,
    memory: str,
    disk: str,
    cards: int,
    card_kind: str,
    card_model: str,
    json_file: Any,
    scenarios: tuple[str, ...],
) -> None:
    """Offer something new to run on."""
    if json_file is not None:
        try:
            resources = json.load(json_file)
        except (ValueError, RecursionError):
            raise click.UsageError("the file holds no JSON") from None
        if not isinstance(resources, dict):
            raise click.UsageError("the file holds no JSON object")
    else:
        resources = {"cpu": {"type": "", "num": cpu}, "memory": memory}
        if disk:
            resources["ephemeral_storage"] = disk
        if cards:
            resources[card_kind] = {"type": card_model, "num": str(cards)}
    with unit_of_work(load_context()) as work:
        made = service.create_sku(
            work, actor=SYSTEM, name=name, resources=resources, cluster_id="", scenarios=list(scenarios)
        )
        number = made.id
    click.echo(f"{name} is offered as {number}.")


@sku.command()
@click.argument("sku_id", metavar="ID", type=click.IntRange(1))
def remove(sku_id: int) -> None:
    """Offer it no more; what runs on it goes on."""
    with unit_of_work(load_context()) as work:
        service.delete_sku(work, actor=SYSTEM, sku_id=sku_id)
    click.echo(f"{sku_id} is not offered any more.")
