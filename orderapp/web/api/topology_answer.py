"""The body of `GET /api/topology`."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from orderapp.engine.observe.times import Time

#: Seconds that the oldest record may wait before its service is called slow, or stuck.
SLOW, STUCK = 5.0, 60.0

Health = Literal["ok", "slow", "stuck", "nobody", "unknown"]


class FlowTopic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic: what it is for, and the services that send to it, read it in their groups, and
    follow all of it. `records` are offsets between its beginning and its end: with
    transactions and compaction it holds fewer. `per_second` is over the last minute, as far as
    somebody has asked in it."""

    name: str
    text: str
    sent_by: Sequence[str]
    read_by: Sequence[str]
    followed_by: Sequence[str]
    partitions: int | None
    records: int | None
    per_second: float | None


class FlowPartition(msgspec.Struct, frozen=True):
    """A partition that a service reads: where its group is (null: nowhere yet), the records
    that wait, and the member that has it."""

    topic: str
    partition: int
    committed: int | None
    lag: int
    member: str | None


class FlowService(msgspec.Struct, frozen=True, kw_only=True):
    """A service. Of one that reads nothing Kafka knows nothing: only whether this worker runs
    it (`here`) is known. `members` are the live ones of its group, by the ids that Kafka gave
    them. `health`: `slow` while the oldest record waits for 5 s or longer, `stuck` for 60 s or
    longer, `nobody` when its group has no member, or none has ever been known."""

    name: str
    here: bool
    sends: Sequence[str]
    reads: Sequence[str]
    follows: Sequence[str]
    store: Literal["writes", "reads"] | None
    health: Health
    group: str | None
    lag: int | None
    oldest_seconds: float | None
    members: Sequence[str] | None
    partitions: Sequence[FlowPartition] | None


class FlowStore(msgspec.Struct, frozen=True):
    """The store of this worker, and whether it answers."""

    kind: Literal["sqlite", "couchbase"]
    answers: bool


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """What is connected with what, and how much goes through it, two seconds old at most.
    What could not be read is null, and `unknown` says why."""

    at: Time
    topics: Sequence[FlowTopic]
    services: Sequence[FlowService]
    store: FlowStore
    unknown: Sequence[str]
    status: Literal["ok"] = "ok"
