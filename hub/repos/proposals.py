"""The refs of pull requests: ``refs/pr/<number>``, in the repository that they are for.

Whoever fetches may have them; an open one's author, and who may write, push to it. They move through
``hub.repos.refs`` with the action REPOSITORY_PROPOSE, and stay behind when the repository is forked.
"""

from __future__ import annotations

import re

PROPOSALS = "refs/pr/"

# What a number's column holds.
_REF = re.compile(r"refs/pr/([1-9][0-9]{0,8})\Z")


def proposal_ref(number: int) -> str:
    """The full name of a pull request's ref."""
    return f"{PROPOSALS}{number}"


def number_of(ref: str) -> int | None:
    """The number of the pull request whose ref this is; None for any other ref."""
    found = _REF.match(ref)
    return int(found[1]) if found else None
