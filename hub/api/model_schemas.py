"""Queries and answers of the routes that tell what files of weights say."""

from __future__ import annotations

from marshmallow import Schema, fields

from hub.api.repository_schemas import ModelMetadataSchema
from hub.api.schemas import PageQuery, text


class HeadQuery(PageQuery):
    ref = text("a branch, tag or commit; empty: the default branch")
    search = text("only tensors whose names hold this, in any case")


class TensorSchema(Schema):
    name = fields.String()
    dtype = fields.String(metadata={"description": "F32, BF16, Q4_K ...; empty: a member of an archive"})
    shape = fields.List(fields.Integer())
    size_bytes = fields.Integer(allow_none=True, metadata={"description": "null: the head does not say"})


class HeadSchema(Schema):
    commit = fields.String()
    path = fields.String()
    format = fields.String(metadata={"description": "safetensors, gguf, onnx or zip"})
    size = fields.Integer(metadata={"description": "of the file, in bytes"})
    parameters = fields.Dict(keys=fields.String(), values=fields.Integer(), metadata={"description": "by type"})
    total_parameters = fields.Integer()
    metadata = fields.Dict(metadata={"description": "what the file says besides its tensors"})
    note = fields.String(metadata={"description": "what is odd about it; else empty"})
    tensors = fields.List(fields.Nested(TensorSchema))
    total = fields.Integer(metadata={"description": "tensors of all pages"})


class WeightFileSchema(Schema):
    path = fields.String()
    format = fields.String()
    size = fields.Integer()
    parameters = fields.Integer()
    reason = fields.String(metadata={"description": "why it was not read; else empty"})
    note = fields.String()


class WholeMetadataSchema(ModelMetadataSchema):
    commit = fields.String(metadata={"description": "at which the files were read"})
    parameters = fields.Integer(allow_none=True)
    weight_bytes = fields.Integer(allow_none=True, metadata={"description": "null: not known"})
    context_length = fields.Integer(allow_none=True)
    tokenizer_class = fields.String()
    vocabulary_size = fields.Integer(allow_none=True)
    quantization_method = fields.String(metadata={"description": "gptq, awq ...; else empty"})
    run_bytes = fields.Integer(
        allow_none=True, metadata={"description": "memory to run it: an estimate, 1.2 times the weights"}
    )
    finetune_bytes = fields.Integer(
        allow_none=True, metadata={"description": "memory to fine-tune all of it: 16 bytes for each parameter"}
    )
    files = fields.List(fields.Nested(WeightFileSchema))
