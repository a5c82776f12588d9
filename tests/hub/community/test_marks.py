"""Whom and what texts name."""

import pytest

from hub.community.service.marks import MAX_MENTIONS, find_mentions, find_references


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@Ada, and (@bob). @ada again; **@eve-x**", ["ada", "bob", "eve-x"]),
        ("mail ada@bob.org, https://x.org/@dan, @kim/team, \\@no, @x", []),
        ("`@code` and ``@a ` @b`` then @real `open @also", ["real", "also"]),
        ("```\n@fenced\n~~~\n@still\n```\n@out\n\n    @indented\n\ttoo @tab\n\ntext\n    @goes-on", ["out", "goes-on"]),
        ("~~~~ python\n@a1\n~~~\n@b1\n~~~~~\n@out", ["out"]),
        ("<!-- @hidden\n --> @seen <!-- @open", ["seen"]),
        ("@bob.\n@bob_ @ada...", ["bob", "ada"]),
        ("", []),
    ],
)
def test_people_are_named_outside_of_code_links_and_addresses(text, names):
    assert find_mentions(text) == names


def test_references_are_numbers_with_or_without_a_repository():
    text = (
        "See #12, acme/Thing#3 and datasets/acme/data#4 (#12 again). Not x#1, &#39; #0, `#7`, https://x.org/a/b#5, ##6"
    )
    assert find_references(text) == [("", 12), ("acme/thing", 3), ("datasets/acme/data", 4)]


def test_hostile_texts_take_one_walk_and_name_a_bounded_number():
    assert len(find_mentions(" ".join(f"@user{number}" for number in range(500)))) == MAX_MENTIONS
    for odd in ("`" * 65_536, "` `` " * 13_000, "a/" * 30_000, "@" * 65_536, "<!--" * 16_000, "@a." * 20_000 + "/"):
        assert find_mentions(odd) == []
        assert find_references(odd) == []
