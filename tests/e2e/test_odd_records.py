"""Whatever is in a record, and whatever fails for it, costs that record alone."""

import json
import re

from orderapp.engine.dead_letters import read_headers
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
    assert worker.get("/seen")[1] == {"batched": [1, 2] * len(bugs) + [3], "plain": [0]}
    letters = records.read(kafka.bootstrap_servers, "readings-dlq")
    assert [(letter.key, letter.value) for letter in letters] == bugs + flood
    origins = [read_headers(letter.headers) for letter in letters]
    assert [origin.error_class for origin in origins[: len(bugs) + 1]] == [
        "KeyError",
        "AttributeError",
        "StopIteration",
        "UnicodeEncodeError",
        "TypeError",
        "NoTextError",
        "DecodeError",
    ]
    said = re.findall("dead letter: taker could not", worker.log)
    assert 1 <= len(said) <= 20
    # Nothing follows: the rest is counted all the same.
    unsaid = len(letters) - len(said)

    def counted():
        found = re.findall(r"WARNING.*…and (\d+) more dead letters in \d+ s", worker.log)
        return sum(map(int, found)) == unsaid

    eventually(counted, "those that were left out are counted")
    assert worker.terminate() == 0
    assert "Traceback" not in worker.log
