"""Reads the topics and the store, and applies the rule to every order."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable

from aiokafka import ConsumerRecord

from orderapp.engine.dead_letters.headers import DamagedError
from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.losses import Loss, lost_records, read_losses
from orderapp.engine.kafka.reading import Offsets, TopicReader
from orderapp.letters.opened import RESOLVED
from orderapp.letters.opened import TOPIC as DEAD_LETTERS
from orderapp.models import DAY_MS
from orderapp.reconcile import facts
from orderapp.reconcile.case import Bounds, Fact
from orderapp.reconcile.dead_letters import (
    NoOrder,
    Origin,
    dead_letter,
    no_order,
    origin_of,
    resolution,
)
from orderapp.reconcile.evidence import Evidence
from orderapp.reconcile.progress import Progress
from orderapp.reconcile.report import Report
from orderapp.reconcile.rule import judge
from orderapp.reconcile.windows import TOPIC as BY_CUSTOMER
from orderapp.reconcile.windows import ByWindows
from orderapp.store import (
    AlertDocument,
    Document,
    OrderDocument,
    OrderStore,
    PaymentDocument,
    StoreUnavailable,
)

#: What documents are called, and the topics of the records that they are made from.
KINDS: dict[str, tuple[type[Document], str]] = {
    "order": (OrderDocument, "orders"),
    "alert": (AlertDocument, "fraud-alerts"),
    "payment": (PaymentDocument, "payments"),
}
#: Documents in one answer of the store.
PAGE = 5_000
#: How often a page is asked for.
TRIES = 3
#: Seconds between two looks at what may be on its way.
PAUSE = 1.0
#: Seconds that a check may take, and by which clocks may differ.
MARGIN = 6 * 3600.0


class Check:
    """One check of all orders that are in the topic at its start.

    Orders and what comes of them keep arriving while it reads. So it takes the ends in this
    order: of alerts and payments, of orders, and of alerts and payments once more. What is
    between two ends of the same topic is never held against anybody."""

    def __init__(
        self,
        reader: TopicReader,
        store: OrderStore,
        evidence: Evidence,
        progress: Progress,
        lost_by_groups: Callable[[], Awaitable[list[Loss]]],
        days_kept: int | None = None,
    ) -> None:
        #: Documents of orders from before this (ms) may have expired, before the check is done.
        self._expired = None
        if days_kept is not None:
            self._expired = round((time.time() + MARGIN) * 1000) - days_kept * DAY_MS
        self._reader = reader
        self._store = store
        self._evidence = evidence
        self._progress = progress
        self._lost_by_groups = lost_by_groups
        #: What workers have noted, by the notes' keys.
        self._noted: dict[bytes, Loss] = {}
        self._records: defaultdict[str, int] = defaultdict(int)
        self._begins: dict[str, Offsets] = {}
        self._ends: dict[str, Offsets] = {}
        self._sure: dict[str, Offsets] = {}
        #: The timestamps (ms) of the first record of each partition.
        self._oldest: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._damaged = 0
        self._windows = ByWindows(facts.in_force())
        # The partitions of orders by customer whose first records are deleted.
        self._cut: set[int] = set()

    async def run(self, limit: int, wait: float) -> Report:
        """Check until nothing can change any more, or `wait` seconds are over.

        Raises `FatalError` and `TransientError` for Kafka, `StoreError` for the store."""
        await self._begin()
        report = await self._look(limit)
        deadline = time.monotonic() + wait
        while report.may_pass and time.monotonic() < deadline:
            await asyncio.sleep(min(PAUSE, max(0.0, deadline - time.monotonic())))
            report = await self._look(limit)
        return report

    async def _begin(self) -> None:
        for topic in ("fraud-alerts", "payments", "orders"):  # orders last
            self._sure[topic] = await self._reader.ends(topic)
            self._begins[topic] = await self._reader.begins(topic)
        await self._reader.ends(DEAD_LETTERS)  # raises when it is missing
        self._restart_progress()
        await self._read("orders", self._sure["orders"])
        if self._windows and self._reader.has(BY_CUSTOMER):
            await self._read_windows()

    async def _read_windows(self) -> None:
        # After the ends of the alerts: those that lie before them follow from these records.
        ends = await self._reader.ends(BY_CUSTOMER)
        begins = await self._reader.begins(BY_CUSTOMER)
        self._cut = {partition for partition, begin in begins.items() if begin > 0}
        for partition in self._cut:
            if begins[partition] == ends[partition]:
                self._windows.begins_late(time.time() * 1000)
        await self._read(BY_CUSTOMER, ends)

    def _restart_progress(self) -> None:
        size = dict.fromkeys(self._sure, 0)
        for topic, ends in self._sure.items():
            size[topic] = sum(ends.values()) - sum(self._begins[topic].values())
        # As many documents as records, and each order is judged.
        self._progress.restart(2 * sum(size.values()) + size["orders"])

    async def _look(self, limit: int) -> Report:
        for topic in ("fraud-alerts", "payments", DEAD_LETTERS, RESOLVED):
            # Nothing was ever resolved where the topic is missing.
            if topic != RESOLVED or self._reader.has(topic):
                await self._read(topic, await self._reader.ends(topic))
        documents = await self._scan_store()
        bounds = {topic: await self._bounds(topic) for topic in facts.TOPICS}
        if not any(documents.values()) and not any(self._records[t] for t in facts.TOPICS):
            raise FatalError("the topic 'orders' and the store are empty: nothing to check")
        report = Report(limit, dict(self._records), documents, self._damaged)
        report.held_back = sum([await self._reader.held_back(topic) for topic in self._records])
        unnoted = await self._lost_by_groups()
        report.lost = lost_records([*self._noted.values(), *unnoted])
        # A worker may just be about to note or to commit it.
        report.may_pass = bool(unnoted)
        await self._judge(report, bounds)
        return report

    async def _bounds(self, topic: str) -> Bounds:
        # The beginnings as they are now: retention may have moved them during the check.
        return Bounds(
            begins=await self._reader.begins(topic),
            ends=self._ends[topic],
            sure=self._sure[topic],
            latest=await self._reader.ends(topic),
        )

    # -- topics -------------------------------------------------------------------------

    async def _read(self, topic: str, ends: Offsets) -> None:
        """Read on from where the last look ended."""
        self._records[topic] += 0
        reading = self._reader.read(topic, ends, self._ends.get(topic))
        async for partition, records in reading:
            self._records[topic] += len(records)
            oldest = self._oldest[topic]
            oldest[partition] = facts.oldest_of(records, oldest.get(partition))
            self._keep(topic, records)
            self._step(len(records), f"reading {topic}")
        self._ends[topic] = ends

    def _keep(self, topic: str, records: list[ConsumerRecord]) -> None:
        if topic == DEAD_LETTERS:
            self._keep_dead_letters(records)
        elif topic == RESOLVED:
            self._evidence.add("resolved", filter(None, map(resolution, records)))
            read_losses(records, self._noted)
        elif topic == BY_CUSTOMER:
            if (partition := records[0].partition) in self._cut:
                self._cut.remove(partition)
                self._windows.begins_late(records[0].timestamp)
            self._evidence.add("facts", self._windows.facts_of(records))
        else:
            windows_from = self._windows.known_from
            found, bad = facts.facts_of(records, self._expired, windows_from)
            self._evidence.add("facts", found)
            self._evidence.add("undecodable", map(origin_of, bad))

    def _keep_dead_letters(self, records: list[ConsumerRecord]) -> None:
        origins: list[Origin] = []
        orders: list[Fact] = []
        others: list[NoOrder] = []
        for record in records:
            found: list[Fact] = []
            try:
                origin, found = dead_letter(record)
                origins.append(origin)
            except DamagedError:
                self._damaged += 1
            orders += found
            if not found:
                others.append(no_order(record))
        self._evidence.add("buried", origins)
        self._evidence.add("dead", orders)
        self._evidence.add("no_order", others)

    # -- store --------------------------------------------------------------------------

    async def _scan_store(self) -> dict[str, int]:
        self._evidence.forget_documents()
        return {name: await self._scan(*kind) for name, kind in KINDS.items()}

    async def _scan(self, kind: type[Document], topic: str) -> int:
        count, after, oldest = 0, None, self._oldest[topic]
        while documents := await self._page(kind, after):
            self._evidence.add("documents", facts.document_facts(documents, oldest))
            count, after = count + len(documents), documents[-1].order_id
            self._step(len(documents), "reading the store")
        return count

    async def _page(self, kind: type[Document], after: int | None) -> list[Document]:
        for again in reversed(range(TRIES)):
            try:
                return await self._store.scan(kind, after, PAGE)
            except StoreUnavailable:
                if not again:
                    raise
                await asyncio.sleep(PAUSE)
        raise AssertionError("the last try returns or raises")

    def _step(self, count: int, what: str) -> None:
        self._progress.add(count, what)
        # Python 3.11's `wait_for` may return a result and forget that it was cancelled.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError

    # -- judgement ----------------------------------------------------------------------

    async def _judge(self, report: Report, bounds: dict[str, Bounds]) -> None:
        orders, alerts, payments = (bounds[topic] for topic in facts.TOPICS)
        for count, (order_id, case) in enumerate(self._evidence.cases()):
            report.add(judge(case, orders, alerts, payments), order_id)
            report.orders += bool(case.orders)
            if count % PAGE == 0:
                self._step(PAGE, "comparing")
                await asyncio.sleep(0)
        for partition, offset, done in self._evidence.no_order():
            report.add_no_order(done, f"{partition}:{offset}")
        for topic, partition, offset in self._evidence.lost():
            report.add(["undecodable_lost"], f"{topic}[{partition}]@{offset}")
