"""What is in force follows from the log of changes alone, record by record.

Everybody who reads it refuses the same records, and so goes by the same versions: a record that
is no change, or whose version is not the one after the last that was taken.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from aiokafka import ConsumerRecord

from orderapp.engine.batches.records import about
from orderapp.engine.errors import FatalError
from orderapp.engine.observe.logs import Few
from orderapp.engine.observe.texts import text_or_class

logger = logging.getLogger(__name__)
_few = Few(logger, logging.ERROR, "changes that are refused", most=20)


class Versioned(Protocol):
    """What can be changed."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def version(self) -> int:
        """Counts its changes, from 1: as declared."""


T = TypeVar("T", bound=Versioned)
C = TypeVar("C")


class WrongVersion(FatalError):  # noqa: N818 - what is wrong is said by its text
    """Another version is in force than that which was to be changed."""


class ChangeLog(ABC, Generic[T, C]):
    """Keeps what is in force as the log says; `decode` makes changes of records, or raises."""

    def __init__(self, decode: Callable[[ConsumerRecord], C]) -> None:
        self._decode = decode
        #: Those that were taken, in their order.
        self.taken: list[C] = []
        #: For each of them its record's timestamp (ms), and all as it was before it.
        self.before: list[tuple[int, Mapping[str, T]]] = []

    @property
    @abstractmethod
    def all(self) -> Mapping[str, T]:
        """What is in force, by id."""

    @property
    @abstractmethod
    def declared(self) -> Mapping[str, T]:
        """The same without any change."""

    @abstractmethod
    def concerns(self, key: bytes) -> bool:
        """Whether a record with this key is about these."""

    @abstractmethod
    def key(self, change: C) -> bytes:
        """The key that a change has to have."""

    @abstractmethod
    def changed(self, all_before: Mapping[str, T], change: C) -> T:
        """What a change makes; ValueError says why it is refused."""

    @abstractmethod
    def is_same(self, before: T, after: T) -> bool:
        """Whether a change changes nothing but the version."""

    @abstractmethod
    def put(self, in_force: Mapping[str, T]) -> None:
        """Go by these from now on."""

    @abstractmethod
    def tell(self, changed: T, before: T | None) -> None:
        """Say what is in force now, and was not before."""

    def take(self, records: Sequence[ConsumerRecord], anew: bool) -> None:
        """Go by what follows from these records; `anew`: from these alone."""
        before = self.all
        in_force = dict(self.declared if anew else before)
        if anew:
            self.taken.clear()
            self.before.clear()
        for record in records:
            if not self.concerns(record.key or b""):
                continue
            try:
                change = self._change(record)
                made = self.changed(in_force, change)
            except Exception as error:  # whatever is in the record: the last good one holds
                _refuse(record, error)
            else:
                self.taken.append(change)
                self.before.append((record.timestamp, dict(in_force)))
                in_force[made.id] = made
        if in_force != before:
            self.put(in_force)
            for one in self.all.values():
                if one != before.get(one.id):
                    self.tell(one, before.get(one.id))

    def at(self, ms: int) -> Mapping[str, T]:
        """What was in force at a time (ms of Unix time)."""
        return next((one for until, one in self.before if ms < until), self.all)

    def _change(self, record: ConsumerRecord) -> C:
        change = self._decode(record)
        if record.key != self.key(change):
            right = self.key(change).decode(errors="backslashreplace")
            raise ValueError(f"its key is {record.key!r}, and not {right!r}")
        return change

    async def change(
        self,
        name: str,
        version: int | None,
        make: Callable[[T], C],
        look: Callable[[], Awaitable[None]],
        send: Callable[[C], Awaitable[object]],
    ) -> tuple[T, T]:
        """Change one; what it was, and what it is (the same if there is nothing to change).

        Only if `version` is in force; None: whatever is. `look` brings all up to date
        (`Follower.look`), and `send` returns when Kafka has confirmed the change. Raises
        `WrongVersion`, ValueError for what is not allowed, and whatever these two raise."""
        await look()
        before = self.all[name]
        if version not in (None, before.version):
            raise _wrong_version(before, f"not {version}")
        change = make(before)
        after = self.changed(self.all, change)
        if self.is_same(before, after):
            return before, before
        await send(change)
        await look()
        if change not in self.taken:
            raise _wrong_version(self.all[name], "somebody else was quicker")
        return before, after


def next_version(of: Versioned, version: int) -> None:
    """Raise ValueError if this is not the one that comes next."""
    if version != of.version + 1:
        raise ValueError(f"{of.id} has version {of.version}, and the next one is not {version}")


def _wrong_version(of: Versioned, why: str) -> WrongVersion:
    return WrongVersion(
        f"{of.id} has version {of.version}, {why}: nothing was changed; look at it, and "
        "try again"
    )


def _refuse(record: ConsumerRecord, error: Exception) -> None:
    if _few.room():
        line = "%s[%d]@%d is refused: %s; what was in force before still is"
        place = (record.topic, record.partition, record.offset)
        text = text_or_class(error)
        logger.error(line, *place, text, extra=about(record, error=type(error).__name__))
