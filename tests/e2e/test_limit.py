"""A service that fails for whatever it gets gives nothing up, and goes on when it is mended."""

import json

from tests.e2e import records
from tests.e2e.worker import eventually


def readings(*sensors):
    return [(b"%d" % n, json.dumps({"sensor": n}).encode()) for n in sensors]


def test_a_bad_deployment_buries_nothing_and_other_topics_are_read_on(kafka, start, tmp_path):
    server, bug = kafka.bootstrap_servers, tmp_path / "bug"
    bug.touch()
    worker = start("tests.e2e.buggy_app", KAFKA_BOOTSTRAP_SERVERS=server).wait_ready()
    records.send(server, readings(*range(500), -1), topic="measured")
    eventually(
        lambda: "judge: too many" in str(worker.get("/readyz")), "it stands still and says so"
    )
    # A restart tries again, and meets the same.
    assert worker.terminate() == 1
    worker = start("tests.e2e.buggy_app", KAFKA_BOOTSTRAP_SERVERS=server)
    eventually(lambda: "judge: too many" in str(worker.get("/readyz")), "it still does")
    assert worker.log.count("CRITICAL") == 1
    records.send(server, readings(*range(300)), topic="sound")
    eventually(lambda: worker.get("/seen")[1]["keeper"] == 300, "the other service goes on")
    # What came before the limit was reached, in a batch or two.
    assert len(records.read(server, "buggy-dlq")) <= 40

    bug.unlink()
    buried = records.read(server, "buggy-dlq")
    eventually(
        lambda: worker.get("/seen")[1]["judge"] >= 500 - len(buried), "it goes on by itself", 90
    )

    worker.wait_ready()
    eventually(
        lambda: b"-1" in {letter.key for letter in records.read(server, "buggy-dlq")},
        "the one with a bug of its own is a dead letter",
    )
    assert worker.log.count("no longer blocked") == 1


def test_a_bug_while_records_are_decoded_buries_only_what_is_no_reading(kafka, start, tmp_path):
    server, bug = kafka.bootstrap_servers, tmp_path / "bug"
    bug.touch()
    before = len(records.read(server, "buggy-dlq"))
    worker = start("tests.e2e.buggy_app", KAFKA_BOOTSTRAP_SERVERS=server).wait_ready()
    records.send(server, [*readings(*range(500)), *[(b"x", b"no")] * 100], topic="converted")
    eventually(
        lambda: "reader: too many" in str(worker.get("/readyz")), "it stands still and says so"
    )

    bug.unlink()
    eventually(lambda: worker.get("/readyz")[0] == 200, "it goes on by itself", 90)

    def buried():
        return [r.value for r in records.read(server, "buggy-dlq")[before:]]

    eventually(lambda: buried().count(b"no") >= 100, "what is no reading is a dead letter")
    letters = buried()
    assert letters.count(b"no") == 100
    assert len(letters) <= 120
    expected = 500 - len(letters) + 100
    eventually(lambda: worker.get("/seen")[1]["reader"] == expected, "the others are read")
