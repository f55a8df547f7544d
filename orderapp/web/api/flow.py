"""What is connected with what, made of the services' declarations and of what Kafka says."""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from aiokafka import TopicPartition

from orderapp.app import app, settings
from orderapp.engine.dead_letters.resolutions import resolutions_topic
from orderapp.engine.health.lag import Look, Position
from orderapp.engine.services import Service
from orderapp.web.api.topology_answer import (
    SLOW,
    STUCK,
    FlowPartition,
    FlowService,
    FlowTopic,
    Health,
)

#: Where partitions begin and end.
Sizes = Mapping[TopicPartition, tuple[int, int]]

#: What services do with the store; no declaration says it.
_STORE: dict[str, Literal["writes", "reads"]] = {"analytics": "writes", "web": "reads"}
RESOLVED_TEXT = (
    "Which dead letters were replayed or dropped; one without a value takes back what was "
    "noted before."
)


def topic_names() -> list[str]:
    """Every topic that the app knows, whichever services this worker runs."""
    return [spec.name for spec in app.topic_specs]


def text_of(topic: str) -> str:
    """What a topic is for."""
    return app.batched[topic].text if topic in app.batched else RESOLVED_TEXT


def flow_topics(sizes: Sizes | None, rates: Mapping[str, float]) -> list[FlowTopic]:
    """The topics, in the order of their declaration."""
    return [_topic(name, sizes, rates.get(name)) for name in topic_names()]


def _topic(name: str, sizes: Sizes | None, rate: float | None) -> FlowTopic:
    services = app.services.all.values()
    found = [] if sizes is None else [at for tp, at in sizes.items() if tp.topic == name]
    return FlowTopic(
        name=name,
        text=text_of(name),
        sent_by=_senders(name, services),
        read_by=[service.name for service in services if name in service.reads],
        followed_by=[service.name for service in services if name in service.follows],
        partitions=len(found) or None,
        records=sum(end - begin for begin, end in found) if found else None,
        per_second=rate,
    )


def _senders(topic: str, services: Collection[Service]) -> list[str]:
    if topic == app.dead_letters:  # whoever reads may give up what it has read
        return [service.name for service in services if service.reads]
    if topic == resolutions_topic(app.dead_letters or ""):
        return [service.name for service in services if service.name == "web"]
    return [service.name for service in services if topic in service.sends]


def flow_services(look: Look | None, sizes: Sizes | None) -> list[FlowService]:
    """The services, in the order of their declaration."""
    return [_service(service, look, sizes) for service in app.services.all.values()]


def _service(service: Service, look: Look | None, sizes: Sizes | None) -> FlowService:
    position = None if look is None else look.services.get(service.name)
    age = None
    if look is not None and position is not None and position.oldest is not None:
        age = round(max(0.0, look.at - position.oldest / 1000), 3)
    return FlowService(
        name=service.name,
        here=service.runs,
        sends=service.sends,
        reads=service.reads,
        follows=service.follows,
        store=_STORE.get(service.name),
        health=_health(service, look, position, age),
        group=None if position is None else position.group,
        lag=None if position is None else position.lag,
        oldest_seconds=age,
        members=None if position is None else sorted(one.id for one in position.members),
        partitions=None if position is None else _partitions(service, position, sizes),
    )


def _health(
    service: Service, look: Look | None, position: Position | None, age: float | None
) -> Health:
    if not service.reads:
        return "ok" if service.runs else "unknown"
    if look is None:
        return "unknown"
    if position is None or not position.members:
        return "nobody"
    if age is None or age < SLOW:
        return "ok"
    return "slow" if age < STUCK else "stuck"


def _partitions(
    service: Service, position: Position, sizes: Sizes | None
) -> list[FlowPartition]:
    owners = {tp: member.id for member in position.members for tp in member.partitions}
    known = {*position.committed, *owners, *position.waiting, *(sizes or ())}
    done, waiting = position.committed, position.waiting
    return [
        FlowPartition(tp.topic, tp.partition, done.get(tp), waiting.get(tp, 0), owners.get(tp))
        for tp in sorted(known)
        if tp.topic in service.reads
    ]


def store_kind() -> Literal["sqlite", "couchbase"]:
    """Which store this worker has."""
    return "couchbase" if settings.couchbase else "sqlite"


class Rates:
    """Messages/s of topics, from the ends at two looks, a minute apart at most."""

    def __init__(self, span: float = 60.0) -> None:
        self._span = span
        self._seen: list[tuple[float, dict[str, int]]] = []

    def take(self, sizes: Sizes, now: float) -> dict[str, float]:
        """Note where the topics end at `now` (s, of a clock that only goes on); the rates since
        the oldest look that counts, of the topics that were there at both."""
        ends: dict[str, int] = {}
        for tp, (_, end) in sizes.items():
            ends[tp.topic] = ends.get(tp.topic, 0) + end
        self._seen = [(at, then) for at, then in self._seen if now - at <= self._span]
        self._seen.append((now, ends))
        at, then = self._seen[0]
        return dict(_rates(then, ends, now - at))


def _rates(
    before: Mapping[str, int], now: Mapping[str, int], seconds: float
) -> Iterable[tuple[str, float]]:
    for topic, end in now.items():
        # A topic that was made anew ends earlier.
        if seconds > 0 and topic in before and end >= before[topic]:
            yield topic, round((end - before[topic]) / seconds, 3)
