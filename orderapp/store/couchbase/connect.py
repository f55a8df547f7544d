"""Connects to a Couchbase bucket, with the options of the SDK that suit an order store."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from tempfile import NamedTemporaryFile

from couchbase.auth import PasswordAuthenticator
from couchbase.cluster import Cluster
from couchbase.constants import FMT_JSON
from couchbase.exceptions import (
    InternalServerFailureException,
    ScopeNotFoundException,
    TimeoutException,
)
from couchbase.management.options import GetBucketOptions
from couchbase.options import ClusterOptions, ClusterTimeoutOptions, ClusterTracingOptions

from orderapp.couchbase_settings import Couchbase
from orderapp.store import StoreError, StoreRejected, StoreUnavailable
from orderapp.store.couchbase.client import Client
from orderapp.store.couchbase.errors import translating
from orderapp.store.couchbase.look import UnknownHost, look

# Seconds, for the SDK.
CONNECT_LIMIT = 4.0
KV_LIMIT = 10.0
BUCKET_LIMIT = COLLECTION_LIMIT = 1.5
# The servers drop a connection after 5 s without a request. The SDK's own 1 s is less than the
# 2 s between two looks of a dashboard.
IDLE_LIMIT = 4.5

# Why the SDK asks again for a collection that a node does not know.
_OUTDATED = "key_value_collection_outdated"


class _RawJSON:
    """A transcoder for bytes that are JSON already, and that a query reads as documents."""

    def encode_value(self, value: bytes) -> tuple[bytes, int]:
        return value, FMT_JSON

    def decode_value(self, value: bytes, flags: int) -> bytes:
        return value


def connect(couchbase: Couchbase, *, read_only: bool = False) -> Client:
    """Connect and open the bucket: only that shows whether there is one.

    Who is not `read_only` sees whether writes can be durable, and creates the first index, as
    writers do for later readers."""
    with _looked_at(couchbase):
        client = _connect(couchbase, read_only=read_only)
    if not read_only:
        client.try_index()
    return client


def _connect(couchbase: Couchbase, *, read_only: bool) -> Client:
    where = f"{couchbase.connection_string} bucket {couchbase.bucket}"
    with translating(where), _ca_file(couchbase) as ca_file:
        # A failed connect is sticky: every attempt has a cluster object of its own.
        cluster = Cluster(couchbase.connection_string, _options(couchbase, ca_file))
    try:
        return _open(cluster, couchbase, where, read_only=read_only)
    except BaseException:
        cluster.close()
        raise


def _open(cluster: Cluster, couchbase: Couchbase, where: str, *, read_only: bool) -> Client:
    try:
        with translating(where):
            client = Client(cluster, couchbase, where)
    except StoreUnavailable:
        _check_bucket(cluster, couchbase, where)
        raise
    if (couchbase.scope, couchbase.collection) != ("_default", "_default"):
        _check_collection(client, couchbase, where)
    if not read_only:
        client.check_durability()
    return client


@contextmanager
def _looked_at(couchbase: Couchbase) -> Iterator[None]:
    """Look at the hosts first, and say in the end what the SDK can't."""
    where, unknown = couchbase.connection_string, None
    try:
        look(couchbase)
    except UnknownHost as error:
        if not couchbase.may_have_srv:
            raise UnknownHost(f"{where}: {error}") from error
        unknown = error
    except StoreError as error:
        raise type(error)(f"{where}: {error}") from error
    try:
        yield
    except StoreUnavailable as error:
        if unknown is None:
            raise
        raise StoreUnavailable(
            f"{where}: {unknown}; or, if it has SRV records, as in Capella, its nodes do not "
            "answer: Capella has to allow this machine's address"
        ) from error


@contextmanager
def _ca_file(couchbase: Couchbase) -> Iterator[str | None]:
    """The SDK takes a file only, which it reads when it connects."""
    if couchbase.ca_pem is None:
        yield couchbase.ca_file
        return
    try:
        file = NamedTemporaryFile("w", prefix="orderapp-ca-", suffix=".pem")  # noqa: SIM115
    except OSError as error:
        raise StoreRejected(
            f"{couchbase.connection_string}: COUCHBASE_CA_PEM needs a directory for a "
            f"temporary file: set TMPDIR ({error.strerror})"
        ) from error
    with file:
        file.write(couchbase.ca_pem)
        file.flush()
        yield file.name


def _options(couchbase: Couchbase, ca_file: str | None) -> ClusterOptions:
    options = ClusterOptions(
        # By TLS the SDK sends the password as it is (PLAIN), so that accounts of LDAP work;
        # else never (SCRAM), whatever the server asks for.
        PasswordAuthenticator(couchbase.username, couchbase.password),
        timeout_options=ClusterTimeoutOptions(
            bootstrap_timeout=timedelta(seconds=CONNECT_LIMIT),
            connect_timeout=timedelta(seconds=CONNECT_LIMIT / 2),
            kv_timeout=timedelta(seconds=KV_LIMIT),
            kv_durable_timeout=timedelta(seconds=KV_LIMIT),
            idle_http_connection_timeout=timedelta(seconds=IDLE_LIMIT),
        ),
        # A span and a metric for each document cost more than its upsert.
        tracing_options=ClusterTracingOptions(enable_tracing=False),
        enable_metrics=False,
        enable_mutation_tokens=False,
        # Where DNS does not answer, the SDK gives up after it has asked for SRV records, also
        # for a host with a port.
        enable_dns_srv=couchbase.may_have_srv,
        transcoder=_RawJSON(),
    )
    if ca_file is not None:
        options["trust_store_path"] = ca_file
    return options


def _check_collection(client: Client, couchbase: Couchbase, where: str) -> None:
    """Raise for a collection that there is not. The SDK would wait for one in each call."""
    try:
        client.get(["0"], COLLECTION_LIMIT)
    except StoreError as error:
        cause = error.__cause__
        reasons = getattr(getattr(cause, "error_context", None), "retry_reasons", None) or ()
        if isinstance(cause, ScopeNotFoundException) or _OUTDATED in reasons:
            raise StoreRejected(
                f"{where}: there is no collection {couchbase.scope}.{couchbase.collection}; "
                "check COUCHBASE_SCOPE and COUCHBASE_COLLECTION, or create it"
            ) from error
        raise


def _check_bucket(cluster: Cluster, couchbase: Couchbase, where: str) -> None:
    """Raise for a bucket that there is not. To somebody with rights on all buckets the data
    service says so as of one that is not ready yet, for which the SDK waits."""
    limit = GetBucketOptions(timeout=timedelta(seconds=BUCKET_LIMIT))
    with translating(where), suppress(TimeoutException, InternalServerFailureException):
        cluster.buckets().get_bucket(couchbase.bucket, limit)
