"""orderapp with one more service, which never gets done with order 666."""

import asyncio

from orderapp import app, topics


async def hang(orders):
    if any(order.order_id == 666 for order in orders):
        await asyncio.Event().wait()


@app.agent(topics.orders, name="stuck")
async def stuck(orders):
    """Wait for ever, at one order."""
    await app.deliver("stuck", orders, hang, overlap=4)
