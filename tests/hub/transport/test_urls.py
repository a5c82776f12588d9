"""The addresses of repositories, as clients spell them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.base.context import Context
from hub.base.errors import NotFound
from hub.base.settings import Settings
from hub.repos.kinds import KINDS, create_kinds
from hub.transport.urls import RepositoryAddress, parse_address


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """A context that knows the kinds and nothing else."""
    context = Context(Settings(home=tmp_path_factory.mktemp("home")))
    context.provide(KINDS, create_kinds())
    return context


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("models/ada/bert.git", "model"),
        ("models/ada/bert", "model"),
        ("/models/ada/bert.git/", "model"),
        ("ada/bert.git", "model"),
        ("/ada/bert", "model"),
        ("datasets/ada/bert.git", "dataset"),
        ("codes/ada/bert.git", "code"),
        ("spaces/ada/bert.git", "space"),
        ("prompts/ada/bert.git", "prompt"),
        ("skills/ada/bert.git", "skill"),
        ("mcpservers/ada/bert.git", "mcpserver"),
        ("mcps/ada/bert.git", "mcpserver"),
    ],
)
def test_each_spelling_names_a_repository(kinds, path, kind):
    assert parse_address(kinds, path) == RepositoryAddress(kind, "ada", "bert")


@pytest.mark.parametrize(
    "path",
    ["", "/", "bert.git", "things/ada/bert.git", "models/ada/bert/x", "models//bert", "models/ada/.git"],
)
def test_other_paths_name_none(kinds, path):
    with pytest.raises(NotFound):
        parse_address(kinds, path)


@given(st.text())
def test_any_text_names_a_repository_or_none(kinds, path):
    try:
        address = parse_address(kinds, path)
    except NotFound:
        return
    assert address.namespace
    assert address.name
    assert "/" not in address.namespace + address.name
