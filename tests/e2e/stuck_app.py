"""orderapp with one more service, which never gets done with order 666, and hangs with the
whole event loop at order 999."""

import asyncio
import time

from orderapp import app, topics


async def hang(orders):
    if any(order.order_id == 666 for order in orders):
        await asyncio.Event().wait()
    if any(order.order_id == 999 for order in orders):
        time.sleep(3600)  # noqa: ASYNC251 - on purpose


@app.agent(topics.orders, name="stuck")
async def stuck(orders):
    """Get stuck, at two orders."""
    await app.deliver("stuck", orders, hang, overlap=4)
