"""Notices within seconds that a topic is gone, was made anew, or has grown.

aiokafka looks for new partitions now and then, and a topic that was deleted and made anew is
the same to it. Whoever deletes a topic may be about to make it again with other settings: so a
worker creates topics at its start only, and is not ready while one that it uses is missing.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from faust.types import TP

from orderapp.engine.health.host import Host
from orderapp.engine.kafka.losses import Loss
from orderapp.engine.kafka.rights import forbidden
from orderapp.engine.kafka.topic_ids import TopicState, topic_states
from orderapp.engine.observe.blocked import blocked

logger = logging.getLogger(__name__)

#: Looks in a row that do not find a topic, until it counts as missing: one that was just made
#: is not known to all brokers at once.
LOOKS = 2
#: Seconds that Kafka has to answer.
PATIENCE = 5.0


def place(topic: str) -> tuple[str, str]:
    """What is `blocked` while a topic can't be used."""
    return "topic", topic


class _Noted(NamedTuple):
    """What Kafka said of partitions, and which ids were known before it was asked."""

    read: Mapping[TP, tuple[int, int]]
    ids: Mapping[str, str]


class TopicWatch:
    """What is known of the topics that a worker uses; `spawn` runs what it can't wait for."""

    def __init__(self, app: Host, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._app = app
        self._spawn = spawn
        self._seen: dict[str, TopicState] = {}
        self._misses: Counter[str] = Counter()
        #: Of the partitions that this worker reads: what it reads next, and the end.
        self._read: dict[TP, tuple[int, int]] = {}
        #: The same, noted since the last look.
        self._noted = _Noted({}, {})

    @property
    def ids(self) -> dict[str, str]:
        """Those of the topics that were there at the last look."""
        return {name: state.id for name, state in self._seen.items() if self.is_there(name)}

    def note(self, read: Mapping[TP, tuple[int, int]], ids: Mapping[str, str]) -> None:
        """Remember how far this worker was, and the ends, in case that a topic vanishes.

        `ids` are those from before Kafka was asked: it does not say of which topic an offset
        is. The next look believes what it finds the same topic for, or the end of one that was
        just made anew would count as lost with the old one."""
        self._noted = _Noted(read, ids)

    def is_there(self, topic: str) -> bool:
        """Whether it was there at the last look."""
        return topic not in self._misses

    async def look(self) -> None:
        """Ask Kafka, and see to what has changed. Raises `KafkaError` and TimeoutError."""
        client = self._app.kafka_client()
        if client is None or not self._app.used_topics:
            return
        # What is noted while Kafka is asked is for the next look.
        noted, self._noted = self._noted, _Noted({}, {})
        async with asyncio.timeout(PATIENCE):
            states = await topic_states(client, self._app.used_topics)
        for topic, state in states.items():
            self._believe(noted, topic, state)
        changed = [topic for topic, state in states.items() if self._has_changed(topic, state)]
        for topic in changed:
            for tell in self._app.topic_listeners:
                tell(topic)
        if changed:
            async with asyncio.timeout(PATIENCE):
                await client.force_metadata_update()
        await self._renew(states, bool(changed))

    def _believe(self, noted: _Noted, topic: str, state: TopicState) -> None:
        """Keep what was noted of a topic, unless it was made anew meanwhile."""
        if topic in noted.ids and (state.error is not None or noted.ids[topic] == state.id):
            others = {tp: at for tp, at in self._read.items() if tp.topic != topic}
            self._read = others | {tp: at for tp, at in noted.read.items() if tp.topic == topic}

    def _has_changed(self, topic: str, state: TopicState) -> bool:
        """Whether a topic has gone, come, or changed its id or partitions since it was seen."""
        before = self._seen.get(topic)
        if state.error is not None:
            self._misses[topic] += 1
            if self._misses[topic] >= LOOKS:
                if not state.is_forbidden:
                    self._tell_lost(topic)
                blocked.block(place(topic), self._reason(topic, state))
            return self._misses[topic] == LOOKS
        was_missing = self._misses.pop(topic, 0) >= LOOKS
        blocked.free(place(topic))
        self._seen[topic] = state
        if before is None or (not was_missing and before == state):
            return was_missing
        if before.id != state.id:
            self._tell_lost(topic, before.id)
            logger.warning("the topic %s was recreated: it is read from its beginning", topic)
        if before.partitions != state.partitions:
            numbers = before.partitions, state.partitions
            logger.warning("the topic %s had %d partitions and has %d", topic, *numbers)
        return True

    def _tell_lost(self, topic: str, topic_id: str | None = None) -> None:
        """Tell what was unread of a topic that was deleted, as far as this worker knows."""
        seen = self._seen.get(topic)
        topic_id = topic_id or (seen.id if seen else "")
        ours = sorted(tp for tp in self._read if tp.topic == topic)
        if ours:
            read = {tp: self._read.pop(tp) for tp in ours}
            # Not awaited: what is in work is done first, and Kafka may not take notes now.
            self._spawn(self._report_lost(topic, topic_id, read))

    async def _report_lost(
        self, topic: str, topic_id: str, read: Mapping[TP, tuple[int, int]]
    ) -> None:
        consumer = self._app.running_consumer()
        while (  # noqa: ASYNC110 - some acks come without a call
            consumer is not None
            and consumer.topic_ids.get(topic) == topic_id
            and any(map(consumer.holds, read))
        ):
            await asyncio.sleep(0.1)
        done = {} if consumer is None else consumer.done
        lost = [
            Loss(
                self._app.conf.id,
                *tp,
                first=first,
                next=end,
                topic_id=topic_id,
                with_topic=True,
            )
            for tp, (begin, end) in read.items()
            if (first := max(begin, done.get((tp, topic_id), 0))) < end
        ]
        if lost:
            await self._app.report_lost(lost)

    def _reason(self, topic: str, state: TopicState) -> str:
        if state.is_forbidden:
            return str(forbidden("DESCRIBE", "topic", topic))
        spec = next((spec for spec in self._app.topic_specs if spec.name == topic), None)
        way = f"create it again (kafka-topics {spec})" if spec else "create it again"
        return (
            f"the topic {topic} does not exist: {way}, or restart a worker, which does so; "
            "nothing is read from it or sent to it"
        )

    async def _renew(self, states: Mapping[str, TopicState], has_changed: bool) -> None:
        """Let the group divide the partitions anew where they are not those that it reads."""
        consumer = self._app.running_consumer()
        if consumer is None or self._app.rebalancing:
            return
        topics = {tp.topic for tp in consumer.assignment()}
        old = {topic: consumer.topic_ids.get(topic) for topic in topics & states.keys()}
        anew = any(had and states[t].id and had != states[t].id for t, had in old.items())
        if anew or has_changed:
            await consumer.outlook.renew_topics(rejoin=anew)
