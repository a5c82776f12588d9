"""Shards: what makes files of xorbs. Source: Xet contract, section 8.2.

Four steps, of which the last is one short transaction: there must be room for as many bytes as a shard announces,
since all work on it is in proportion to them; what it says is compared with what the hub knows of its xorbs
(``judging``); each file that is new is put together and hashed, so that nobody has to believe the SHA-256 that it is
known by; then the files become contents of the repository, all or none.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from hub.plugin import Action, Actor, Context, get_logger
from hub.plugin.db import UnitOfWork, insert_new, insert_new_keys, reading, unit_of_work
from hub.plugin.errors import NotFound, TooLarge
from hub.plugin.lfs import check_room_for, hold_contents, holds_contents
from hub.plugin.objects import offload
from hub.plugin.policy import require
from hub.plugin.repos import Repository, get_readable
from plugins.xnet.formats.shards import Term
from plugins.xnet.judging import Announced, JudgedFile, JudgedShard, judge_shard, not_proved, read_announced
from plugins.xnet.mentions import note_mentions
from plugins.xnet.models import Chunk, File, FileXorb
from plugins.xnet.pending import pay
from plugins.xnet.reconstruction import TermTable
from plugins.xnet.verifying import hash_files, hash_mismatch

log = get_logger(__name__)

SOURCE = "xnet"
_AT_ONCE = 1000
# Shards of one account that are judged and whose files are hashed at the same time, in one process.
_TURNS_EACH = 4
_HEARTBEAT_S = 5.0


@dataclass
class Registration:
    """A shard that may be registered once it is judged and its files are verified.

    shard: None until it is judged. unverified: those of its files that the hub does not have.
    """

    actor: Actor
    repository_id: int
    announced: Announced
    shard: JudgedShard | None = None
    unverified: Sequence[JudgedFile] = ()

    @property
    def total_bytes(self) -> int:
        """How much there is to verify, as far as is known."""
        if self.shard is None:
            return sum(self.announced.sizes.values())
        return sum(file.size_bytes for file in self.unverified)


def begin_registration(context: Context, *, actor: Actor, repository_id: int, path: Path) -> Registration:
    """Read a shard, and look whether there is room for what it announces.

    path: where its body lies; it is not needed any more afterwards.
    Raises NotFound, NotSignedIn, Denied; Invalid (``shard_invalid``); TooLarge, QuotaExceeded: nothing is worked on
    that could not be kept.
    """
    with reading(context) as work:
        repository = get_readable(work, actor=actor, repository_id=repository_id)
        require(work, actor, Action.REPOSITORY_PROPOSE, repository)
    announced = read_announced(path)
    with reading(context) as work:
        _check_room(work, actor, repository, announced.sizes)
    return Registration(actor, repository_id, announced)


def _check_room(work: UnitOfWork, actor: Actor, repository: Repository, sizes: Mapping[str, int]) -> None:
    limit = work.settings.max_lfs_object_size_bytes
    if any(size_bytes > limit for size_bytes in sizes.values()):
        raise TooLarge(f"An object has at most {limit} bytes.")
    check_room_for(work, actor=actor, repository=repository, contents=sizes)


def _oids_of_known(work: UnitOfWork, hashes: Sequence[bytes]) -> dict[bytes, str]:
    """By hash, the oid of each of these files that is registered, whoever holds it. Never to be told to a client."""
    found: dict[bytes, str] = {}
    for start in range(0, len(hashes), _AT_ONCE):
        rows = select(File.hash, File.oid).where(File.hash.in_(hashes[start : start + _AT_ONCE]))
        found.update((row.hash, row.oid) for row in work.session.execute(rows))
    return found


def verify_files(context: Context, registration: Registration) -> Iterator[int]:
    """Judge the shard, put its unverified files together and hash them.

    It says how many bytes are done, at least every few seconds, and once the shard is judged. Raises Invalid:
    ``shard_not_proved``, also when chunks are gone, ``file_hash_mismatch``, ``hash_mismatch``, when a file has another
    SHA-256 than it is announced with; Unavailable; Failed (``xorb_damaged``).
    """
    turns = _TURNS[registration.actor.user_id]
    while not turns.acquire(timeout=_HEARTBEAT_S):
        yield 0
    try:
        shard = yield from judge_shard(context, registration.announced)
        with reading(context) as work:
            known = _oids_of_known(work, [file.hash for file in shard.files])
        if any(known.get(file.hash, file.oid) != file.oid for file in shard.files):
            raise hash_mismatch()
        registration.shard, registration.unverified = shard, [file for file in shard.files if file.hash not in known]
        yield 0
        yield from hash_files(context, registration.unverified)
    except NotFound:
        raise not_proved() from None
    finally:
        turns.release()


_TURNS: defaultdict[int | None, threading.BoundedSemaphore] = defaultdict(
    lambda: threading.BoundedSemaphore(_TURNS_EACH)
)


def register(context: Context, registration: Registration) -> bool:
    """Let the repository hold the verified files, all or none; whether anything of it is new to the repository.

    Raises NotFound, Denied, TooLarge, QuotaExceeded; Invalid (``shard_not_proved``) when the garbage collector took
    a xorb that nobody had used.
    """
    shard = registration.shard
    assert shard is not None  # it was judged before it was verified
    terms = offload(_pack_terms, shard.files)
    try:
        with unit_of_work(context) as work:
            is_new = _register(work, registration, shard, terms)
    except IntegrityError:
        raise not_proved() from None
    log.info(
        "shard_registered",
        repository_id=registration.repository_id,
        files=len(shard.files),
        verified_bytes=registration.total_bytes,
    )
    return is_new


def _register(work: UnitOfWork, registration: Registration, shard: JudgedShard, terms: Mapping[bytes, bytes]) -> bool:
    repository_id = registration.repository_id
    contents = {file.oid: file.size_bytes for file in shard.files}
    held = holds_contents(work, repository_id, contents, actor=registration.actor)
    # It comes first: with the object's row locked, a file that belongs to it cannot be taken away.
    hold_contents(
        work,
        actor=registration.actor,
        repository_id=repository_id,
        contents=contents,
        source=SOURCE,
        for_proposal=True,
    )
    # Of several ways to cut one content the first stays: clients keep what they were told.
    files = {file.hash: file for file in sorted(shard.files, key=lambda file: file.hash)}
    rows = [
        {
            "hash": file.hash,
            "oid": file.oid,
            "size_bytes": file.size_bytes,
            "created_at": work.now(),
            "terms": terms[file.hash],
        }
        for file in files.values()
    ]
    added = [files[key.hash] for key in insert_new_keys(work.session, File, rows)]
    insert_new(
        work.session,
        FileXorb,
        [{"file_hash": file.hash, "xorb_hash": xorb} for file in added for xorb in sorted(file.xorbs)],
    )
    chunks = sorted({*shard.chunks, *(file.first_chunk for file in shard.files)})
    insert_new(work.session, Chunk, [{"chunk_hash": chunk, "xorb_hash": xorb} for chunk, xorb in chunks])
    note_mentions(work, {*shard.xorbs}.union(*(file.xorbs for file in shard.files)))
    pay(work, _bytes_of_xorbs([*added, *(file for file in shard.files if file.oid not in held)]))
    return bool(added) or len(held) < len(contents)


def _bytes_of_xorbs(files: Iterable[JudgedFile]) -> dict[bytes, int]:
    """By hash, how many bytes of each xorb the files have, repeated ones as often."""
    amounts: defaultdict[bytes, int] = defaultdict(int)
    for file in {file.hash: file for file in files}.values():
        for term in file.terms:
            amounts[term.xorb] += term.raw_length
    return amounts


def _pack_terms(files: Sequence[JudgedFile]) -> dict[bytes, bytes]:
    return {file.hash: b"".join(TermTable.RECORD.pack(*term) for term in _merged(file.terms)) for file in files}


def _merged(terms: Iterable[Term]) -> Iterator[Term]:
    """The same terms, each together with those that go on in the same xorb where it ends."""
    last: Term | None = None
    for term in terms:
        if last is not None and (term.xorb, term.start) == (last.xorb, last.end):
            last = Term(last.xorb, last.raw_length + term.raw_length, last.start, term.end)
            continue
        if last is not None:
            yield last
        last = term
    if last is not None:
        yield last
