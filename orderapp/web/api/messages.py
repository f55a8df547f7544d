"""`GET /api/topics/{topic}/messages`: what lies in a topic, as Kafka has it."""

import asyncio
from collections.abc import Sequence
from typing import Literal

import msgspec
from aiohttp import web
from aiokafka import ConsumerRecord

from orderapp.engine.kafka.peek import Wanted, peek
from orderapp.engine.kafka.reading import TopicReader
from orderapp.engine.observe.times import Time, iso, moment_of, parse_time
from orderapp.models import LARGEST
from orderapp.web.api import parameters as read
from orderapp.web.api.dead_letters import KAFKA_PATIENCE, cluster, kafka_asked
from orderapp.web.api.flow import topic_names
from orderapp.web.api.letter_answers import HEADER_BYTES, LetterHeader, shown_headers
from orderapp.web.api.routes import Answer, Parameter, Route, json, serve
from orderapp.web.api.shown_bytes import SHOWN, ShownBytes, shown_bytes
from orderapp.web.server.problems import FieldError, Problem, bad_parameter, shown

DEFAULT_LIMIT = 20
#: Headers of each message that are shown, and bytes of the value of one among many.
HEADERS, BYTES = 20, 4 * 1024
MAX_PARTITION = 2**31 - 1


class Message(msgspec.Struct, frozen=True):
    """A message, with its headers (the first 20 of `header_count`), key and value. Of the value
    4 KiB are shown, and 16 KiB where `limit` is 1; of what is shown as hex a quarter."""

    partition: int
    offset: int
    at: Time
    key: ShownBytes | None
    value: ShownBytes | None
    headers: Sequence[LetterHeader]
    header_count: int


class MessagePartition(msgspec.Struct, frozen=True):
    """A partition: its first offset, and the one that the next message gets (or the beginning
    of the oldest open transaction, behind which nothing is read)."""

    partition: int
    begin: int
    end: int


class MessagePage(msgspec.Struct, frozen=True):
    """Messages of a topic: the newest first, or, from an offset or a time on, in the order of
    time. `complete` is false when they are so large that not all that are wanted were read."""

    topic: str
    messages: Sequence[Message]
    partitions: Sequence[MessagePartition]
    complete: bool
    status: Literal["ok"] = "ok"


_TOPIC = Parameter(
    "topic",
    {"type": "string", "minLength": 1, "maxLength": 249, "pattern": "^[A-Za-z0-9._-]+$"},
    "a topic of `/api/topology`",
    "path",
    example="orders",
)
_PARTITION = Parameter(
    "partition",
    {"type": "integer", "minimum": 0, "maximum": MAX_PARTITION},
    "only those of this partition",
)
_OFFSET = Parameter(
    "offset",
    {"type": "integer", "minimum": 0, "maximum": LARGEST},
    "those from this offset on; needs `partition`",
)
_SINCE = Parameter(
    "since",
    {"type": "string", "format": "date-time"},
    "those from this time on; not together with `offset`",
)
_turn = asyncio.Lock()


@serve(
    Route(
        "GET",
        "/api/topics/{topic}/messages",
        "Messages of a topic with headers, key and value: the newest, or those from an offset "
        "or a time on. One request reads at a time, 8 MiB at most.",
        {200: Answer("The messages.", MessagePage)},
        parameters=(
            _TOPIC,
            _PARTITION,
            _OFFSET,
            _SINCE,
            read.limit(DEFAULT_LIMIT, "messages"),
        ),
        errors=(404, 503),
    ),
    seconds=KAFKA_PATIENCE + 2,
)
async def messages(request: web.Request) -> web.Response:
    topic = request.match_info["topic"]
    wanted = _read_query(request)
    if topic not in topic_names():
        raise Problem(404, f"{shown(topic)} is not a topic of this pipeline")
    with kafka_asked(f"messages of {topic}"):
        # One after the other: whoever may read the page may ask for many.
        async with asyncio.timeout(KAFKA_PATIENCE), _turn:
            return json(await _read(topic, wanted))


async def _read(topic: str, wanted: Wanted) -> MessagePage:
    async with TopicReader(cluster()) as reader:
        begins, ends = await reader.begins(topic), await reader.ends(topic)
        chosen = ends
        if wanted.partition is not None:
            if wanted.partition not in ends:
                raise bad_parameter(
                    "partition", str(wanted.partition), f"a number from 0 to {max(ends)}"
                )
            chosen = {wanted.partition: ends[wanted.partition]}
        found, complete = await peek(reader, topic, wanted, begins, chosen)
    most = SHOWN if wanted.limit == 1 else BYTES
    return MessagePage(
        topic,
        [_message(record, most) for record in found],
        [MessagePartition(p, begins.get(p, end), end) for p, end in sorted(ends.items())],
        complete,
    )


def _message(record: ConsumerRecord, most: int) -> Message:
    return Message(
        record.partition,
        record.offset,
        iso(moment_of(record.timestamp)),
        shown_bytes(record.key, HEADER_BYTES),
        shown_bytes(record.value, most),
        shown_headers(record, HEADERS),
        len(record.headers or ()),
    )


def _read_query(request: web.Request) -> Wanted:
    query = request.query
    limit = read.read_limit(query, DEFAULT_LIMIT)
    partition = read.read_number(query, "partition", 0, MAX_PARTITION)
    offset = read.read_number(query, "offset", 0, LARGEST)
    since = _since(query.get("since"))
    if offset is not None and partition is None:
        text = "needed, as `offset` is given: every partition has its own"
        raise Problem(400, f"partition is {text}", FieldError("partition", text))
    if offset is not None and since is not None:
        text = "not allowed together with `offset`"
        raise Problem(400, f"since is {text}", FieldError("since", text))
    return Wanted(limit, partition, offset, since)


def _since(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(parse_time(text).timestamp() * 1000)
    except ValueError:
        allowed = "a time such as 2026-11-23T18:00:00Z"
        raise bad_parameter("since", text, allowed) from None
