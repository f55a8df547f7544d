"""What the app's `reconcile` says, compared with what a run has deleted.

It reads the topics as they are at the end. Where a record was deleted, by retention or with its
topic, it has to miss it; nothing else is an excuse."""

from typing import Any

from tests.chaos.facts import Facts

#: What may disagree about an order when its records were deleted from a topic.
EXCUSED = {
    "orders": {
        "alert_without_order",
        "document_differs",
        "document_without_order",
        "payment_without_order",
        "wrong_alert",
        "wrong_payment",
    },
    "payments": {
        "document_differs",
        "document_without_record",
        "order_without_payment",
        "payment_without_document",
    },
    "fraud-alerts": {
        "alert_without_document",
        "document_differs",
        "document_without_record",
        "missing_alert",
    },
}
MOST = 5


def unexplained(reconcile: dict[str, Any], facts: Facts) -> list[str]:
    """A line for each kind of disagreement that nothing which was deleted explains."""
    problems = []
    findings = reconcile["answer"]["disagreements"]
    for name, finding in findings.items():
        ids = set(finding["examples"]) - _excused(name, facts)
        if ids:
            some = sorted(ids, key=str)[:MOST]
            problems.append(f"reconcile: {len(ids)} {name}: {some}")
    lost, taken = reconcile["answer"]["lost"]["records"], _taken(facts)
    if lost != taken:
        problems.append(f"reconcile: {lost} were deleted unread, and really {taken}")
    is_good = not lost and not any(finding["count"] for finding in findings.values())
    if reconcile["status"] != int(not is_good):
        problems.append(f"reconcile ended with status {reconcile['status']}")
    return problems


def _taken(facts: Facts) -> int:
    """Offsets, each counted once; those of a topic that was made anew are others."""
    return len(
        {
            (taken.topic, taken.epoch, taken.partition, offset)
            for taken in facts.taken
            for offset in range(taken.begin, taken.end)
        }
    )


def _excused(name: str, facts: Facts) -> set[int]:
    found = [facts.gone.get(topic, set()) for topic, names in EXCUSED.items() if name in names]
    return set().union(*found)
