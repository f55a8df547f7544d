"""orderapp's worker, which also notes when each order was stored and paid.

    python -m tests.benchmarks.timed_worker worker

The least that can be added: the work of two services is wrapped, each once for a batch, and
nothing is written before the end. A watcher from outside would have to ask SQLite all the time,
on the same cores. `BENCH_TIMES` names the file; a line is `[what, seconds, [timestamps]]`.
"""

import atexit
import json
import os
import time
from pathlib import Path

from orderapp import app
from orderapp.services import analytics, payment

notes = []


def noting(what, work):
    """`work`, which notes when it has returned: the store or Kafka has then confirmed."""

    async def timed(batch):
        await work(batch)
        if batch.topic == "orders":
            notes.append((what, time.time(), [r.timestamp for r in batch.records]))

    return timed


def write():
    lines = (json.dumps(note) + "\n" for note in notes)
    Path(os.environ["BENCH_TIMES"]).write_text("".join(lines))


analytics.analytics.work = noting("stored", analytics.analytics.work)
payment.payment.work = noting("paid", payment.payment.work)
atexit.register(write)

if __name__ == "__main__":
    app.main()
