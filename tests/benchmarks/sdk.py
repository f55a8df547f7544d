"""What of a Couchbase run is the SDK's own: `upsert_multi` of the same documents, and no more.

python -m tests.benchmarks.sdk ORDERS     (the double's access in the environment)
"""

import asyncio
import json
import os
import resource
import sys
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from orderapp.models import now
from orderapp.settings import Settings
from orderapp.store import AlertDocument, Document, OrderDocument, PaymentDocument
from tests.benchmarks.orders import WARM_UP, Workload
from tests.benchmarks.processes import INHERITED, ROOT
from tests.couchbase_double import couchbase_double

BATCH = 1000


@dataclass(frozen=True)
class Share:
    """CPU time (user and system) of the SDK alone."""

    orders: int
    documents: int
    cpu_seconds: float

    def figures(self) -> dict[str, Any]:
        return asdict(self) | {"cpu_us_per_order": self.cpu_seconds / self.orders * 1e6}

    def __str__(self) -> str:
        per_order = self.cpu_seconds / self.orders * 1e6
        per_document = self.cpu_seconds / self.documents * 1e6
        return (
            f"The SDK alone (upsert_multi of the same documents, {BATCH} at a time): "
            f"{per_order:.1f} µs of CPU per order, {per_document:.1f} per document"
        )


def made(work: Workload) -> list[Document]:
    """All documents, as orderapp makes them."""
    moment = now()
    found: list[Document] = []
    for offset, message in enumerate(work.measured):
        order = json.loads(message.value)
        place = {
            "order_id": message.order_id,
            "kafka_partition": message.partition,
            "kafka_offset": offset,
            "amount": order["amount"],
        }
        who = {"customer_id": order["customer_id"], "country": order["country"]}
        found.append(OrderDocument(**place, **who, created_at=order["created_at"]))
        if message.is_risky:
            reason = "HIGH_AMOUNT_RISKY_COUNTRY"
            found.append(AlertDocument(**place, **who, reason=reason, detected_at=moment))
        paid = {"payment_id": f"pay-{message.order_id}", "status": "PAID", "paid_at": moment}
        found.append(PaymentDocument(**place, **paid))
    return found


def run(count: int) -> Share:
    """Upsert the documents of so many orders and see what it takes."""
    from orderapp.store.couchbase.connect import connect

    settings = Settings.from_env(os.environ).couchbase
    assert settings is not None
    client = connect(settings)
    items = [(document.id, msgspec.json.encode(document)) for document in made(Workload(count))]
    batches = [dict(items[at : at + BATCH]) for at in range(0, len(items), BATCH)]
    # The SDK's collection itself, without what orderapp does around it.
    collection = client._documents
    collection.upsert_multi(dict(items[:WARM_UP]))
    before = cpu()
    for batch in batches:
        if not collection.upsert_multi(batch, **client.write_options).all_ok:
            raise RuntimeError("the double refused a document")
    used = cpu() - before
    client.close()
    return Share(count, len(items), used)


def cpu() -> float:
    """Seconds of CPU time that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def measure(work: Workload) -> Share:
    """Do that in a process of its own, against a double of its own."""
    with couchbase_double() as double:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.benchmarks.sdk", str(work.count),
            cwd=ROOT, env={**inherited, **double.environment},
            stdout=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = await asyncio.wait_for(process.communicate(), 600)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return Share(**json.loads(output))


if __name__ == "__main__":
    print(json.dumps(asdict(run(int(sys.argv[1])))))
