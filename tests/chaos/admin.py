"""What is done to topics and rights, insisted on while the broker comes and goes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import TypeVar

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

T = TypeVar("T")

#: Seconds until something that Kafka does not do counts as impossible.
PATIENCE = 60.0
#: What a client raises while the broker is away.
AWAY = (KafkaError, OSError, TimeoutError)
TOPIC, LITERAL = 2, 3
DENY, ALLOW = 2, 3
EVERYBODY = "User:*"
#: The source of a topic's setting that was given to it.
OWN = 1


class Operation(IntEnum):
    """What rights are for, by Kafka's numbers."""

    ALL = 2
    READ = 3
    WRITE = 4


@asynccontextmanager
async def _admin(server: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=server, request_timeout_ms=10_000)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def until_there(what: Callable[[], Awaitable[T]]) -> T:
    """Do it, again and again until it works."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            async with asyncio.timeout(15):
                return await what()
        except AWAY:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.3)


async def insist(server: str, what: Callable[[AIOKafkaAdminClient], Awaitable[T]]) -> T:
    """Let an admin do it, again and again until it works."""

    async def do() -> T:
        async with _admin(server) as admin:
            return await what(admin)

    return await until_there(do)


def _check(code: int, *fine: type[KafkaError]) -> None:
    if code and for_code(code) not in fine:
        raise for_code(code)


async def partitions(server: str, topic: str) -> int:
    """How many a topic has."""

    async def ask(admin: AIOKafkaAdminClient) -> int:
        [found] = await admin.describe_topics([topic])
        _check(found["error_code"])
        return len(found["partitions"])

    return await insist(server, ask)


async def settings(server: str, topic: str) -> dict[str, str]:
    """Those that were given to a topic."""

    async def ask(admin: AIOKafkaAdminClient) -> dict[str, str]:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        [answer] = await admin.describe_configs([resource])
        [(code, _, _, _, entries)] = answer.resources
        _check(code)
        return {name: value for name, value, _, source, *_ in entries if source == OWN}

    return await insist(server, ask)


async def give_settings(server: str, topic: str, wanted: Mapping[str, str]) -> None:
    """Let a topic have these and no others."""

    async def do(admin: AIOKafkaAdminClient) -> None:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, dict(wanted))
        [answer] = await admin.alter_configs([resource])
        _check(answer.resources[0][0])

    await insist(server, do)


async def delete_topic(server: str, topic: str) -> None:
    """Delete it with all that is in it."""

    async def do(admin: AIOKafkaAdminClient) -> None:
        answer = await admin.delete_topics([topic])
        _check(answer.topic_error_codes[0][1], UnknownTopicOrPartitionError)

    await insist(server, do)


async def create_topic(
    server: str, topic: str, partitions: int, settings: Mapping[str, str]
) -> None:
    """Make it, unless somebody has been quicker."""

    async def do(admin: AIOKafkaAdminClient) -> None:
        new = NewTopic(topic, partitions, 1, topic_configs=dict(settings))
        answer = await admin.create_topics([new])
        _check(answer.topic_errors[0][1], TopicAlreadyExistsError)

    await insist(server, do)


async def grow(server: str, topic: str, wanted: int) -> None:
    """Give a topic so many partitions."""

    async def do(admin: AIOKafkaAdminClient) -> None:
        [found] = await admin.describe_topics([topic])
        _check(found["error_code"])
        if len(found["partitions"]) < wanted:
            await admin.create_partitions({topic: NewPartitions(wanted)})

    await insist(server, do)


async def delete_records(server: str, topic: str, before: Mapping[int, int]) -> None:
    """Delete what is before an offset of each partition, as retention does."""
    wanted = {TopicPartition(topic, part): RecordsToDelete(at) for part, at in before.items()}
    await insist(server, lambda admin: admin.delete_records(wanted))


async def deny(server: str, topic: str, operation: Operation) -> None:
    """Take one right on a topic away from everybody, and leave the others."""

    async def do(admin: AIOKafkaAdminClient) -> None:
        for what, verdict in ((Operation.ALL, ALLOW), (operation, DENY)):
            request = CreateAclsRequest(TOPIC, topic, LITERAL, EVERYBODY, "*", what, verdict)
            answer = await admin._send_request(request)
            _check(answer.creation_responses[0][0])

    await insist(server, do)


async def allow(server: str, topic: str, operation: Operation) -> None:
    """Give back what `deny` took."""

    async def do(admin: AIOKafkaAdminClient) -> None:
        request = DeleteAclsRequest(TOPIC, topic, LITERAL, EVERYBODY, "*", operation, DENY)
        answer = await admin._send_request(request)
        _check(answer.filter_responses[0][0])

    await insist(server, do)
