"""The views on a port, on the web server that workers have, over SQLite and without Kafka: for
programs that ask them.

    python -m tests.web.served PORT DATA_DIR

An order that is posted is stored at once.
"""

import asyncio
import itertools
import os
import sys

if __name__ == "__main__":
    os.environ["ORDERAPP_DATA_DIR"] = sys.argv[2]

import msgspec
import pytest

from orderapp import control
from orderapp.app import app, store
from orderapp.backtest_report import RuleTest
from orderapp.engine.batches.structs import struct_of
from orderapp.models import Order
from orderapp.testing import record
from orderapp.web import service  # noqa: F401  # registers the views
from orderapp.web.api import checks, progress, rule_tests
from tests.web.examples import RULE_TEST, alert, look, order, payment
from tests.web.letters import FakeLetters


class Kafka:
    """Takes orders; `analytics` has stored each before the next is sent."""

    numbers = itertools.count()

    async def send_all(self, topic, _partition, messages, *_):
        if topic == control.TOPIC:
            records = [record(value, key, topic=topic) for key, value in messages]
            control.take(records, False)
            return
        for _, value in messages:
            sent = msgspec.json.decode(value, type=struct_of(Order))
            fields = msgspec.to_builtins(sent)
            await store.upsert([msgspec.structs.replace(order(sent.order_id), **fields)])

    async def unique_number(self, _topic):
        return next(self.numbers)


async def prepare():
    await store.start()
    async with asyncio.timeout(30):
        while store._missing:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    await store.upsert([order(n) for n in range(200)])
    await store.upsert([*map(payment, range(100)), *map(alert, range(50))])
    kafka = Kafka()
    app.ready, app.send_all = True, kafka.send_all
    app.unique_number = kafka.unique_number

    async def nothing_new():
        """All is taken when it is sent."""

    control.follower.look = nothing_new
    app.resources[:] = [store]

    async def known():
        return look(fraud=100)

    progress.look = known
    checks.checker.begin = lambda: None

    async def tested(_):
        return msgspec.convert(RULE_TEST, RuleTest)

    rule_tests._test = tested
    letters = FakeLetters(pytest.MonkeyPatch())
    for n in range(20):
        letters.put(150 + n, value=b"\xff" * n)
    letters.put(headers=())


async def main(port):
    app.finalize()
    app.web.blueprints.apply(app.web)
    await prepare()
    app.conf.web_port = port
    await app.web.start_server()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
