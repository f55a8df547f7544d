"""The statements that are printed are those that the program needs."""

import pytest

from orderapp.commands.couchbase import INDEX_ROLE, ROLES, _lines
from orderapp.store.couchbase.statements import ALL, INDEXES
from tests.couchbase_double.query import ROLES as QUERY_ROLES
from tests.couchbase_double.query import Queries


@pytest.mark.parametrize(("replicas", "nodes"), [(0, 1), (2, 3)])
def test_printed_statements_make_all_indexes_and_nothing_else(replicas, nodes):
    queries = Queries("my-orders", dict)
    queries.index_nodes = nodes
    for line in _lines("`my-orders`", replicas):
        if not line.startswith("--"):
            queries.answer({"statement": line})

    assert queries.indexes.keys() == INDEXES.keys() == {s.needs for s in ALL}
    assert {index.replicas for index in queries.indexes.values()} == {replicas}


def test_every_role_is_printed():
    text = "\n".join(_lines("`orders`", 0))

    assert all(role in text for role in [*ROLES, INDEX_ROLE, *QUERY_ROLES])
