"""Bodies of the routes of what workloads run on. Contract: CSGHub, sections 4.8 and 5.9; compute, 11 and 12."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.schemas import Body, PageQuery, text

_TYPES = ("cpu", "gpu", "npu", "gcu", "mlu", "dcu", "gpgpu", "tpu")
_MODELS = ("CPU", "XPU", "VXPU", "MIG")


class SpaceResourcesQuery(PageQuery):
    deploy_type = fields.Integer(
        load_default=None,
        validate=validate.Range(min=0, max=62),
        metadata={"description": "what for: 0 space, 1 inference, 2 fine-tuning, 3 serverless, 5 notebook"},
    )
    cluster_id = text(default="")
    resource_type = fields.String(load_default="", validate=validate.OneOf(("", *_TYPES)))
    hardware_type = fields.String(load_default="", validate=validate.OneOf(("", *_MODELS)))
    is_available = fields.Boolean(load_default=None)


class AvailabilitySchema(Schema):
    available = fields.Boolean()
    node_name = fields.String()
    reason = fields.String(metadata={"description": "ok, or why it does not fit"})


class SpaceResourceSchema(Schema):
    id = fields.Integer()
    name = fields.String()
    cluster_id = fields.String()
    cluster_region = fields.String()
    resources = fields.String(metadata={"description": "JSON: what there is of cpu, memory and cards"})
    type = fields.String(metadata={"description": "cpu, gpu, npu ..."})
    hardware_model = fields.String(metadata={"description": "CPU, XPU, VXPU or MIG"})
    pay_mode = fields.String(metadata={"description": "free"})
    price = fields.Float()
    price_unit = fields.String()
    price_unit_type = fields.String()
    price_undefined = fields.Boolean()
    is_available = fields.Boolean()
    is_reserved = fields.Boolean()
    order_detail_id = fields.Integer()
    available_status_list = fields.List(fields.Nested(AvailabilitySchema))
    scenarios = fields.List(fields.String())


class NewSpaceResourceBody(Body):
    name = fields.String(required=True, metadata={"example": "CPU 8 · 16Gi"})
    resources = fields.String(
        required=True,
        validate=validate.Length(max=16_384),
        metadata={
            "description": "JSON: the hardware",
            "example": '{"cpu": {"type": "Intel", "num": "8"}, "memory": "16Gi"}',
        },
    )
    cluster_id = text()
    scenarios = fields.List(
        fields.String(), load_default=list, validate=validate.Length(max=64), metadata={"description": "empty: all"}
    )


class UpdateSpaceResourceBody(Body):
    name = fields.String(load_default=None)
    resources = fields.String(load_default=None, validate=validate.Length(max=16_384))
    scenarios = fields.List(fields.String(), load_default=None, validate=validate.Length(max=64))


class ScenarioSchema(Schema):
    name = fields.String()
    code = fields.Integer(metadata={"description": "the deploy_type by which the list is asked for it"})


class HardwareTypesSchema(Schema):
    msg = fields.String(metadata={"description": "OK"})
    data = fields.List(fields.String())


class ClusterNodeSchema(Schema):
    node_name = fields.String()
    node_status = fields.String(metadata={"description": "Ready, or what is wrong; Offline"})
    total_cpu = fields.Float()
    available_cpu = fields.Float()
    total_mem = fields.Float(metadata={"description": "GiB"})
    available_mem = fields.Float()
    xpu_model = fields.String()
    gpu_vendor = fields.String()
    xpu_capacity_label = fields.String()
    xpu_mem = fields.Float(metadata={"description": "of each card, GiB"})
    total_xpu = fields.Integer()
    available_xpu = fields.Integer()
    reserved_xpu = fields.Integer()
    enable_vxpu = fields.Boolean()
    labels = fields.Dict(keys=fields.String(), values=fields.String())
    isolation = fields.String(metadata={"description": "how far workloads are kept apart"})
    update_at = fields.DateTime()


class ClusterSchema(Schema):
    cluster_id = fields.String()
    status = fields.String(metadata={"description": "Running or Unavailable"})
    region = fields.String()
    zone = fields.String()
    provider = fields.String()
    storage_class = fields.String()
    enable = fields.Boolean()
    resource_status = fields.String()
    total_cpu = fields.Float()
    available_cpu = fields.Float()
    cpu_usage = fields.Float(metadata={"description": "0 to 1: what is promised, not what is used"})
    total_mem = fields.Float(metadata={"description": "GiB"})
    available_mem = fields.Float()
    mem_usage = fields.Float()
    total_gpu = fields.Integer()
    available_gpu = fields.Float()
    gpu_usage = fields.Float()
    node_number = fields.Integer()
    node_offlines = fields.Integer()
    xpu_vendors = fields.List(fields.String())
    xpu_models = fields.List(fields.String())
    space_resource_count = fields.Integer()
    last_update_time = fields.DateTime()


class ClusterDetailSchema(ClusterSchema):
    resources = fields.List(fields.Nested(ClusterNodeSchema))


class PublicHardwareSchema(Schema):
    region = fields.String()
    gpu_vendor = fields.String()
    xpu_model = fields.String()
    xpu_mem = fields.Float(metadata={"description": "GiB"})


class PublicClustersSchema(Schema):
    region = fields.List(fields.String())
    gpu_vendor = fields.List(fields.String())
    hardware = fields.List(fields.Nested(PublicHardwareSchema))


class ClustersQuery(Body):
    scope = text("all: those without resources, too")
