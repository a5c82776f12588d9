"""The indexer of skills: what ``SKILL.md`` of the default branch says, as a record."""

from __future__ import annotations

from dataclasses import asdict

from hub.accounts.policy import SYSTEM
from hub.assets.indexing import IndexRun
from hub.assets.models_records import SkillRecord
from hub.assets.records.skill_form import missing_skill
from hub.assets.records.skills import read_skill
from hub.db.uow import unit_of_work


def index_skill(run: IndexRun) -> None:
    """Let the record of a repository be what its ``SKILL.md`` says; without the file, that there is none."""
    skill = missing_skill()
    if run.commit_id:
        _, skill = read_skill(run.context, run.repository, actor=SYSTEM, revision=run.commit_id)
    with unit_of_work(run.context) as work:
        run.finish(work)
        row = work.session.get(SkillRecord, run.repository.id)
        if row is None:
            row = SkillRecord(repository_id=run.repository.id)
            work.session.add(row)
        row.name, row.description, row.license = skill.name, skill.description, skill.license
        row.compatibility, row.allowed_tools, row.details = skill.compatibility, skill.allowed_tools, skill.details
        row.category = skill.category
        row.search_text = f"{skill.name}\n{skill.description}\n{skill.category}".lower()
        row.is_valid, row.problems = skill.is_valid, [asdict(problem) for problem in skill.problems]
        row.commit_id, row.updated_at = run.commit_id, work.now()
