"""`/api/reconcile`: what a check came to, how old that is, and what keeps one from a result."""

import asyncio
import json
import os
import time
from dataclasses import replace
from functools import partial

import pytest
from aiokafka import TopicPartition

from orderapp.engine.health.lag import LagUnknownError, Look, Position
from orderapp.web.api import checks, progress, reconcile
from orderapp.web.api.access import settings
from orderapp.web.api.checks import Checker
from tests.web.examples import ask, run_instead

AGREE = {
    "status": "agree", "orders": 5, "lost": {"records": 0, "groups": []}, "records": {},
    "disagreements": {"order_without_payment": {"count": 0, "examples": []}},
}  # fmt: skip
DISAGREE = AGREE | {
    "status": "disagree",
    "disagreements": {"order_without_payment": {"count": 2, "examples": [7, "orders[0]@1"]}},
}


async def until(check):
    async with asyncio.timeout(30):
        while not check():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


@pytest.fixture
def checker(monkeypatch):
    """Runs what `does(…)` says instead of the command, on a Kafka with so many `records`."""
    made = Checker(0)
    made.records = 10

    made.does = partial(run_instead, monkeypatch)
    made.does(f"print({json.dumps(AGREE)!r})")

    async def look():
        return None

    async def sizes(_):
        if made.records is None:
            raise LagUnknownError("away")
        return {TopicPartition("orders", 0): (5, 5 + made.records)}

    monkeypatch.setattr(progress.monitor, "look", look)
    monkeypatch.setattr(progress.monitor, "sizes", sizes)
    for module in (checks, reconcile):
        monkeypatch.setattr(module, "checker", made)
    return made


async def last(client):
    status, answer = await ask(client, "/api/reconcile")
    assert status == 200
    return answer


async def test_before_the_first_check_nothing_is_claimed(client, checker):
    assert await last(client) == {
        "last": None, "failed": None, "running": False, "waiting": False,
        "every_seconds": None, "status": "ok",
    }  # fmt: skip


@pytest.mark.parametrize(("report", "exit_status"), [(AGREE, 0), (DISAGREE, 1)])
async def test_a_check_is_begun_and_its_result_kept(client, checker, report, exit_status):
    checker.does(f"print({json.dumps(report)!r}); raise SystemExit({exit_status})")
    status, answer = await ask(client, "/api/reconcile", "POST")
    assert (status, answer["running"]) == (202, True)
    await checker.begin()

    found = (await last(client))["last"]

    assert (found["result"], found["orders"], found["is_old"]) == (report["status"], 5, False)
    assert found["age_seconds"] < 30
    named = [(d["name"], d["count"], d["examples"]) for d in found["disagreements"]]
    assert named == (
        [] if report is AGREE else [("order_without_payment", 2, [7, "orders[0]@1"])]
    )


async def test_one_runs_at_a_time(client, checker):
    checker.does("import time; time.sleep(60)")
    first = checker.begin()
    assert checker.begin() is first
    await until(lambda: checker.is_running)
    await checker.on_stop()
    assert first.done(), "a worker that stops waits for none"


async def test_it_has_the_lowest_priority(checker):
    checker.does(
        f"import os\nif os.getpriority(os.PRIO_PROCESS, 0) == 19: print({json.dumps(AGREE)!r})"
    )
    assert os.getpriority(os.PRIO_PROCESS, 0) < 19
    await checker.begin()
    assert checker.checked is not None


@pytest.mark.parametrize(
    ("does", "records", "why"),
    [
        ("raise SystemExit('kafka:9092 said no')", 10, "failed"),
        ("print('{}')", 10, "failed"),
        ("", checks.MOST + 1, "too_large"),
        ("import time; time.sleep(60)", 10, "too_long"),
        ("", None, "kafka_away"),
    ],
)
async def test_what_comes_to_no_result_is_said_and_leaves_the_one_before_with_its_age(
    client, checker, monkeypatch, caplog, does, records, why
):
    await checker.begin()
    checker.does(does)
    checker.records = records
    if why == "too_long":
        monkeypatch.setattr(checks, "PATIENCE", 0.3)
    await checker.begin()

    answer = await last(client)

    assert answer["failed"]["why"] == why
    assert answer["last"]["result"] == "agree"
    assert "kafka:9092" not in str(answer)
    assert ("kafka:9092 said no" in caplog.text) == (does.startswith("raise"))


@pytest.mark.parametrize(
    ("every", "age", "is_old"),
    [(0, 80_000, False), (0, 90_000, True), (60, 119, False), (60, 130, True)],
)
async def test_a_result_that_was_not_renewed_is_old(client, checker, every, age, is_old):
    checker.every = every
    await checker.begin()
    checker.checked = replace(checker.checked, at=time.time() - age, seconds=1.0)

    found = (await last(client))["last"]

    assert found["is_old"] == is_old
    assert found["age_seconds"] == pytest.approx(age, abs=5)


async def test_checks_are_repeated_while_the_services_are_idle(checker, kafka, monkeypatch):
    checker.every = 0.05
    monkeypatch.setattr(checks, "LOOK", 0.01)
    monkeypatch.setattr(checks.app, "ready", True)
    kafka.look = Look({"fraud": Position("g", {}, 5000, None), "web": None}, {}, {})
    await checker.start()
    try:
        await until(lambda: checker.is_waiting)
        assert checker.checked is None
        kafka.look = Look({"fraud": Position("g", {}, 3, None)}, {}, {})
        await until(lambda: checker.checked is not None)
        first = checker.checked
        await until(lambda: checker.checked is not first)
    finally:
        await checker.stop()


async def test_only_who_may_change_something_begins_one(client, checker, monkeypatch):
    guarded = replace(settings.web, take_orders="token", api_token="secret")
    monkeypatch.setattr("orderapp.web.api.access.settings", replace(settings, web=guarded))

    assert (await ask(client, "/api/reconcile", "POST"))[0] == 401
    assert not checker.is_running
