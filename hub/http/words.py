"""The words of an address as they were sent: a revision's slashes come encoded, those of a path do not."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

from flask import request


def raw_path() -> str:
    """The path as it was sent; gunicorn and werkzeug tell it by different names."""
    raw = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.path)
    path = raw.partition("?")[0]
    return path if path.startswith("/") else urlsplit(path).path


def words_from(argument: str) -> list[str]:
    """The words of the request's path from an argument of its rule on, cut at the slashes that were sent as such.

    A revision's slashes are sent encoded, and what the rule was matched against is decoded already.
    """
    assert request.url_rule is not None  # a view runs
    rule = request.url_rule.rule.split("/")
    place = next(index for index, part in enumerate(rule) if part.endswith((f"<{argument}>", f":{argument}>")))
    # A kind's pages may begin with more than one word ("mcp/servers").
    kind = (request.view_args or {}).get("kind")
    place += kind.page_path.count("/") if kind is not None and "<pages:" in request.url_rule.rule else 0
    return [word for word in path_words()[place:] if word] or [""]


def path_words() -> list[str]:
    """What stands between the slashes of the request's path that were sent as such, decoded; the first is empty."""
    raw = [unquote(word) for word in raw_path().split("/")]
    return raw if "/".join(raw) == request.path else request.path.split("/")


def sent_path() -> str:
    """The request's path for use in links: encoded as it was sent, so that it leads to the same page again."""
    raw = raw_path()
    is_same = unquote(raw) == request.path and raw.isascii() and not raw.startswith("//")
    return raw if is_same else quote(request.path)


def sent_address() -> str:
    """That path, and the query as it was sent."""
    # What browsers leave as it is stays; bytes that have no place in an address are encoded.
    query = quote(request.query_string, safe="!#$%&'()*+,/:;=?@[]~")
    return f"{sent_path()}?{query}" if query else sent_path()


def readdressed(place: int, *words: str) -> str:
    """That address with other words in its path from a place on; 1 is the first word's."""
    path, mark, query = sent_address().partition("?")
    found = path.split("/")
    found[place : place + len(words)] = [quote(word, safe="") for word in words]
    return "/".join(found) + mark + query
