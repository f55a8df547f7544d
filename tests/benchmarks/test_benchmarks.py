"""The benchmark itself, at a small size: what it counts, and that it believes nobody."""

import asyncio
import contextlib
import importlib
import json
import shutil
import sys
from dataclasses import replace

import psutil
import pytest

from tests.benchmarks import (
    __main__,
    api,
    console,
    growth,
    health,
    latency,
    listener,
    pairs,
    profiler,
    report,
    rule_changes,
    stages,
    tasks,
)
from tests.benchmarks.contenders import ORDERAPP, VARIANTS, WITH_WEB, Contender, before
from tests.benchmarks.http_load import AnswerError, most
from tests.benchmarks.orders import IDS, WARM_UP, Workload
from tests.benchmarks.processes import ROOT
from tests.benchmarks.stores import Sqlite
from tests.benchmarks.throughput import ContenderError, Limits, Result, measure, warm

#: How fast it is on a loaded machine is no matter here.
PATIENT = Limits(total=150, standstill=60)

# Pays all orders, apart from one for whose payment it "has no time", and commits all.
LOSER = """
import asyncio, json, os
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

async def main():
    broker = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    consumer = AIOKafkaConsumer(
        "orders", bootstrap_servers=broker, group_id="loser", auto_offset_reset="earliest",
        auto_commit_interval_ms=100,
    )
    await producer.start()
    await consumer.start()
    async for record in consumer:
        order = json.loads(record.value)
        paid = {"order_id": order["order_id"], "payment_id": "pay", "status": "PAID"}
        if order["order_id"] == LOST:
            paid["order_id"] = INSTEAD
        await producer.send("payments", key=record.key, value=json.dumps(paid).encode())
        if order["amount"] > 300 and order["country"] not in ("US", "CA"):
            alert = {"order_id": order["order_id"], "reason": "HIGH_AMOUNT_RISKY_COUNTRY"}
            value = json.dumps(alert).encode()
            await producer.send("fraud-alerts", key=record.key, value=value)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def work() -> Workload:
    return Workload(500)


def make_loser(tmp_path, lost: int, instead: int) -> Contender:
    (tmp_path / "loser.py").write_text(
        LOSER.replace("LOST", str(lost)).replace("INSTEAD", str(instead))
    )
    code = f"import runpy; runpy.run_path({str(tmp_path / 'loser.py')!r})"
    return Script("loser", (code,))


class Script(Contender):
    """Runs a text instead of a module."""

    def commands(self, store: str) -> list[list[str]]:
        return [[sys.executable, "-c", *self.command]]


def test_orders_are_the_same_every_time():
    assert Workload(50).messages == Workload(50).messages


def test_orders_have_the_ids_from_one_on_and_some_are_risky(work):
    assert frozenset(range(1, WARM_UP + 501)) == work.ids
    assert 0 < len(work.risky_ids) < len(work.ids)


@pytest.mark.parametrize("store", ["none", "sqlite"])
async def test_orderapp_does_the_work_and_has_figures(store):
    # So many that they take longer than a tick of the CPU's clock, 10 ms.
    work = Workload(10_000)
    result = await measure(ORDERAPP, store, work, PATIENT)

    assert result.problem is None
    assert result.seconds > 0
    assert result.cpu_seconds > 0
    assert result.peak_mb > 20
    assert result.threads["MainThread"] > 0
    assert result.stages["records in a batch"][0] >= 2 * work.count
    written = result.stages["documents in a transaction"][0]
    assert written >= 2 * work.count if store == "sqlite" else written == 0


async def test_a_payment_that_never_comes_is_no_result(tmp_path, work):
    loser = make_loser(tmp_path, WARM_UP + 7, WARM_UP + 8)

    # Longer than its process takes to begin.
    result = await measure(loser, "none", work, Limits(total=120, standstill=25))

    assert "1,099 of 1,100 payments" in result.problem


async def test_a_contender_that_sends_nothing_is_given_up(work):
    idle = Script("idle", ("import time; time.sleep(600)",))

    result = await measure(idle, "none", work, Limits(total=60, standstill=2))

    assert result.problem.startswith("0 of 600 payments")


async def test_a_contender_that_ends_is_failed_with_its_last_line(work):
    # Java's last lines are frames.
    code = "raise SystemExit('one thing\\nno such thing\\n\\tat a.b(C.java:1)')"
    broken = Script("broken", (code,))

    result = await measure(broken, "none", work, PATIENT)

    assert result.problem.startswith("it ended: no such thing (0 of ")


async def test_health_is_asked_while_all_orders_are_worked_off():
    found = await health.measure(20_000)

    assert [one["path"] for one in found] == list(health.PATHS)
    assert all(one["asked"] > 0 and one["p50"] <= one["p99"] <= one["max"] for one in found)


async def test_reads_of_the_api_have_figures():
    found = await api.reads(2_000, 0.5)

    assert [one.path for one in found] == [
        "/api/analytics", "/api/orders/{order_id}", "/api/orders", "/api/stats",
    ]  # fmt: skip
    assert all(one.per_second > 0 and 0 < one.p50 <= one.p99 <= one.max for one in found)


def test_what_the_others_write_fits_into_the_tables(monkeypatch, tmp_path):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    store = Sqlite(tmp_path / "data", False, None)
    monkeypatch.setenv("BENCH_DATABASE", store.environment["BENCH_DATABASE"])
    others = importlib.reload(importlib.import_module("tests.benchmarks.contenders.common"))
    order = {"order_id": 1, "customer_id": 7, "amount": 350.0, "country": "DE"}
    values = {
        "orders": {**order, "created_at": others.now()},
        "alerts": others.alert_for(order, others.now()),
        "payments": others.payment_for(order, others.now()),
    }

    database = others.Database()
    for table, value in values.items():
        database.save(table, others.row(table, value, 0, 5))
    database.save_all({t: [others.row(t, value, 0, 5)] for t, value in values.items()})

    assert store.count() == len(values)


async def test_an_order_is_measured_beside_those_that_were_stored_before(monkeypatch):
    monkeypatch.setattr(growth, "IDS", ("random",))
    figures = await growth.series([1_000, 500], 300, 1)

    expected = [(500, "random", 300), (1_000, "random", 300)]
    assert [(each["stored"], each["ids"], each["orders"]) for each in figures] == expected
    assert all(each["cpu_us_per_order"] > 0 < each["peak_mb"] for each in figures)
    assert all(100 < each["bytes_per_order"] < 2_000 for each in figures)


async def test_streams_of_events_have_figures(monkeypatch, capsys):
    monkeypatch.setattr(api, "STREAMS", 5)

    found = await api.streams(1, 2.0)

    assert [(one["streams"], one["until"]) for one in found] == [
        (0, "stored"), (0, "paid"), (5, "stored"), (5, "paid"),
    ]  # fmt: skip
    assert "5 streams, each with" in capsys.readouterr().out


SENT = {"orders": 100, "fraud-alerts": 20, "payments": 100}


@pytest.mark.parametrize(
    ("changed", "skipped", "gaps", "untold"),
    [
        ({}, 0, 0, 0),
        ({"orders": 99}, 0, 0, 1),
        ({"orders": 95, "payments": 98}, 7, 0, 0),
        ({"orders": 95, "payments": 98}, 6, 0, 1),
        ({"orders": 90, "payments": 110}, 0, 0, 10),
        ({"orders": 1}, 0, 1, 0),
    ],
)
def test_a_stream_gets_all_or_is_told(changed, skipped, gaps, untold):
    assert api.untold(SENT | changed, skipped, gaps, SENT) == untold


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = (
    b"retry: 2000\nid: e-0\n\n",
    b'id: e-1\nevent: batch\ndata: {"orders":[{"partition":1},{"partition":2}],"alerts":[{'
    b'"detected_at":""}],"payments":[{"paid_at":""}],"dead_letters":[],"skipped":12}\n\n',
    b": alive\n\n",
    b'id: e-2\nevent: gap\ndata: {"reason":"late"}\n\n',
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
async def test_a_stream_is_read_chunk_by_chunk_however_it_arrives(size):
    stream = listener.Stream()
    # An event may be in several chunks, and a chunk may have several events.
    chunks = (EVENTS[0], EVENTS[1][:40], EVENTS[1][40:] + EVENTS[2], EVENTS[3])
    received = HEAD + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    for start in range(0, len(received), size):
        stream.data_received(received[start : start + size])

    assert stream.open.result() is None
    assert stream.items == {"orders": 2, "fraud-alerts": 1, "payments": 1}
    assert (stream.skipped, stream.gaps) == (12, 1)


async def test_an_answer_that_is_no_stream_of_chunks_is_an_error():
    for head in (b"HTTP/1.1 503 No\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nid: e-0\n\n"):
        stream = listener.Stream()
        stream.data_received(head)
        with pytest.raises(ConnectionError, match="no stream"):
            await stream.open


async def test_an_answer_that_is_none_is_no_figure():
    async with warm(ORDERAPP, "sqlite", Workload(0).messages, Limits(), WITH_WEB) as setting:
        with pytest.raises(AnswerError, match=r"/api/orders/9999999: .*404"):
            await most(setting.port, lambda: "/api/orders/9999999", 0.5)


async def test_nothing_is_left_running(work):
    def children():
        return {process.pid for process in psutil.Process().children(recursive=True)}

    def worker_runs():
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "worker" in process.cmdline():
                    return True
        return False

    before = children()
    running = asyncio.create_task(measure(ORDERAPP, "sqlite", work))
    async with asyncio.timeout(90):
        while not worker_runs():  # noqa: ASYNC110 - processes tell nobody
            await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert children() <= before


def test_a_failed_contender_shows_a_reason_and_no_figures():
    good = Result("orderapp", "none", 1000, seconds=0.1, cpu_seconds=0.01, peak_bytes=10**8)
    bad = replace(good, contender="other", problem="9 of 10 payments")

    table = report.throughput_table([good, bad])

    assert "10,000" in table
    assert "10.0" in table
    assert "| other     |   failed |" in table
    assert "other failed: 9 of 10 payments" in table
    assert {"contender", "store", "orders", "problem"} == set(report.as_json([good, bad])[1])


def test_ratios_are_those_of_cpu_to_orderapp():
    ours = Result("orderapp", "none", 1000, seconds=1, cpu_seconds=0.01)
    other = Result("other", "none", 1000, seconds=1, cpu_seconds=0.05)

    assert [one["cpu_to_orderapp"] for one in report.as_json([ours, other])] == [1.0, 5.0]


def test_the_ratio_of_pairs_leaves_out_what_slows_both():
    def run(who, cpu, seconds, problem=None):
        return Result(
            who, "none", 1000, problem=problem, seconds=seconds, cpu_seconds=cpu, peak_bytes=1
        )

    quiet, busy, failed = (
        [run("a", 0.10, 1), run("b", 0.11, 2)],
        [run("a", 0.20, 2), run("b", 0.21, 8)],
        [run("a", 0.20, 2), run("b", 9.99, 9, "lost")],
    )
    found = pairs.ratios([*quiet, *busy, *failed])[:2]

    assert [(one.figure, one.ratios) for one in found] == [
        ("CPU per order", pytest.approx((1.1, 1.05))),
        ("orders/s", pytest.approx((0.5, 0.25))),
    ]
    assert str(found[0]) == "CPU per order: 1.075 (1.050 to 1.100; 1.100 1.050)"
    assert pairs.lines([*quiet, *busy])[0].startswith("b / a, median of 2 pairs")
    assert pairs.lines(failed)[0].startswith("no figure")


@pytest.mark.parametrize("kind", IDS)
def test_orders_with_every_kind_of_id_are_the_same_but_for_it(kind):
    def but_for_ids(work):
        return [json.loads(m.value) | {"order_id": 0} for m in work.messages]

    work = Workload(1000, kind)
    own = work.ids - {message.order_id for message in work.warm_up}

    assert len(own) == 1000
    assert but_for_ids(work) == but_for_ids(Workload(1000))
    assert (kind == "rising") == (own == set(range(WARM_UP + 1, WARM_UP + 1001)))


async def test_two_kinds_of_ids_make_a_pair(monkeypatch):
    seen = []

    async def series(runs, store, options):
        seen.extend((who.name, work.kind) for who, work in runs)
        return []

    monkeypatch.setattr(__main__, "_series", series)
    kinds = ["--ids", "rising", "--ids", "made", "--orders", "10", "--store", "none"]
    options = __main__._arguments(
        ["throughput", "--pair", "orderapp", "loop", "--pairs", "2", *kinds]
    )
    await __main__.throughput(options)

    assert [kind for _, kind in seen] == ["rising", "made"] * 2
    assert seen[0] != seen[1]


def test_threads_and_stages_are_those_of_the_measured_orders():
    used, sums = "orderapp_thread_cpu_seconds_total", "orderapp_store_documents"
    before = {f"{used} main": 1.0, f"{sums}_sum": 600.0, f"{sums}_count": 10.0}
    after = {f"{used} main": 1.5, f"{used} new": 0.25, f"{sums}_sum": 1600.0}
    threads, found = stages.told(before, after | {f"{sums}_count": 12.0})
    result = Result("orderapp", "sqlite", 1000, seconds=1, threads=threads, stages=found)

    assert threads == {"main": 0.5, "new": 0.25}
    assert found["documents in a transaction"] == (1000.0, 2.0)
    assert stages.lines(result) == [
        "    CPU µs per order: main 500.0, new 250.0",
        "    means: documents in a transaction 500.0",
    ]
    assert stages.lines(replace(result, problem="lost")) == []


async def test_orderapp_does_the_same_work_without_its_metrics(work):
    result = await measure(VARIANTS["without-metrics"], "none", work, PATIENT)

    assert result.problem is None


async def test_the_package_of_another_checkout_is_measured(work, tmp_path):
    shutil.copytree(ROOT / "orderapp", tmp_path / "orderapp")
    app = tmp_path / "orderapp" / "app.py"
    app.write_text(app.read_text() + "\nraise SystemExit('this one')\n")

    with pytest.raises(SystemExit, match="there is no orderapp/ in it"):
        before(tmp_path / "orderapp")
    result = await measure(before(tmp_path), "sqlite", work, PATIENT)

    assert "this one" in result.problem


def test_latency_leaves_out_the_warm_up_and_keeps_each_order():
    lines = [
        json.dumps(["stored", 2.0, [1000, 1500]]),
        json.dumps(["stored", 3.0, [2000, 2990]]),
        json.dumps(["paid", 3.0, [2900]]),
    ]

    assert latency.read_notes(lines, 2000) == {"stored": [10, 1000], "paid": [100]}


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 51), (99, 100), (100, 100)])
def test_percentiles(percent, expected):
    assert expected == latency.percentile(range(1, 101), percent)


def test_a_profile_adds_up_by_function():
    stacks = "thread A;run (x/y/a.py:1);work (x/y/b.py:7) 3\nthread A;run (x/y/a.py:9) 1\n"

    lines = profiler.table(stacks)

    assert lines[0].startswith("4 samples")
    assert lines[2:] == [
        " 75.0%   75.0%  work (y/b.py)",
        " 25.0%  100.0%  run (y/a.py)",
    ]


def test_a_change_of_a_rule_has_reached_all_when_the_last_order_was_judged_by_the_one_before():
    alerts = [
        {"rule_version": version, "detected_at": f"1970-01-01T00:00:{second}Z"}
        for version, second in ((1, 10), (1, 12), (2, 11), (3, 30))
    ]

    assert rule_changes._last_judged(alerts, [11.5, 25]) == [0.5, 0.0]
    with pytest.raises(ContenderError, match="versions that were never in force: \\[3\\]"):
        rule_changes._last_judged(alerts, [11.5])


def test_tasks_are_those_of_the_page_that_works_most_with_their_processor_time():
    def named(tid, name):
        return {"name": "thread_name", "pid": 1, "tid": tid, "args": {"name": name}}

    def task(tid, wall, cpu):
        name = "ThreadControllerImpl::RunTask"
        return {"name": name, "pid": 1, "tid": tid, "dur": wall, "tdur": cpu}

    events = [
        named(1, "CrRendererMain"), named(2, "CrRendererMain"), named(3, "Compositor"),
        task(1, 90_000, 30_000), task(1, 5_000, 5_000), task(2, 99_000, 2_000),
        task(3, 80_000, 80_000), {"name": "Paint", "pid": 1, "tid": 1, "tdur": 9},
    ]  # fmt: skip

    assert tasks.tasks_of(events) == [(90.0, 30.0), (5.0, 5.0)]
    assert tasks.tasks_of([]) == []


async def test_what_the_measurement_does_to_the_page_does_not_count():
    class Page:
        times = iter([100.0, 160.0])

        async def evaluate(self, _):
            return next(self.times)

    ours = console.Ours(Page())
    async with ours.busy():
        """The page collects its garbage."""
    tasks = [(30.0, 60.0), (80.0, 55.0), (110.0, 51.0), (155.0, 70.0), (160.0, 52.0)]
    assert ours.without(tasks) == [(30.0, 60.0), (160.0, 52.0)]


def test_the_time_in_which_the_machine_stood_still_is_no_tasks():
    tasks = [(100.0, 60.0), (200.0, 120.0), (400.0, 70.0)]
    stood = [(50.0, 110.0), (210.0, 260.0), (300.0, 330.0)]
    assert console.running(tasks, stood) == [50.0, 50.0, 70.0]


def test_the_slope_is_that_of_the_line_which_fits_best():
    assert console.slope([(0, 1), (10, 2), (20, 3)]) == pytest.approx(0.1)
    assert console.slope([(0, 1)]) == 0
