"""Whatever is in a record, and whatever fails for it, costs that record alone."""

import json
import re
import urllib.request

import pytest

from orderapp.engine.dead_letters.headers import read_headers
from orderapp.models import normal_time
from tests.e2e import records
from tests.e2e.worker import eventually


def reading(sensor):
    return b"%d" % sensor, json.dumps({"sensor": sensor}).encode()


def test_bugs_cost_their_records_and_a_flood_of_dead_letters_is_counted(kafka, start):
    worker = start(
        "tests.e2e.odd_app", KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers
    ).wait_ready()
    flood = [(b"x", b"no reading")] * 3000
    bugs = [reading(-n) for n in (1, 2, 3, 4, 5, 100)]

    records.send(kafka.bootstrap_servers, [reading(0)], topic="plain")
    for bug in bugs:
        records.send(kafka.bootstrap_servers, [reading(1), bug, reading(2)], topic="readings")
    records.send(kafka.bootstrap_servers, [*flood, reading(3)], topic="readings")

    eventually(lambda: worker.get("/seen")[1]["batched"][-1:] == [3], "the last one is taken")
    eventually(lambda: worker.get("/seen")[1]["plain"], "the topic that is not batched is read")
    assert worker.get("/seen")[1] == {"batched": [1, 2] * len(bugs) + [3], "plain": [0]}

    def written():
        found = records.read(kafka.bootstrap_servers, "readings-dlq")
        return len(found) >= len(bugs + flood) and found

    letters = eventually(written, "the others are dead letters")
    letters.sort(key=lambda letter: read_headers(letter.headers).offset)
    assert [(letter.key, letter.value) for letter in letters] == bugs + flood
    origins = [read_headers(letter.headers) for letter in letters]
    assert [origin.error_class for origin in origins[: len(bugs) + 1]] == [
        "KeyError",
        "AttributeError",
        "RuntimeError",  # Python's own for a StopIteration that comes out of a coroutine
        "UnicodeEncodeError",
        "TypeError",
        "NoTextError",
        "DecodeError",
    ]
    said = re.findall("dead letter: taker could not", worker.log)
    # Nothing follows: the rest is counted all the same.
    unsaid = len(letters) - len(said)

    def counted():
        found = re.findall(r"WARNING.*…and (\d+) more dead letters in \d+ s", worker.log)
        return found if sum(map(int, found)) == unsaid else None

    rests = eventually(counted, "those that were left out are counted")
    # 20 in 10 s; the flood may have taken longer.
    assert 1 <= len(said) <= 20 * (len(rests) + 1)
    assert worker.terminate() == 0
    assert "Traceback" not in worker.log


@pytest.mark.parametrize("reads", ["async for", "group_by"])
def test_an_agent_that_takes_batches_one_by_one_ends_the_start_with_one_line(
    kafka, start, reads
):
    worker = start(
        "tests.e2e.odd_app", KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers, ODD_READS=reads
    )

    assert worker.wait() == 1
    said = [line for line in worker.log.splitlines() if "CRITICAL" in line]
    assert len(said) == 1
    assert (
        f"the agent 'taker' uses `{reads}` on the topic 'readings', whose records come in "
        "batches: write `await app.deliver('taker', stream, work)`"
    ) in said[0]
    assert "Traceback" not in worker.log
    assert "Worker ready" not in worker.log
    assert "repartition" not in worker.log


def framed(content):
    """As Confluent's JSON serializers write it."""
    return b"\0\0\0\0\x2a" + content


def test_orders_as_they_are_in_the_field_are_paid_or_say_what_they_look_like(kafka, start):
    worker = start(
        KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers,
        ORDERAPP_FRAMING="schema-registry",
        ORDERAPP_PAYMENT_DELAY="0",
    ).wait_ready()

    _, plain = records.order(1, created_at="2025-06-01t12:00:00z")
    _, ahead = records.order(2, created_at="2999-01-01T00:00:00Z")
    _, wrong = records.order(3, created_at="1796010112345")
    sent = [(b"1", framed(plain)), (framed(b'"2"'), framed(ahead))]
    odd = [
        (framed(b'"3"'), framed(wrong), "'1796010112345' is no RFC 3339 time"),
        (b"4", framed(b"\x02\x0cavro"), "Avro or Protobuf in the Schema Registry's framing"),
        (b"5", b"\xef\xbb\xbf" + plain, "UTF-8 with a byte order mark"),
        (b"6", plain.decode().encode("utf-16"), "UTF-16"),
        (b"7", plain + b"\n" + plain, "several JSON values, as in newline-delimited JSON"),
    ]
    records.send(kafka.bootstrap_servers, [*sent, *((key, value) for key, value, _ in odd)])

    first = eventually(lambda: worker.paid_order(1), "the first order is paid")
    assert first["created_at"] == "2025-06-01T12:00:00.000000Z"
    second = eventually(lambda: worker.paid_order(2), "the second order is paid")
    (its_record,) = (
        one
        for one in records.read(kafka.bootstrap_servers, "orders")
        if one.value == sent[1][1]
    )
    assert second["created_at"] == normal_time(None, its_record.timestamp)
    assert "created_at '2999-01-01T00:00:00Z' is more than a day ahead" in worker.log
    with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/metrics") as answer:
        assert re.search(rb"^orderapp_clocks_ahead_total [1-9]", answer.read(), re.MULTILINE)
    dead = eventually(
        lambda: (
            len(found := records.read(kafka.bootstrap_servers, "orders-dlq")) == 5 and found
        ),
        "the others are dead letters",
    )
    texts = {letter.key: read_headers(letter.headers).error_text for letter in dead}
    for key, _, text in odd:
        assert text in texts[key]
