"""What kinds of run there are, and what follows from each for the lineage of repositories. Plugins add more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.assets.models_lineage import RelationType
from hub.base.context import Context, Key
from hub.base.registry import Registry


@dataclass(frozen=True)
class RunType:
    """One kind of run.

    outputs: what each output is to an input of a kind ("": of any other kind). inputs: what an input of the one kind
    is to an input of the other, for runs that say something of what they took. deployed: what a model that it took is
    to each output. Nothing named: nothing follows.
    """

    name: str
    title: str
    outputs: Mapping[str, RelationType] = field(default_factory=dict)
    inputs: Mapping[tuple[str, str], RelationType] = field(default_factory=dict)
    deployed: RelationType | None = None


RUN_TYPES: Key[Registry[RunType]] = Key("assets.run_types")

CORE_TYPES = (
    RunType(
        "training",
        "Training",
        outputs={"model": RelationType.FINETUNE, "dataset": RelationType.TRAINED_ON, "": RelationType.USES},
    ),
    RunType("evaluation", "Evaluation", inputs={("model", "dataset"): RelationType.EVALUATED_ON}),
    RunType("deployment", "Deployment", deployed=RelationType.DEPLOYED_AS),
    RunType(
        "pipeline",
        "Data pipeline",
        outputs={"dataset": RelationType.DERIVED_FROM, "": RelationType.GENERATED_BY},
    ),
    RunType(
        "conversion",
        "Conversion",
        outputs={"model": RelationType.QUANTIZED, "": RelationType.DERIVED_FROM},
    ),
)


def create_run_types() -> Registry[RunType]:
    """A registry with the hub's own types."""
    types: Registry[RunType] = Registry("run types")
    for type in CORE_TYPES:
        types.add(type.name, type)
    return types


def add_run_type(context: Context, type: RunType, owner: str = "hub") -> None:
    """Add a kind of run. Raises RegistryError when its name is taken."""
    context[RUN_TYPES].add(type.name, type, owner=owner)
