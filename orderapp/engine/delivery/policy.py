"""At-least-once, in one place: what happens to a batch until its offset may be committed.

An agent hands its stream and a `work` function to `deliver`. A batch is acked when its work
has returned, and only then. An exception in a Faust agent would ack the message and go on
with the next, so none gets out of here:

- an error of our own infrastructure (`TransientError`: store away) is tried again with growing
  waits, for as long as it takes; nothing is acked meanwhile. (A send that is not confirmed is
  tried again by itself, without the work that led to it: see `writing`);
- an error of others that may pass (`RetryableError`: somebody who does not answer) is tried
  again with growing waits, a limited number of times;
- any other error, and one that did not pass in time, is cut down to the one record that causes
  it, and that record goes to the dead-letter topic. Its neighbours go on. When that would be
  too many, nothing is given up until the service works again: see `limit`. (An error that
  lies in the record, `RecordError`, does not count; a bug met in decoding does.)

Work may therefore be repeated, and has to bear it.
"""

import logging
from typing import Any

from faust.types import StreamT

from orderapp.engine.delivery.errand import SetAside, nothing_set_aside
from orderapp.engine.delivery.limit import GiveUp, Limit
from orderapp.engine.delivery.retry import Retry
from orderapp.engine.delivery.settling import Policy, SendDeadLetter, V, Work
from orderapp.engine.delivery.turns import Turns
from orderapp.engine.observe.logs import Few

logger = logging.getLogger(__name__)


async def deliver(
    service: str,
    stream: StreamT[Any],
    work: Work[V],
    dead_letter: SendDeadLetter,
    *,
    overlap: int = 1,
    retry: Retry = Retry(),  # noqa: B008 - frozen
    set_aside: SetAside = nothing_set_aside,
    give_up: GiveUp = GiveUp(),  # noqa: B008 - frozen
) -> None:
    """Give every batch of `stream` to `work`, `overlap` batches at a time.

    With an overlap, batches that share a key still have their turns one after the other, and
    so have two records of one key in a batch. What waits until somebody mends something is
    `set_aside`, and then takes no room among the others."""
    few = Few(logger, logging.WARNING, f"times that {service} failed")
    policy = Policy(service, work, dead_letter, retry, few, Limit(service, give_up))
    turns = Turns(policy, overlap, set_aside)
    # The end of the loop body would ack, also when it ends by an exception or because the
    # worker stops. Acks are given by hand instead.
    stream.enable_acks = False
    try:
        async for _ in stream:
            event = stream.current_event
            if event is not None:
                await turns.start(event)
    finally:
        turns.cancel()
