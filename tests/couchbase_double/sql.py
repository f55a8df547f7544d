"""SQL++ as far as the store uses it: a statement becomes a tree of tuples.

Expressions: `("path", name)`, `("value", v)`, `("parameter", name)`, `("all", [e, …])`,
`("any", [e, …])`, `(op, a, b)` for comparisons, `("in", a, [b, …])` or `("in", a, b)`,
`("between", a, b, c)`, `("is", a, what, negated)`, `("/", a, b)`, `("||", a, b)`,
`("call", name, argument)` with None for `*`, and `("case", a, ((b, c), …), d)`, with MISSING a
value. The document's id is a path too (`ID`), which no field can have.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

Expression = tuple[Any, ...]

_TOKEN = re.compile(
    r"""\s*(?:(?P<name>`[^`]+`|[A-Za-z_]\w*)|(?P<parameter>\$\w+)|(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<number>\d+(?:\.\d+)?)|(?P<mark><=|>=|!=|\|\||[<>=(),.*/:{}\[\]]))""",
    re.VERBOSE,
)
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
ID = ("path", "META().id")


class SqlError(Exception):
    """The statement is none that the double can read."""


@dataclass
class Select:
    """A query of one keyspace, or of another query's rows."""

    raw: bool
    #: Name in the row, and what is in it.
    items: list[tuple[str, Expression]]
    source: "tuple[str, ...] | Select"
    hints: list[str] = field(default_factory=list)
    where: Expression | None = None
    groups: list[Expression] = field(default_factory=list)
    #: What to sort by, and whether it descends.
    order: list[tuple[Expression, bool]] = field(default_factory=list)
    limit: Expression | None = None
    offset: Expression | None = None


@dataclass
class CreateIndex:
    """Keys are expressions, each ascending or descending."""

    name: str
    keyspace: tuple[str, ...]
    keys: list[tuple[Expression, bool]]
    where: Expression | None = None
    may_exist: bool = False
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class BuildIndex:
    """Builds deferred indexes."""

    names: list[str]
    keyspace: tuple[str, ...]


class Parser:
    """One statement's words, taken from the left."""

    def __init__(self, text: str) -> None:
        self._words: list[tuple[str, str]] = []
        at, text = 0, text.strip().rstrip(";")
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found or not found.lastgroup:
                raise SqlError(f"syntax error - near {text[at : at + 20]!r}")
            self._words.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
            if text[at:].isspace():
                break
        self._at = 0

    def statement(self) -> Select | CreateIndex | BuildIndex:
        """The whole."""
        if self._take("CREATE"):
            found: Select | CreateIndex | BuildIndex = self._create()
        elif self._take("BUILD"):
            self._need("INDEX", "ON")
            keyspace = self._keyspace()
            found = BuildIndex(self._list(self._name), keyspace)
        else:
            found = self._select()
        if self._at < len(self._words):
            raise SqlError(f"syntax error - near {self._words[self._at][1]}")
        return found

    # Words

    def _peek(self, *words: str) -> bool:
        ahead = [w.upper() for _, w in self._words[self._at : self._at + len(words)]]
        return ahead == [*words]

    def _take(self, *words: str) -> bool:
        if not self._peek(*words):
            return False
        self._at += len(words)
        return True

    def _need(self, *words: str) -> None:
        if not self._take(*words):
            near = self._words[self._at][1] if self._at < len(self._words) else "the end"
            raise SqlError(f"syntax error - {' '.join(words)} is missing near {near}")

    def _next(self, kind: str) -> str:
        if self._at >= len(self._words) or self._words[self._at][0] != kind:
            raise SqlError(f"syntax error - a {kind} is missing")
        self._at += 1
        return self._words[self._at - 1][1]

    def _name(self) -> str:
        return self._next("name").strip("`")

    def _list(self, one: Any, begin: str = "(", end: str = ")") -> list[Any]:
        self._need(begin)
        found = [one()]
        while self._take(","):
            found.append(one())
        self._need(end)
        return found

    def _keyspace(self) -> tuple[str, ...]:
        names = [self._name()]
        if names == ["system"] and self._take(":"):
            return "system", self._name()
        while self._take("."):
            names.append(self._name())
        return tuple(names)

    # Statements

    def _create(self) -> CreateIndex:
        self._need("INDEX")
        name = self._name()
        may_exist = self._take("IF", "NOT", "EXISTS")
        self._need("ON")
        found = CreateIndex(name, self._keyspace(), self._list(self._key), may_exist=may_exist)
        if self._take("WHERE"):
            found.where = self._expression()
        if self._take("WITH"):
            found.options = self._object()
        return found

    def _key(self) -> tuple[Expression, bool]:
        return self._quotient(), self._direction()

    def _direction(self) -> bool:
        return self._take("DESC") or (self._take("ASC") and False)

    def _object(self) -> dict[str, Any]:
        words = []
        while not words or words[-1] != "}":
            words.append(self._words[self._at][1])
            self._at += 1
        return json.loads(" ".join(words))

    def _select(self) -> Select:
        self._need("SELECT")
        found = Select(self._take("RAW"), [self._item()], ())
        while self._take(","):
            found.items.append(self._item())
        self._need("FROM")
        if self._take("("):
            found.source = self._select()
            self._need(")")
        else:
            found.source = self._keyspace()
        if self._take("AS"):
            self._name()
        if self._take("USE", "INDEX"):
            found.hints = self._list(self._hint)
        self._clauses(found)
        return found

    def _clauses(self, found: Select) -> None:
        if self._take("WHERE"):
            found.where = self._expression()
        if self._take("GROUP", "BY"):
            found.groups = [self._expression()]
            while self._take(","):
                found.groups.append(self._expression())
        if self._take("ORDER", "BY"):
            found.order = [(self._expression(), self._direction())]
            while self._take(","):
                found.order.append((self._expression(), self._direction()))
        if self._take("LIMIT"):
            found.limit = self._expression()
        if self._take("OFFSET"):
            found.offset = self._expression()

    def _hint(self) -> str:
        name = self._name()
        self._take("USING", "GSI")
        return name

    def _item(self) -> tuple[str, Expression]:
        expression = self._expression()
        if self._take("AS"):
            return self._name(), expression
        return (expression[1] if expression[0] == "path" else "$1"), expression

    # Expressions

    def _expression(self) -> Expression:
        arms = [self._conjunction()]
        while self._take("OR"):
            arms.append(self._conjunction())
        return arms[0] if len(arms) == 1 else ("any", arms)

    def _conjunction(self) -> Expression:
        arms = [self._comparison()]
        while self._take("AND"):
            arms.append(self._comparison())
        return arms[0] if len(arms) == 1 else ("all", arms)

    def _comparison(self) -> Expression:
        left = self._quotient()
        for operator in COMPARISONS:
            if self._take(operator):
                return operator, left, self._quotient()
        if self._take("IN"):
            is_list = self._peek("[")
            of = self._list(self._quotient, "[", "]") if is_list else self._quotient()
            return "in", left, of
        if self._take("BETWEEN"):
            low = self._quotient()
            self._need("AND")
            return "between", left, low, self._quotient()
        if self._take("IS"):
            negated = self._take("NOT")
            return "is", left, self._name().upper(), negated
        return left

    def _quotient(self) -> Expression:
        left = self._operand()
        while self._peek("/") or self._peek("||"):
            operator = self._next("mark")
            left = (operator, left, self._operand())
        return left

    def _operand(self) -> Expression:
        if self._take("("):
            inner = self._expression()
            self._need(")")
            return inner
        if self._at >= len(self._words):
            raise SqlError("syntax error - near the end")
        kind, word = self._words[self._at]
        if kind in ("text", "number"):
            self._at += 1
            return "value", json.loads(word)
        if kind == "parameter":
            self._at += 1
            return "parameter", word[1:]
        if self._take("MISSING"):
            return "value", msgspec.UNSET
        if self._take("CASE"):
            return self._case()
        if self._take("META"):
            self._need("(")
            if not self._take(")"):
                self._name()
                self._need(")")
            self._need(".", "ID")
            return ID
        name = self._name()
        if self._take("("):
            argument = None if self._take("*") else self._expression()
            self._need(")")
            return "call", name.upper(), argument
        # The alias says nothing here: there is one source.
        return "path", (self._name() if self._take(".") else name)

    def _case(self) -> Expression:
        value, arms = self._quotient(), []
        while self._take("WHEN"):
            wanted = self._quotient()
            self._need("THEN")
            arms.append((wanted, self._quotient()))
        other = self._quotient() if self._take("ELSE") else ("value", None)
        self._need("END")
        return "case", value, tuple(arms), other
