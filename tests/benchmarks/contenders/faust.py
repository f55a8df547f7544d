"""Faust as its documentation shows it: Records, an agent for each service, one `send` for each
message. Rows are stored one by one, as events come one by one.

    python -m tests.benchmarks.contenders.faust worker
"""

import faust

from tests.benchmarks.contenders.common import HAS_STORE, KAFKA, Database, row
from tests.benchmarks.contenders.faust_models import (
    FraudAlert,
    Order,
    Payment,
    alert_for,
    is_risky,
    payment_for,
)

app = faust.App("faust-as-documented", broker=f"kafka://{KAFKA}")
orders_topic = app.topic("orders", key_type=str, value_type=Order)
alerts_topic = app.topic("fraud-alerts", key_type=str, value_type=FraudAlert)
payments_topic = app.topic("payments", key_type=str, value_type=Payment)


@app.agent(orders_topic)
async def fraud(orders):
    async for order in orders:
        if is_risky(order):
            await alerts_topic.send(key=str(order.order_id), value=alert_for(order))


@app.agent(orders_topic)
async def payment(orders):
    async for order in orders:
        await payments_topic.send(key=str(order.order_id), value=payment_for(order))


if HAS_STORE:
    database = Database()

    async def keep(table, stream):
        async for event in stream.events():
            message = event.message
            value = event.value.asdict()
            database.save(table, row(table, value, message.partition, message.offset))

    @app.agent(orders_topic)
    async def analytics(orders):
        await keep("orders", orders)

    @app.agent(alerts_topic)
    async def analytics_alerts(alerts):
        await keep("alerts", alerts)

    @app.agent(payments_topic)
    async def analytics_payments(payments):
        await keep("payments", payments)


if __name__ == "__main__":
    app.main()
