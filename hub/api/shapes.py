"""How the objects of the kinds differ on the wire. Source: CSGHub contract, sections 1.4 and 5.3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shape:
    """What is different about one kind.

    neutral: members that only plugins can know, as they are without any. likes: the name of the number of likes.
    has_downloads: whether downloads are told. names_creator: whether ``username`` says who made it. omits_empty:
    whether members of the kind's own that are empty are left out. is_list_nested: whether lists are of shape B.
    """

    neutral: Mapping[str, Any] = field(default_factory=dict)
    likes: str = "likes"
    has_downloads: bool = True
    names_creator: bool = False
    omits_empty: bool = False
    is_list_nested: bool = False


_USUAL = Shape()
_SHAPES = {
    "model": Shape(
        neutral={
            "widget_type": "generation",
            "status": "",
            "enable_inference": False,
            "enable_finetune": False,
            "enable_evaluation": False,
            "xnet_enabled": False,
        }
    ),
    "dataset": Shape(
        neutral={"status": "normal", "is_for_sale": False, "user_purchased": False, "xnet_enabled": False}
    ),
    "space": Shape(likes="like_count", has_downloads=False, names_creator=True, omits_empty=True),
    "mcpserver": Shape(
        neutral={"tools_num": 0, "schema": "", "star_num": 0, "github_path": "", "avatar_url": ""},
        is_list_nested=True,
    ),
}


def shape_of(kind: str) -> Shape:
    """The shape of a kind, core or plugin's, by its name."""
    return _SHAPES.get(kind, _USUAL)
