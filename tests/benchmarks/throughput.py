"""How fast orders that wait are processed, and what that costs.

How a contender is measured: it starts on an empty topic and processes `WARM_UP` orders. Then
its processes are frozen (SIGSTOP), the orders are written, what it has used so far is noted,
and it is let go: the clock and the CPU time begin there and end when every payment, alert and
row is there. So imports, connections and assignments are in no figure, the CPU time belongs to
exactly the orders that are counted, and writing the orders takes nothing from anybody. The
memory is the peak of the whole run. After that the contender is ended with SIGTERM and the
work is checked; without the work there is no figure.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks import checks
from tests.benchmarks.contenders import Contender
from tests.benchmarks.kafka import Kafka, running_kafka
from tests.benchmarks.orders import Message, Workload
from tests.benchmarks.processes import Processes
from tests.benchmarks.profiler import Profiler
from tests.benchmarks.stages import told, worker_metrics
from tests.benchmarks.stores import Filled, Store, open_store
from tests.jars import MissingJarError, fetched

#: Seconds between two looks at the topics and the processes.
LOOK = 0.05
#: Seconds that a contender has to end after SIGTERM.
END_SECONDS = 30


@dataclass(frozen=True)
class Limits:
    """Seconds after which a contender has failed."""

    #: For the start, and for all orders.
    total: float = 900
    #: Without any new payment, alert or row.
    standstill: float = 45


@dataclass
class Result:
    """What was measured of one contender with one store."""

    contender: str
    store: str
    orders: int
    #: Which ids the orders have; see `orders.IDS`.
    ids: str = "rising"
    #: Why it has failed; the figures then mean nothing.
    problem: str | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    #: CPU seconds of each thread, and sums and counts of each stage, where the contender's own
    #: metrics tell them; see `stages`.
    threads: dict[str, float] = field(default_factory=dict)
    stages: dict[str, tuple[float, float]] = field(default_factory=dict)
    #: The top functions, after a run with a profiler.
    profile: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The contender, with the ids that are not the usual ones."""
        return self.contender if self.ids == "rising" else f"{self.contender}, {self.ids} ids"

    @property
    def orders_per_second(self) -> float:
        return self.orders / self.seconds if self.seconds else 0.0

    @property
    def cpu_us_per_order(self) -> float:
        return self.cpu_seconds / self.orders * 1e6

    @property
    def peak_mb(self) -> float:
        return self.peak_bytes / 1e6


class ContenderError(Exception):
    """The contender has not done the work."""


@dataclass
class Setting:
    """A contender that runs, warm, with its broker and store."""

    kafka: Kafka
    store: Store
    processes: Processes
    limits: Limits
    sends_on: bool = False

    @property
    def port(self) -> int:
        """Where a worker's web views are; its command names the port."""
        command = self.processes.commands[0]
        return int(command[command.index("-p") + 1])

    async def pile_up(self, messages: Sequence[Message]) -> None:
        """Freeze the processes and write orders for them; `processes.resume` lets them go."""
        packed = self.kafka.pack(messages)
        self.processes.freeze()
        await self.kafka.send(packed)

    async def complete(self, payments: int, alerts: int) -> None:
        """Return when there are so many payments, alerts and (with orders) documents."""
        documents = 0 if self.store.kind == "none" else 2 * payments + alerts
        started = moved = time.monotonic()
        last: tuple[int, int, int] | None = None
        while True:
            seen = await self._look(payments, alerts)
            is_done = seen[0] >= payments and seen[1] >= alerts and seen[2] >= documents
            # Every order is paid once, and sent on once.
            if is_done and self.sends_on:
                is_done = await self.kafka.judged_by_customer() >= payments
            if is_done:
                return
            now = time.monotonic()
            if seen != last:
                last, moved = seen, now
            state = (
                f"{seen[0]:,} of {payments:,} payments, {seen[1]:,} of {alerts:,} alerts"
                + (f", {seen[2]:,} of {documents:,} documents" if documents else "")
            )
            if self.processes.ended():
                raise ContenderError(f"it ended: {self.processes.last_words()} ({state})")
            if now - moved > self.limits.standstill or now - started > self.limits.total:
                raise ContenderError(f"{state} after {now - started:.0f} s")
            await asyncio.sleep(LOOK)

    async def _look(self, payments: int, alerts: int) -> tuple[int, int, int]:
        self.processes.cpu()
        counts = await self.kafka.counts()
        sent = counts["payments"], counts["fraud-alerts"]
        # Counting rows costs more than asking for offsets; most of the time nobody needs it.
        if sent[0] < payments or sent[1] < alerts:
            return *sent, 0
        return *sent, await asyncio.to_thread(self.store.count)

    async def joined(self, members: int) -> None:
        """Return when so many consumers share the partitions."""
        deadline = time.monotonic() + self.limits.standstill
        while await self.kafka.members() < members:
            if self.processes.ended():
                raise ContenderError(f"it ended: {self.processes.last_words()}")
            if time.monotonic() > deadline:
                raise ContenderError(f"there are not {members} consumers in one group")
            await asyncio.sleep(LOOK)


async def measure(
    who: Contender,
    store: str,
    work: Workload,
    limits: Limits = Limits(),
    profiler: Profiler | None = None,
    filled: Filled | None = None,
) -> Result:
    """Run one contender on `work`; a failure is part of the result."""
    result = Result(who.name, store, work.count, work.kind)
    try:
        await asyncio.to_thread(fetched, who.jars)
        async with warm(who, store, work.warm_up, limits, filled=filled) as setting:
            await _run(setting, work, result, who, profiler)
            result.problem = await _check(setting, work, who)
    except (ContenderError, MissingJarError) as error:
        result.problem = str(error)
    return result


async def _check(setting: Setting, work: Workload, who: Contender) -> str | None:
    if problem := await asyncio.to_thread(setting.processes.terminate, END_SECONDS):
        return problem
    found = await checks.problems(setting.kafka, setting.store, work, who)
    return "; ".join(found) or None


async def _run(
    setting: Setting, work: Workload, result: Result, who: Contender, profiler: Profiler | None
) -> None:
    processes = setting.processes
    before = await worker_metrics(setting.port) if who.tells_metrics else None
    await setting.pile_up(work.measured)
    if profiler:
        profiler.start(processes.pids[0])
    used = processes.cpu()
    started = time.monotonic()
    processes.resume()
    await setting.complete(len(work.ids), len(work.risky_ids))
    result.seconds = time.monotonic() - started
    result.cpu_seconds = processes.cpu() - used
    result.peak_bytes = processes.peak
    if before:
        result.threads, result.stages = told(before, await worker_metrics(setting.port))
    if profiler:
        result.profile = profiler.stop()


@asynccontextmanager
async def warm(
    who: Contender,
    store_kind: str,
    orders: Sequence[Message],
    limits: Limits,
    environment: dict[str, str] | None = None,
    filled: Filled | None = None,
) -> AsyncIterator[Setting]:
    """A contender that has processed `orders`, with a broker and a store of its own."""
    with temporary_directory() as directory:
        data_dir = directory / "data"
        async with running_kafka(directory / "broker") as kafka:
            with (
                open_store(store_kind, data_dir, who.tree, filled) as store,
                Processes(
                    who.commands(store_kind),
                    {
                        **who.environment(store_kind, kafka.address, str(data_dir)),
                        **store.environment,
                        **(environment or {}),
                    },
                    directory / "logs",
                ) as processes,
            ):
                setting = Setting(kafka, store, processes, limits, who.sends_on)
                if who.copies > 1:
                    await setting.joined(who.copies)
                await kafka.send(kafka.pack(orders))
                risky = sum(order.is_risky for order in orders)
                await setting.complete(len(orders), risky)
                yield setting


class temporary_directory:  # noqa: N801 - used like a function
    """A directory that goes away even when an ended broker has just written into it."""

    def __enter__(self) -> Path:
        self._path = Path(tempfile.mkdtemp(prefix="orderapp-bench-"))
        return self._path

    def __exit__(self, *exc_info: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
