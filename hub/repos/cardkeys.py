"""What may stand at the head of a card, kind by kind: the members that the hub knows, and what they mean.

Sources: huggingface_hub's ``repocard_data`` (model, dataset and space cards), hub-docs' ``modelcard.md``,
``datasetcard.md`` and "Spaces Configuration Reference"; CSGHub contract, section 7, steps 3 and 9a.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CardType(StrEnum):
    """What a member of a card is."""

    TEXT = "text"
    WORDS = "words"  # a text, or a list of texts
    NUMBER = "number"
    FLAG = "flag"
    MEMBERS = "members"  # names and values
    ITEMS = "items"  # a list of anything
    ANY = "any"


@dataclass(frozen=True)
class CardKey:
    """One member of a card.

    choices: the values that it may have, in lower case; none: any. pattern: what each of its words looks like.
    category: the category of labels that its words are put into. relates: the kind of the repositories that it names.
    """

    name: str
    type: CardType = CardType.TEXT
    description: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    category: str = ""
    relates: str = ""


# The category of words that say nothing in particular. Source: migration 0011.
OTHER = "other"

_LANGUAGE = r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*|code|multilingual"
_LICENSE = r"[A-Za-z0-9][A-Za-z0-9.+_-]*"
_SIZES = (
    *("n<1k", "1k<n<10k", "10k<n<100k", "100k<n<1m", "1m<n<10m", "10m<n<100m", "100m<n<1b", "1b<n<10b"),
    *("10b<n<100b", "100b<n<1t", "n>1t", "other"),
)
_COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")

_W, _M, _F, _N, _I = CardType.WORDS, CardType.MEMBERS, CardType.FLAG, CardType.NUMBER, CardType.ITEMS

# What every kind has. Those from ``framework`` on are CSGHub's words.
COMMON_KEYS = (
    CardKey("license", _W, "identifiers such as apache-2.0", pattern=_LICENSE, category="license"),
    CardKey("license_name", description="of a licence that is 'other'"),
    CardKey("license_link", description="where the text of a licence that is 'other' is"),
    CardKey("license_details"),
    CardKey("language", _W, "codes of ISO 639 such as en", pattern=_LANGUAGE, category="language"),
    CardKey("language_bcp47", _W),
    CardKey("language_details", CardType.ANY),
    CardKey("tags", _W, "further words to be found by", category=OTHER),
    CardKey("thumbnail"),
    CardKey("extra_gated_prompt"),
    CardKey("extra_gated_heading"),
    CardKey("extra_gated_description"),
    CardKey("extra_gated_button_content"),
    CardKey("extra_gated_fields", _M),
    CardKey("extra_gated_eu_disallowed", _F),
    CardKey("viewer", CardType.ANY),
    CardKey("task", _W, "what it is for", category="task"),
    CardKey("tasks", _W, "what it is for", category="task"),
    CardKey("framework", _W, "such as pytorch", category="framework"),
    CardKey("industry", _W, "such as finance", category="industry"),
    CardKey("size", _W, category="size"),
    CardKey("runtime_framework", _W, category="runtime_framework"),
    CardKey("evaluation", _W, category="evaluation"),
    CardKey("models", _W, "models that it uses, namespace/name each", relates="model"),
    CardKey("datasets", _W, "data sets that it uses, namespace/name each", relates="dataset"),
    CardKey("codes", _W, "code that it uses, namespace/name each", relates="code"),
    CardKey("mcpservers", _W, "MCP servers that it uses, namespace/name each", relates="mcpserver"),
)

_TASK = CardKey("pipeline_tag", description="the task that it is for", category="task")
_LIBRARY = CardKey("library_name", description="such as transformers", category="framework")
_TASKS = CardKey("task_categories", _W, "the tasks that it is for", category="task")
_SIZE = CardKey("size_categories", _W, "how many rows", choices=_SIZES, category="size")
_BASE = CardKey("base_model", _W, "what it was made from, namespace/name each", relates="model")

MODEL_KEYS = (
    *COMMON_KEYS,
    *(_TASK, _LIBRARY, _BASE, _TASKS, _SIZE),
    CardKey("base_model_relation", choices=("finetune", "adapter", "merge", "quantized")),
    CardKey("new_version", description="namespace/name of what takes its place"),
    CardKey("metrics", _W),
    CardKey("model_name"),
    CardKey("model-index", _I, "results of evaluations"),
    CardKey("inference", CardType.ANY),
    CardKey("inference_provider", CardType.ANY),
    CardKey("instance_prompt"),
    CardKey("widget", CardType.ANY),
    CardKey("mask_token"),
    CardKey("co2_eq_emissions", CardType.ANY),
    CardKey("quantized_by"),
    CardKey("prompt_template"),
    CardKey("arxiv", CardType.ANY),
    CardKey("pretty_name"),
)

DATASET_KEYS = (
    *COMMON_KEYS,
    *(_TASKS, _SIZE, _LIBRARY, _TASK),
    CardKey("pretty_name"),
    CardKey("task_ids", _W),
    CardKey(
        *("annotations_creators", _W),
        choices=("found", "crowdsourced", "expert-generated", "machine-generated", "no-annotation", "other"),
    ),
    CardKey(
        *("language_creators", _W),
        choices=("found", "crowdsourced", "expert-generated", "machine-generated", "other"),
    ),
    CardKey("multilinguality", _W),
    CardKey("source_datasets", _W),
    CardKey("paperswithcode_id"),
    CardKey("arxiv", CardType.ANY),
    CardKey("train-eval-index", _I),
    CardKey("config_names", _W),
    CardKey("configs", _I, "subsets, their splits and files"),
    CardKey("dataset_info", CardType.ANY, "columns, splits and sizes"),
    CardKey("modalities", _W),
    CardKey("source_model", _W),
    _BASE,
)

SPACE_KEYS = (
    *COMMON_KEYS,
    *(_TASK, _LIBRARY, _BASE, _TASKS, _SIZE),
    CardKey("title"),
    CardKey("emoji"),
    CardKey("colorFrom", choices=_COLOURS),
    CardKey("colorTo", choices=_COLOURS),
    CardKey("sdk", choices=("gradio", "streamlit", "docker", "static", "nginx", "mcp_server")),
    CardKey("sdk_version", CardType.ANY),
    CardKey("python_version", CardType.ANY),
    CardKey("app_file"),
    CardKey("app_port", _N),
    CardKey("app_build_command"),
    CardKey("base_path"),
    CardKey("fullWidth", _F),
    CardKey("header", choices=("mini", "default")),
    CardKey("short_description"),
    CardKey("suggested_hardware"),
    CardKey("suggested_storage"),
    CardKey("pinned", _F),
    CardKey("duplicated_from"),
    CardKey("hf_oauth", _F),
    CardKey("hf_oauth_scopes", _W),
    CardKey("hf_oauth_expiration_minutes", _N),
    CardKey("hf_oauth_authorized_org", _W),
    CardKey("disable_embedding", _F),
    CardKey("startup_duration_timeout"),
    CardKey("custom_headers", _M),
    CardKey("preload_from_hub", _W),
)

# What is written for no one kind's clients.
PLAIN_KEYS = (
    *COMMON_KEYS,
    *(_TASK, _LIBRARY, _BASE, _TASKS, _SIZE),
    CardKey("title"),
    CardKey("name"),
    CardKey("description"),
    CardKey("version", CardType.ANY),
    CardKey("author"),
    CardKey("metadata", _M),
    CardKey("allowed-tools", _W),
    CardKey("compatibility"),
    CardKey("category", _W),
)
