"""Every route, every role, on what is public and what is private, against the table of what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from hub.api.description import operations_of
from hub.api.documentation import documentation_of
from tests.matrix.rules import COLUMNS, Rule, Sample
from tests.matrix.table import SAMPLES, TABLE, columns_of
from tests.matrix.world import World, make_world

ALLOWED, SIGN_IN, DENIED, HIDDEN = "+134"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("matrix") / "home", sqlite_template) as world:
        yield world


def judge(answer: TestResponse, rule: Rule) -> str:
    """The answer as the table spells it. What is refused for any other reason was allowed."""
    if answer.status_code in (401, 403):
        return SIGN_IN if answer.status_code == 401 else DENIED
    if answer.status_code == 404:
        told = answer.get_json(silent=True) or {}
        word = told.get("context", {}).get("reason", told.get("code", ""))
        is_hidden = word == f"{rule.thing}_not_found" or not told
        return HIDDEN if rule.thing and is_hidden else ALLOWED
    # 503: what stands behind the hub is not there in this test.
    assert answer.status_code < 500 or answer.status_code == 503, answer.get_data(as_text=True)
    return ALLOWED


def route_of(row: str) -> str:
    """The route of a row, which may be one of several of the same route."""
    return row.partition(" | ")[0]


def test_every_route_has_a_row_and_every_row_a_route(world: World) -> None:
    routes, rows = {route.key for route in world.routes()}, {route_of(row) for row in TABLE}
    assert sorted(routes - rows) == [], "routes without a row in tests/matrix/table.py"
    assert sorted(rows - routes) == [], "rows without a route"
    assert set(SAMPLES) <= set(TABLE)


@pytest.mark.parametrize("rule", dict.fromkeys(TABLE.values()), ids=lambda rule: rule.name)
def test_a_route_is_for_those_whom_the_table_names(world: World, rule: Rule) -> None:
    routes = {route.key: route for route in world.routes()}
    wrong = []
    for row in (row for row, group in TABLE.items() if group is rule and route_of(row) in routes):
        for private, wanted in enumerate((rule.public, rule.private)):
            if not wanted:
                continue
            sample, columns = SAMPLES.get(row, Sample()), columns_of(row)
            answers = [
                world.ask(routes[route_of(row)], sample, COLUMNS[column], private=bool(private)) for column in columns
            ]
            found = "".join(judge(answer, rule) for answer in answers)
            if found != "".join(wanted.replace(" ", "")[column] for column in columns):
                statuses = " ".join(str(answer.status_code) for answer in answers)
                wrong.append(f"{row} ({'private' if private else 'public'}): {found}, not {wanted}: {statuses}")
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_strongest_token_of_another_repository_is_nobody_here(world: World) -> None:
    routes = {route.key: route for route in world.routes()}
    wrong = []
    for row, rule in TABLE.items():
        for private, wanted in enumerate((rule.public, rule.private)):
            if not wanted or wanted[0] == ALLOWED or route_of(row) not in routes:
                continue
            answer = world.ask(routes[route_of(row)], SAMPLES.get(row, Sample()), "elsewhere", private=bool(private))
            if judge(answer, rule) == ALLOWED:
                wrong.append(f"{row} ({'private' if private else 'public'}): {answer.status_code}")
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_description_says_where_a_credential_is_needed(world: World) -> None:
    rules = {(route.method, route.template): TABLE.get(route.key) for route in world.routes()}
    wrong = []
    for path, method, operation in operations_of(documentation_of(world.app).describe()):
        rule = rules[method.upper(), path]
        if rule is not None and (rule.public[0] == ALLOWED) != ({} in operation["security"]):
            wrong.append(f"{method.upper()} {path}: {operation['operationId']}")
    assert not wrong, "\n".join(["hub/api/description.py says otherwise than the table:", *wrong])
