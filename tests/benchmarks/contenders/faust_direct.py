"""The same as `faust`, except that alerts and payments are stored by the agents that make them.

python -m tests.benchmarks.contenders.faust_direct worker
"""

import faust

from tests.benchmarks.contenders.common import KAFKA, Database, row
from tests.benchmarks.contenders.faust_models import (
    FraudAlert,
    Order,
    Payment,
    alert_for,
    is_risky,
    payment_for,
)

app = faust.App("faust-direct", broker=f"kafka://{KAFKA}")
orders_topic = app.topic("orders", key_type=str, value_type=Order)
alerts_topic = app.topic("fraud-alerts", key_type=str, value_type=FraudAlert)
payments_topic = app.topic("payments", key_type=str, value_type=Payment)
database = Database()


def keep(table, value, message):
    database.save(table, row(table, value.asdict(), message.partition, message.offset))


@app.agent(orders_topic)
async def fraud(orders):
    async for event in orders.events():
        if is_risky(event.value):
            alert = alert_for(event.value)
            await alerts_topic.send(key=str(alert.order_id), value=alert)
            keep("alerts", alert, event.message)


@app.agent(orders_topic)
async def payment(orders):
    async for event in orders.events():
        paid = payment_for(event.value)
        await payments_topic.send(key=str(paid.order_id), value=paid)
        keep("payments", paid, event.message)


@app.agent(orders_topic)
async def analytics(orders):
    async for event in orders.events():
        keep("orders", event.value, event.message)


if __name__ == "__main__":
    app.main()
