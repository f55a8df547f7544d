"""The Kafka cluster: who it is, whether it lets us in, and the topics it must have."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    InvalidReplicationFactorError,
    KafkaError,
    NoError,
    SaslAuthenticationFailed,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
    for_code,
)

from orderapp.engine.delivery.stopping import stopping
from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.kafka.rights import forbidden
from orderapp.engine.kafka.topic_settings import TopicSpec, warn_of
from orderapp.engine.observe.texts import text_or_class

logger = logging.getLogger(__name__)

#: Seconds for one connection or request while the cluster is looked at.
PATIENCE = 10
#: Seconds for letting go of a client.
CLOSING = 2.0
#: What all consumers read. Records of a transaction that is open or was aborted do not count,
#: and a partition ends where the oldest open transaction begins (its last stable offset).
ISOLATION = "read_committed"
#: Milliseconds after which every client asks anew for topics and partitions (aiokafka: 5
#: minutes): a topic that was made anew or has grown is seen within two such times.
METADATA_MAX_AGE_MS = 10_000

_UNSEEN = TopicAuthorizationFailedError.errno
_NOT_LET_IN = (
    SaslAuthenticationFailed,
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    UnsupportedSaslMechanismError,
)


@dataclass(frozen=True)
class Cluster:
    """Bootstrap servers (`host:port`) and, for SASL_SSL with PLAIN, the key and secret."""

    servers: tuple[str, ...]
    key: str | None = None
    secret: str | None = field(default=None, repr=False)

    @cached_property
    def _ssl(self) -> ssl.SSLContext | None:
        # The system's certificates; the variable SSL_CERT_FILE names others.
        return ssl.create_default_context() if self.key else None

    @property
    def credentials(self) -> faust.SASLCredentials | None:
        """What Faust's transport needs to log in; None for plaintext."""
        if self.key is None:
            return None
        return faust.SASLCredentials(
            username=self.key, password=self.secret, ssl_context=self._ssl, mechanism="PLAIN"
        )

    def client_options(self) -> dict[str, Any]:
        """The same for an aiokafka client."""
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.servers),
            "metadata_max_age_ms": METADATA_MAX_AGE_MS,
        }
        return options | self._security()

    def consumer(self, *topics: str, **options: Any) -> AIOKafkaConsumer:
        """A consumer without a group, which reads what was committed; not started yet."""
        own: dict[str, Any] = {"isolation_level": ISOLATION, "enable_auto_commit": False}
        return AIOKafkaConsumer(*topics, **self.client_options() | own | options)

    def _security(self) -> dict[str, Any]:
        if self.key is None:
            return {}
        return {
            "security_protocol": "SASL_SSL",
            "ssl_context": self._ssl,
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": self.key,
            "sasl_plain_password": self.secret,
        }

    async def prepare(self, topics: Collection[TopicSpec], group: str | None = None) -> None:
        """Log in, create the topics that are missing, and find the consumer group's
        coordinator.

        Raises `TransientError` while the cluster is away, `FatalError` when it does not let
        us in."""
        await self.log_in()
        admin = AIOKafkaAdminClient(**self.client_options(), request_timeout_ms=PATIENCE * 1000)
        try:
            async with asyncio.timeout(3 * PATIENCE):
                await admin.start()
                found = await self._create_missing(admin, topics)
                if group is not None:
                    await self._find_coordinator(admin, group)
                    await warn_of(admin, topics, found, str(self))
        except (KafkaError, OSError, TimeoutError) as error:
            raise TransientError(
                f"Kafka at {self} is not ready: {text_or_class(error)}"
            ) from error
        finally:
            await admin.close()

    async def _create_missing(
        self, admin: AIOKafkaAdminClient, topics: Iterable[TopicSpec]
    ) -> dict[str, int]:
        """How many replicas each topic has that was there already."""
        wanted = {topic.name: topic for topic in topics}
        described = await admin.describe_topics(list(wanted))
        codes = {topic["topic"]: topic["error_code"] for topic in described}
        # Unseen is not missing: it may be there.
        unseen = [name for name, code in codes.items() if code == _UNSEEN]
        if unseen:
            raise forbidden("DESCRIBE", "topic", *unseen)
        for topic in described:
            name, partitions = topic["topic"], len(topic["partitions"])
            if codes[name] == NoError.errno and partitions < wanted[name].partitions:
                logger.warning(
                    "topic %s has %d partitions instead of %d: fewer workers can share it",
                    name,
                    partitions,
                    wanted[name].partitions,
                )
        missing = [t for name, t in wanted.items() if codes.get(name) != NoError.errno]
        if missing:
            results = await _create(admin, missing)
            created = [name for name, result in results.items() if result is NoError]
            if created:
                logger.info("created the topics %s", ", ".join(created))
            refused = [n for n, r in results.items() if r is TopicAuthorizationFailedError]
            if refused:
                raise forbidden("CREATE", "topic", *refused)
        return {
            topic["topic"]: min(len(part["replicas"]) for part in topic["partitions"])
            for topic in described
            if topic["error_code"] == NoError.errno
        }

    async def _find_coordinator(self, admin: AIOKafkaAdminClient, group: str) -> None:
        # A new cluster makes its offsets topic when it is asked first, and says no until then;
        # the consumer would show that as an error.
        while True:
            try:
                await admin.find_coordinator(group)
            except GroupCoordinatorNotAvailableError:
                await asyncio.sleep(0.1)
            except GroupAuthorizationFailedError as error:
                raise forbidden("READ", "group", group) from error
            else:
                return

    async def log_in(self) -> None:
        """Make one connection, to see whether the cluster is there and lets us in.

        Raises as `prepare` does."""
        # aiokafka's clients only log why a bootstrap server turned them away, and go on to
        # the next; one connection by hand shows whether it is the credentials.
        errors = []
        for server in self.servers:
            host, _, port = server.rpartition(":")
            try:
                conn = await create_conn(
                    host.strip("[]"),
                    int(port),
                    request_timeout_ms=PATIENCE * 1000,
                    **self._security(),
                )
            except _NOT_LET_IN as error:
                raise FatalError(
                    f"Kafka at {server} did not accept CONFLUENT_API_KEY {self.key!r} and its "
                    f"secret: {text_or_class(error)}"
                ) from error
            except ssl.SSLCertVerificationError as error:
                raise FatalError(
                    f"the certificate of Kafka at {server} is not trusted: "
                    f"{error.verify_message} (SSL_CERT_FILE names other CA certificates)"
                ) from error
            except (KafkaError, OSError, TimeoutError) as error:
                errors.append(f"{server}: {text_or_class(error)}")
            else:
                conn.close()
                return
        raise TransientError(f"Kafka is not reachable ({'; '.join(errors)})")

    def __str__(self) -> str:
        return ",".join(self.servers)


async def connect(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Start a client; raises `TransientError` while the cluster is away, and closes it then."""
    started = False
    try:
        await client.start()
        started = True
    except (KafkaError, OSError, TimeoutError) as error:
        raise TransientError(f"Kafka does not answer: {text_or_class(error)}") from error
    finally:
        if not started:
            await let_go(client.stop())


async def let_go(closing: Awaitable[Any], seconds: float = CLOSING) -> None:
    """Await the end of a client, `seconds` at most, or what is left of the worker's stop; a
    cluster that is away can't hold it up."""
    # aiokafka waits for tasks that it has cancelled, and one that had not even begun raises.
    await asyncio.sleep(0)
    with suppress(KafkaError, OSError, TimeoutError):
        # Not `wait_for`, which in Python 3.11 can swallow a cancellation.
        async with asyncio.timeout(stopping.left(seconds)):
            await closing


async def _create(
    admin: AIOKafkaAdminClient, topics: list[TopicSpec]
) -> dict[str, type[KafkaError]]:
    # -1 is the cluster's own default: 3 on Confluent Cloud, 1 on a single broker. A cluster
    # that knows no default (before Kafka 2.4) gets 3, or as many as it has brokers.
    try:
        return await _request(admin, topics, replication=-1)
    except InvalidReplicationFactorError:
        brokers = len((await admin.describe_cluster())["brokers"])
        return await _request(admin, topics, replication=min(3, brokers))


async def _request(
    admin: AIOKafkaAdminClient, topics: list[TopicSpec], replication: int
) -> dict[str, type[KafkaError]]:
    """What became of each topic: created, there already, or not allowed."""
    wanted = [NewTopic(t.name, t.partitions, 1, topic_configs=dict(t.config)) for t in topics]
    for topic in wanted:
        topic.replication_factor = replication  # its constructor refuses -1
    answer = await admin.create_topics(wanted)
    results = {}
    for name, code, *message in answer.topic_errors:
        error = results[name] = for_code(code)
        # Another worker may have been quicker.
        if error not in (NoError, TopicAlreadyExistsError, TopicAuthorizationFailedError):
            raise error(f"topic {name!r}: {message[0] if message else ''}")
    return results
