"""Settings of topics that are there already, and of which each would break a promise.

What the spec of a topic says is held against what Kafka says: a number has to be as large, and
a word the same. So are limits below which records that wait are lost or refused. A topic whose
spec says nothing is not looked at.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

logger = logging.getLogger(__name__)

#: What every topic needs whose spec does not say more: records wait for a service that is away
#: for a day, one of 1 MB fits, and none that was confirmed is lost with a broker.
LEAST = {
    "retention.ms": str(24 * 60 * 60 * 1000),
    "retention.bytes": str(16 * 1024 * 1024),
    "max.message.bytes": "1000000",
    "unclean.leader.election.enable": "false",
}


@dataclass(frozen=True)
class TopicSpec:
    """A topic that has to exist, and how it is made when it does not."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The arguments of `kafka-topics` that make it."""
        config = "".join(f" --config {name}={value}" for name, value in self.config.items())
        return f"--create --topic {self.name} --partitions {self.partitions}{config}"


def broken(
    spec: Mapping[str, str], found: Mapping[str, str], replicas: int
) -> Iterator[tuple[str, str]]:
    """The settings in `found` that break a promise, and what each has to be."""
    wanted = LEAST | dict(spec)
    if wanted.get("cleanup.policy") == "compact":
        del wanted["retention.ms"], wanted["retention.bytes"]  # nothing is deleted by age
    for name, value in wanted.items():
        if name in found and not _is_enough(found[name], value):
            yield name, value
    if int(found.get("min.insync.replicas", 1)) > replicas:
        yield "min.insync.replicas", str(max(1, replicas - 1))


def _is_enough(found: str, wanted: str) -> bool:
    try:
        had, least = int(found), int(wanted)
    except ValueError:
        return found == wanted
    # Kafka's -1 is without a limit.
    return had == -1 or (least != -1 and had >= least)


async def warn_of(
    admin: AIOKafkaAdminClient,
    specs: Collection[TopicSpec],
    replicas: Mapping[str, int],
    servers: str,
) -> None:
    """Warn of each setting of these topics that breaks a promise, with the command that mends
    it. `replicas` has how many each topic has. Who may not ask is told so once."""
    wanted = {spec.name: spec.config for spec in specs if spec.config and spec.name in replicas}
    unknown = []
    for topic, error, found in await _ask(admin, wanted):
        if error:
            unknown.append(topic)
            continue
        for name, value in broken(wanted[topic], found, replicas[topic]):
            logger.warning(
                "topic %s has %s=%s, with which records can be lost or refused: kafka-configs "
                "--bootstrap-server %s --alter --topic %s --add-config %s=%s",
                *(topic, name, found[name], servers, topic, name, value),
            )
    if unknown:
        logger.info(
            "the settings of the topics %s are not checked: Kafka does not reveal them (the "
            "permission is DESCRIBE_CONFIGS)",
            ", ".join(sorted(unknown)),
        )


async def _ask(
    admin: AIOKafkaAdminClient, topics: Collection[str]
) -> list[tuple[str, int, dict[str, str]]]:
    """Each topic, why Kafka does not tell its settings (0: it does), and these."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    try:
        answers: list[Any] = await admin.describe_configs(resources)
    except KafkaError as error:
        logger.debug("the settings of topics are not known: %r", error)
        return [(topic, -1, {}) for topic in topics]
    found = []
    for code, text, _, topic, entries in [r for answer in answers for r in answer.resources]:
        if code:
            logger.debug("the settings of %s are not known: %s %s", topic, for_code(code), text)
        found.append((topic, code, {entry[0]: entry[1] for entry in entries}))
    return found
