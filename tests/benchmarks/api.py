"""How fast the API reads beside 1,000,000 stored orders, and what open event streams cost.

Reads: one worker with all services and SQLite; `/api/analytics`, and `/api/orders/{id}` of
orders picked at random. Requests/s with 32 connections that ask again at once; the latency at
a fixed rate, from when a request was due. Streams: orders at a fixed rate until they are stored
and paid, with open streams and without, in turns; every stream has to get all orders, alerts
and payments.
"""

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from orderapp.models import format_time
from orderapp.store import AlertDocument, Document, OrderDocument, PaymentDocument
from orderapp.store.sqlite import SQLiteStore
from tests.benchmarks import latency
from tests.benchmarks.contenders import ORDERAPP, WITH_WEB
from tests.benchmarks.helper import helper
from tests.benchmarks.http_load import NextPath, most, paced
from tests.benchmarks.latency import TIMED, percentile
from tests.benchmarks.orders import BEGINNING, SEED, Workload
from tests.benchmarks.report import render
from tests.benchmarks.stores import FIRST
from tests.benchmarks.throughput import ContenderError, Limits, Setting, warm

BATCH = 5_000
#: Requests/s at which the latency is measured, and the seconds of each measurement.
RATE, READ_SECONDS = 200, 10.0
#: Streams, and orders/s beside them.
STREAMS, ORDER_RATE = 200, 200


@dataclass(frozen=True)
class Reads:
    """Requests/s, and milliseconds at `RATE` requests/s."""

    path: str
    per_second: float
    p50: float
    p99: float
    max: float


def _documents(start: int, count: int) -> Iterator[Document]:
    rng = random.Random(SEED + start)
    begin = BEGINNING.timestamp()
    for number in range(start, start + count):
        order_id, country = FIRST + number, rng.choice(("US", "CA", "DE", "IN", "GB"))
        amount = rng.randint(1000, 50_000) / 100
        at = format_time(BEGINNING.fromtimestamp(begin + number / 20, BEGINNING.tzinfo))
        stamp = int((begin + number / 20) * 1000)
        place = {"order_id": order_id, "kafka_partition": number % 6, "kafka_offset": number}
        same = {
            "amount": amount,
            "country": country,
            "created_at": at,
            "kafka_timestamp": stamp,
        }
        yield OrderDocument(**place, customer_id=rng.randint(1000, 9999), **same, stored_at=at)
        yield PaymentDocument(
            **place, payment_id=f"pay-{order_id}", status="PAID", paid_at=at, **same
        )
        if amount > 300 and country not in {"US", "CA"}:
            yield AlertDocument(
                **place, reason="HIGH_AMOUNT_RISKY_COUNTRY", customer_id=1234,
                detected_at=at, **same,
            )  # fmt: skip


async def fill(path: Path, orders: int, begin: int = 0) -> None:
    """Write so many orders, with payments and alerts, as analytics would; `begin` are there."""
    store = SQLiteStore(path)
    await store.open()
    try:
        for start in range(begin, begin + orders, BATCH):
            await store.upsert(list(_documents(start, min(BATCH, begin + orders - start))))
    finally:
        await store.close()


async def _reads(port: int, name: str, path: NextPath, seconds: float) -> Reads:
    await paced(port, path, RATE, min(seconds, 2.0))  # warm
    per_second = await most(port, path, seconds)
    times = await paced(port, path, RATE, seconds)
    p50, p99 = percentile(times, 50), percentile(times, 99)
    return Reads(name, per_second, p50, p99, times[-1])


async def reads(orders: int, seconds: float) -> list[Reads]:
    """One worker with so many stored orders."""
    rng = random.Random(SEED)

    def one() -> str:
        return f"/api/orders/{FIRST + rng.randrange(orders)}"

    async with warm(ORDERAPP, "sqlite", Workload(0).messages, Limits(), WITH_WEB) as setting:
        print(f"... {orders:,} orders are written", flush=True)
        started = time.monotonic()
        await fill(Path(setting.store.environment["BENCH_DATABASE"]), orders)
        print(f"    in {time.monotonic() - started:.0f} s", flush=True)
        port = setting.port
        return [
            await _reads(port, "/api/analytics", lambda: "/api/analytics", seconds),
            await _reads(port, "/api/orders/{order_id}", one, seconds),
            await _reads(port, "/api/orders", lambda: "/api/orders?country=DE", seconds),
            await _reads(port, "/api/stats", lambda: "/api/stats", seconds),
        ]


def untold(items: Mapping[str, int], skipped: int, gaps: int, sent: Mapping[str, int]) -> int:
    """How much of what was sent a stream has not got, without having been told so."""
    missed = sum(max(0, sent[kind] - count) for kind, count in items.items())
    return 0 if gaps else max(0, missed - skipped)


@asynccontextmanager
async def listening(setting: Setting) -> AsyncIterator[None]:
    """Open streams meanwhile; each has to get all that is sent, or to be told of a gap."""
    port, count = str(setting.port), str(STREAMS)
    async with helper("tests.benchmarks.listener", port, count, begun="open") as listener:
        before = await setting.kafka.counts()
        yield
        after = await setting.kafka.counts()
        await asyncio.sleep(2)  # for what is on its way
        got = await listener.end()
    sent = {kind: after[kind] - before[kind] for kind in after}
    missed = [untold(*one, sent) for one in got]
    if any(missed):
        text = f"{len(missed) - missed.count(0)} streams missed up to {max(missed)} items"
        raise ContenderError(f"{text} and were not told so")
    (items, *_), gaps = got[0], sum(gaps for *_, gaps in got)
    skipped = sum(skipped for _, skipped, _ in got)
    print(
        f"    {len(got)} streams, each with {items['orders']:,} orders; "
        f"{gaps} gaps, {skipped} items skipped",
        flush=True,
    )


async def streams(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Latencies of storing and paying, with streams and without, in turns."""
    found = []
    for number in range(2 * rounds):
        beside = listening if number % 2 else None
        print(f"... {STREAMS if beside else 0} streams", flush=True)
        timed = replace(TIMED, has_web=True)
        measured = await latency.measure(
            ORDER_RATE,
            min(seconds, 5.0),
            seconds,
            who=timed,
            settings=WITH_WEB,
            beside=beside,
        )
        found += [{"streams": STREAMS if beside else 0, **asdict(one)} for one in measured]
    return found


def _streams_table(found: list[dict[str, Any]]) -> str:
    rows = []
    for until in ("stored", "paid"):
        for count in (0, STREAMS):
            ones = [f for f in found if f["until"] == until and f["streams"] == count]
            p50, p99 = (statistics.median(one[p] for one in ones) for p in ("p50", "p99"))
            rows.append((f"{count}", until, f"{p50:.0f}", f"{p99:.0f}"))
    return render(("streams", "until", "p50 ms", "p99 ms"), rows)


async def series(orders: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Everything; prints two tables. No `rounds`: the reads alone."""
    read = await reads(orders, READ_SECONDS) if orders else []
    rows = [
        (one.path, f"{one.per_second:,.0f}", *(f"{t:.1f}" for t in (one.p50, one.p99, one.max)))
        for one in read
    ]
    if rows:
        print(render(("GET", "requests/s", "p50 ms", "p99 ms", "max ms"), rows))
        print(f"\n{orders:,} orders in SQLite. Latencies at {RATE} requests/s.\n")
    if not rounds:
        return [asdict(one) for one in read]
    found = await streams(rounds, seconds)
    print(_streams_table(found))
    print(f"\n{ORDER_RATE} orders/s; the median of {rounds} runs of each.")
    return [*(asdict(one) for one in read), *found]
