"""Whether a contender did the work, before any figure of it is shown."""

import json
from collections.abc import Mapping

from tests.benchmarks.contenders import Contender
from tests.benchmarks.kafka import Kafka
from tests.benchmarks.orders import Workload
from tests.benchmarks.stores import Store

REASON = "HIGH_AMOUNT_RISKY_COUNTRY"


def expected_counts(work: Workload) -> dict[str, int]:
    """How many records there are in the topics at the end, at least."""
    return {"fraud-alerts": len(work.risky_ids), "payments": len(work.ids)}


async def problems(kafka: Kafka, store: Store, work: Workload, who: Contender) -> list[str]:
    """All that is missing or wrong; to be called after the contender has ended."""
    return [
        *await _payments(kafka, work),
        *await _alerts(kafka, work),
        *store.problems(work, who.direct),
        *await _offsets(kafka, store, who),
    ]


async def _payments(kafka: Kafka, work: Workload) -> list[str]:
    paid: dict[int, tuple[str, str]] = {}
    bad = 0
    async for record in kafka.read("payments"):
        payment = json.loads(record.value)
        order_id = payment["order_id"]
        told = payment["payment_id"], payment["status"]
        right = record.key == b"%d" % order_id and paid.setdefault(order_id, told) == told
        bad += not right
    return _compare("payments", set(paid), work.ids, bad)


async def _alerts(kafka: Kafka, work: Workload) -> list[str]:
    alerted = set()
    bad = 0
    async for record in kafka.read("fraud-alerts"):
        alert = json.loads(record.value)
        alerted.add(alert["order_id"])
        bad += record.key != b"%d" % alert["order_id"] or alert["reason"] != REASON
    return _compare("alerts", alerted, work.risky_ids, bad)


def _compare(what: str, found: set[int], expected: frozenset[int], bad: int) -> list[str]:
    problems = []
    if found != expected:
        problems.append(f"{len(found & expected):,} of {len(expected):,} {what}")
    if found - expected:
        problems.append(f"{len(found - expected):,} {what} that should not be")
    if bad:
        problems.append(f"{bad:,} {what} with a wrong key, id or reason")
    return problems


async def _offsets(kafka: Kafka, store: Store, who: Contender) -> list[str]:
    ends = await kafka.counts()
    complete: dict[str, int] = dict.fromkeys(ends, 0)
    found = []
    for group in await kafka.groups():
        for topic, committed in (await kafka.committed(group)).items():
            if committed == ends[topic]:
                complete[topic] += 1
            else:
                found.append(f"{group} committed {committed:,} of {ends[topic]:,} in {topic}")
    return found or _missing_groups(complete, store, who)


def _missing_groups(complete: Mapping[str, int], store: Store, who: Contender) -> list[str]:
    found = []
    for topic in sorted(who.topics(store.kind)):
        groups = who.groups(store.kind) if topic == "orders" else 1
        if complete[topic] < groups:
            found.append(f"{complete[topic]} of {groups} groups committed {topic}")
    return found
