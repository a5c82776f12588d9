"""What is kept of a card: its metadata, what is wrong with it, and the description that it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from hub.accounts.policy import SYSTEM, Actor
from hub.assets.indexing import IndexRun
from hub.assets.models_indexing import RepositoryCard
from hub.assets.service.cardcheck import MAX_LOOK_BYTES, Card, Problem, Severity, read_card_bytes, read_card_text
from hub.assets.service.cards import CARD_PATH
from hub.assets.service.describing import describe_text
from hub.assets.service.facts import plain_json
from hub.assets.service.rows import hold
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound
from hub.base.offload import offload
from hub.base.texts import is_storable
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, unit_of_work
from hub.repos import derived
from hub.repos.cardkeys import CardKey
from hub.repos.contents import ReadFile, read_file, resolve
from hub.repos.kinds import get_kind
from hub.repos.models import Repository
from hub.repos.service.naming import note_search_text

_FORMAT = "3"


@dataclass(frozen=True)
class CardReport:
    """A card at a commit, as JSON says it. path: empty without a card. size_bytes: of the whole file."""

    commit_id: str
    path: str
    size_bytes: int
    metadata: dict[str, Any]
    problems: list[dict[str, Any]]
    body_line: int
    body_offset: int
    description: str


def read_report(context: Context, repository: Repository, *, actor: Actor, revision: str = "") -> CardReport:
    """What the card at a revision says and what is wrong with it. Worked out once for each content and kind.

    Raises NotFound (``revision_not_found``); NotSignedIn or Denied (``gated_repository``).
    """
    try:
        read = read_file(
            context, repository, actor=actor, path=CARD_PATH, revision=revision, limit_bytes=MAX_LOOK_BYTES
        )
    except (NotFound, Invalid) as error:
        if error.code not in ("entry_not_found", "not_a_file"):
            raise
        problem = Problem("", None, Severity.NOTE, "There is no README.md.")
        commit_id = resolve(context, repository, revision)
        return CardReport(commit_id, "", 0, {}, [problem.view()], 1, 0, "")
    return report_on(context, repository.kind, read)


def report_on(context: Context, kind: str, read: ReadFile) -> CardReport:
    """What a card says and what is wrong with it, of which ``MAX_LOOK_BYTES`` at least were read where it has them."""
    key = ("card", _FORMAT, kind, read.entry.oid)
    kept = derived.find(context, *key)
    if not isinstance(kept, dict):
        kept = offload(_report, read, get_kind(context, kind).card)
        derived.keep(context, *key, answer=kept)
    return CardReport(commit_id=read.commit_id, **kept)


def _report(read: ReadFile, keys: tuple[CardKey, ...]) -> dict[str, Any]:
    size_bytes, data = read.blob.size_bytes, read.blob.data
    if read.entry.lfs is not None:
        card = _unread("The README.md lies in LFS, where cards are not read; keep it in Git.")
    elif size_bytes and not data:
        card = _unread(f"The README.md has {size_bytes:,} bytes: it is too large to be read.")
    else:
        card = read_card_bytes(data, keys, is_whole=size_bytes <= len(data))
    return {
        "path": CARD_PATH,
        "size_bytes": size_bytes,
        "metadata": _storable(plain_json(card.metadata) or {}),
        "problems": [problem.view() for problem in card.problems],
        "body_line": card.body_line,
        "body_offset": card.body_offset,
        "description": describe_text(card.body),
    }


def _storable(value: Any) -> Any:
    """The same without texts, and members by names, that no database and no JSON can hold."""
    if isinstance(value, dict):
        return {name: _storable(each) for name, each in value.items() if is_storable(name)}
    if isinstance(value, list):
        return [_storable(each) for each in value]
    return value if not isinstance(value, str) or is_storable(value) else None


def _unread(reason: str) -> Card:
    return Card({}, [Problem("", None, Severity.ERROR, reason)], "")


def check_card(run: IndexRun) -> None:
    """The indexer: keep what the card at the commit says, and let it describe what nobody has described."""
    report = None
    if run.commit_id:
        report = read_report(run.context, run.repository, actor=SYSTEM, revision=run.commit_id)
    with unit_of_work(run.context) as work:
        repository = work.session.get(Repository, run.repository.id)
        if repository is not None:
            hold(work, repository)
            _write(work, repository, report)
        run.finish(work)


def _write(work: UnitOfWork, repository: Repository, report: CardReport | None) -> None:
    insert_new(work.session, RepositoryCard, [{"repository_id": repository.id}])
    row = work.session.get(RepositoryCard, repository.id)
    assert row is not None
    # What the hub took from the card before is the hub's to replace; anything else is a person's.
    work.session.refresh(repository)
    # Everybody reads a description, also where the card's text is given on request only.
    derived_text = report.description if report is not None and not repository.gate else ""
    if repository.description in ("", row.description) and repository.description != derived_text:
        repository.description = derived_text
        note_search_text(repository)
    row.description = derived_text
    row.commit_id = report.commit_id if report is not None else ""
    row.card = report.metadata if report is not None else {}
    row.problems = report.problems if report is not None else []
    row.problem_count = sum(problem["severity"] != Severity.NOTE for problem in row.problems)


def find_card(work: UnitOfWork, repository_id: int) -> RepositoryCard | None:
    """What is kept of the default branch's card; None before it was read."""
    return work.session.scalar(select(RepositoryCard).where(RepositoryCard.repository_id == repository_id))


def check_text(context: Context, *, kind: str, text: str) -> Card:
    """What is wrong with a card that somebody is writing. Raises NotFound for a kind that is not there."""
    return offload(_check, text, get_kind(context, kind).card)


def _check(text: str, keys: tuple[CardKey, ...]) -> Card:
    return read_card_text(text[:MAX_LOOK_BYTES], keys, is_whole=len(text) <= MAX_LOOK_BYTES)
