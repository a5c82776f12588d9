"""REST of what files of weights say: a model's metadata, its quantisations, the head of one file.

Contract: CSGHub, section 4.1 (quantizations); the rest is ours.
"""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.api import model_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.model_members import metadata_view
from hub.api.schemas import FileSchema
from hub.api.views import FileViews
from hub.assets.heads.reading import read_page
from hub.assets.service.modelmetadata import Brief, find_metadata, list_quantizations
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos.kinds import get_kind
from hub.repos.service import get_readable

blp = RepositoryBlueprint("models", __name__, url_prefix=PREFIX, description="What files of weights say")


@blp.get("/models/<namespace>/<name>/quantizations")
@blp.response(200, enveloped(FileSchema, many=True))
def show_quantizations(namespace: str, name: str) -> Response:
    """The GGUF variants of a model, the smallest first: files, each with the name of its ``quantization``."""
    context = current_context()
    address = Address(get_kind(context, "model"), namespace, name)
    repository = address.get()
    commit_id, found = list_quantizations(context, repository, actor=current_actor())
    views = FileViews(context, repository, commit_id)
    files = [views.view(entry) | {"quantization": word} for entry, word in found]
    return send_json(ok(files, total=len(files)))


@blp.get("/models/<namespace>/<name>/metadata")
@blp.response(200, enveloped(schemas.WholeMetadataSchema))
def show_metadata(namespace: str, name: str) -> Response:
    """All that is read from a model's files on its default branch, with why a file could not be read."""
    actor = current_actor()
    with reading(current_context()) as work:
        repository = get_readable(work, actor=actor, kind="model", path=f"{namespace}/{name}")
        row = find_metadata(work, actor=actor, repository=repository)
    view = metadata_view(Brief.of(row)) | {
        "commit": row.commit_id,
        "parameters": row.parameters,
        "weight_bytes": row.weight_bytes,
        "context_length": row.context_length,
        "tokenizer_class": row.tokenizer_class,
        "vocabulary_size": row.vocabulary_size,
        "quantization_method": row.quantization_method,
        "quantizations": row.quantizations,
        "run_bytes": row.run_bytes,
        "finetune_bytes": row.finetune_bytes,
        "files": row.files,
    }
    return send_json(ok(view))


@blp.at("/header/<path:path>")
@blp.arguments(schemas.HeadQuery, location="query")
@blp.response(200, enveloped(schemas.HeadSchema))
def show_head(query: dict[str, Any], address: Address, path: str) -> Response:
    """What a file's head says: its metadata, and a page of its tensors or, of an archive, members. No weight is read.

    Of safetensors, GGUF and ONNX files and PyTorch's archives; 422 says why a head cannot be read.
    """
    found = read_page(
        *(current_context(), address.get()),
        actor=current_actor(),
        path=path,
        revision=query["ref"],
        search=query["search"],
        page=page_args(),
    )
    tensors = [
        {name: tensor[name] for name in ("name", "dtype", "shape", "size_bytes")} for tensor in found.tensors.items
    ]
    view = {
        "commit": found.commit_id,
        "path": found.path,
        "format": found.format,
        "size": found.size_bytes,
        "parameters": found.counts,
        "total_parameters": sum(found.counts.values()),
        "metadata": found.metadata,
        "note": found.note,
        "tensors": tensors,
        "total": found.tensors.total,
    }
    return send_json(ok(view))
