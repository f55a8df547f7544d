"""`faust -A orderapp couchbase`: what the pipeline needs in Couchbase."""

from collections.abc import Iterator

import click
from faust.cli import option

from orderapp.app import settings
from orderapp.commands.group import SubCommand, group
from orderapp.couchbase_settings import Couchbase
from orderapp.store.couchbase.keyspace import keyspace
from orderapp.store.couchbase.statements import INDEXES, create

couchbase = group("couchbase", "What the pipeline needs in Couchbase.")

#: What the program does, and the role of Enterprise Edition and Capella that allows it.
ROLES = {
    "data_reader": "read documents by their ids",
    "data_writer": "write documents",
    "query_select": "read documents by indexes, and see which indexes there are",
}
#: Not needed where all indexes exist.
INDEX_ROLE = "query_manage_index"


class Indexes(SubCommand):
    """Print the indexes as statements, and the roles that the user needs."""

    group = couchbase
    name = "indexes"
    options = [  # noqa: RUF012 - declared by Faust
        option(
            "--replicas",
            type=click.IntRange(0, 3),
            default=0,
            help="Of each index, on other nodes with the Index service.",
        ),
    ]

    async def run(self, replicas: int) -> None:
        """Print them: what is no statement is a comment of SQL++."""
        # Without a host the settings of the rest were not read.
        where = settings.couchbase or Couchbase("", "", "", "orders")
        for line in _lines(keyspace(where), replicas):
            click.echo(line)


def _lines(place: str, replicas: int) -> Iterator[str]:
    yield f"-- Roles of the user, on {place}:"
    for role, why in ROLES.items():
        yield f"--   {role:<18} to {why}"
    yield f"--   {INDEX_ROLE:<18} to create indexes that are missing; not needed after these"
    yield "-- Community Edition has only bucket_full_access, which is all of it."
    for index in INDEXES:
        yield create(index, replicas).format(place) + ";"
