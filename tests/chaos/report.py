"""The figures of a run: a table for people, JSON for machines."""

import math
import statistics
from collections.abc import Sequence, Set
from dataclasses import asdict
from typing import Any

from tests.chaos.lost import Offset
from tests.chaos.run import Result
from tests.chaos.takeovers import Takeover
from tests.chaos.verdict import HARMS, Verdict

#: Seconds within which a stopped worker's partitions are worked on.
HANDOVER_LIMIT = 3.0
#: Faults among which nothing may be done twice.
GENTLE = {"term", "poison", "duplicates", "rules"}
EXAMPLES = 5


def _alone(found: Sequence[Takeover]) -> list[float]:
    return [takeover.seconds for takeover in found if not takeover.others]


def _times(found: Sequence[float]) -> str:
    if not found:
        return "-"
    return f"{statistics.median(found):.1f} / {max(found):.1f}"


def failures(result: Result) -> list[str]:
    """Why the run is not good; empty when it is."""
    verdict, why = result.verdict, list(result.diary.problems)
    for name in HARMS:
        found = getattr(verdict, name)
        if found:
            examples = "; ".join(found[:EXAMPLES])
            why.append(f"{len(found)} {name.replace('_', ' ')}: {examples}")
    if result.taken != result.reported:
        why.append(
            f"{_count(result.taken - result.reported)} deleted unread and not reported, "
            f"{_count(result.reported - result.taken)} reported and not deleted unread"
        )
    if result.reconcile is None:
        why.append("reconcile gave no answer")
    slowest = max(_alone(result.takeovers), default=0.0)
    if slowest > result.options.takeover_limit:
        why.append(f"a takeover took {slowest:.1f} s")
    if not _rough(result):
        why += _gentle_failures(result)
    return why


def _count(offsets: Set[Offset]) -> str:
    examples = ", ".join(
        f"{o.topic}[{o.partition}]@{o.offset}" for o in sorted(offsets)[:EXAMPLES]
    )
    return f"{len(offsets)} ({examples}, …)" if offsets else "0"


def _rough(result: Result) -> list[str]:
    """The faults for which a stop in order can't be held against its limits."""
    return sorted(set(result.options.faults) - GENTLE)


def _gentle_failures(result: Result) -> list[str]:
    why = []
    if result.verdict.redelivered:
        why.append(f"{result.verdict.redelivered} redelivered although every stop was clean")
    slowest = max(_alone(result.handovers), default=0.0)
    if slowest > HANDOVER_LIMIT:
        why.append(f"a clean stop handed over after {slowest:.1f} s")
    return why


COLUMNS = (
    "seed", "store", "orders", "faults", "lost", "double-charged", "charged though aborted",
    "wrong alerts", "taken / reported", "redelivered", "takeover p50 / max s",
    "hand-over p50 / max s", "verdict",
)  # fmt: skip


def row(result: Result) -> tuple[str, ...]:
    """One line of the table of runs."""
    verdict = result.verdict
    return (
        str(result.options.seed),
        result.options.store,
        f"{len(result.sender.sent.confirmed):,}",
        str(sum(result.diary.counts().values())),
        str(len(verdict.lost)),
        str(len(verdict.double)),
        str(len(verdict.charged_though_aborted)),
        str(len(verdict.wrong_alerts)),
        f"{len(result.taken):,} / {len(result.reported):,}",
        str(verdict.redelivered),
        _times(_alone(result.takeovers)),
        _times(_alone(result.handovers)),
        "FAILED" if failures(result) else "good",
    )


def table(results: Sequence[Result]) -> str:
    """A Markdown table with a line for each run."""
    lines = [COLUMNS, tuple("---:" for _ in COLUMNS), *map(row, results)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def summary(result: Result) -> str:
    """The lines under a run."""
    sent, verdict = result.sender.sent, result.verdict
    delays = result.observer.delays(sent)
    faults = ", ".join(f"{kind} {count}" for kind, count in result.diary.counts().items())
    disturbed = [t for t in (*result.takeovers, *result.handovers) if t.others]
    lines = [
        f"faults: {faults or 'none'}",
        f"orders: {len(sent.orders):,} sent, {len(sent.confirmed):,} confirmed, "
        f"{sent.failed} sends failed, {sent.duplicates} sent again, "
        f"{len(sent.poison)} bad records",
        f"in transactions: {len(sent.transactional):,}, of which "
        f"{len(sent.transactional & sent.confirmed):,} were committed",
        f"alerts: {_alerts(verdict)}; "
        f"{verdict.two_versions} orders with alerts of two versions",
        f"deleted unread: {len(result.taken):,}, reported: {len(result.reported):,}; "
        f"{verdict.taken:,} orders are unpaid for that reason",
        f"redelivered: {verdict.redelivered}; given up: {len(verdict.given_up)}; "
        f"documents from an older record: {_examples(verdict.stale)}",
        f"takeovers after SIGKILL: {_list(_alone(result.takeovers))}",
        f"hand-overs after SIGTERM: {_list(_alone(result.handovers))}; "
        f"exits: {_list(result.diary.stops)}",
        *_not_applied(result),
        *(f"with {', '.join(t.others)}: {t.kind} {t.seconds:.1f} s" for t in disturbed),
        f"paid after: p50 {_at(delays, 0.5):.2f} s, p99 {_at(delays, 0.99):.2f} s, "
        f"max {_at(delays, 1):.2f} s",
        f"caught up: {_seconds(result.caught_up)}; reconcile: {_status(result.reconcile)}",
        *(f"note: {line}" for line in result.diary.ended),
        *(f"FAILED: {line}" for line in failures(result)),
    ]
    return "\n".join(lines)


def _alerts(verdict: Verdict) -> str:
    return ", ".join(
        f"{rule} {verdict.alerts_of[rule]:,} ({count:,} had to be)"
        for rule, count in verdict.sure_alerts.items()
    )


def _not_applied(result: Result) -> list[str]:
    rough = ", ".join(_rough(result))
    limits = f"a hand-over within {HANDOVER_LIMIT:g} s, and nothing done twice"
    return [f"not asked for in a run with {rough}: {limits}"] if rough else []


def _examples(found: Sequence[str]) -> str:
    return f"{len(found)} ({found[0]}, …)" if found else "0"


def _list(seconds: Sequence[float]) -> str:
    return ", ".join(f"{s:.1f}" for s in seconds) + " s" if seconds else "none"


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"after {seconds:.1f} s"


def _status(reconcile: dict[str, Any] | None) -> str:
    return "no answer" if reconcile is None else f"status {reconcile['status']}"


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def as_json(result: Result) -> dict[str, Any]:
    """All figures; an endless takeover is null."""
    sent, verdict = result.sender.sent, result.verdict
    delays = result.observer.delays(sent)
    return {
        "options": asdict(result.options),
        "good": not failures(result),
        "failures": failures(result),
        "gentle_limits_applied": not _rough(result),
        "orders": len(sent.orders),
        "confirmed": len(sent.confirmed),
        "failed_sends": sent.failed,
        "duplicates": sent.duplicates,
        "poison": len(sent.poison),
        "transactional": len(sent.transactional),
        "aborted": len(sent.transactional - sent.confirmed),
        "faults": result.diary.counts(),
        "lost": len(verdict.lost),
        "double_charged": len(verdict.double),
        "charged_though_aborted": len(verdict.charged_though_aborted),
        "wrong_alerts": len(verdict.wrong_alerts),
        "sure_alerts": verdict.sure_alerts,
        "alerts": verdict.alerts_of,
        "alerts_of_two_versions": verdict.two_versions,
        "wrong_documents": len(verdict.wrong_documents),
        "taken_unread": len(result.taken),
        "reported_lost": len(result.reported),
        "redelivered": verdict.redelivered,
        "given_up": verdict.given_up,
        "stale": verdict.stale,
        "takeovers": [_takeover(takeover) for takeover in result.takeovers],
        "handovers": [_takeover(handover) for handover in result.handovers],
        "stops": [round(seconds, 2) for seconds in result.diary.stops],
        "ended_by_themselves": result.diary.ended,
        "paid_after": {f"p{n}": round(_at(delays, n / 100), 3) for n in (50, 99, 100)},
        "caught_up": result.caught_up,
        "reconcile": result.reconcile,
        "events": [asdict(event) for event in result.diary.events],
    }  # fmt: skip


def _takeover(takeover: Takeover) -> dict[str, Any]:
    finite = math.isfinite(takeover.seconds)
    return asdict(takeover) | {"seconds": round(takeover.seconds, 2) if finite else None}
