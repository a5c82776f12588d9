"""What a reader asks of a table's rows: a filter, a word to search, a column to sort by. Never text that becomes SQL.

A filter is read by a grammar of our own into conditions on columns that the table has, with values as parameters. The
statement that runs knows columns by number only; ``text`` is the same in words of SQL, to be shown.

    "age" >= 18 AND ("name" LIKE 'Sim%' OR NOT "city" IN ('Oslo', 'Rome')) AND "meta"."lang" IS NOT NULL
    contains("tags", 'red') · length("text") BETWEEN 10 AND 20 · "flag" = TRUE

Source of the form: Hugging Face's documentation of the data set viewer, /filter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.base.errors import Invalid
from hub.base.texts import is_storable

MAX_WHERE_CHARS = 10_000
MAX_TERMS = 200
MAX_VALUES = 1_000
MAX_DEPTH = 30
MAX_WILDCARDS = 10
MAX_SEARCH_CHARS = 1_000
# Texts within a row that a search looks at: columns, and what lies in them.
MAX_SEARCHED = 500
MAX_COLUMN_CHARS = 1_000
_MAX_SHOWN = 20
_MOST = 2**126

INTEGERS = frozenset(
    ["tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"]
)
FLOATS = frozenset({"float", "double", "decimal"})
NUMBERS = INTEGERS | FLOATS
TEXTS = frozenset({"varchar", "enum", "uuid"})
MOMENTS = {
    "date": "DATE",
    "time": "TIME",
    "time with time zone": "TIME WITH TIME ZONE",
    "timestamp": "TIMESTAMP",
    "timestamp_s": "TIMESTAMP",
    "timestamp_ms": "TIMESTAMP",
    "timestamp_ns": "TIMESTAMP_NS",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
}
LISTS = frozenset({"list", "array"})

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
    (?P<name>"(?:[^"]|"")*")
  | (?P<text>'(?:[^']|'')*')
  | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<word>[^\W\d]\w*)
  | (?P<sign><>|!=|>=|<=|==|[=<>(),.])
  | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_COMPARISONS = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
_RESERVED = frozenset(["AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "IS", "NULL", "BETWEEN", "TRUE", "FALSE"])


@dataclass(frozen=True)
class Condition:
    """A condition on rows. sql: with columns by number and parameters. text: in words of SQL, to be shown."""

    sql: str = ""
    parameters: tuple[Any, ...] = ()
    text: str = ""

    @property
    def order(self) -> str:
        """What a statement that takes some of the rows has to say to get them in the table's order.

        Of many values after IN, DuckDB makes a join, which forgets it; else it is kept, and costs nothing.
        """
        return "ORDER BY file_index, file_row_number" if " IN (" in self.sql else ""


@dataclass(frozen=True)
class Order:
    """By which column rows are sorted."""

    column: int
    is_descending: bool
    text: str

    @property
    def sql(self) -> str:
        return f"c{self.column} {'DESC' if self.is_descending else 'ASC'} NULLS LAST"


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.upper() in words


@dataclass
class _Value:
    """What is compared: a column or something in it. sql: how it is reached."""

    sql: str
    text: str
    type: dict[str, Any]


@dataclass
class _Reader:
    """Reads one filter."""

    tokens: list[_Token]
    names: Sequence[str]
    types: Sequence[dict[str, Any]]
    parameters: list[Any] = field(default_factory=list)
    at: int = 0
    terms: int = 0

    # Each method reads what it is called after and gives its SQL and the text that is shown.

    def read(self) -> tuple[str, str]:
        found = self.either(0)
        if self.next.kind != "end":
            raise self.refusal("AND, OR or the end")
        return found

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        token = self.next
        if token.kind != "end":
            self.at += 1
        return token

    def takes(self, *words: str) -> bool:
        if self.next.is_word(*words):
            self.at += 1
            return True
        return False

    def sign(self, sign: str) -> None:
        if self.next.kind != "sign" or self.next.text != sign:
            raise self.refusal(f"'{sign}'")
        self.at += 1

    def refusal(self, expected: str) -> Invalid:
        token = self.next
        found = repr(token.text[:40]) if token.kind != "end" else "the end"
        return _refuse(f"At character {token.at + 1} of the filter there is {found} where {expected} was expected.")

    def either(self, depth: int) -> tuple[str, str]:
        return self.joined("OR", depth, self.all_of)

    def all_of(self, depth: int) -> tuple[str, str]:
        return self.joined("AND", depth, self.negated)

    def joined(self, word: str, depth: int, inner: Any) -> tuple[str, str]:
        found = [inner(depth)]
        while self.takes(word):
            found.append(inner(depth))
        if len(found) == 1:
            return found[0]  # type: ignore[no-any-return]  # of either method
        return f"({f' {word} '.join(sql for sql, _ in found)})", f" {word} ".join(_grouped(text) for _, text in found)

    def negated(self, depth: int) -> tuple[str, str]:
        if depth > MAX_DEPTH:
            raise _refuse(f"A filter can be nested {MAX_DEPTH} levels deep; this one is deeper.")
        if self.takes("NOT"):
            sql, text = self.negated(depth + 1)
            return f"(NOT {sql})", f"NOT {_grouped(text)}"
        if self.next.kind == "sign" and self.next.text == "(":
            self.at += 1
            found = self.either(depth + 1)
            self.sign(")")
            return found
        return self.term()

    def term(self) -> tuple[str, str]:
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise _refuse(f"A filter can have {MAX_TERMS} conditions; this one has more.")
        if self.next.is_word("CONTAINS") and self.is_call():
            return self.contains()
        value = self.operand()
        if self.takes("IS"):
            word = "IS NOT NULL" if self.takes("NOT") else "IS NULL"
            if not self.takes("NULL"):
                raise self.refusal("NULL")
            return f"({value.sql} {word})", f"{value.text} {word}"
        is_not = "NOT " if self.takes("NOT") else ""
        if self.takes("IN"):
            return self.one_of(value, is_not)
        if self.next.is_word("LIKE", "ILIKE"):
            return self.like(value, is_not, self.take().text.upper())
        if self.takes("BETWEEN"):
            low = self.literal(value)
            if not self.takes("AND"):
                raise self.refusal("AND")
            high = self.literal(value)
            between = f"{is_not}BETWEEN {{}} AND {{}}"
            return f"({value.sql} {between.format(low[0], high[0])})", f"{value.text} {between.format(low[1], high[1])}"
        if not is_not and self.next.kind == "sign" and self.next.text in _COMPARISONS:
            sign = _COMPARISONS[self.take().text]
            sql, text = self.literal(value)
            return f"({value.sql} {sign} {sql})", f"{value.text} {sign} {text}"
        if not is_not and value.type["id"] == "boolean":
            return f"({value.sql})", value.text
        raise self.refusal("a comparison")

    def is_call(self) -> bool:
        following = self.tokens[self.at + 1]
        return following.kind == "sign" and following.text == "("

    def operand(self) -> _Value:
        if self.next.is_word("LENGTH", "LEN") and self.is_call():
            self.at += 2
            inner = self.column()
            self.sign(")")
            if inner.type["id"] in LISTS:
                sql = f"len({inner.sql})"
            elif inner.type["id"] in TEXTS:
                sql = f"length(CAST({inner.sql} AS VARCHAR))"
            elif inner.type["id"] == "blob":
                sql = f"octet_length({inner.sql})"
            else:
                raise _refuse(f"{inner.text} has no length.")
            return _Value(sql, f"length({inner.text})", {"id": "bigint"})
        return self.column()

    def column(self) -> _Value:
        token = self.take()
        if token.kind == "word" and token.text.upper() not in _RESERVED:
            name = token.text
        elif token.kind == "name":
            name = token.text[1:-1].replace('""', '"')
        else:
            self.at -= token.kind != "end"
            raise self.refusal("a column")
        column = find_column(self.names, name)
        value = _Value(f"c{column}", quote_name(self.names[column]), self.types[column])
        while self.next.kind == "sign" and self.next.text == ".":
            self.at += 1
            value = self.member(value, self.take())
        return value

    def member(self, value: _Value, token: _Token) -> _Value:
        name = token.text[1:-1].replace('""', '"') if token.kind == "name" else token.text
        fields = value.type.get("children", []) if value.type["id"] == "struct" else []
        for number, (label, type) in enumerate(fields, 1):
            if label == name and token.kind in ("name", "word"):
                sql = f"struct_extract_at({value.sql}, {number})"
                return _Value(sql, f"{value.text}.{quote_name(label)}", type)
        raise _refuse(f"{value.text} has no field {name[:80]!r}.")

    def contains(self) -> tuple[str, str]:
        self.at += 2
        value = self.column()
        self.sign(",")
        if value.type["id"] in LISTS and value.type.get("children"):
            element = _Value("", value.text, value.type["children"][0][1])
            sql, text = self.literal(element)
            found = f"list_contains({value.sql}, {sql})"
        elif value.type["id"] in TEXTS:
            sql, text = self.literal(value)
            found = f"contains(CAST({value.sql} AS VARCHAR), {sql})"
        else:
            raise _refuse(f"contains() looks into texts and lists; {value.text} is neither.")
        self.sign(")")
        return f"({found})", f"contains({value.text}, {text})"

    def one_of(self, value: _Value, is_not: str) -> tuple[str, str]:
        self.sign("(")
        found = [self.literal(value)]
        while self.next.kind == "sign" and self.next.text == ",":
            self.at += 1
            found.append(self.literal(value))
        self.sign(")")
        sql, text = (", ".join(each) for each in zip(*found, strict=True))
        return f"({value.sql} {is_not}IN ({sql}))", f"{value.text} {is_not}IN ({text})"

    def like(self, value: _Value, is_not: str, word: str) -> tuple[str, str]:
        if value.type["id"] not in TEXTS:
            raise _refuse(f"{word} compares texts; {value.text} has none.")
        if self.next.kind == "text" and self.next.text.count("%") > MAX_WILDCARDS:
            raise _refuse(f"A pattern can have {MAX_WILDCARDS} '%'; this one has more.")
        sql, text = self.literal(value)
        return f"(CAST({value.sql} AS VARCHAR) {is_not}{word} {sql})", f"{value.text} {is_not}{word} {text}"

    def literal(self, value: _Value) -> tuple[str, str]:
        """A value to compare with: its parameter, and its text."""
        token = self.take()
        given: Any
        if token.kind == "text":
            given = token.text[1:-1].replace("''", "'")
        elif token.kind == "number":
            given = _number(token.text)
        elif token.is_word("TRUE", "FALSE"):
            given = token.is_word("TRUE")
        else:
            self.at -= token.kind != "end"
            hint = " (compare with NULL by IS NULL)" if token.is_word("NULL") else ""
            raise self.refusal(f"a number, TRUE, FALSE or a text in single quotes{hint}")
        if len(self.parameters) >= MAX_VALUES:
            raise _refuse(f"A filter can have {MAX_VALUES} values; this one has more.")
        fitting = _fit(value, given, token.text)
        self.parameters.append(fitting)
        sql = f"${len(self.parameters)}"
        kind = value.type["id"]
        if kind in MOMENTS:
            sql = f"CAST({sql} AS {MOMENTS[kind]})"
        elif kind in ("enum", "uuid"):
            sql = f"CAST({sql} AS VARCHAR)"
        return sql, quote_value(fitting)


def _grouped(text: str) -> str:
    return f"({text})" if " AND " in text or " OR " in text else text


def _number(text: str) -> int | float:
    found: int | float = int(text) if re.fullmatch(r"[+-]?\d{1,40}", text) else float(text)
    if not math.isfinite(found) or (isinstance(found, int) and abs(found) > _MOST):
        raise _refuse(f"The number {text[:40]} is too large.")
    return found


def _fit(value: _Value, given: Any, source: str) -> Any:
    """A value as the column's type wants it. Raises Invalid."""
    kind = value.type["id"]
    if kind in NUMBERS:
        if isinstance(given, str) and re.fullmatch(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", given):
            return _number(given.strip())
        if isinstance(given, bool | str):
            raise _refuse(f"{value.text} holds numbers; {quote_value(given)[:80]} is none.")
        return given
    if kind == "boolean":
        word = str(given).lower()
        if word not in ("true", "false", "1", "0"):
            raise _refuse(f"{value.text} holds TRUE and FALSE; {quote_value(given)[:80]} is neither.")
        return word in ("true", "1")
    if kind in TEXTS:
        return given if isinstance(given, str) else source
    if kind in MOMENTS:
        if not isinstance(given, str) or len(given) > 64:
            raise _refuse(f"{value.text} holds moments, written like '2024-05-31 12:00:00'.")
        return given
    raise _refuse(f"{value.text} cannot be compared; IS NULL, contains() and length() can be asked of it.")


def _refuse(message: str) -> Invalid:
    return Invalid(message, code="query_invalid")


def quote_name(name: str) -> str:
    """A column's name in SQL, to be shown."""
    return '"' + name.replace('"', '""') + '"'


def quote_value(value: Any) -> str:
    """A value in SQL, to be shown."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def find_column(names: Sequence[str], name: str) -> int:
    """The number of a column, its letters' case counting where two differ by it only. Raises Invalid."""
    if name in names:
        return names.index(name)
    folded = [number for number, each in enumerate(names) if each.lower() == name.lower()]
    if len(folded) != 1:
        raise _refuse(f"The table has no column {name[:80]!r}.")
    return folded[0]


def read_where(where: str, names: Sequence[str], types: Sequence[dict[str, Any]]) -> Condition:
    """A filter. Raises Invalid (``query_invalid``) and says where it breaks off."""
    if not where.strip():
        return Condition()
    if len(where) > MAX_WHERE_CHARS:
        raise _refuse(f"A filter can have {MAX_WHERE_CHARS} characters; this one has {len(where)}.")
    if not is_storable(where):
        raise _refuse("The filter has characters that no text can have.")
    tokens: list[_Token] = []
    at = 0
    while not tokens or tokens[-1].kind != "end":
        found = _TOKEN.match(where, at)
        if found is None or found.lastgroup is None:
            raise _refuse(f"At character {at + 1} of the filter there is something that cannot be read.")
        tokens.append(_Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
        at = found.end()
    reader = _Reader(tokens, names, types)
    sql, text = reader.read()
    return Condition(sql, tuple(reader.parameters), text)


def read_order(order_by: str, names: Sequence[str], types: Sequence[dict[str, Any]]) -> Order | None:
    """``column``, ``"column" DESC``, ``column asc``; None for "". Raises Invalid (``query_invalid``)."""
    text = order_by.strip()
    if not text:
        return None
    if len(text) > MAX_COLUMN_CHARS or not is_storable(text):
        raise _refuse("Rows are sorted by one column of the table.")
    head, _, last = text.rpartition(" ")
    is_descending = bool(head) and last.upper() == "DESC"
    if head and last.upper() in ("ASC", "DESC") and text not in names:
        text = head.strip()
    else:
        is_descending = False
    quoted = re.fullmatch(r'"((?:[^"]|"")*)"', text)
    number = find_column(names, quoted[1].replace('""', '"') if quoted and text not in names else text)
    if types[number]["id"] not in NUMBERS | TEXTS | {"boolean"} | set(MOMENTS):
        raise _refuse(f"Rows cannot be sorted by {quote_name(names[number])}, whose values are no single ones.")
    return Order(number, is_descending, f"{quote_name(names[number])} {'DESC' if is_descending else 'ASC'}")


def read_search(search: str, names: Sequence[str], types: Sequence[dict[str, Any]], *, after: int = 0) -> Condition:
    """That a word is in one of a row's texts, those in lists and structures included, whatever the letters' case.

    after: how many parameters there are before. Raises Invalid (``query_invalid``).
    """
    if not search.strip():
        return Condition()
    if len(search) > MAX_SEARCH_CHARS or not is_storable(search):
        raise _refuse(f"What is searched can have {MAX_SEARCH_CHARS} characters.")
    needle = f"lower(${after + 1})"
    conditions: list[str] = []
    for number, type in enumerate(types):
        _search_in(f"c{number}", type, needle, conditions, 0)
        if len(conditions) > MAX_SEARCHED:
            raise _refuse(f"Search looks into {MAX_SEARCHED} texts of a row; this table has more. Use a filter.")
    if not conditions:
        return Condition("(FALSE)", (), "FALSE")
    return Condition(f"({' OR '.join(conditions)})", (search,), _show_search(search, names, types))


def _show_search(search: str, names: Sequence[str], types: Sequence[dict[str, Any]]) -> str:
    """A search in words of SQL; those that look into lists and structures find their fields' names as well."""
    looked = [
        quote_name(name) if type["id"] == "varchar" else f"CAST({quote_name(name)} AS VARCHAR)"
        for name, type in zip(names, types, strict=True)
        if type["id"] in TEXTS or type.get("children")
    ]
    shown = [f"contains(lower({column}), lower({quote_value(search)}))" for column in looked[:_MAX_SHOWN]]
    return " OR ".join([*shown, *(["..."] if len(looked) > _MAX_SHOWN else [])])


def _search_in(sql: str, type: dict[str, Any], needle: str, conditions: list[str], depth: int) -> None:
    """Add what it takes to look into a value."""
    kind = type["id"]
    children = type.get("children", [])
    if kind in TEXTS:
        conditions.append(f"contains(lower(CAST({sql} AS VARCHAR)), {needle})")
    elif kind == "struct":
        for number, (_, child) in enumerate(children, 1):
            _search_in(f"struct_extract_at({sql}, {number})", child, needle, conditions, depth + 1)
    elif kind in LISTS and children:
        _search_in_list(sql, children[0][1], needle, conditions, depth)
    elif kind == "map":
        for function, (_, child) in zip(("map_keys", "map_values"), children, strict=False):
            _search_in_list(f"{function}({sql})", child, needle, conditions, depth)


def _search_in_list(sql: str, element: dict[str, Any], needle: str, conditions: list[str], depth: int) -> None:
    inner: list[str] = []
    _search_in(f"x{depth}", element, needle, inner, depth + 1)
    if inner:
        found = " OR ".join(f"coalesce({condition}, FALSE)" for condition in inner)
        conditions.append(f"coalesce(len(list_filter({sql}, lambda x{depth}: {found})) > 0, FALSE)")
