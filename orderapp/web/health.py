"""Health: every worker answers these, whatever it runs."""

import asyncio
from typing import Any

from faust.web import View

from orderapp.app import app, settings, store
from orderapp.settings import CONSUMERS
from orderapp.store import StoreError

#: Seconds that the store has to answer.
STORE_PATIENCE = 1.5


@app.page("/healthz")
async def healthz(view: View, request: Any) -> Any:
    """Alive: work that waits is being done. Asks nothing of Kafka or the store, so that their
    absence restarts no worker."""
    stalled = app.watch.stalled
    if stalled:
        return view.json({"status": "stalled", "reason": stalled}, status=503)
    return view.json({"status": "ok"})


@app.page("/readyz")
async def readyz(view: View, request: Any) -> Any:
    """200 while this worker can do its work, else 503 with what is missing."""
    missing = [reason for reason in (_kafka(), await _store()) if reason]
    if missing:
        return view.json({"status": "unavailable", "missing": missing}, status=503)
    return view.json({"status": "ok"})


def _kafka() -> str | None:
    if not app.ready:
        return "Kafka is not reachable yet"
    if not app.watch.kafka_answers:
        return "Kafka does not answer"
    if settings.services.isdisjoint(CONSUMERS):
        return None
    if app.rebalancing or not app.has_partitions():
        return "no partitions are assigned"
    return None


async def _store() -> str | None:
    if store not in app.resources:
        return None
    try:
        async with asyncio.timeout(STORE_PATIENCE):
            await store.ping()
    except (StoreError, TimeoutError) as error:
        return f"store: {error or 'no answer'}"
    return None
