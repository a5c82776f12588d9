"""Repositories that are rows only: this room never looks at their files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.accounts.models import Organization, User
from hub.base.names import fold_name
from hub.repos.models import Repository, RepositoryState


@pytest.fixture
def make_row(writing: Callable[[], Any]) -> Callable[..., Repository]:
    """``make_row(owner, "thing", kind="model", **columns)``: a repository without anything on disk."""

    def make(owner: User | Organization, name: str = "thing", kind: str = "model", **columns: Any) -> Repository:
        with writing() as work:
            now = work.now()
            moments = {"created_at": now, "updated_at": now}
            row = Repository(
                kind=kind,
                namespace_id=owner.namespace_id,
                name=name,
                name_key=fold_name(name),
                state=RepositoryState.READY,
                **(moments | columns),
            )
            work.session.add(row)
            work.session.flush()
        return row

    return make
