"""orderapp with one more service, which lets everything that it knows of an order out as it is:
logged, warned of, printed, in the texts of errors, at the end of a task and of a thread."""

import asyncio
import logging
import sys
import threading
import warnings

from orderapp import app, topics
from orderapp.engine import TransientError

logger = logging.getLogger("loud")
seen, tasks = set(), []


def fail(text):
    raise ValueError(text)


async def fail_later(text):
    fail(text)


async def shout(orders):
    tasks.clear()  # nobody has looked at what became of them
    for order in orders:
        text = order.country
        logger.info("loud %s" % text)  # noqa: G002, UP031 - as others do
        logger.error("loud %s", text)
        logging.getLogger("mode.redirect").warning("loud %s", text)
        app.log.warning("loud %s", text)
        warnings.warn(f"loud {text}", stacklevel=1)
        print("loud", text)
        print("loud", text, file=sys.stderr)
        try:
            fail(text)
        except ValueError:
            logger.exception("loud %s", text)
        tasks.append(asyncio.create_task(fail_later(text)))
        threading.Thread(target=fail, args=(text,)).start()
        if order.order_id not in seen:
            seen.add(order.order_id)
            raise TransientError(f"loud {text}")
        if order.order_id % 2:
            fail(f"loud {text}")


@app.agent(topics.orders, name="loud")
async def loud(orders):
    """Shout."""
    await app.deliver("loud", orders, shout)
