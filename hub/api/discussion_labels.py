"""REST of the labels of a repository's issues and pull requests, and of putting them on; not of the contract."""

from __future__ import annotations

from typing import Any

from hub.api import community_schemas as schemas
from hub.api.community import THREAD, load_thread
from hub.api.community_views import label_view
from hub.api.envelope import enveloped, ok
from hub.api.ids import ROW_ID
from hub.community.models_people import DiscussionLabel
from hub.community.service import labels as service
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("discussion_labels", __name__, url_prefix=PREFIX, description="Labels of discussions")

_LABEL = f"/community/labels/<{ROW_ID}:discussion_label_id>"


@blp.at("/community/labels")
@blp.arguments(schemas.LabelsQuery, location="query")
@blp.response(200, schemas.CountedLabelsEnvelope)
def list_labels(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The labels of a repository by name; before it has any, those that it is offered."""
    with reading(current_context()) as work:
        repository_id = address.load(work).id
        found = service.list_labels(
            work, actor=current_actor(), repository_id=repository_id, words=query["q"], page=page_args()
        )
    return ok(
        [
            label_view(one)
            | {"open_count": found.open_counts.get(one.id, 0) if isinstance(one, DiscussionLabel) else 0}
            for one in found.items
        ],
        total=found.total,
    )


@blp.at("/community/labels", method="POST")
@blp.arguments(schemas.NewThreadLabelBody)
@blp.response(200, schemas.LabelEnvelope)
def create_label(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """A new label: for who may write."""
    with unit_of_work(current_context()) as work:
        made = service.create_label(work, actor=current_actor(), repository_id=address.load(work).id, **body)
        return ok(label_view(made))


@blp.at(_LABEL, method="PUT")
@blp.arguments(schemas.ThreadLabelBody)
@blp.response(200, schemas.LabelEnvelope)
def update_label(body: dict[str, Any], address: Address, discussion_label_id: int) -> dict[str, Any]:
    """Change a label: for who may write; absent members stay."""
    with unit_of_work(current_context()) as work:
        repository_id = address.load(work).id
        return ok(
            label_view(
                service.update_label(
                    work, actor=current_actor(), repository_id=repository_id, label_id=discussion_label_id, **body
                )
            )
        )


@blp.at(_LABEL, method="DELETE")
@blp.response(200, enveloped())
def delete_label(address: Address, discussion_label_id: int) -> dict[str, Any]:
    """Remove a label, also from what carries it: for who may write."""
    with unit_of_work(current_context()) as work:
        repository_id = address.load(work).id
        service.delete_label(work, actor=current_actor(), repository_id=repository_id, label_id=discussion_label_id)
    return ok()


@blp.at(f"{THREAD}/labels", method="POST")
@blp.arguments(schemas.LabelNamesBody)
@blp.response(200, schemas.LabelsEnvelope)
def put_labels_on(body: dict[str, Any], address: Address, thread_number: int) -> dict[str, Any]:
    """Put labels on; all that it carries by then. For who may write."""
    with unit_of_work(current_context()) as work:
        discussion = load_thread(work, address, thread_number)
        carried = service.put_on(work, actor=current_actor(), discussion_id=discussion.id, names=body["labels"])
        return ok([label_view(label) for label in carried])


@blp.at(f"{THREAD}/labels", method="DELETE")
@blp.arguments(schemas.LabelNamesBody)
@blp.response(200, schemas.LabelsEnvelope)
def take_labels_off(body: dict[str, Any], address: Address, thread_number: int) -> dict[str, Any]:
    """Take labels off; all that it carries by then. For who may write."""
    with unit_of_work(current_context()) as work:
        discussion = load_thread(work, address, thread_number)
        carried = service.take_off(work, actor=current_actor(), discussion_id=discussion.id, names=body["labels"])
        return ok([label_view(label) for label in carried])
