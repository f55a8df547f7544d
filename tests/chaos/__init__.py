"""Chaos: real workers, a real broker and a store, and everything that can happen to them.

Orders are sent at a steady rate while workers are killed, stopped and frozen, the broker dies,
the store hangs, the disk fills up, records arrive that are no orders, transactions are aborted,
and topics are emptied, made anew, extended and closed; when and to whom comes from a
printed seed. Then the faults stop, the workers catch up, and what Kafka confirmed is compared
with what was charged, judged and stored.

    python -m tests.chaos --seed 7 --seconds 300 --rate 100

What happens is decided in `schedule.py`, done in `faults/`, watched in `observer.py` and judged
in `verdict.py`, which uses nothing of the app's. `archive.py` keeps what a fault is about to
delete, `lost.py` compares what was deleted unread with what the workers' logs say, and
`opinion.py` holds the app's own `reconcile` against both.
"""
