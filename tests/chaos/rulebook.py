"""By which versions of the rules an order may have been judged, and what they had to find.

Computed from the logs of changes and of orders by customer, without the app's code."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord

from tests.chaos.archive import Place
from tests.chaos.orders import is_risky

LARGE, VELOCITY = "HIGH_AMOUNT_RISKY_COUNTRY", "CUSTOMER_VELOCITY"

#: Offsets that are done, by topic, its epoch and the partition.
Done = Mapping[tuple[str, int, int], int]


class Version(NamedTuple):
    """What a rule was."""

    number: int
    state: str
    parameters: Mapping[str, Any]
    #: When it was made (ms of Unix time), and what was done then.
    since: int = 0
    done: Done = MappingProxyType({})


class Judged(NamedTuple):
    """A record of `orders-by-customer`, and the details of the versions that find its order."""

    at: int
    place: Place
    found: Mapping[int, str]


@dataclass
class Rulebook:
    """All versions of the rules, and what those with a window had to find."""

    versions: dict[str, list[Version]] = field(
        default_factory=lambda: {
            LARGE: [Version(1, "active", {"limit": 300.0})],
            VELOCITY: [Version(1, "off", {"limit": 3, "seconds": 60})],
        }
    )
    #: By order id.
    judged: dict[int, list[Judged]] = field(default_factory=dict)
    #: Milliseconds within which every worker follows a change.
    slack: int = 0

    def possible(self, rule: str, topic: str, place: Place, at: int) -> list[Version]:
        """The versions by which an order's record of this time may have been judged: not those
        that had long been replaced, and not those that came when it was done."""
        versions = self.versions[rule]
        ends = [version.since + self.slack for version in versions[1:]]
        return [
            version
            for version, end in zip(versions, [*ends, None], strict=True)
            if (end is None or at <= end) and place.offset >= version.done.get(
                (topic, place.epoch, place.partition), 0
            )
        ]  # fmt: skip

    def read(
        self, changes: Iterable[ConsumerRecord], done: Mapping[tuple[str, int], Done]
    ) -> None:
        """Take the log of changes; `done`: what was done before each version was made."""
        for record in changes:
            change = json.loads(record.value)
            rule, number = change["rule"], change["version"]
            if number == self.versions[rule][-1].number + 1:  # a send may be repeated
                made = change["state"], change["parameters"], record.timestamp
                version = Version(number, *made, done.get((rule, number), {}))
                self.versions[rule].append(version)

    def watch(self, log: Mapping[Place, ConsumerRecord]) -> None:
        """Take the log of orders by customer: what each active version finds in it."""
        active = [v for v in self.versions[VELOCITY] if v.state == "active"]
        judged: defaultdict[int, list[Judged]] = defaultdict(list)
        latest: defaultdict[int, int] = defaultdict(int)
        customers: defaultdict[tuple[int, bytes], dict[int, int]] = defaultdict(dict)
        for place, record in sorted(log.items()):
            order_id, at = json.loads(record.value)["order_id"], record.timestamp
            now = latest[place.partition] = max(latest[place.partition], at)
            times = customers[place.partition, record.key or b""]
            before = times.get(order_id, -1)
            times[order_id] = max(before, at)
            found = {}
            for version in active:
                limit, seconds = version.parameters["limit"], version.parameters["seconds"]
                since = now - 1000 * seconds
                # What is in the window already was judged when it came first.
                if before <= since < at:
                    count = sum(time > since for time in times.values())
                    if count > limit:
                        found[version.number] = f"{count} orders in {seconds} s"
            judged[order_id].append(Judged(at, place, found))
        self.judged = dict(judged)


def finds(version: Version, order: dict[str, Any]) -> bool:
    """Whether a version of the rule of the contract finds an order."""
    return version.state == "active" and is_risky(order, version.parameters["limit"])
