"""Which topics there are, by the id that Kafka gives each when it is made.

A topic that was deleted and made anew has its name and its offsets again, and another id: only
that tells an offset of the one from an offset of the other. aiokafka does not ask for ids,
which are in the metadata of Kafka 2.8 and later.
"""

from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping
from io import BytesIO
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NoError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v4
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)


class TopicState(NamedTuple):
    """What Kafka says of a topic. `id` is empty where it gives none; an error says why the
    topic can't be used: it does not exist, or is not allowed."""

    id: str
    partitions: int
    error: type[KafkaError] | None = None

    @property
    def is_forbidden(self) -> bool:
        """Whether it may be there, and may not be seen."""
        return self.error is TopicAuthorizationFailedError


class _Uuid(AbstractType[bytes]):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


_NO_ID = bytes(16)
_TEXT = CompactString("utf-8")
_TAGS = ("tags", TaggedFields)
_IDS = CompactArray(Int32)


class _Response(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), _TAGS
            ),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", _TEXT),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", _IDS),
                        ("isr", _IDS),
                        ("offline_replicas", _IDS),
                        _TAGS,
                    ),
                ),
                ("topic_operations", Int32),
                _TAGS,
            ),
        ),
        ("cluster_operations", Int32),
        _TAGS,
    )


class _Request(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("topic", _TEXT), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_operations", Boolean),
        ("include_topic_operations", Boolean),
        _TAGS,
    )


class _Ask(Request[MetadataRequest_v4 | _Request]):  # type: ignore[misc]
    """Asks for topics by their names; with their ids where the broker knows any."""

    API_KEY = 3

    def __init__(self, topics: Collection[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: Any) -> Any:
        if request_struct_class is _Request:
            wanted = [(_NO_ID, topic, dict[int, bytes]()) for topic in self._topics]
            return _Request(wanted, False, False, False, {})
        return MetadataRequest_v4(list(self._topics), False)


def partitions_of(states: Mapping[str, TopicState]) -> list[TopicPartition]:
    """Every partition of these topics."""
    return [
        TopicPartition(name, n)
        for name, state in states.items()
        for n in range(state.partitions)
    ]


async def topic_states(client: Any, topics: Collection[str]) -> Mapping[str, TopicState]:
    """Ask any broker, with an aiokafka client, for topics by their names; none is created.

    Raises `KafkaError`."""
    node = client.get_random_node()
    if node is None:
        raise KafkaConnectionError("no broker is known")
    answer = await client.send(node, _Ask(sorted(topics)))
    with_ids = isinstance(answer, _Response)
    found = {}
    for topic in answer.topics:
        code, name, rest = topic[0], topic[1], topic[2:]
        error = for_code(code)
        given = rest[0] if with_ids else _NO_ID
        found[name] = TopicState(
            "" if given == _NO_ID else urlsafe_b64encode(given).decode().rstrip("="),
            len(rest[2] if with_ids else rest[1]),
            None if error is NoError else error,
        )
    return found
