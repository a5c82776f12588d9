"""The rules of the table, and what a row's request may need besides.

A rule has one letter a column: ``+`` allowed, ``1`` 401 (sign in), ``3`` 403 (not for you), ``4`` 404 (told like what
is not there).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# The people: nobody; an account without a role; members of the organisation who read and write; who was given the
# repository to administer; the organisation's administrator and its owner; the site's administrator. Then tokens that
# only read, of two who otherwise may do everything.
COLUMNS = (
    *("anonymous", "stranger", "reader", "writer", "maintainer", "manager", "owner", "site"),
    *("owner:read", "site:read"),
)


@dataclass(frozen=True)
class Rule:
    """Who may.

    public, private: on the public and the private thing; empty: there are no two. thing: what a 404 hides; empty:
    nothing, so that a 404 is an answer like any other.
    """

    name: str
    public: str
    private: str = ""
    thing: str = ""


@dataclass(frozen=True)
class Sample:
    """What a route's request needs besides what the description's example and the defaults give."""

    values: Mapping[str, Any] = field(default_factory=dict)
    suffix: str = ""  # of the repository's name
    query: str = ""
    body: Any = None
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


# The two texts are the columns above, on the public thing and on the private one.
PUBLIC = Rule("anybody", "++++++++ ++")
SIGNED_IN = Rule("who has an account", "1+++++++ ++")
SIGNED_IN_WRITE = Rule("who has an account, to write", "1+++++++ 33")
REGISTER = Rule("who has no account, and site administrators", "+333333+ 33")
CREDENTIALS = Rule("one's own credentials", "1+++++++ 33")
ACCOUNT_READ = Rule("the account's own, and site administrators, to read", "13+3333+ 3+")
ACCOUNT = Rule("the account's own, and site administrators", "13+3333+ 33")
LIKES = Rule("one's own likes", "13+33333 33", "13+33333 33")
CLOSE = Rule("nobody but the account's own", "13+33333 33")
SITE = Rule("site administrators", "1333333+ 33")
BROADCAST = Rule("who may see what is not said yet", "4444444+ 44", thing="broadcast")
SIGNED = Rule("who holds an address or ticket that the hub has signed", "33333333 33")

REPOSITORY_READ = Rule("who may read the repository", "++++++++ ++", "44++++++ ++", "repository")
REPOSITORY_SAY = Rule("who may read it and has an account", "1+++++++ 33", "44++++++ 33", "repository")
REPOSITORY_ASKED = Rule("who may read it and has an account, to read", "1+++++++ ++", "44++++++ ++", "repository")
REPOSITORY_WRITE = Rule("who may write to the repository", "133+++++ 33", "443+++++ 33", "repository")
REPOSITORY_ADMIN = Rule("who administers the repository", "1333++++ 33", "4433++++ 33", "repository")
UNDELETE = Rule("who may bring the repository back", "1444++++ 44", "1444++++ 44", "repository")
GIT_READ = Rule("who may read, by Git", "++++++++ ++", "14++++++ ++", "repository")
GIT_WRITE = Rule("who may write, by Git", "133+++++ 33", "143+++++ 33", "repository")
# The reader's is open; where it may go, the push's own checks judge.
GIT_PUSH = Rule("who may write, and whose pull request is open", "13++++++ 33", "14++++++ 33", "repository")

NAMESPACE_CREATE = Rule("who may make things in the organisation", "133+3+++ 33")
ORGANIZATION_ADMIN = Rule("who administers the organisation", "13333+++ 33")
USAGE = Rule("who administers the organisation, to read", "13333+++ ++")
ORGANIZATION_OWN = Rule("who owns the organisation", "133333++ 33")
MEMBER = Rule("the organisation's members", "13++3+++ ++")

DISCUSSION_READ = Rule("who may read the discussion", "++++++++ ++", "44++++++ ++", "discussion")
DISCUSSION_SAY = Rule("who may say something", "1+++++++ 33", "44++++++ 33", "discussion")
DISCUSSION_OWN = Rule("whose discussion it is", "13+33333 33", "44+33333 33", "discussion")
DISCUSSION_EDIT = Rule("whose discussion it is, and who may write", "13++++++ 33", "44++++++ 33", "discussion")
PULL_EDIT = Rule("whose pull request it is, and who may write", "13++++++ 33", "44++++++ 33", "repository")
COMMENT_OWN = Rule("whose comment it is, at a repository's address", "13+33333 33", "44+33333 33", "repository")
DISCUSSION_END = Rule("whose discussion it is, and who administers", "13+3++++ 33", "44+3++++ 33", "discussion")
COLLECTION_FOLLOW = Rule("who has an account and may see the collection", "1+++++++ 33", "14++4+++ 33", "collection")
COLLECTION_READ = Rule("who may see the collection", "++++++++ ++", "44++4+++ ++", "collection")
COLLECTION_WRITE = Rule("who may fill the collection", "133+3+++ 33", "443+4+++ 33", "collection")
COLLECTION_ADMIN = Rule("who administers the collection", "13333+++ 33", "44334+++ 33", "collection")
RUN_READ = Rule("who may see the run", "++++++++ ++", "44++4+++ ++", "run")
RUN_WRITE = Rule("who may go on with the run", "133+3+++ 33", "443+4+++ 33", "run")
RUN_ADMIN = Rule("who administers the run", "13333+++ 33", "44334+++ 33", "run")
WORKLOAD_READ = Rule("who may see the workload", "++++++++ ++", "44++4+++ ++", "workload")
WORKLOAD_LOGS = Rule("who may read what the workload prints", "133+3+++ ++", "443+4+++ ++", "workload")
WORKLOAD_WRITE = Rule("who may start and stop the workload", "133+3+++ 33", "443+4+++ 33", "workload")
WATCHING = Rule("who has set the webhook up", "14+44444 44", thing="webhook")
WEBHOOK = Rule("who administers what the webhook hears of", "1444++++ 44", "1444++++ 44", "webhook")
