"""Connects to a Couchbase bucket, with the options of the SDK that suit an order store."""

from datetime import timedelta

from couchbase.auth import PasswordAuthenticator
from couchbase.cluster import Cluster
from couchbase.constants import FMT_JSON
from couchbase.options import ClusterOptions, ClusterTimeoutOptions, ClusterTracingOptions

from orderapp.store.couchbase.client import Client
from orderapp.store.couchbase.errors import translating

# Seconds, for the SDK.
CONNECT_LIMIT = 4.0
KV_LIMIT = 10.0


class _RawJSON:
    """A transcoder for bytes that are JSON already, and that a query reads as documents."""

    def encode_value(self, value: bytes) -> tuple[bytes, int]:
        return value, FMT_JSON

    def decode_value(self, value: bytes, flags: int) -> bytes:
        return value


def connect(
    connection_string: str,
    username: str,
    password: str,
    bucket: str,
    *,
    durability: str = "majority",
    read_only: bool = False,
) -> Client:
    """Connect and open the bucket: only that shows whether there is one.

    Who is not `read_only` sees whether writes can be durable, and creates the first index, as
    writers do for later readers."""
    options = ClusterOptions(
        PasswordAuthenticator(username, password),
        timeout_options=ClusterTimeoutOptions(
            bootstrap_timeout=timedelta(seconds=CONNECT_LIMIT),
            connect_timeout=timedelta(seconds=CONNECT_LIMIT / 2),
            kv_timeout=timedelta(seconds=KV_LIMIT),
            kv_durable_timeout=timedelta(seconds=KV_LIMIT),
        ),
        # A span and a metric for each document cost more than its upsert.
        tracing_options=ClusterTracingOptions(enable_tracing=False),
        enable_metrics=False,
        enable_mutation_tokens=False,
        transcoder=_RawJSON(),
    )
    where = f"{connection_string} bucket {bucket}"
    with translating(where):
        # A failed connect is sticky: every attempt has a cluster object of its own.
        cluster = Cluster(connection_string, options)
        try:
            client = Client(cluster, bucket, where, durability)
            if not read_only:
                client.check_durability()
        except BaseException:
            cluster.close()
            raise
    if not read_only:
        client.try_index()
    return client
