"""The kinds of asset. Each is a value in a registry; no service asks "is this a dataset?"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hub.base.context import Context, Key
from hub.base.errors import NotFound
from hub.base.registry import Registry, RegistryError
from hub.repos import starters
from hub.repos.attributes import ATTRIBUTES_PATH, lfs_lines
from hub.repos.cardkeys import DATASET_KEYS, MODEL_KEYS, PLAIN_KEYS, SPACE_KEYS, CardKey
from hub.repos.details import MAX_LONG_TEXT_CHARS, DetailField, TextForm

# Files that are tracked by LFS from the first commit on. Source: CSGHub contract, section 5.1.
STANDARD_LFS_PATTERNS = (
    *("*.7z", "*.arrow", "*.bin", "*.bz2", "*.ckpt", "*.ftz", "*.gguf", "*.ggml", "*.gz", "*.h5", "*.joblib"),
    *("*.lfs.*", "*.lz4", "*.mlmodel", "*.model", "*.msgpack", "*.npy", "*.npz", "*.onnx", "*.ot", "*.parquet"),
    *("*.pb", "*.pickle", "*.pkl", "*.pt", "*.pth", "*.rar", "*.safetensors", "saved_model/**/*", "*.tar.*"),
    *("*.tar", "*.tflite", "*.tgz", "*.wasm", "*.xz", "*.zip", "*.zst", "*tfevents*"),
    # Audio, pictures and films.
    *("*.pcm", "*.sam", "*.raw", "*.aac", "*.flac", "*.mp3", "*.ogg", "*.wav"),
    *("*.bmp", "*.gif", "*.png", "*.tiff", "*.jpg", "*.jpeg", "*.webp"),
    *("*.avi", "*.mkv", "*.mov", "*.mp4", "*.webm"),
)


@dataclass(frozen=True)
class Tab:
    """One of a repository's pages. name: the segment of its address, which the first one has none of."""

    name: str
    title: str


# In their order; a kind has some of them.
APP, CARD, VIEWER, SCHEMA = Tab("app", "App"), Tab("card", "Card"), Tab("viewer", "Viewer"), Tab("schema", "Schema")
FILES, LOGS, LINEAGE = Tab("files", "Files"), Tab("logs", "Logs"), Tab("lineage", "Lineage")
SECURITY = Tab("security", "Security")
COMMUNITY, SETTINGS = Tab("community", "Community"), Tab("settings", "Settings")
USUAL_TABS = (CARD, FILES, LINEAGE, SECURITY, COMMUNITY, SETTINGS)
# What can be done with any asset, beside reading and changing it.
USUAL_ACTIONS = frozenset({"fork", "like", "discuss", "collect", "download"})


@dataclass(frozen=True)
class RepositoryKind:
    """One kind of asset: all that is different about it.

    collection: the segment of its Git and page addresses; aliases: further segments that mean the same.
    api_collection: the segment that the REST API's own links use.
    pages: the beginning of its pages' addresses, when that is not the collection. icon: of the theme's, for its pages.
    starter_files: what a new repository holds besides ``.gitattributes``, path to content.
    details: members that only this kind has.
    taken_code: of the refusal when another of the kind has the path already.
    card: the members that the head of its card may have. tabs: its pages, in order. indexers: the names of the steps
    that read its files after a push; None: all that read this kind. actions: what can be done with one: words such as
    "deploy", "finetune", "evaluate", "run" and "preview", which those who can do it look for.
    """

    name: str
    collection: str
    title: str
    aliases: tuple[str, ...] = ()
    api_collection: str = ""
    pages: str = ""
    icon: str = "package"
    lfs_patterns: tuple[str, ...] = STANDARD_LFS_PATTERNS
    starter_files: Callable[[starters.NewRepository], Mapping[str, bytes]] = field(default=starters.card_only)
    details: tuple[DetailField, ...] = ()
    taken_code: str = "REPO-ERR-0"
    card: tuple[CardKey, ...] = PLAIN_KEYS
    tabs: tuple[Tab, ...] = USUAL_TABS
    indexers: frozenset[str] | None = None
    actions: frozenset[str] = USUAL_ACTIONS

    @property
    def segments(self) -> tuple[str, ...]:
        """Every address segment that means this kind, the canonical one first."""
        return (self.collection, *self.aliases)

    @property
    def page_path(self) -> str:
        """The beginning of the addresses of its pages, without slashes around it: "models", "mcp/servers"."""
        return self.pages or self.collection

    def first_files(self, new: starters.NewRepository) -> dict[str, bytes]:
        """The files of the first commit, path to content. Source: CSGHub contract, section 5.1."""
        return {ATTRIBUTES_PATH: lfs_lines(self.lfs_patterns), **self.starter_files(new)}


# Source of the members: CSGHub contract, sections 5.1 and 5.3.
_MODEL_DETAILS = (
    DetailField("base_model"),
    DetailField("report_url", form=TextForm.URL),
    DetailField("medium_risk_count", default=0),
    DetailField("high_risk_count", default=0),
)
_DATASET_DETAILS = (
    DetailField("dataset_type", default="normal", choices=("normal", "commercial"), is_filter=True),
    DetailField("related_dataset_id", default=0),
    DetailField("price", default=0.0),
)
_SPACE_DETAILS = (
    DetailField("sdk", default=starters.DEFAULT_SPACE_SDK, choices=tuple(starters.SPACE_FILES), is_filter=True),
    DetailField("sdk_version"),
    DetailField("driver_version"),
    DetailField("cover_image_url", form=TextForm.URL),
    DetailField("template"),
    DetailField("variables", form=TextForm.JSON, max_chars=MAX_LONG_TEXT_CHARS),
    # People keep keys in both.
    DetailField("env", form=TextForm.JSON, max_chars=MAX_LONG_TEXT_CHARS, is_secret=True),
    DetailField("secrets", form=TextForm.JSON, max_chars=MAX_LONG_TEXT_CHARS, is_secret=True),
    DetailField("cluster_id"),
    DetailField("resource_id", default=0),
    DetailField("min_replica", default=0),
    DetailField("order_detail_id", default=0, is_copied=False),  # what the owner has paid for
)
_MCP_DETAILS = (
    DetailField("configuration", form=TextForm.TEXT, max_chars=MAX_LONG_TEXT_CHARS),
    DetailField("program_language"),
    DetailField("run_mode"),
    *(
        DetailField(name, form=TextForm.TEXT, max_chars=MAX_LONG_TEXT_CHARS)
        for name in ("install_deps_cmds", "build_cmds", "launch_cmds")
    ),
)

CORE_KINDS = (
    RepositoryKind(
        *("model", "models", "Model"),
        icon="box",
        details=_MODEL_DETAILS,
        card=MODEL_KEYS,
        actions=USUAL_ACTIONS | {"deploy", "finetune", "evaluate"},
    ),
    RepositoryKind(
        *("dataset", "datasets", "Dataset"),
        icon="database",
        details=_DATASET_DETAILS,
        card=DATASET_KEYS,
        tabs=(CARD, VIEWER, FILES, LINEAGE, SECURITY, COMMUNITY, SETTINGS),
        actions=USUAL_ACTIONS | {"preview", "evaluate"},
    ),
    RepositoryKind("code", "codes", "Code", icon="code"),
    RepositoryKind(
        *("space", "spaces", "Space"),
        icon="app-window",
        starter_files=starters.space_files,
        details=_SPACE_DETAILS,
        taken_code="SPACE-ERR-1",  # source: CSGHub contract, section 1.6
        card=SPACE_KEYS,
        tabs=(APP, CARD, FILES, LOGS, LINEAGE, SECURITY, COMMUNITY, SETTINGS),
        actions=USUAL_ACTIONS | {"run"},
    ),
    RepositoryKind(
        *("prompt", "prompts", "Prompt"),
        pages="prompts/library",
        icon="message-square-text",
        actions=USUAL_ACTIONS | {"run"},
    ),
    RepositoryKind("skill", "skills", "Skill", icon="sparkles"),
    # Git addresses say "mcpservers", the REST API "mcps"; both work in both. Source: CSGHub contract, 1.10 and 6.1.
    RepositoryKind(
        *("mcpserver", "mcpservers", "MCP server"),
        aliases=("mcps",),
        api_collection="mcps",
        pages="mcp/servers",
        icon="plug",
        details=_MCP_DETAILS,
        tabs=(CARD, SCHEMA, FILES, LINEAGE, SECURITY, COMMUNITY, SETTINGS),
        actions=USUAL_ACTIONS | {"deploy"},
    ),
)

# What all kinds have, or are asked by: no kind can have another of that name.
COMMON_MEMBERS = frozenset(
    (
        *("id", "repository_id", "uuid", "type", "name", "nickname", "description", "path", "namespace", "user"),
        *("private", "gated", "archived", "license", "default_branch", "tags", "likes", "like_count", "downloads"),
        *("repository", "repo_size", "git_size", "lfs_size", "forked", "user_likes", "can_write", "can_manage"),
        *("source", "sync_status", "hf_path", "ms_path", "csg_path", "created_at", "updated_at", "pushed_at"),
        *("mirror_task_status", "recom_op_weight", "scores", "sensitive_check_status"),
        *("xnet_enabled", "xnet_migration_status"),
        *("search", "sort", "page", "per", "files", "commit_files"),
    )
)

KINDS: Key[Registry[RepositoryKind]] = Key("repos.kinds")


def create_kinds() -> Registry[RepositoryKind]:
    """A registry holding the core's kinds; plugins add theirs before it is frozen."""
    kinds: Registry[RepositoryKind] = Registry("repository kinds")
    for kind in CORE_KINDS:
        add_kind(kinds, kind)
    return kinds


def add_kind(kinds: Registry[RepositoryKind], kind: RepositoryKind, *, owner: str = "hub") -> None:
    """Add a kind. Raises RegistryError when its name, an address segment or the name of a member is taken."""
    if taken := COMMON_MEMBERS & {field.name for field in kind.details}:
        raise RegistryError(f"kind {kind.name!r} of {owner}: every kind has {sorted(taken)} already")
    for other in kinds.entries():
        if shared := set(other.value.segments) & set(kind.segments):
            raise RegistryError(f"kind {kind.name!r} of {owner}: {shared} is already taken by {other.owner}")
    kinds.add(kind.name, kind, owner=owner)


def find_kind(context: Context, segment: str) -> RepositoryKind | None:
    """The kind that an address segment ("models", "mcps") means, or None."""
    return next((kind for kind in context[KINDS].values() if segment in kind.segments), None)


def get_kind(context: Context, name: str) -> RepositoryKind:
    """The kind of that name ("model"). Raises NotFound when the plugin that brought it is no longer there."""
    kind = context[KINDS].find(name)
    if kind is None:
        raise NotFound(f"This hub has no assets of kind {name!r}.", code="kind_not_found")
    return kind
