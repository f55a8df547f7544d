"""The topics of an app: what travels there, and what they must be like."""

from collections.abc import Callable
from typing import Any, TypeVar

from aiokafka import ConsumerRecord

from orderapp.engine.batches.codec import Codec, Json, Raw
from orderapp.engine.batches.decoder import Complete, Decoder, RawDecoder
from orderapp.engine.batches.topic import Key, Told, Topic
from orderapp.engine.dead_letters.resolutions import resolutions_topic
from orderapp.engine.delivering import DeliveringApp
from orderapp.engine.kafka.topic_settings import TopicSpec

V = TypeVar("V")

#: The largest dead letter: a record of Kafka's default limit (1 MiB), and its headers.
DEAD_LETTER_BYTES = 2 * 1024 * 1024
#: Settings of a topic whose records are never deleted.
FOREVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


class TopicsApp(DeliveringApp):
    """A Faust app with batched topics, and one for dead letters."""

    def __init__(self, group: str, **options: Any) -> None:
        super().__init__(group, **options)
        #: The batched topics, by name.
        self.batched: dict[str, Topic[Any]] = {}

    def batched_topic(
        self,
        name: str,
        record: type[V],
        *,
        partitions: int,
        key: Key | None = None,
        codec: Codec[V] | None = None,
        complete: Complete[V] | None = None,
        told: Told[V] | None = None,
        says: Callable[[V], str] | None = None,
        text: str = "",
        forever: bool = False,
    ) -> Topic[V]:
        """A topic of `record`s whose services get them in batches. It is created with so many
        partitions if it is missing.

        `key` is the field of a message that makes its key, or a function; without it a message
        has the key of the record that it follows from. `codec` reads and writes the values
        (`Json(record)`). `complete(value, record)` may fill in or refuse (ValueError) what was
        decoded; `told(messages, values)` hears what was sent, `says(message)` is its line in
        the log (of many the first ones), and `text` tells people what the topic is for. Its
        records are kept `forever`, or as long as the cluster keeps them."""
        codec = codec or Json(record)
        self._decoders[name] = Decoder(codec, complete)
        # A compacted topic drops all but the last record of a key, and refuses one without.
        config = FOREVER if forever else {"cleanup.policy": "delete"}
        self.topic_specs.append(TopicSpec(name, partitions, config))
        topic: Topic[V] = Topic(self, topics=(name,), schema=self._schema)
        self.batched[name] = topic
        return topic.holds(codec, self, key=key, told=told, says=says, text=text)

    def dead_letter_topic(
        self, name: str, *, partitions: int, text: str = ""
    ) -> Topic[ConsumerRecord]:
        """The topic for what can't be processed, kept without end; an app with batched topics
        needs one. Its own batches hold the records as they are.

        `<name>-resolved` notes what was replayed or dropped."""
        self.dead_letters = name
        self._decoders[name] = RawDecoder()
        size = {"max.message.bytes": str(DEAD_LETTER_BYTES)}
        self.topic_specs.append(TopicSpec(name, partitions, size | FOREVER))
        compact = {"cleanup.policy": "compact"}
        self.topic_specs.append(TopicSpec(resolutions_topic(name), 1, compact))
        topic: Topic[ConsumerRecord] = Topic(self, topics=(name,), schema=self._schema)
        self.batched[name] = topic
        return topic.holds(Raw(), self, text=text)

    def is_batched(self, topic: str) -> bool:
        """Whether the records of a topic come in batches."""
        return topic in self._decoders

    def decoder(self, topic: str) -> Decoder[Any]:
        """What decodes the records of a batched topic."""
        return self._decoders[topic]
