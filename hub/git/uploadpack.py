"""Git's protocol as far as it can be answered without a child process.

The capabilities are git's own, asked for once; lists of refs are written here, byte for byte as git writes them: in
protocol v2 for readers, in protocol v0, which is the only one there, for pushers. Requests for objects go to git,
but those of a plain clone can be told by their text, so that a cache may answer the next one.
Sources: gitprotocol-v2(5), gitprotocol-pack(5); ls-refs.c, upload-pack.c and receive-pack.c of git 2.39.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import ObjectType, ReferenceType

from hub.base.errors import Invalid
from hub.git.command import run_git
from hub.git.pktline import DELIM, FLUSH, Marker, PktLineReader, encode
from hub.git.reader import open_repository
from hub.git.types import HIDDEN_REFS, ZERO_OID

# Past this many prefixes git leaves them out of account and lists all. Source: ls-refs.c, TOO_MANY_PREFIXES.
_MANY_PREFIXES = 65536

# What a client may say of itself beside a command, and what does not change the answer to it.
_KNOWN_CAPABILITIES = (b"agent=", b"session-id=", b"object-format=sha1")
_ABOUT_THE_CLIENT = (b"agent=", b"session-id=")

_HIDDEN = HIDDEN_REFS.encode()


@dataclass(frozen=True)
class VisibleRef:
    """A ref as clients see it.

    oid: None for a HEAD whose branch has no commit. peeled: what lies behind an annotated tag.
    """

    name: bytes
    oid: bytes | None
    symref_target: bytes | None = None
    peeled: bytes | None = None


@dataclass(frozen=True)
class LsRefs:
    """The command ``ls-refs`` and its arguments."""

    peel: bool = False
    symrefs: bool = False
    unborn: bool = False
    prefixes: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class PlainFetch:
    """A request for objects by a client that has none, in one piece: what a clone sends.

    text: the request without what the client says of itself; two clones that want the same have the same text.
    """

    text: bytes


def version_of(protocol: str | None) -> int:
    """The version that git picks from a ``Git-Protocol`` header or ``GIT_PROTOCOL``: the highest that it knows."""
    words = (protocol or "").split(":")
    return max((version for version in (1, 2) if f"version={version}" in words), default=0)


class Advertisement:
    """What git's servers say that they can do: the same for all repositories, so git is asked once for each."""

    def __init__(self) -> None:
        self._for_readers: bytes | None = None
        self._for_pushers: bytes | None = None

    def get(self, path: Path) -> bytes:
        """What protocol v2 says first to a reader. Any repository will do as ``path``. Runs git the first time."""
        if self._for_readers is None:
            command = ("upload-pack", "--stateless-rpc", "--advertise-refs", ".")
            self._for_readers = run_git(path, *command, env={"GIT_PROTOCOL": "version=2"})
        return self._for_readers

    def get_for_push(self, path: Path) -> bytes:
        """The capabilities that receive-pack names behind the first ref. Runs git the first time."""
        if self._for_pushers is None:
            answer = run_git(path, "receive-pack", "--stateless-rpc", "--advertise-refs", ".")
            self._for_pushers = answer.partition(b"\0")[2].partition(b"\n")[0]
        return self._for_pushers


def parse_request(body: bytes, version: int) -> LsRefs | PlainFetch | None:
    """What a whole request asks for; None when only git itself can answer it, or refuse it."""
    reader = PktLineReader()
    reader.feed(body)
    try:
        packets = list(reader)
        reader.finish()
    except Invalid:
        return None
    return _parse_command(packets) if version == 2 else _parse_old_fetch(packets)


def _parse_command(packets: Sequence[bytes | Marker]) -> LsRefs | PlainFetch | None:
    if not packets or packets[-1] is not FLUSH or FLUSH in packets[:-1] or packets.count(DELIM) > 1:
        return None
    split = packets.index(DELIM) if DELIM in packets else len(packets) - 1
    head = [packet.rstrip(b"\n") for packet in packets[:split] if isinstance(packet, bytes)]
    args = [packet.rstrip(b"\n") for packet in packets[split + 1 : -1] if isinstance(packet, bytes)]
    if len(head) + len(args) + (split < len(packets) - 1) + 1 != len(packets):
        return None
    command, capabilities = head[:1], head[1:]
    if not all(line.startswith(_KNOWN_CAPABILITIES) for line in capabilities):
        return None
    if command == [b"command=ls-refs"]:
        return _parse_ls_refs(args)
    if command == [b"command=fetch"] and b"done" in args and not any(arg.startswith(b"have ") for arg in args):
        return PlainFetch(b"v2\n" + b"\n".join(args))
    return None


def _parse_ls_refs(args: Sequence[bytes]) -> LsRefs | None:
    prefixes = [arg.removeprefix(b"ref-prefix ") for arg in args if arg.startswith(b"ref-prefix ")]
    words = {arg for arg in args if not arg.startswith(b"ref-prefix ")}
    if not words <= {b"peel", b"symrefs", b"unborn"}:
        return None
    if len(prefixes) >= _MANY_PREFIXES:
        prefixes = []
    return LsRefs(b"peel" in words, b"symrefs" in words, b"unborn" in words, tuple(prefixes))


def _parse_old_fetch(packets: Sequence[bytes | Marker]) -> PlainFetch | None:
    """Protocols 0 and 1: wants with the client's capabilities behind the first, a flush, ``done``."""
    if len(packets) < 3 or packets[-1] not in (b"done\n", b"done") or packets[-2] is not FLUSH:
        return None
    lines = [packet.rstrip(b"\n") for packet in packets[:-2] if isinstance(packet, bytes)]
    if len(lines) != len(packets) - 2 or not lines[0].startswith(b"want "):
        return None
    if not all(line.startswith((b"want ", b"shallow ", b"deepen", b"filter ")) for line in lines):
        return None
    first = b" ".join(word for word in lines[0].split(b" ") if not word.startswith(_ABOUT_THE_CLIENT))
    return PlainFetch(b"v0\n" + b"\n".join([first, *lines[1:]]))


def list_visible_refs(path: Path) -> list[VisibleRef]:
    """HEAD, then every ref that is not hidden, by name.

    A ref that leads to another one which is not there is left out, as git does.
    Raises NotFound (code ``repository_missing``).
    """
    with open_repository(path) as repository:
        references = sorted(repository.listall_reference_objects(), key=lambda reference: reference.raw_name)
        found = [_describe(repository, reference) for reference in references if not _is_hidden(reference)]
        return [_describe(repository, repository.references["HEAD"]), *(ref for ref in found if ref.oid is not None)]


def _is_hidden(reference: pygit2.Reference) -> bool:
    return reference.raw_name.startswith(_HIDDEN)


def _describe(repository: pygit2.Repository, reference: pygit2.Reference) -> VisibleRef:
    symref_target: bytes | None = None
    if reference.type == ReferenceType.SYMBOLIC:
        symref_target = bytes(reference.raw_target)  # type: ignore[arg-type]  # bytes for a symbolic one
        try:
            target = reference.resolve().target
        except (KeyError, pygit2.GitError):
            return VisibleRef(reference.raw_name, None, symref_target)
    else:
        target = reference.target
    return VisibleRef(reference.raw_name, str(target).encode(), symref_target, _peel(repository, reference, target))


def _peel(repository: pygit2.Repository, reference: pygit2.Reference, target: pygit2.Oid | str) -> bytes | None:
    """What lies behind an annotated tag; None for a ref to anything else, and to an object that is missing."""
    try:
        kind, _ = repository.odb.read_header(target)
        return str(reference.peel().id).encode() if kind == ObjectType.TAG else None
    except (KeyError, pygit2.GitError):
        return None


def digest_of(refs: Sequence[VisibleRef]) -> str:
    """A hash of all that a client can see of a repository's refs."""
    digest = hashlib.sha256()
    for ref in refs:
        digest.update(b"%s %s %s\n" % (ref.name, ref.oid or b"-", ref.symref_target or b"-"))
    return digest.hexdigest()


def answer_ls_refs(refs: Sequence[VisibleRef], request: LsRefs) -> bytes:
    """The answer to ``ls-refs``: about 60 bytes a ref."""
    packets: list[bytes] = []
    for ref in refs:
        if request.prefixes and not ref.name.startswith(request.prefixes):
            continue
        if ref.oid is None and not (request.unborn and request.symrefs):
            continue
        line = (ref.oid or b"unborn") + b" " + ref.name
        if request.symrefs and ref.symref_target is not None:
            line += b" symref-target:" + ref.symref_target
        if request.peel and ref.peeled is not None:
            line += b" peeled:" + ref.peeled
        packets.append(encode(line + b"\n"))
    packets.append(FLUSH.value)
    return b"".join(packets)


def advertise_for_push(refs: Sequence[VisibleRef], capabilities: bytes) -> bytes:
    """What receive-pack says first in protocol v0: every ref but HEAD, the capabilities behind the first of them."""
    listed = [(ref.oid, ref.name) for ref in refs if ref.oid and ref.name != b"HEAD"]
    first, *others = listed or [(ZERO_OID.encode(), b"capabilities^{}")]
    packets = [encode(b"%s %s\0%s\n" % (*first, capabilities)), *(encode(b"%s %s\n" % ref) for ref in others)]
    return b"".join(packets) + FLUSH.value
