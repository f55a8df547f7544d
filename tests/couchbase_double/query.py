"""The query service: statements, the rights that they need, and the indexes behind them."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from functools import cmp_to_key
from typing import Any

import msgspec

from tests.couchbase_double import sql
from tests.couchbase_double.collation import rank
from tests.couchbase_double.evaluate import (
    AGGREGATES,
    NoParameterError,
    aggregate,
    compiled,
)
from tests.couchbase_double.planner import Index, Scan, conjuncts, plan
from tests.couchbase_double.rows import Row, Rows

#: What a user may do who may do everything.
ROLES = frozenset({"query_select", "query_manage_index"})


class QueryError(Exception):
    """An answer of the query service with a code, a text and an HTTP status."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code, self.status = code, status


class Queries:
    """The query service of one bucket; knows which indexes were made."""

    def __init__(
        self,
        bucket: str,
        documents: Callable[[], dict[bytes, bytes]],
        has_keyspace: Callable[[tuple[str, ...]], bool] | None = None,
    ) -> None:
        self.bucket = bucket
        self._has_keyspace = has_keyspace or (lambda keyspace: keyspace[0] == bucket)
        self.rows = Rows(documents)
        self.indexes: dict[str, Index] = {}
        self.roles: frozenset[str] = ROLES
        #: Nodes with the index service: an index may have one replica less.
        self.index_nodes = 1
        #: The state in which a new index stays, until `finish_indexes`.
        self.new_state = "online"
        #: What the last queries read, the latest last.
        self.scans: list[Scan] = []

    def answer(self, request: dict[str, Any]) -> list[bytes]:
        """The rows, as JSON, of `request` (the body of POST /query/service)."""
        text = str(request.get("statement", ""))
        values = {name[1:]: v for name, v in request.items() if name.startswith("$")}
        try:
            statement = sql.Parser(text).statement()
            if isinstance(statement, sql.Select):
                return self._select(statement, values)
            self._check_keyspace(statement.keyspace)
            # Before anything else is looked at, and so also for an index that exists.
            self._need_role("query_manage_index", text)
            if isinstance(statement, sql.CreateIndex):
                self._create(statement)
            else:
                self._build(statement.names)
        except sql.SqlError as error:
            raise QueryError(3000, f"{error} - the double reads no more of SQL++") from None
        except NoParameterError as error:
            text = f"No value for named parameter: ${error}"
            raise QueryError(5010, text, 500) from None
        return []

    def _check_keyspace(self, keyspace: tuple[str, ...]) -> None:
        if not self._has_keyspace(keyspace):
            text = f"Keyspace not found in CB datastore: default:{'.'.join(keyspace)}"
            raise QueryError(12003, text, 404)

    def _need_role(self, role: str, text: str) -> None:
        if role not in self.roles:
            what = "CREATE INDEX" if role == "query_manage_index" else "SELECT"
            raise QueryError(
                13014,
                f"User does not have credentials to run queries using the {what} statement. "
                f"Add role {role} on default:{self.bucket} to allow the statement to run.",
                401,
            )

    # Indexes

    def _create(self, asked: sql.CreateIndex) -> None:
        if asked.name in self.indexes:
            if asked.may_exist:
                return
            raise QueryError(4300, f"The index {asked.name} already exists.", 409)
        replicas = asked.options.get("num_replica", 0)
        if replicas >= self.index_nodes:
            raise QueryError(
                5000,
                "GSI CreateIndex() - cause: Fails to create index. There are not enough "
                f"indexer nodes to create index with replica count of {replicas}.",
                500,
            )
        state = "deferred" if asked.options.get("defer_build") else self.new_state
        self.indexes[asked.name] = Index(
            asked.name, asked.keys, asked.where, state, replicas, asked.keyspace
        )
        self._wait_for([asked.name])

    def _build(self, names: list[str]) -> None:
        for name in names:
            if name not in self.indexes:
                raise QueryError(12016, f"Index Not Found - cause: GSI index {name} not found.")
            if self.indexes[name].state == "deferred":
                self.indexes[name].state = self.new_state

    def _wait_for(self, names: list[str]) -> None:
        # A real server answers when the index is built, which is longer than anybody waits.
        if any(self.indexes[name].state in ("building", "pending") for name in names):
            raise QueryError(1080, "Timeout 1s exceeded", 200)

    # Queries

    def _select(self, asked: sql.Select, values: dict[str, Any]) -> list[bytes]:
        return [*self._encoded(asked, self._matching(asked, values), values)]

    def _matching(self, asked: sql.Select, values: dict[str, Any]) -> Iterator[Any]:
        """The rows of the source that the conditions allow."""
        matches = compiled(asked.where, values) if asked.where else lambda row: True
        if isinstance(asked.source, sql.Select):
            inner = (msgspec.json.decode(row) for row in self._select(asked.source, values))
            found = (_of(row) for row in inner)
            return (row for row in found if matches(row) is True)
        if asked.source == ("system", "indexes"):
            return (row for row in self._catalog() if matches(row) is True)
        self._check_keyspace(asked.source)
        self._need_role("query_select", "SELECT")
        return iter(self._scanned(asked, values))

    def _catalog(self) -> Iterator[Any]:
        # One sees the indexes of what one may read, and nothing of others.
        if "query_select" not in self.roles:
            return
        for index in self.indexes.values():
            keys = [f"{_named(key)}{' DESC' if desc else ''}" for key, desc in index.keys]
            place = {"keyspace_id": self.bucket}
            if index.keyspace[1:] not in ((), ("_default", "_default")):
                names = ("bucket_id", "scope_id", "keyspace_id")
                place = dict(zip(names, index.keyspace, strict=True))
            fields = {"name": index.name, "state": index.state, "index_key": keys}
            yield _of({**fields, "namespace_id": "default", "using": "gsi", **place})

    def _scanned(self, asked: sql.Select, values: dict[str, Any]) -> list[Row]:
        chosen = plan(asked, self.indexes.values())
        if chosen is None:
            text = "No index available on keyspace that matches your query."
            raise QueryError(4000, text, 404)
        spans = [compiled(c, values) for c in chosen.spans]
        own = [compiled(c, values) for c in conjuncts(chosen.index.where)]
        first = compiled(chosen.index.keys[0][0], {})
        restricting = [*chosen.spans, *conjuncts(chosen.index.where)]
        entries = [
            row
            for row in self._of_texts(restricting, values)
            if first(row) is not msgspec.UNSET
            and all(c(row) is True for c in own)
            and all(c(row) is True for c in spans)
        ]
        read = len(entries)
        if chosen.is_exact and asked.limit:
            most = compiled(asked.limit, values)(_of({}))
            read = min(
                read, most + (compiled(asked.offset, values)(_of({})) if asked.offset else 0)
            )
        documents = 0 if chosen.is_covering else read
        self.scans = [*self.scans[-99:], Scan(chosen.index.name, read, documents)]
        matches = compiled(asked.where, values) if asked.where else lambda row: True
        return [row for row in entries if matches(row) is True]

    def _of_texts(
        self, conditions: Iterable[sql.Expression], values: dict[str, Any]
    ) -> Iterable[Row]:
        """The rows for which the first condition holds that something is a text."""
        for condition in conditions:
            if condition[0] == "=" and condition[2][0] in ("value", "parameter"):
                wanted = compiled(condition[2], values)(_of({}))
                if isinstance(wanted, str):
                    left = condition[1]
                    return self.rows.where(repr(left), compiled(left, {}), wanted)
        return self.rows.all()

    def _encoded(
        self, asked: sql.Select, rows: Iterator[Any], values: dict[str, Any]
    ) -> Iterator[bytes]:
        if asked.groups or any(_is_aggregate(e) for _, e in asked.items):
            found = [_of(row) for row in self._grouped(asked, rows, values)]
            items = [(name, lambda row, name=name: row(name)) for name, _ in asked.items]
        else:
            found = [*_sorted(asked, rows, values)]
            items = [(name, compiled(e, values)) for name, e in asked.items]
        names = [e[1] for _, e in asked.items if e[0] == "path"]
        for row in found:
            if isinstance(row, Row) and len(names) == len(items) and not asked.raw:
                yield row.only(names)
                continue
            fields = {name: value(row) for name, value in items}
            known = {n: v for n, v in fields.items() if v is not msgspec.UNSET}
            if not asked.raw:
                yield msgspec.json.encode(known)
            elif known:
                yield msgspec.json.encode(next(iter(known.values())))

    def _grouped(
        self, asked: sql.Select, rows: Iterator[Any], values: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        keys = [compiled(e, values) for e in asked.groups]
        groups: dict[Any, list[Any]] = {}
        for row in rows:
            groups.setdefault(tuple(rank(key(row)) for key in keys), []).append(row)
        if not groups and not asked.groups:
            groups[()] = []
        for members in groups.values():
            found = {}
            for name, expression in asked.items:
                if _is_aggregate(expression):
                    found[name] = _aggregated(expression, members, values)
                else:
                    found[name] = compiled(expression, values)(members[0])
            yield found


def _named(key: sql.Expression) -> str:
    return f"`{key[1]}`" if key[0] == "path" else "(an expression)"


def _of(fields: dict[str, Any]) -> Callable[[str], Any]:
    return lambda name: fields.get(name, msgspec.UNSET)


def _is_aggregate(expression: sql.Expression) -> bool:
    return expression[0] == "call" and expression[1] in AGGREGATES


def _aggregated(expression: sql.Expression, rows: list[Any], values: dict[str, Any]) -> Any:
    if expression[2] is None:
        return len(rows)
    argument = compiled(expression[2], values)
    return aggregate(expression[1], [argument(row) for row in rows])


def _sorted(asked: sql.Select, rows: Iterator[Any], values: dict[str, Any]) -> list[Any]:
    offset = compiled(asked.offset, values)(_of({})) if asked.offset else 0
    limit = compiled(asked.limit, values)(_of({})) if asked.limit else None
    end = None if limit is None else offset + limit
    if not asked.order:
        return [*rows][offset:end]
    keys = [(compiled(e, values), descending) for e, descending in asked.order]
    if len({descending for _, descending in keys}) == 1:
        take = heapq.nlargest if keys[0][1] else heapq.nsmallest
        found = [*rows]
        ranked = take(
            len(found) if end is None else end,
            found,
            key=lambda row: tuple(rank(key(row)) for key, _ in keys),
        )
        return ranked[offset:]

    def compare(a: Any, b: Any) -> int:
        for key, descending in keys:
            one, other = rank(key(a)), rank(key(b))
            if one != other:
                return 1 if (one > other) is not descending else -1
        return 0

    return sorted(rows, key=cmp_to_key(compare))[offset:end]
