"""What is read from a SKILL.md, and what is said against it; and the order of version numbers."""

import pytest

from hub.assets.records.semver import check_version, sort_key
from hub.assets.records.skill_form import MAX_HEAD_CHARS, MAX_SKILL_BYTES, parse_skill
from hub.base.errors import Invalid

# After the examples of the Agent Skills specification.
GOOD = b"""---
name: pdf-processing
description: Extracts text from PDF files.
license: Apache-2.0
compatibility: Requires git
metadata:
  author: example-org
  version: 1.0
  category: Documents
allowed-tools: Bash(git:*) Bash(jq:*) Read
---

# PDF
Read it.
"""


def test_a_skill_is_read():
    skill = parse_skill(GOOD, directory="pdf-processing")
    assert (skill.name, skill.license, skill.category, skill.problems) == (
        *("pdf-processing", "Apache-2.0", "documents"),
        [],
    )
    assert skill.allowed_tools == ["Bash(git:*)", "Bash(jq:*)", "Read"]
    assert skill.details == {"author": "example-org", "version": "1.0", "category": "Documents"}
    assert parse_skill(GOOD.replace(b"\n", b"\r\n")).is_valid


@pytest.mark.parametrize(
    ("data", "line", "member"),
    [
        (b"# no head\n", 1, ""),
        (b"---\nname: a\n", 1, ""),
        (b"---\nname: a\ndescription: [\n---\nx", 4, ""),
        (b"---\n- a\n---\nx", 2, ""),
        (b"---\nname: Bad--Name\ndescription: d\n---\nx", 2, "name"),
        (b"---\nname: a\ndescription: ''\n---\nx", 3, "description"),
        (b"---\nname: a\nlicense: MIT\ndescription: " + b"d" * 1025 + b"\n---\nx", 4, "description"),
        (b"---\nname: a\ndescription: d\nmetadata: 7\n---\nx", 4, "metadata"),
        (b"---\nname: a\ndescription: d\nallowed-tools: {a: 1}\n---\nx", 4, "allowed-tools"),
        (b"---\nname: a\ndescription: \xff\n---\nx", 3, ""),
        (b"---\na: &a [x]\nb: &b [*a,*a]\n<<: {c: 1}\n---\nx", 4, ""),
        (b"---\n" + b"a" * MAX_HEAD_CHARS + b": 1\n---\nx", 1, ""),
        (b" " * (MAX_SKILL_BYTES + 1), 0, ""),
        (b'---\nname: a\ndescription: "\\0"\n---\nx', 3, "description"),
    ],
)
def test_what_breaks_the_rules_is_told_with_its_line(data, line, member):
    skill = parse_skill(data)
    assert not skill.is_valid
    problem = next(problem for problem in skill.problems if not problem.is_warning)
    assert (problem.line, problem.member) == (line, member)


def test_a_warning_keeps_nobody_away():
    skill = parse_skill(b"---\nname: a\ndescription: d\nversion: 1\n---\n", directory="b")
    assert skill.is_valid
    assert {problem.member for problem in skill.problems} == {"name", "version", ""}


def test_versions_follow_each_other_as_semantic_versioning_says():
    # The example of its section 11.
    order = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"]
    order += ["1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "2.0.0-0.3.7", "2.0.0"]
    assert sorted(order, key=sort_key) == order
    assert check_version("v1.2.3") == "1.2.3"
    for wrong in ("1.2", "01.0.0", "1.0.0-01", "1.0.0-", "1.0.0-a..b", "latest", "1.0.0+", "1" * 70 + ".0.0", "१.0.0"):
        with pytest.raises(Invalid):
            check_version(wrong)
