"""What is broken on purpose is said loudly, at the start and once a minute."""

import asyncio
import logging

from orderapp.app import app, settings

logger = logging.getLogger(__name__)

#: Seconds between reminders.
EVERY = 60.0


def announce() -> None:
    """A warning for each fault that is switched on."""
    for name, value in settings.faults.on().items():
        logger.warning("BROKEN ON PURPOSE: ORDERAPP_FAULT_%s=%g", name.upper(), value)


@app.task
async def remind() -> None:
    """Say what is broken for as long as it is."""
    while not app.should_stop:
        announce()
        await asyncio.sleep(EVERY)
