"""Orders with an idempotency key: one for each key, whichever workers are asked for it.

The reservation in the store decides which order that is. What is left to decide is who sends
it:

- Who made the reservation sends the order, and says from time to time that it still does (a
  send may take long while Kafka is away). When Kafka has the order the reservation says so.
- Everybody else waits for that. Who has not heard of the sender for `SILENCE` takes its place:
  it has died, or its last try has failed. Whether Kafka has the order is not known then, so the
  taker looks there (a record of a process that was killed arrives within moments, or never)
  before it sends it again. That is the only case in which Kafka is searched.

All times are those of the one who waits; its own pauses are no silence of others. A second
record is left possible only where a lookup ends at its bound, or a sender stands still for
seconds right between its last look at the reservation and the write. It would be the same order
under the same id, which every service takes for one.
"""

import asyncio
import hashlib
import secrets
import time

from msgspec.structs import asdict, astuple, replace

from orderapp.app import app, settings, store
from orderapp.engine.errors import SendRefusedError, TransientError
from orderapp.engine.kafka.lookup import find_since
from orderapp.engine.observe import trace_headers
from orderapp.engine.observe.times import parse_time
from orderapp.store import StoreError
from orderapp.store.reservations import Reservation
from orderapp.web.api.new_order import NewOrder
from orderapp.web.api.sent_order import REFUSED, SentOrder, new_order, send, warn
from orderapp.web.server.problems import FieldError, Problem, unavailable

#: Seconds after which a sender that says nothing has died, and between two of its signs.
SILENCE, BEAT = 3.0, 1.0
#: Seconds between two looks at a reservation of another worker: the first ones, the later ones.
POLL, LONGEST_POLL = 0.02, 0.25
#: Seconds that a request waits. What it waits for goes on after that, and the next request
#: with the key waits for the same.
PATIENCE = 7.0

_ME = secrets.token_hex(8)


class KeyedOrders:
    """Takes orders with a key."""

    def __init__(self, holder: str = _ME) -> None:
        self._holder = holder
        #: What is under way for a key and a body; all who ask for it share it.
        self._under_way: dict[tuple[str, NewOrder], asyncio.Task[SentOrder]] = {}
        self._confirming: set[asyncio.Task[None]] = set()

    async def take(
        self, key: str, wanted: NewOrder, trace: trace_headers.Headers = ()
    ) -> SentOrder:
        """Send the order of a key, or return the one that was sent; raises `Problem`."""
        place = hashlib.sha256(key.encode()).hexdigest()[:32], wanted
        task = self._under_way.get(place)
        if task is None:
            task = asyncio.create_task(self._settle(*place, trace))
            self._under_way[place] = task
            task.add_done_callback(lambda done: self._forget(place, done))
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(task)
        except TimeoutError:
            raise unavailable(_NOT_CONFIRMED) from None

    def _forget(self, place: tuple[str, NewOrder], done: asyncio.Task[SentOrder]) -> None:
        del self._under_way[place]
        if not done.cancelled():
            done.exception()  # retrieved: whoever asked may have given up meanwhile

    async def _settle(
        self, key: str, wanted: NewOrder, trace: trace_headers.Headers
    ) -> SentOrder:
        order = await new_order(wanted)
        expires = int(time.time()) + settings.idempotency_hours * 3600
        mine = Reservation(key=key, expires=expires, holder=self._holder, **asdict(order))
        try:
            return await self._as_reserved(mine, wanted, trace)
        except StoreError as error:
            warn("no reservation", order.order_id, error)
            raise unavailable(
                "the store does not answer, and without it a key can't be kept: the order was "
                "not sent (one without an Idempotency-Key would be)"
            ) from error

    async def _as_reserved(
        self, mine: Reservation, wanted: NewOrder, trace: trace_headers.Headers
    ) -> SentOrder:
        while True:
            asked = time.monotonic()
            found = await store.reserve(mine)
            is_new = found == mine
            if not is_new:
                _check_body(found, wanted)
                found = await self._until_done_or_silent(found, mine)
                if found.is_confirmed:
                    return _order(found)
                asked = time.monotonic()
            held = await self._hold(found, asked, is_new=is_new)
            if held is not None:
                return await self._send(held, trace, is_new=is_new)

    async def _until_done_or_silent(self, found: Reservation, mine: Reservation) -> Reservation:
        # Waits are added up, and no clock is read: when a machine pauses, its sender does too.
        silent, wait = 0.0, POLL
        # What this process holds and is not under way has failed.
        while not found.is_confirmed and found.holder != self._holder:
            if silent > SILENCE:
                break
            await asyncio.sleep(wait)
            before, found = found, await store.reserve(mine)
            silent = silent + wait if found == before else 0.0
            wait = min(wait * 2, LONGEST_POLL)
        return found

    async def _hold(
        self, found: Reservation, asked: float, *, is_new: bool
    ) -> Reservation | None:
        """The reservation, to be sent by this process now; None: somebody else has it."""
        if is_new and time.monotonic() - asked < BEAT:
            return found
        # Taken over; or the store took long to answer, and others may have seen no sign.
        held = replace(found, holder=self._holder, beat=found.beat + 1)
        return held if await store.replace_reservation(found, held) else None

    async def _send(
        self, held: Reservation, trace: trace_headers.Headers, *, is_new: bool
    ) -> SentOrder:
        order = _order(held)
        try:
            if is_new or not await _is_sent(order):
                held = await self._send_and_beat(held, order, trace)
        except SendRefusedError as error:
            raise unavailable(REFUSED) from error
        except TransientError as error:
            warn("not confirmed", order.order_id, error)
            raise unavailable(_NOT_CONFIRMED) from error
        confirming = asyncio.create_task(self._confirm(held))
        self._confirming.add(confirming)
        confirming.add_done_callback(self._confirming.discard)
        return order

    async def _send_and_beat(
        self, held: Reservation, order: SentOrder, trace: trace_headers.Headers
    ) -> Reservation:
        sending = asyncio.create_task(send(order, trace))
        try:
            while not (await asyncio.wait({sending}, timeout=BEAT))[0]:
                held = await self._beat(held)
            await sending
        finally:
            sending.cancel()
        return held

    async def _beat(self, held: Reservation) -> Reservation:
        later = replace(held, beat=held.beat + 1)
        try:
            return later if await store.replace_reservation(held, later) else held
        except StoreError:
            return held

    async def _confirm(self, held: Reservation) -> None:
        try:
            await store.replace_reservation(held, replace(held, is_confirmed=True))
        except StoreError as error:
            # Who asks for it again looks into Kafka.
            warn("not noted as sent", held.order_id, error)


async def _is_sent(order: SentOrder) -> bool:
    """Whether the store or Kafka has an order that was perhaps sent: `TransientError` if not
    known."""
    if await store.story(order.order_id) is not None:
        return True
    if app.cluster is None:
        raise TransientError("Kafka is not reachable yet")
    key = str(order.order_id).encode()
    since = int(parse_time(order.created_at).timestamp() * 1000)
    return await find_since(app.cluster, "orders", key, since) is not None


def _check_body(found: Reservation, wanted: NewOrder) -> None:
    if (found.customer_id, found.amount, found.country) != astuple(wanted):
        raise Problem(
            422,
            "this Idempotency-Key was used for another order: use a new key",
            FieldError("Idempotency-Key", "a key that was not used with another body"),
        )


def _order(found: Reservation) -> SentOrder:
    return SentOrder(
        found.order_id, found.customer_id, found.amount, found.country, found.created_at
    )


_NOT_CONFIRMED = (
    "the order was not confirmed in time; it may have been written: send it again with the "
    "same Idempotency-Key, which makes no second one"
)

keyed_orders = KeyedOrders()
