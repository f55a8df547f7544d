"""Dead letters for the views, and a Kafka in memory that has them and takes replays."""

import asyncio

from orderapp.app import app
from orderapp.engine.dead_letters import known, resolve
from orderapp.engine.dead_letters.headers import headers_for
from orderapp.engine.dead_letters.resolutions import encode_resolution
from orderapp.engine.delivery.failure import Failure
from orderapp.engine.kafka.cluster import Cluster
from orderapp.letters import opened
from orderapp.letters.opened import RESOLVED, TOPIC
from orderapp.web.api import messages
from orderapp.web.api.known_letters import letters
from tests.engine.dead_letters.test_read import Topics
from tests.records import record


class Reader(Topics):
    """Stands for `TopicReader`, of the records of `FakeLetters`."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def held_back(self, _):
        return 0

    async def begins(self, topic):
        return dict.fromkeys(await self.ends(topic), 0)

    async def ends(self, topic):
        partitions = 1 if topic == RESOLVED else 6
        return dict.fromkeys(range(partitions), 0) | await super().ends(topic)

    async def begins_at(self, topic, timestamp_ms):
        found = {}
        for r in self.topics[topic]:
            if r.timestamp >= timestamp_ms:
                found.setdefault(r.partition, r.offset)
        return found

    async def read(self, topic, ends=None, begins=None):
        ends = ends or await self.ends(topic)
        begins = begins or {}
        for r in self.topics[topic]:
            if begins.get(r.partition, 0) <= r.offset < ends.get(r.partition, 0):
                yield r.partition, [r]


class Producer:
    """Stands for aiokafka's: what is sent can be read at once."""

    def __init__(self, kafka):
        self.kafka = kafka

    async def start(self):
        pass

    async def stop(self):
        pass

    async def send(self, topic, value, *, key, partition, headers, timestamp_ms):
        answer = asyncio.get_running_loop().create_future()
        if error := self.kafka.failing(topic):
            answer.set_exception(error)
        else:
            answer.set_result(None)
            self.kafka.add(topic, value, key, partition or 0, headers, 1_000)
        return answer


class FakeLetters:
    """Puts dead letters into a Kafka in memory; `is_away` while it is not there."""

    def __init__(self, monkeypatch):
        self.reader = Reader()
        names = [spec.name for spec in app.topic_specs]
        self.reader.topics = {name: [] for name in names}
        self.fails = {}
        letters._forget()
        letters._reader, letters._reading, letters._is_current = None, None, False
        monkeypatch.setattr(known, "FRESH", -1.0)
        monkeypatch.setattr(known, "TopicReader", lambda _: self.reader)
        for module in (opened, messages):
            monkeypatch.setattr(module, "TopicReader", lambda _: self.reader)
        monkeypatch.setattr(resolve, "AIOKafkaProducer", lambda **_: Producer(self))
        self._patch = monkeypatch
        self.is_away = True

    @property
    def is_away(self):
        return app.cluster is None

    @is_away.setter
    def is_away(self, value):
        self._patch.setattr(app, "cluster", None if value else Cluster(("a:1",)))
        letters._reader = None

    def put(self, order_id=7, service="payment", error=None, **more):
        """A dead letter of payment, or of others, or a record as it is; it is there then."""
        self.is_away = False
        lies = {"partition": 3, "timestamp": 1_000, "value": b"{}", "key": b"%d" % order_id}
        if "headers" not in more:
            failure = Failure(service, error or TimeoutError("no answer"), 8)
            more["headers"] = headers_for(record(topic="orders", partition=3), failure)
        return self.add(TOPIC, **lies | more)

    def note(self, place, note):
        """What was done with a dead letter."""
        self.add(RESOLVED, encode_resolution(note), place.encode(), 0, (), 1_000)

    def fail(self, topic, error, after=0):
        """Let sending to a topic fail, after so many records, until `fails` is cleared."""
        self.fails[topic] = (after, error)

    def failing(self, topic):
        """What the next record to a topic fails with."""
        after, error = self.fails.get(topic, (0, None))
        self.fails[topic] = (after - 1, error)
        return None if after > 0 else error

    def add(self, topic, value, key, partition, headers, timestamp):
        """A record; its place."""
        there = self.reader.topics[topic]
        offset = sum(one.partition == partition for one in there)
        place = {"partition": partition, "offset": offset, "timestamp": timestamp}
        there.append(record(value, key, topic=topic, headers=headers, **place))
        return f"{partition}:{offset}"
