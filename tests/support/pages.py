"""Every page of the hub, with what stands on it in the lifelike world: for pictures, and for the test that opens all.

Somebody who adds a page adds it here.
"""

from __future__ import annotations

from typing import NamedTuple

# Who looks: nobody, somebody, the administrator; and whoever opens a hub that nobody has set up.
NOBODY, SOMEBODY, ADMIN, FIRST = "", "raj-patel", "root", "first"

_MODEL, _CODE, _DATASET = (
    "/models/aurora-lab/aurora-7b",
    "/codes/aurora-lab/trainer",
    "/datasets/open-atlas/field-notes",
)
_LONG = (
    "/models/a-very-long-user-name-for-narrow-columns/a-model-with-a-name-that-goes-on-and-on-and-on-for-63-character"
)
_OWN = "/models/raj-patel/aurora-7b-chat-GGUF"
_PROMPTS = "/prompts/library/lena-fischer/office-prompts"
_PULL = f"{_CODE}/community/6"


class Shown(NamedTuple):
    """A page. name: of its picture; viewer: who looks; press: what is clicked first (a CSS selector).

    status: what the hub answers.
    """

    name: str
    path: str
    viewer: str = NOBODY
    press: str = ""
    status: int = 200


def _sections(name: str, path: str, viewer: str, sections: str) -> tuple[Shown, ...]:
    return tuple(Shown(f"{name}-{section}", f"{path}/{section}", viewer) for section in sections.split())


_DISCOVER = (
    Shown("home", "/"),
    Shown("home-signed-in", "/", SOMEBODY),
    Shown("explore", "/explore"),
    Shown("models", "/models"),
    Shown("models-filtered", "/models?task=text-generation&license=apache-2.0&sort=most_download"),
    Shown("models-none", "/models?search=nothing-has-this-name"),
    Shown("datasets", "/datasets"),
    Shown("spaces", "/spaces"),
    Shown("codes", "/codes"),
    Shown("prompts", "/prompts/library"),
    Shown("prompts-all", "/prompts/all"),
    Shown("skills", "/skills"),
    Shown("mcp-servers", "/mcp/servers"),
    Shown("mcp-tools", "/mcp/tools"),
    Shown("collections", "/collections"),
    Shown("collection", "/collections/1"),
    Shown("collection-own", "/collections/1", SOMEBODY),
    Shown("collection-new", "/collections/new", SOMEBODY),
    Shown("search", "/search?q=aurora"),
    Shown("search-none", "/search?q=zzyzx"),
)
_REPOSITORY = (
    Shown("model", _MODEL),
    Shown("model-own", _OWN, SOMEBODY),
    Shown("model-long-name", _LONG),
    Shown("model-gated", "/models/amina-diallo/chest-xray-densenet", SOMEBODY),
    Shown("model-archived", "/models/oleg-petrov/old-bert"),
    Shown("model-likers", f"{_MODEL}/likers", SOMEBODY),
    Shown("model-edit", f"{_OWN}/card/edit", SOMEBODY),
    Shown("dataset", _DATASET),
    Shown("code", _CODE),
    Shown("space", "/spaces/aurora-lab/chat-demo"),
    Shown("prompt-library", _PROMPTS),
    Shown("prompt", f"{_PROMPTS}/prompt/summary.jsonl"),
    Shown("prompt-new", "/prompts/library/grace-kim/picture-prompts/prompt", ADMIN),
    Shown("prompt-edit", f"{_PROMPTS}/prompt/summary.jsonl?mode=edit", ADMIN),
    Shown("prompt-compare", f"{_PROMPTS}/prompt/summary.jsonl?mode=compare"),
    Shown("skill", "/skills/aurora-lab/model-cards"),
    Shown("mcp-server", "/mcp/servers/northwind/parcels"),
    Shown("mcp-schema", "/mcp/servers/northwind/parcels/schema"),
    Shown("viewer", f"{_DATASET}/viewer"),
    Shown("viewer-none", "/datasets/open-atlas/leaves/viewer"),
    Shown("lineage", f"{_MODEL}/lineage"),
    Shown("security", f"{_MODEL}/security"),
    *_sections(
        "repository",
        f"{_CODE}/settings",
        ADMIN,
        "general visibility transfer branches collaborators tokens webhooks storage danger",
    ),
)
_FILES = (
    Shown("files", f"{_CODE}/files/main", SOMEBODY),
    Shown("files-model", f"{_MODEL}/files/main"),
    Shown("blob", f"{_CODE}/blob/main/trainer/loop.py"),
    Shown("blob-markdown", f"{_CODE}/blob/main/README.md"),
    Shown("blob-weights", f"{_MODEL}/blob/main/aurora-7b-Q4_K_M.gguf"),
    Shown("blob-image", f"{_MODEL}/blob/main/images/cover.png"),
    Shown("blame", f"{_CODE}/blame/main/trainer/loop.py"),
    Shown("commits", f"{_CODE}/commits/main"),
    Shown("commit", f"{_CODE}/commit/v0.2"),
    Shown("compare", f"{_CODE}/compare/main...faster-loop"),
    Shown("compare-choose", f"{_CODE}/compare/main...main"),
    Shown("branches", f"{_CODE}/branches", SOMEBODY),
    Shown("branches-deleted", f"{_CODE}/branches?deleted=1", SOMEBODY),
    Shown("tags", f"{_CODE}/tags"),
    Shown("edit", f"{_CODE}/edit/main/trainer/loop.py", SOMEBODY),
    Shown("delete-file", f"{_CODE}/delete/main/trainer/loop.py", SOMEBODY),
    Shown("new-file", f"{_CODE}/main/new", SOMEBODY),
    Shown("upload", f"{_CODE}/main/upload", SOMEBODY),
)
_COMMUNITY = (
    Shown("community", f"{_CODE}/community"),
    Shown("community-pulls", f"{_CODE}/community?type=pull", SOMEBODY),
    Shown("community-none", f"{_LONG}/community", SOMEBODY),
    Shown("community-labels", f"{_CODE}/community/labels", ADMIN),
    Shown("issue", f"{_CODE}/community/1", SOMEBODY),
    Shown("issue-closed", f"{_CODE}/community/2"),
    Shown("issue-new", f"{_CODE}/community/new?type=issue", SOMEBODY),
    Shown("pull", _PULL, SOMEBODY),
    Shown("pull-commits", f"{_PULL}/commits", SOMEBODY),
    Shown("pull-files", f"{_PULL}/files", SOMEBODY),
    Shown("pull-merged", f"{_CODE}/community/7"),
    Shown("pull-conflict", f"{_CODE}/community/8", SOMEBODY),
    Shown("pull-draft", f"{_CODE}/community/9", SOMEBODY),
    Shown("pull-new", f"{_CODE}/community/new?type=pr&source=faster-loop", SOMEBODY),
)
_PEOPLE = (
    Shown("profile", "/profile/mira-chen"),
    Shown("profile-own", "/profile/raj-patel", SOMEBODY),
    Shown("profile-likes", "/profile/likes/raj-patel", SOMEBODY),
    Shown("organization", "/organizations/aurora-lab"),
    Shown("organization-members", "/organizations/aurora-lab/members", SOMEBODY),
    Shown("organization-edit", "/organizations/aurora-lab/edit", ADMIN),
    Shown("organization-new", "/organizations/new", SOMEBODY),
    *(
        Shown(f"new-{name}", f"/{path}/new", SOMEBODY)
        for name, path in (
            *(("model", "models"), ("dataset", "datasets"), ("code", "codes"), ("space", "spaces")),
            *(("prompt-library", "prompts/library"), ("skill", "skills"), ("mcp-server", "mcp/servers")),
        )
    ),
    *_sections(
        "settings",
        "/settings",
        SOMEBODY,
        "profile account access-token ssh-keys notifications appearance language-region sessions",
    ),
    Shown("notifications", "/notifications", SOMEBODY),
    Shown("my-issues", "/issues", SOMEBODY),
    Shown("my-pulls", "/pulls", SOMEBODY),
    Shown("sign-in", "/login"),
    Shown("sign-in-reset", "/login/reset"),
    Shown("sign-up", "/signup"),
    Shown("status", "/-/status"),
)
_ADMIN = (
    *_sections(
        "admin",
        "/admin_panel",
        ADMIN,
        "dashboard users organizations verifications repositories tags security broadcasts mail jobs schedules storage "
        "resources workloads license settings system",
    ),
    Shown("admin-user", "/admin_panel/users/raj-patel", ADMIN),
    Shown("admin-plugins", "/-/plugins", ADMIN),
)
# The world has no model that is served; what pages with some show is the tests' of their rooms.
_INFERENCE = (
    Shown("settings-api-keys", "/settings/api-keys", SOMEBODY),
    Shown("settings-api-key-new", "/settings/api-keys?key=new", SOMEBODY),
    Shown("settings-usage", "/settings/usage", SOMEBODY),
    Shown("organization-api-keys", "/organizations/aurora-lab/api-keys", ADMIN),
    Shown("organization-member-budget", "/organizations/aurora-lab/api-keys?key=member", ADMIN),
    Shown("organization-usage", "/organizations/aurora-lab/usage?view=calls", ADMIN),
    Shown("playground", "/playground", SOMEBODY),
    Shown("endpoints", "/endpoints", SOMEBODY),
    Shown("endpoint-new", "/endpoints/new", SOMEBODY),
    Shown("endpoint-new-of-model", f"/endpoints/new?model_id={_MODEL.removeprefix('/models/')}", SOMEBODY),
    Shown("admin-gateway-models", "/admin_panel/gateway/models", ADMIN),
    Shown("admin-gateway-model-new", "/admin_panel/gateway/models/new", ADMIN),
    Shown("admin-gateway-accounts", "/admin_panel/gateway/accounts", ADMIN),
    Shown("admin-gateway-account", "/admin_panel/gateway/accounts/raj-patel", ADMIN),
    Shown("admin-gateway-usage", "/admin_panel/gateway/usage", ADMIN),
    Shown("admin-serverless", "/endpoints?type=serverless", ADMIN),
)
_ERRORS = (
    Shown("not-found", "/nowhere/at/all", status=404),
    Shown("not-allowed", "/admin_panel/users", SOMEBODY, status=403),
    Shown("not-signed-in", "/notifications"),
    Shown("bad-request", "/models?page=0", status=400),
)
_SET_UP = _sections("setup", "/setup", FIRST, "language environment address administrator")
# Later steps are for the administrator.
_SET_UP_LATER = _sections("setup", "/setup", ADMIN, "edition storage mail content finish")

PAGES: tuple[Shown, ...] = (
    *_DISCOVER,
    *_REPOSITORY,
    *_FILES,
    *_COMMUNITY,
    *_PEOPLE,
    *_ADMIN,
    *_INFERENCE,
    *_ERRORS,
    *_SET_UP,
    *_SET_UP_LATER,
)


def _menu(testid: str) -> str:
    return f"[data-testid='{testid}']"


# Menus and dialogs, opened.
OPENED: tuple[Shown, ...] = (
    Shown("open-more", "/models", press=f"{_menu('bar.more')}:visible, {_menu('bar.menu')}:visible"),
    Shown("open-new", "/models", SOMEBODY, _menu("bar.new")),
    Shown("open-appearance", "/-/status", press=_menu("bar.appearance")),
    Shown("open-user", "/models", SOMEBODY, _menu("bar.user")),
    Shown("open-keys", "/models", press="[data-dialog=keys]"),
    Shown("open-repository", _MODEL, SOMEBODY, _menu("repository.more")),
    Shown("open-use", _MODEL, press=_menu("repository.use")),
    Shown("open-download", _MODEL, press=_menu("repository.download")),
    Shown("open-collect", f"{_MODEL}?part=collect", SOMEBODY),
    Shown("open-fork", f"{_MODEL}?part=fork", SOMEBODY),
    Shown("open-finder", f"{_CODE}/files/main", press="[data-dialog=finder]"),
    Shown("open-review", f"{_PULL}/files", SOMEBODY, "[data-dialog=review]"),
    Shown("open-branch", f"{_CODE}/branches", SOMEBODY, "[data-dialog=new-ref]"),
    Shown("open-lock", f"{_CODE}/community/1", ADMIN, "[data-dialog=lock]"),
    Shown("open-react", f"{_CODE}/community/1", SOMEBODY, _menu("comment.react")),
    Shown("open-new-user", "/admin_panel/users", ADMIN, "[data-dialog=new-user]"),
    Shown("open-export", f"{_DATASET}/viewer", press=_menu("viewer.export")),
)
