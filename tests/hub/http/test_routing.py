"""Rules that compile late what builds their addresses."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.routing import BuildError, Map, Rule

from hub.http.routing import LazyRule


@pytest.mark.parametrize(
    ("rule", "options", "values"),
    [
        ("/models/<namespace>/<name>", {}, {"namespace": "a b", "name": "c/d"}),
        ("/models/<path:path>", {}, {"path": "a/b", "ref": "main"}),
        ("/page/<int:number>", {"defaults": {"number": 1}}, {}),
        ("/<self>/<rule>", {}, {"self": "x", "rule": "y"}),
    ],
)
def test_they_build_what_others_build_each_time(rule: str, options: dict[str, Any], values: dict[str, str]) -> None:
    lazy = Map([LazyRule(rule, endpoint="view", **options)]).bind("hub")
    plain = Map([Rule(rule, endpoint="view", **options)]).bind("hub")

    expected = plain.build("view", values)
    assert [lazy.build("view", values) for _ in range(2)] == [expected, expected]
    assert lazy.build("view", values, append_unknown=False) == plain.build("view", values, append_unknown=False)


def test_they_refuse_what_others_refuse() -> None:
    lazy = Map([LazyRule("/page/<int:number>", endpoint="view")]).bind("hub")

    with pytest.raises(BuildError):
        lazy.build("view", {"name": "x"})
