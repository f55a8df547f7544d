"""The views on a port, without Kafka: for programs that ask them.

    python -m tests.web.served PORT

The store is in memory, and an order that is posted is stored at once.
"""

import sys

import msgspec
from aiohttp import web

from orderapp.app import app
from orderapp.web import health, ordering, overview, progress, views
from tests.store.fake import MemoryStore
from tests.web.examples import alert, look, order, payment


class Kafka:
    """Takes orders; `analytics` has stored each before the next is sent."""

    def __init__(self, store):
        self.store, self.offset = store, 0

    async def send_all(self, _topic, _partition, messages, _headers):
        for _, value in messages:
            sent = msgspec.json.decode(value, type=ordering.OrderTwin)
            document = msgspec.structs.replace(
                order(sent.order_id), **msgspec.to_builtins(sent)
            )
            await self.store.upsert([document])
            # Bounded, so that what grows is found in the app.
            if len(self.store.documents) > 500:
                self.store.documents.pop(next(iter(self.store.documents)))
            self.store.batches.clear()

    async def find(self, _tp, _key, _start):
        return None


async def prepare(_):
    store = MemoryStore()
    await store.open()
    await store.upsert([order(n) for n in range(200)])
    await store.upsert([*map(payment, range(100)), *map(alert, range(50))])
    for module in (views, health, ordering, overview):
        module.store = store
    kafka = Kafka(store)
    app.ready, app.send_all, ordering.search.find = True, kafka.send_all, kafka.find
    app.resources[:] = [store]
    ordering._partition_of = lambda _look, _key: None

    async def known():
        return look(fraud=100)

    progress.look = known


def main(port):
    app.finalize()
    app.web.blueprints.apply(app.web)
    app.web.web_app.on_startup.append(prepare)
    web.run_app(app.web.web_app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
