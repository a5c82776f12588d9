"""The one place that judges names and paths before they touch a disk, a ref or a query."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

from hub.base.errors import Invalid

# Rules of the CSGHub contract, section 1.8: 2-64 characters, letter first, letter or digit last, no two equal
# special characters in a row.
NAME_PATTERN = "[A-Za-z][A-Za-z0-9._-]{0,62}[A-Za-z0-9]"
_NAME = re.compile(rf"{NAME_PATTERN}\Z")
_DOUBLED = re.compile(r"--|__|\.\.")
_RESERVED_SUFFIXES = (".git", ".lock", ".wiki", ".atom")

# First path segments that routes, present and planned, own; a namespace of that name would shadow them.
RESERVED_NAMESPACES = frozenset(
    {
        "admin",
        "admin_panel",
        "aigateway",
        "annotation",
        "api",
        "assets",
        "billing",
        "blog",
        "claw",
        "codes",
        "collections",
        "compute",
        "csg",
        "dashboard",
        "datapipelines",
        "datasets",
        "deploy",
        "docs",
        "endpoints",
        "errors",
        "evaluations",
        "explore",
        "favicon.ico",
        "finetune",
        "healthz",
        "hf",
        "hub",
        "images",
        "internal",
        "internal_api",
        "issues",
        "jobs",
        "join",
        "lineage",
        "login",
        "logout",
        "mcp",
        "mcps",
        "mcpservers",
        "metrics",
        "models",
        "ms",
        "new",
        "notebooks",
        "notifications",
        "oauth",
        "organization",
        "organizations",
        "playground",
        "profile",
        "prompts",
        "pulls",
        "raw",
        "resource-console",
        "robots.txt",
        "search",
        "server",
        "settings",
        "setup",
        "signin",
        "signup",
        "skills",
        "spaces",
        "static",
        "templates",
        "themes",
        "token",
        "user",
        "users",
        "v1",
        "v2",
        "xet",
        "xnet",
    }
)

MAX_PATH_BYTES = 1024
MAX_PATH_PART_BYTES = 255
# Folders in folders; what walks them calls itself.
MAX_PATH_PARTS = 200
MAX_REF_BYTES = 255


def validate_name(name: str, *, what: str = "name") -> str:
    """The name itself when it may name a user, organisation or repository.

    Raises Invalid (code ``name_invalid``) with the rule in words. Source: CSGHub contract, section 1.8.
    """
    if not _NAME.match(name) or _DOUBLED.search(name) or name.lower().endswith(_RESERVED_SUFFIXES):
        raise Invalid(
            f"This {what} cannot be used: it must have 2 to 64 letters, digits, '-', '_' or '.', begin with a letter, "
            "end with a letter or digit, repeat no special character, and not end in .git or .lock.",
            code="name_invalid",
        )
    return name


def validate_namespace(name: str) -> str:
    """As ``validate_name``, and not a word that the hub's own addresses use."""
    validate_name(name, what="namespace")
    if name.lower() in RESERVED_NAMESPACES:
        raise Invalid(f"The name {name!r} is reserved.", code="name_reserved")
    return name


def fold_name(name: str) -> str:
    """The form by which names are compared: names that differ only in case are the same name."""
    return name.lower()


def normalise_path(path: str, *, allow_root: bool = False) -> str:
    """A repository path in its one form: relative, '/'-separated, without '.', '..' or empty parts.

    A leading './' or '/' and a trailing '/' are forgiven (the CSGHub SDK sends them). The root is '' and only
    accepted with ``allow_root``. Raises Invalid (code ``path_invalid``) for NUL and control characters, '..',
    backslashes, '.git' in any spelling that a file system might fold to it, parts over 255 or paths over 1,024 bytes,
    and more than 200 parts.
    """
    while path.startswith(("./", "/")):
        path = path[1:] if path[0] == "/" else path[2:]
    path = path.rstrip("/")
    if path in ("", "."):
        if allow_root:
            return ""
        raise Invalid("The path is empty.", code="path_invalid")
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        raise Invalid("The path is not valid Unicode.", code="path_invalid") from None
    if len(encoded) > MAX_PATH_BYTES:
        raise Invalid(f"The path is longer than {MAX_PATH_BYTES} bytes.", code="path_invalid")
    if "\\" in path or any(unicodedata.category(char) == "Cc" for char in path):
        raise Invalid("The path holds a backslash or a control character.", code="path_invalid")
    parts = path.split("/")
    if len(parts) > MAX_PATH_PARTS:
        raise Invalid(f"The path has more than {MAX_PATH_PARTS} parts.", code="path_invalid")
    for part in parts:
        _check_part(part)
    return path


def _check_part(part: str) -> None:
    if part in ("", ".", ".."):
        raise Invalid("The path holds an empty part, '.' or '..'.", code="path_invalid")
    if len(part.encode()) > MAX_PATH_PART_BYTES:
        raise Invalid(f"A part of the path is longer than {MAX_PATH_PART_BYTES} bytes.", code="path_invalid")
    # Characters that HFS+ ignores, and trailing dots and spaces that Windows drops, fold other spellings to .git
    # (the attack of CVE-2014-9390).
    visible = "".join(char for char in part if unicodedata.category(char) != "Cf")
    folded = visible.lower().rstrip(". ")
    if folded in (".git", "git~1") or folded.startswith(".git:"):
        raise Invalid("The path holds '.git', which git keeps for itself.", code="path_invalid")


def is_harmless_url(text: str) -> bool:
    """Whether a page may link to it: a path on this host, or an ``http`` or ``https`` address with a host.

    Anything else could run as a script, or lead to another host while it looks like a path.
    """
    # Browsers drop control characters and read a backslash as a slash.
    if not text.isprintable():
        return False
    if text.startswith("/"):
        return not text.startswith(("//", "/\\"))
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def validate_ref(ref: str) -> str:
    """A full ref name such as ``refs/heads/main``. Raises Invalid (code ``ref_invalid``).

    Source: git-check-ref-format(1), rules 1-10, and a limit of 255 bytes.
    """
    bad = (
        not ref.startswith("refs/")
        or len(ref.encode(errors="replace")) > MAX_REF_BYTES
        or ref.endswith(("/", ".", ".lock"))
        or any(word in ref for word in ("..", "//", "@{", "\\", " ", "~", "^", ":", "?", "*", "["))
        or any(ord(char) < 32 or ord(char) == 127 for char in ref)
        or any(part.startswith(".") or part.endswith(".lock") for part in ref.split("/"))
        or ref.count("/") < 2
    )
    if bad:
        raise Invalid(f"{ref[:80]!r} is not a valid ref name.", code="ref_invalid")
    return ref


def branch_ref(branch: str) -> str:
    """``refs/heads/<branch>``, checked; a name already spelled in full is taken as it is."""
    if branch == "HEAD" or branch.startswith("-"):
        raise Invalid(f"{branch[:80]!r} cannot name a branch.", code="ref_invalid")
    return validate_ref(branch if branch.startswith("refs/heads/") else f"refs/heads/{branch}")


def tag_ref(tag: str) -> str:
    """``refs/tags/<tag>``, checked; a name already spelled in full is taken as it is."""
    if tag == "HEAD" or tag.startswith("-"):
        raise Invalid(f"{tag[:80]!r} cannot name a tag.", code="ref_invalid")
    return validate_ref(tag if tag.startswith("refs/tags/") else f"refs/tags/{tag}")


_OID = re.compile(r"[0-9a-f]{64}\Z")


def validate_oid(oid: str) -> str:
    """A SHA-256 as 64 lower-case hex digits, the name of an LFS object. Raises Invalid (code ``oid_invalid``)."""
    if not isinstance(oid, str) or not _OID.match(oid):
        raise Invalid("An LFS object id is 64 lower-case hexadecimal digits.", code="oid_invalid")
    return oid
