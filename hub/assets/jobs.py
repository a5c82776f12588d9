"""The room's periodic work."""

from __future__ import annotations

from hub.assets.indexing import JOB, Indexer, add_indexer, ask_to_index, moved_repository
from hub.assets.service.filelabels import KINDS as LABELLED
from hub.assets.service.likes import recount_likes
from hub.assets.service.trends import update_trends
from hub.assets.service.words import judge_words_of, sweep_words
from hub.base.context import Context
from hub.db.uow import UnitOfWork
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, enqueue, register
from hub.repos.events import RepositoryDeleted, RepositoryUndeleted, RepositoryUpdated


def install(context: Context) -> None:
    """Register the room's jobs, their schedules, and what follows a push; done once, by ``build_context``."""
    register(context, JobSpec(JOB, "hub.assets.indexing:index", queue="index", timeout_s=3600))
    add_indexer(context, Indexer("card", "Card", "hub.assets.service.cards:read_card"))
    add_indexer(context, Indexer("card_check", "Card's metadata", "hub.assets.service.cardindex:check_card"))
    names = Indexer("labels", "Labels of the files", "hub.assets.service.filelabels:read_names", kinds=LABELLED)
    add_indexer(context, names)
    register(context, JobSpec("assets.read_head", "hub.assets.heads.reading:read_far", queue="index", timeout_s=600))
    models = frozenset({"model"})
    add_indexer(context, Indexer("model", "Model's metadata", "hub.assets.heads.models:read_model", kinds=models))
    add_indexer(context, Indexer("facts", "Facts of the files", "hub.assets.service.facts:read_all"))
    add_indexer(context, Indexer("search", "Search", "hub.assets.search.indexer:index_search"))
    add_indexer(context, Indexer("lineage", "Lineage", "hub.assets.service.ancestry:read_lineage"))
    spec = JobSpec("assets.convert_parquet", "hub.assets.jobs:convert_tables", queue="dataflow", timeout_s=6 * 3600)
    register(context, spec)
    context.events.record_with(_ask_to_read, owner="hub")
    context.events.record_with(_judge_words, owner="hub")
    register(context, JobSpec("assets.sweep_words", "hub.assets.jobs:sweep", timeout_s=3600))
    register_schedule(context, Schedule("assets.sweep_words", "20 4 * * *", "assets.sweep_words"))
    register(context, JobSpec("assets.update_trends", "hub.assets.jobs:update_scores", timeout_s=3600))
    register_schedule(context, Schedule("assets.update_trends", "15 * * * *", "assets.update_trends"))
    register(context, JobSpec("assets.recount_likes", "hub.assets.jobs:recount", timeout_s=3600))
    register_schedule(context, Schedule("assets.recount_likes", "50 3 * * *", "assets.recount_likes"))


def _ask_to_read(work: UnitOfWork, event: object) -> None:
    """Ask for the files to be read once the default branch moved, or is another, in the transaction that records it."""
    found = moved_repository(work, event)
    if found is None:
        return
    repository, actor_id = found
    ask_to_index(work, repository, actor_id=actor_id)
    if repository.kind == "dataset":
        enqueue(
            work,
            "assets.convert_parquet",
            args={"repository_id": repository.id},
            unique_key=f"assets.convert_parquet:{repository.id}",
            subject=("repository", repository.id),
            actor_id=actor_id,
        )


def _judge_words(work: UnitOfWork, event: object) -> None:
    """Show or hide the words of a repository whose visibility changed. Of an account's, when it goes, the job does."""
    match event:
        case RepositoryUpdated(fields=fields) if "is_private" in fields:
            judge_words_of(work, event.repository_id)
        case RepositoryUndeleted() | RepositoryDeleted(with_account=False):
            judge_words_of(work, event.repository_id)


def convert_tables(run: JobRun, *, repository_id: int) -> None:
    """Let a data set's tables be there as Parquet; see ``hub.assets.service.parquet``."""
    # Deliberately here: only this job needs it.
    from hub.assets.service.parquet import convert

    def note(done: int, total: int) -> None:
        run.check_cancelled()
        run.progress(done, total, "bytes")

    run.log(convert(run.context, repository_id=repository_id, note=note))


def sweep(run: JobRun) -> None:
    """Remove the words that nobody carries any more from the catalogue; see ``hub.assets.service.words``."""

    def note(done: int, total: int) -> None:
        run.check_cancelled()
        run.progress(done, total, "labels")

    run.log(f"{sweep_words(run.context, after_batch=note)} labels went.")


def update_scores(run: JobRun) -> None:
    """Say anew what is trending; see ``hub.assets.service.trends``."""

    def note(done: int, total: int) -> None:
        run.check_cancelled()
        run.progress(done, total, "repositories")

    run.log(f"{update_trends(run.context, after_batch=note)} scores changed.")


def recount(run: JobRun) -> None:
    """Set counters of likes right; see ``recount_likes``."""
    run.log(f"{recount_likes(run.context)} counters were wrong.")
