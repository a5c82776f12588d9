"""How the objects of the kinds differ on the wire. Source: CSGHub contract, sections 1.4 and 5.3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shape:
    """What is different about one kind.

    neutral: members that only plugins can know, as they are without any. unmet: filters of lists by what only plugins
    can know: without any, nothing has what they ask for. likes: the name of the number of likes. has_downloads:
    whether downloads are told. has_url: whether ``url`` says the path once more. names_creator: whether ``username``
    says who made it. omits_empty: whether members of the kind's own that are empty are left out. is_list_nested:
    whether lists are of shape B.
    """

    neutral: Mapping[str, Any] = field(default_factory=dict)
    unmet: tuple[str, ...] = ()
    likes: str = "likes"
    has_downloads: bool = True
    has_url: bool = False
    names_creator: bool = False
    omits_empty: bool = False
    is_list_nested: bool = False


_USUAL = Shape()
# Who copies repositories from other hubs, and where content lies.
_UNMOVED: dict[str, Any] = {
    "mirror_last_updated_at": None,
    "xnet_enabled": False,
    "xnet_migration_status": "",
    "xnet_migration_progress": 0,
}
_METADATA: dict[str, Any] = {
    "model_params": 0,
    "tensor_type": "",
    "architecture": "",
    "mini_gpu_memory_gb": 0,
    "mini_gpu_finetune_gb": 0,
    "model_type": "",
    "class_name": "",
    "quantizations": [],
}
_SHAPES = {
    "model": Shape(
        neutral={
            "widget_type": "generation",
            "status": "",
            "enable_inference": False,
            "enable_finetune": False,
            "enable_evaluation": False,
            "arch_allowed": False,
            "metadata": _METADATA,
            **_UNMOVED,
        },
        unmet=("list_serverless",),
        has_url=True,
    ),
    "dataset": Shape(
        neutral={
            "status": "normal",
            "is_for_sale": False,
            "user_purchased": False,
            "purchase_task_status": "",
            **_UNMOVED,
        },
        unmet=("user_purchased",),
        has_url=True,
    ),
    "space": Shape(
        neutral={"status": ""},
        unmet=("status",),
        likes="like_count",
        has_downloads=False,
        names_creator=True,
        omits_empty=True,
    ),
    "mcpserver": Shape(
        neutral={
            "tools_num": 0,
            "prompts_num": 0,
            "resources_num": 0,
            "transports": [],
            "schema": "",
            "star_num": 0,
            "github_path": "",
            "avatar_url": "",
        },
        is_list_nested=True,
    ),
}


def shape_of(kind: str) -> Shape:
    """The shape of a kind, core or plugin's, by its name."""
    return _SHAPES.get(kind, _USUAL)
