"""Copies of the documents on several nodes, and writes that wait for them.

As in a real cluster the number of copies is the bucket's, whether or not there are nodes for
them: a majority of one active and one replica is both, so that a single node with a bucket of
one replica can't give it, while with a bucket of no replica it is the node alone. A write that
waits for a majority is seen by nobody before it has it. What a node that dies has not passed on
is lost with it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.couchbase_double.faults import OK, STATUSES

NONE, MAJORITY, MAJORITY_AND_PERSIST, PERSIST_TO_MAJORITY = range(4)

#: An answer to the client: its status.
Answer = Callable[[int], None]


@dataclass
class Copy:
    """The documents of one node."""

    is_up: bool = True
    documents: dict[bytes, bytes] = field(default_factory=dict)
    #: Written by clients that still wait, by key.
    prepared: dict[bytes, bytes | None] = field(default_factory=dict)


@dataclass
class _Pending:
    value: bytes | None
    answer: Answer
    needed: int
    timer: asyncio.TimerHandle
    copies: int = 0


class Copies:
    """One active copy and its replicas; `changed` is told each key that clients see changed."""

    def __init__(self, replicas: int, nodes: int, changed: Callable[[bytes], None]) -> None:
        self.nodes = [Copy() for _ in range(nodes)]
        #: Whose copy is the active one, and whose the replicas; None: nobody has that one.
        self.chain: list[int | None] = []
        self._replicas, self._changed = replicas, changed
        #: Seconds until a replica has a write, and until a node has it on its disk.
        self.replication_seconds = self.persist_seconds = 0.0
        #: Seconds for which keys that a failed node had prepared are busy at its successor.
        self.recommit_seconds = 0.2
        self._pending: dict[bytes, _Pending] = {}
        self._recommitting: set[bytes] = set()
        #: How many writes were acknowledged at each level.
        self.levels = [0, 0, 0, 0]
        self.rebalance()

    @property
    def active(self) -> Copy | None:
        """The copy that clients use; None when its node is away and has no successor."""
        number = self.chain[0]
        return self.nodes[number] if number is not None and self.nodes[number].is_up else None

    @property
    def documents(self) -> dict[bytes, bytes]:
        """What clients see."""
        return self.nodes[self.chain[0] or 0].documents

    # Writes

    def check(self, level: int, *, ephemeral: bool) -> int:
        """The status of a level that this bucket can't give, before its key is looked at."""
        if not NONE <= level <= PERSIST_TO_MAJORITY or (ephemeral and level > MAJORITY):
            return STATUSES["DURABILITY_INVALID_LEVEL"]
        there = sum(number is not None for number in self.chain)
        if level and (there < self._majority or self._replicas > 2):
            return STATUSES["DURABILITY_IMPOSSIBLE"]
        return OK

    @property
    def _majority(self) -> int:
        return len(self.chain) // 2 + 1

    def busy(self, key: bytes) -> int:
        """The status of a key that another write still holds."""
        if key in self._recommitting:
            return STATUSES["SYNC_WRITE_RE_COMMIT_IN_PROGRESS"]
        return STATUSES["SYNC_WRITE_IN_PROGRESS"] if key in self._pending else OK

    def write(
        self, key: bytes, value: bytes | None, level: int, timeout: float, answer: Answer
    ) -> None:
        """Write or remove (None) a document; the answer may come later."""
        self.levels[level] += 1
        if level == NONE:
            source = self.chain[0]
            self._commit(key, value, self.nodes[source or 0])
            for number in self.chain[1:]:
                self._later(self.replication_seconds, self._pass_on, key, value, source, number)
            answer(OK)
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(timeout, self._give_up, key)
        pending = _Pending(value, answer, self._majority, timer)
        self._pending[key] = pending
        for number in self.chain:
            if number is not None:
                is_active = number == self.chain[0]
                persists = level == PERSIST_TO_MAJORITY or (
                    level == MAJORITY_AND_PERSIST and is_active
                )
                wait = 0.0 if is_active else self.replication_seconds
                wait += self.persist_seconds if persists else 0.0
                self._later(wait, self._have, key, pending, number)

    def _later(self, seconds: float, function: Callable[..., None], *arguments: object) -> None:
        if seconds:
            asyncio.get_running_loop().call_later(seconds, function, *arguments)
        else:
            function(*arguments)

    def _have(self, key: bytes, pending: _Pending, number: int) -> None:
        """A node has the write of a client that waits."""
        node = self.nodes[number]
        if self._pending.get(key) is not pending or not node.is_up:
            return
        node.prepared[key] = pending.value
        pending.copies += 1
        # The active one has to be among them.
        if pending.copies >= pending.needed and key in self.nodes[self.chain[0] or 0].prepared:
            del self._pending[key]
            pending.timer.cancel()
            for other in self.chain:
                self._commit_at(key, pending.value, other)
            pending.answer(OK)

    def _pass_on(
        self, key: bytes, value: bytes | None, source: int | None, number: int | None
    ) -> None:
        # Not from a node that has died meanwhile, and nothing that was replaced there.
        if source == self.chain[0] and self.documents.get(key) is value:
            self._commit_at(key, value, number)

    def _give_up(self, key: bytes) -> None:
        pending = self._pending.pop(key, None)
        if pending is not None:
            for node in self.nodes:
                node.prepared.pop(key, None)
            pending.answer(STATUSES["SYNC_WRITE_AMBIGUOUS"])

    def _commit_at(self, key: bytes, value: bytes | None, number: int | None) -> None:
        # A replica that is away gets everything when it comes back.
        if number is not None and number in self.chain and self.nodes[number].is_up:
            self._commit(key, value, self.nodes[number])

    def _commit(self, key: bytes, value: bytes | None, node: Copy) -> None:
        node.prepared.pop(key, None)
        if value is None:
            node.documents.pop(key, None)
        else:
            node.documents[key] = value
        if node.documents is self.documents:
            self._changed(key)

    # What happens to nodes

    def fail_over(self) -> None:
        """The active node dies, and the first replica that is up takes over."""
        lost = self.chain[0]
        assert lost is not None
        self.nodes[lost].is_up = False
        for pending in self._pending.values():
            pending.timer.cancel()  # its client's connection is gone
        self._pending.clear()
        left = [n for n in self.chain[1:] if n is not None and self.nodes[n].is_up]
        self.chain = [*left, *[None] * (len(self.chain) - len(left))]
        if left:
            self._recommit(self.nodes[left[0]])

    def _recommit(self, node: Copy) -> None:
        # It can't know whether the failed node has answered; so what it had is kept.
        for key, value in [*node.prepared.items()]:
            self._recommitting.add(key)
            self._later(self.recommit_seconds, self._recommitted, key, value, node)

    def _recommitted(self, key: bytes, value: bytes | None, node: Copy) -> None:
        self._recommitting.discard(key)
        self._commit(key, value, node)
        for number in self.chain[1:]:
            self._commit_at(key, value, number)

    def fail_over_replica(self, number: int) -> None:
        """A replica is given up: the bucket has a copy less."""
        self.nodes[number].is_up = False
        self.chain = [*(n for n in self.chain if n != number), None]

    def rebalance(self) -> None:
        """All nodes are up, and have copies as far as there are replicas."""
        documents = self.documents if self.chain else {}
        first = self.chain[0] if self.chain else 0
        for node in self.nodes:
            node.is_up = True
            if node.documents is not documents:
                node.documents = dict(documents)
        others = [n for n in range(len(self.nodes)) if n != first]
        chain: list[int | None] = [first or 0, *others, *[None] * self._replicas]
        self.chain = chain[: self._replicas + 1]
        # What waited for the replicas that are back.
        for key, pending in [*self._pending.items()]:
            for number in self.chain[1:]:
                if number is not None and key not in self.nodes[number].prepared:
                    self._have(key, pending, number)

    def clear(self) -> None:
        """Forget all documents."""
        for node in self.nodes:
            node.documents.clear()
            node.prepared.clear()
