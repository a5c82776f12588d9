"""What is asked before refs move, whoever moves them: pushes, the web, the API and mirrors.

A check takes an ``IncomingPush`` and raises a ``HubError`` to refuse all of it. The message is shown to the pusher,
line by line, behind ``remote:``; it says what to do next. Plugins add checks to the registry ``CHECKS``; the order
of registration is the order of asking, cheap ones first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from sqlalchemy import select

from hub.accounts.models import Role
from hub.accounts.policy import Action, Actor, role_on
from hub.base.context import Context, Key
from hub.base.errors import Conflict, Denied, Invalid, TooLarge, Unprocessable
from hub.base.names import fold_name, normalise_path, validate_ref
from hub.base.offload import offload
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork, reading
from hub.git.incoming import is_ancestor, new_objects, read_small_blobs
from hub.git.pointer import MAX_POINTER_SIZE_BYTES, parse_pointer
from hub.git.repository import list_refs
from hub.git.types import LFSPointer, RefChange
from hub.repos import quotas
from hub.repos.lfs.holdings import missing_objects
from hub.repos.models import ProtectedBranch, Repository
from hub.repos.proposals import PROPOSALS, number_of

BRANCHES = "refs/heads/"
TAGS = "refs/tags/"

# A message names this many files at most, and says how many more there are.
NAMED_FILES = 10

# No pointer is shorter: the version line alone takes 43 bytes, an oid line 76.
_MIN_POINTER_SIZE_BYTES = 100
_LIKE_COMMIT_ID = re.compile(r"[0-9a-f]{40}\Z")


class Purpose(StrEnum):
    """What the hub moves refs for, on somebody's behalf, where the checks make a difference of it.

    MERGE: a pull request's commits go into its base, and all that stands before a merge was judged. OPEN: the ref of a
    new pull request. FOLLOW: a pull request's ref goes where the branch is that it follows.
    """

    NONE = ""
    MERGE = "merge"
    OPEN = "open"
    FOLLOW = "follow"


@dataclass(frozen=True)
class NewFile:
    """A file that a push brings. path: one of the places where it appears."""

    path: str
    oid: str
    size_bytes: int


@dataclass(frozen=True)
class IncomingContent:
    """What the new objects of a push hold, of all its commits and not of the last one only.

    size_bytes: of all objects, unpacked. too_large: over the limit for files outside LFS. bad_path: the first path
    that the hub could not address, and why. pointers: each LFS pointer with a path of a file that is it.
    """

    object_count: int
    size_bytes: int
    too_large: Sequence[NewFile]
    bad_path: tuple[str, Invalid] | None
    pointers: Mapping[LFSPointer, str]


@dataclass
class IncomingPush:
    """Ref changes that ask to be let in. Their objects are on disk, but no ref leads to them yet.

    repository: detached, for reading. object_env: git's variables for the quarantine in which a push's objects
    wait; empty for objects made by the hub itself. new_bytes: what the objects take on disk; None: not known.
    action: by which right they ask: REPOSITORY_WRITE for branches and tags, REPOSITORY_PROPOSE for the refs of pull
    requests. purpose: what the hub itself moves them for, and no client can say; see ``Purpose``.
    """

    context: Context
    actor: Actor
    repository: Repository
    path: Path
    changes: Sequence[RefChange]
    via: str
    object_env: Mapping[str, str] = field(default_factory=dict)
    new_bytes: int | None = None
    action: Action = Action.REPOSITORY_WRITE
    purpose: Purpose = Purpose.NONE

    @cached_property
    def refs(self) -> Mapping[str, str]:
        """The refs as they are now, name to object id."""
        return offload(list_refs, self.path)

    @cached_property
    def content(self) -> IncomingContent:
        """What the new objects hold; they are walked once, when the first check asks."""
        return _look_into(self)

    @cached_property
    def pointers(self) -> Mapping[LFSPointer, str]:
        """The LFS pointers that the changed refs come to name, each with a path of a file that is it.

        Branches and tags may come to name what a pull request's commits have brought long before.
        """
        tips = [change.new for change in self.changes if change.ref.startswith((BRANCHES, TAGS))]
        if not any(ref.startswith(PROPOSALS) for ref in self.refs) or not tips:
            return self.content.pointers
        had = [tip for ref, tip in self.refs.items() if ref.startswith((BRANCHES, TAGS))]
        return {**self.content.pointers, **pointers_behind(self.path, tips, had, env=self.object_env)}


def pointers_behind(
    path: Path, tips: Sequence[str], had: Sequence[str], *, env: Mapping[str, str] | None = None
) -> dict[LFSPointer, str]:
    """The LFS pointers that these objects lead to and those that were had do not, each with a path."""
    small = {
        found.oid: found.path
        for found in new_objects(path, tips, not_ids=had, env=env)
        if found.kind == "blob" and _MIN_POINTER_SIZE_BYTES <= found.size_bytes <= MAX_POINTER_SIZE_BYTES
    }
    return _read_pointers(path, small, env)


PreReceiveCheck = Callable[[IncomingPush], None]
CHECKS: Key[Registry[PreReceiveCheck]] = Key("repos.checks")

# Asked inside the transaction that deletes: ``check(work, repository, actor)`` raises a HubError to refuse.
DeleteCheck = Callable[[UnitOfWork, Repository, Actor], None]
DELETE_CHECKS: Key[Registry[DeleteCheck]] = Key("repos.delete_checks")


def create_checks() -> Registry[PreReceiveCheck]:
    """A registry holding the core's checks; plugins add theirs before it is frozen."""
    checks: Registry[PreReceiveCheck] = Registry("pre-receive checks")
    checks.add("ref_names", check_ref_names)
    checks.add("ref_clashes", check_ref_clashes)
    checks.add("protected_branches", check_protected_branches)
    checks.add("quota", check_quota)
    checks.add("file_names", check_file_names)
    checks.add("file_sizes", check_file_sizes)
    checks.add("lfs_objects", check_lfs_objects)
    return checks


def check_ref_names(push: IncomingPush) -> None:
    """Branches and tags only, with names that git, a URL and a command line can carry; refs of pull requests only
    where they are asked for as such.

    The hub itself may move other refs. Raises Denied (``ref_reserved``) and Invalid (``ref_invalid``).
    """
    for change in push.changes:
        if push.action == Action.REPOSITORY_PROPOSE:
            if number_of(change.ref) is None:
                raise Denied(f"{change.ref[:80]!r} is no pull request's.", code="ref_reserved")
            continue
        if not change.ref.startswith((BRANCHES, TAGS)):
            if push.actor.is_system:
                continue
            raise Denied(
                f"{change.ref[:80]!r} cannot be pushed: only branches (refs/heads/) and tags (refs/tags/) can, and the "
                "refs of open pull requests, by themselves.",
                code="ref_reserved",
            )
        if change.is_deletion:
            continue
        if not change.ref.isprintable():  # no UTF-8, for one: git takes any bytes
            raise Invalid("A branch or tag has a name that is no text.", code="ref_invalid")
        validate_ref(change.ref)
        name = short_name(change.ref)
        if name == "HEAD" or name.startswith("-") or _LIKE_COMMIT_ID.match(name):
            raise Invalid(f"{name!r} cannot name a branch or tag: git would read it otherwise.", code="ref_invalid")
        # As a revision it would stand for the ref, and hide what is there: a pull request, for one.
        if change.is_creation and fold_name(name).startswith("refs/"):
            raise Invalid(f"{name[:80]!r} cannot name a branch or tag: it begins with 'refs/'.", code="ref_invalid")


def check_ref_clashes(push: IncomingPush) -> None:
    """No new ref that another one shadows on a file system that folds case, or that is a folder of another's name.

    Raises Conflict (``ref_clash``).
    """
    created = [change.ref for change in push.changes if change.is_creation]
    if not created:
        return
    deleted = {change.ref for change in push.changes if change.is_deletion}
    taken = {fold_name(ref): ref for ref in push.refs if ref not in deleted}
    folders = {fold_name(folder): ref for ref in taken.values() for folder in _folders(ref)}
    for ref in created:
        key = fold_name(ref)
        other = taken.get(key) or folders.get(key)
        other = other or next((taken[folder] for folder in map(fold_name, _folders(ref)) if folder in taken), None)
        if other is not None and other != ref:
            raise Conflict(
                f"{short_name(ref)!r} cannot be created beside {short_name(other)!r}: the names differ only in case, "
                "or one would be a folder of the other.",
                code="ref_clash",
            )
        taken[key] = ref
        folders.update({fold_name(folder): ref for folder in _folders(ref)})


def check_protected_branches(push: IncomingPush) -> None:
    """The default branch stays, and protected branches are written as their rules say.

    Raises Denied (``default_branch``, ``branch_protected``, ``pull_required``).
    """
    changes = [change for change in push.changes if change.ref.startswith(BRANCHES)]
    for change in changes:
        if change.is_deletion and short_name(change.ref) == push.repository.default_branch:
            raise Denied(
                f"{short_name(change.ref)!r} is the default branch and cannot be deleted; "
                "make another branch the default one first.",
                code="default_branch",
            )
    if push.actor.is_system:
        return
    with reading(push.context) as work:
        rules = list_rules(work, push.repository.id)
        role = role_on(work, push.actor, push.repository) if rules else None
    if push.actor.is_admin:
        role = Role.OWNER
    for change in changes:
        rule = find_rule(rules, short_name(change.ref))
        if rule is not None:
            _check_rule(push, change, rule, role)


def _check_rule(push: IncomingPush, change: RefChange, rule: ProtectedBranch, role: Role | None) -> None:
    branch = short_name(change.ref)
    if role is None or role.rank < Role(rule.push_role).rank:
        raise Denied(
            f"The branch {branch!r} is protected: pushing to it takes the role {Role(rule.push_role).value!r}. "
            "Push to another branch.",
            code="branch_protected",
        )
    if change.is_deletion and not rule.allow_deletion:
        raise Denied(f"The branch {branch!r} is protected and cannot be deleted.", code="branch_protected")
    if change.is_creation or change.is_deletion:
        return
    if rule.require_pull and push.purpose != Purpose.MERGE and not (rule.allow_admins and role.rank >= Role.ADMIN.rank):
        raise Denied(
            f"The branch {branch!r} is protected: it changes by pull requests only. "
            "Push to another branch, and open one.",
            code="pull_required",
        )
    if rule.allow_force_push:
        return
    if not is_ancestor(push.path, change.old, change.new, env=push.object_env):
        raise Denied(
            f"The branch {branch!r} is protected and cannot be force-pushed. "
            "Fetch it, merge it into your work, then push again.",
            code="branch_protected",
        )


def check_quota(push: IncomingPush) -> None:
    """Room for the new objects in the namespace's quota and on the disk. Raises QuotaExceeded."""
    if all(change.is_deletion for change in push.changes):
        return
    extra_bytes = push.content.size_bytes if push.new_bytes is None else push.new_bytes
    with reading(push.context) as work:
        quotas.check_room(work, push.repository, extra_bytes)


def check_file_names(push: IncomingPush) -> None:
    """No file whose path the hub could not address. Raises Invalid (``path_invalid``)."""
    if push.content.bad_path is not None:
        path, reason = push.content.bad_path
        raise Invalid(f"The file {_shown(path)!r} cannot be stored. {reason}", code=reason.code)


def check_file_sizes(push: IncomingPush) -> None:
    """No large file outside LFS, in any of the new commits. Raises TooLarge (``file_too_large``)."""
    large = push.content.too_large
    if not large:
        return
    limit = readable_size(push.context.settings.max_blob_size_bytes)
    lines = [
        f"Files over {limit} must be stored with Git LFS; these are not:",
        *_named(f"  {_shown(file.path)} ({readable_size(file.size_bytes)})" for file in large),
        "Rewrite your commits so that LFS holds them, then push again:",
        *(f'  git lfs migrate import --include="{_shown(file.path)}"' for file in large[:1]),
        "For later files of that type: git lfs track, and commit .gitattributes.",
    ]
    files = [{"path": file.path, "size_bytes": file.size_bytes} for file in large[:NAMED_FILES]]
    raise TooLarge("\n".join(lines), code="file_too_large", files=files)


def check_lfs_objects(push: IncomingPush) -> None:
    """Every LFS pointer's content is stored and belongs to this repository.

    Raises Unprocessable (``lfs_object_missing``).
    """
    pointers = push.pointers
    if not pointers:
        return
    with reading(push.context) as work:
        missing = missing_objects(work, push.repository.id, list(pointers), actor=push.actor)
    if not missing:
        return
    lines = [
        "These files are LFS pointers, and the hub does not have their content:",
        *_named(f"  {_shown(pointers[pointer])} ({pointer.oid})" for pointer in missing),
        "Upload it with `git lfs push --all <remote>`, then push again.",
    ]
    objects = [{"oid": pointer.oid, "path": pointers[pointer]} for pointer in missing[:NAMED_FILES]]
    raise Unprocessable("\n".join(lines), code="lfs_object_missing", objects=objects)


def list_rules(work: UnitOfWork, repository_id: int) -> Sequence[ProtectedBranch]:
    """A repository's rules for protected branches."""
    return work.session.scalars(select(ProtectedBranch).where(ProtectedBranch.repository_id == repository_id)).all()


def find_rule(rules: Iterable[ProtectedBranch], branch: str) -> ProtectedBranch | None:
    """The rule that holds for a branch: of those whose pattern fits, the one with the longest pattern, or None."""
    fitting = [rule for rule in rules if _pattern(rule.pattern).fullmatch(branch)]
    return max(fitting, key=lambda rule: len(rule.pattern), default=None)


def _pattern(glob: str) -> re.Pattern[str]:
    words = {"*": ".*", "?": "."}
    return re.compile("".join(words.get(char, re.escape(char)) for char in glob), re.DOTALL)


def short_name(ref: str) -> str:
    """``main`` for ``refs/heads/main``; a ref that is no branch or tag in full."""
    return ref.removeprefix(BRANCHES).removeprefix(TAGS)


def readable_size(size_bytes: int) -> str:
    """``10 MiB``, ``1.5 GiB``: for people."""
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" or size == int(size) else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _folders(ref: str) -> Iterator[str]:
    """The folders of a ref's name below refs/heads or refs/tags: ``a`` and ``a/b`` for ``a/b/c``, spelled in full."""
    parts = ref.split("/")
    return ("/".join(parts[:count]) for count in range(3, len(parts)))


def _look_into(push: IncomingPush) -> IncomingContent:
    """Walk the new objects once, then read those that are small enough to be LFS pointers."""
    known = set(push.refs.values())
    new_ids = list(dict.fromkeys(change.new for change in push.changes if not change.is_deletion))
    new_ids = [oid for oid in new_ids if oid not in known]
    limit_bytes = push.context.settings.max_blob_size_bytes
    count = size_bytes = 0
    too_large: list[NewFile] = []
    bad_path: tuple[str, Invalid] | None = None
    small: dict[str, str] = {}
    for found in new_objects(push.path, new_ids, env=push.object_env) if new_ids else ():
        count += 1
        size_bytes += found.size_bytes
        if bad_path is None and found.path and not _is_plain(found.path):
            bad_path = _judge_path(found.path)
        if found.kind != "blob":
            continue
        if found.size_bytes > limit_bytes:
            too_large.append(NewFile(found.path, found.oid, found.size_bytes))
        elif _MIN_POINTER_SIZE_BYTES <= found.size_bytes <= MAX_POINTER_SIZE_BYTES:
            small[found.oid] = found.path
    return IncomingContent(count, size_bytes, too_large, bad_path, _read_pointers(push.path, small, push.object_env))


def _read_pointers(path: Path, small: Mapping[str, str], env: Mapping[str, str] | None) -> dict[LFSPointer, str]:
    pointers = {}
    for oid, data in read_small_blobs(path, list(small), env=env) if small else ():
        pointer = parse_pointer(data)
        if pointer is not None:
            pointers[pointer] = small[oid]
    return pointers


def _is_plain(path: str) -> bool:
    """Whether a path needs no closer look: it is most often so, and a push may bring a million of them."""
    return len(path) < 200 and path.isascii() and path.isprintable() and "\\" not in path and "git" not in path.lower()


def _judge_path(path: str) -> tuple[str, Invalid] | None:
    try:
        normalise_path(path)
    except Invalid as reason:
        return path, reason
    return None


def _shown(path: str) -> str:
    """A path as it may be printed on a pusher's terminal."""
    return "".join(char if char.isprintable() else "?" for char in path[:200])


def _named(lines: Iterable[str]) -> Iterator[str]:
    rest = 0
    for number, line in enumerate(lines):
        if number < NAMED_FILES:
            yield line
        else:
            rest += 1
    if rest:
        yield f"  and {rest} more"
