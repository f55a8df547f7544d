"""What is known of an order: facts of records and documents, and how far topics were read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

# What a fact is about. Facts of an order come in this order.
ORDER, ALERT, PAYMENT, DEAD_LETTER, ORDER_DOCUMENT, ALERT_DOCUMENT, PAYMENT_DOCUMENT = range(7)
# What rules with a window have found of it.
WINDOW = 7

# `Fact.state` of an order: the services that it is for; of a dead letter one of them.
FRAUD, PAYING, ANALYTICS = 1, 2, 4
EVERYONE = FRAUD | PAYING | ANALYTICS
# … of an order besides
RISKY, REPLAY = 8, 16
# … of an order besides: its documents may have expired
EXPIRED = 128
# … of a dead letter besides: it was given up for good
DROPPED = 32
# … of a document: it is older than what its topic has
OLDER = 64
# … of an alert; 0 is a reason that exists
NO_REASON = 1
# … of an alert besides: nobody knows any more whether its rule had to find the order
NOT_KNOWN = 256
# … of a payment; 0 is a status that does not exist
PAID, DECLINED = 1, 2
#: How a rule in `Fact.reasons` of an order begins if only some of the versions find it by which
#: the order may have been judged.
MAYBE = "?"
#: `Fact.digest` of a document that may differ from its record in the time.
ANY_DIGEST = 0


class Fact(NamedTuple):
    """One record or document."""

    order_id: int
    kind: int
    #: The place in Kafka, for a document that of the record that it was made from.
    partition: int
    offset: int
    state: int = 0
    amount: float = 0.0
    #: A hash of what it says, without times: of an order and its alert customer, amount and
    #: country, of a payment its id, status and amount. (Of a dead letter, which is compared
    #: with nothing, its timestamp.)
    content: int = 0
    #: A hash of all that the document of a record keeps.
    digest: int = 0
    payment_id: str | None = None
    #: Of an order the versions of rules that find it, separated by commas; of an alert and its
    #: document the one that has (`version_of`).
    reasons: str = ""


def version_of(rule_id: str, version: int) -> str:
    """A version of a rule, as `Fact.reasons` has it; of version 0 nobody knows which it was."""
    return f"{rule_id}@{version}"


def read_version(text: str) -> tuple[str, str]:
    """The rule and the version of the same, marked as `MAYBE` or not."""
    rule_id, _, version = text.removeprefix(MAYBE).rpartition("@")
    return rule_id, version


@dataclass(frozen=True)
class Bounds:
    """What was read of a topic; each field has an offset for each partition.

    Records come while the topics and the store are read one after the other."""

    begins: Mapping[int, int]
    ends: Mapping[int, int]
    #: The ends before the orders were read: what is above may be of an order that came later.
    sure: Mapping[int, int]
    #: The ends after the store was read: no document can be of a record above.
    latest: Mapping[int, int]

    def is_retired(self, fact: Fact) -> bool:
        """Whether the topic does not hold the record any more."""
        return bool(fact.state & OLDER) or fact.offset < self.begins.get(fact.partition, 0)

    def is_later(self, fact: Fact) -> bool:
        """Whether the record was not read since it came later."""
        partition = fact.partition
        return self.ends.get(partition, 0) <= fact.offset < self.latest.get(partition, 0)

    def is_sure(self, fact: Fact) -> bool:
        """Whether the record's order was read, if there is one."""
        partition = fact.partition
        return not self.sure.get(partition, 0) <= fact.offset < self.latest.get(partition, 0)


class Case:
    """All facts of one order id, sorted by kind, partition and offset."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self.kinds: tuple[list[Fact], ...] = ([], [], [], [], [], [], [], [])
        for fact in facts:
            self.kinds[fact.kind].append(fact)

    @property
    def orders(self) -> list[Fact]:
        """Its records in the topic `orders`."""
        return self.kinds[ORDER]
