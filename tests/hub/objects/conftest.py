"""The stores that the contract is tried on."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.base.settings import Settings
from hub.objects.store import ObjectStore, create_store


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty store: files in one run of the test, S3 in the other."""
    if request.param == "file":
        return create_store(Settings(home=tmp_path))
    return create_store(Settings(home=tmp_path, storage_url=request.getfixturevalue("s3_storage_url")))
