"""Dead letters with real workers: what failed for good is replayed, once and for all."""

import asyncio
import json
import subprocess

from aiokafka.admin import AIOKafkaAdminClient

from orderapp.engine.dead_letters.headers import headers_for
from orderapp.engine.delivery.failure import Failure
from orderapp.topics import PARTITIONS
from tests.e2e import records
from tests.e2e.worker import FAUST, environment, eventually, faust
from tests.records import record

#: A gateway that never answers, and is given up soon.
BROKEN = {
    "ORDERAPP_FAULT_GATEWAY_TIMEOUT": "1",
    "ORDERAPP_MAX_ATTEMPTS": "2",
    "ORDERAPP_PAYMENT_DELAY": "0.01",
}
#: As large as a record may be; as a dead letter its headers come on top.
LARGE = b"x" * 1_000_000
FAST = {"ORDERAPP_PAYMENT_DELAY": "0"}


def dlq(worker, *arguments, status=0, **settings):
    """The lines that `faust -A orderapp dlq …` prints."""
    result = faust(worker.data_dir, "dlq", *arguments, **settings)
    assert result.returncode == status, (result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    return (result.stdout if status == 0 else result.stderr).splitlines()


def listed(worker, *arguments):
    return [json.loads(line) for line in dlq(worker, "list", "--json", *arguments)]


def written(worker, count):
    """Return when so many dead letters were written, also those that are resolved."""
    eventually(
        lambda: sum(records.ends(worker.kafka, "orders-dlq").values()) >= count,
        f"{count} dead letters",
    )


def outcome(worker, *arguments):
    return json.loads(dlq(worker, *arguments, "--json")[-1])


def of(worker, topic, order_id):
    return [r for r in records.read(worker.kafka, topic) if r.key == str(order_id).encode()]


def restarted(start, worker, **settings):
    """Another worker in the place of `worker`."""
    worker.terminate()
    return start(**settings).wait_ready()


def test_an_order_that_could_not_be_paid_is_paid_by_a_replay(start):
    worker = start(**BROKEN).wait_ready()
    records.send(worker.kafka, [records.order(7, 400.0, "DE")])
    written(worker, 1)
    (first,) = listed(worker)
    assert (first["order_id"], first["open_for"], first["attempts"]) == (7, ["payment"], 2)
    assert (first["error_class"], first["original_topic"]) == ("GatewayTimeoutError", "orders")

    # It fails again: a new dead letter that remembers the old one.
    assert outcome(worker, "replay", "--service", "payment")["done"] == 1
    written(worker, 2)
    (again,) = [x for x in listed(worker) if x["place"] != first["place"]]
    assert again["attempts"] == 4
    for same in ("original_offset", "original_partition", "first_failure"):
        assert first[same] == again[same]
    assert [x["place"] for x in listed(worker, "--all")] == [first["place"], again["place"]]

    worker = restarted(start, worker, **FAST)
    assert outcome(worker, "replay", again["place"], "--dry-run")["done"] == 1
    assert outcome(worker, "replay", again["place"])["done"] == 1
    story = eventually(lambda: worker.paid_order(7), "the order is paid")
    assert story["payment"]["status"] == "PAID"
    assert outcome(worker, "replay", "--everything")["done"] == 0
    named = outcome(worker, "replay", again["place"])
    assert (named["done"], named["already_done"]) == (0, 1)

    # Two replays, and yet: fraud has seen the order once.
    assert len(of(worker, "orders", 7)) == 3
    eventually(lambda: of(worker, "fraud-alerts", 7), "it was judged")
    assert len(of(worker, "fraud-alerts", 7)) == 1
    assert len(of(worker, "payments", 7)) == 1
    worker.terminate()


def test_what_no_service_can_read_is_open_for_all_of_them(start):
    worker = start(**FAST).wait_ready()
    unreadable = [(b"8", b"no order"), (b"\xff", b"\xff\x00"), (None, None), (b"9", LARGE)]
    records.send(worker.kafka, unreadable)

    written(worker, 4)

    letters = listed(worker)
    assert len(letters) == 4
    assert {"analytics", "fraud", "payment"} == set(letters[0]["open_for"])
    place = next(x["place"] for x in letters if x["order_id"] == 8)
    assert outcome(worker, "replay", place, "--service", "fraud")["done"] == 1
    written(worker, 5)
    new = [x for x in listed(worker, "--order", "8") if x["place"] != place]
    assert [x["services"] for x in new] == [["fraud"]]
    left = next(x for x in listed(worker) if x["place"] == place)
    assert left["open_for"] == ["analytics", "payment"]
    assert left["resolved"]["services"] == ["fraud"]
    assert outcome(worker, "replay", "--everything")["done"] == 5
    written(worker, 10)
    assert len(listed(worker)) == 5, "all are dead letters again"
    assert {(r.key, r.value) for r in records.read(worker.kafka, "orders-dlq")} == {*unreadable}
    assert outcome(worker, "drop", "--everything")["done"] == 5
    assert listed(worker) == []
    shown = "\n".join(dlq(worker, "show", place))
    assert "service: analytics,fraud,payment" in shown
    assert "no order" in shown


def put_letters(server, count):
    """Dead letters of payment, as a worker would have written them."""
    failure = Failure("payment", TimeoutError("no answer"), 2)
    for partition in range(PARTITIONS):
        orders = range(partition, count, PARTITIONS)
        part = [records.order(n, 400.0, "DE") for n in orders]
        headers = headers_for(record(topic="orders", partition=partition), failure)
        records.send(server, part, "orders-dlq", headers)


def test_a_replay_that_was_killed_is_repeated_without_a_second_charge(start):
    worker = start(**FAST).wait_ready()
    put_letters(worker.kafka, 2_000)
    command = [FAUST, "-A", "orderapp", "dlq", "replay", "--everything"]
    replay = subprocess.Popen(
        command, env=environment(worker.data_dir, {}), cwd=worker.data_dir.parent
    )
    eventually(
        lambda: replay.poll() is not None or any(records.ends(worker.kafka, "orders").values()),
        "it began",
    )

    replay.kill()

    replay.wait()
    # What it had sent may reach the topic a moment after it was killed.
    (open_now,) = eventually(
        lambda: (left := len(listed(worker))) == len(listed(worker)) and [left], "it is over"
    )
    assert outcome(worker, "replay", "--everything")["done"] == open_now
    assert listed(worker) == []

    def paid():
        return {p["order_id"] for p in records.values(records.read(worker.kafka, "payments"))}

    eventually(lambda: paid() == set(range(2_000)), "all are paid", 60)
    payments = records.values(records.read(worker.kafka, "payments"))
    assert {f"pay-{n}" for n in range(2_000)} == {p["payment_id"] for p in payments}
    assert records.read(worker.kafka, "fraud-alerts") == []


def damaged(server):
    """Send two that no worker wrote; their places."""
    broken = [
        (name, b"many" if name == "attempts" else value)
        for name, value in headers_for(record(), Failure("payment", ValueError("x")))
    ]
    records.send(server, [records.order(1)], "orders-dlq", broken)
    records.send(server, [(b"\xff", b"\x00\xff")], "orders-dlq")


def test_damaged_ones_are_listed_and_dropped_and_never_sent(start):
    worker = start(**FAST).wait_ready()
    damaged(worker.kafka)
    put_letters(worker.kafka, 1)

    letters = listed(worker, "--error", "damaged")

    assert len(letters) == 2
    first = next(x for x in letters if x["order_id"] == 1)
    assert "'attempts'" in first["damage"]
    (line,) = dlq(worker, "replay", first["place"], status=1)
    assert f"{first['place']} can't be replayed: the header 'attempts' is not" in line
    assert sum(records.ends(worker.kafka, "orders").values()) == 0
    done = outcome(worker, "replay", "--everything")
    assert (done["done"], done["skipped"], done["errors"]) == (1, 2, [])
    assert sum(records.ends(worker.kafka, "orders").values()) == 1
    for letter in letters:
        assert outcome(worker, "drop", letter["place"])["done"] == 1
    assert listed(worker) == []
    table = dlq(worker, "list", "--all")
    assert table[0].split()[:3] == ["PLACE", "ORDER", "SERVICE"]
    assert len(table) == 4


async def topics(server):
    admin = AIOKafkaAdminClient(bootstrap_servers=server)
    await admin.start()
    try:
        return await admin.list_topics()
    finally:
        await admin.close()


def test_a_missing_topic_is_one_line_and_stays_missing(empty_kafka, tmp_path):
    server = empty_kafka.bootstrap_servers
    before = asyncio.run(topics(server))
    for command in (["list"], ["show", "0:0"], ["replay", "--everything"], ["drop", "0:0"]):
        result = faust(tmp_path / "data", "dlq", *command, KAFKA_BOOTSTRAP_SERVERS=server)

        assert result.returncode == 1
        assert result.stderr.splitlines() == [
            f"orderapp: the topic 'orders-dlq' does not exist on Kafka at {server}: "
            "a worker creates it when it starts"
        ]
    assert asyncio.run(topics(server)) == before
