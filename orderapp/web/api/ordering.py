"""Taking orders: each goes to Kafka, once for an idempotency key, and is confirmed."""

import asyncio
from collections import OrderedDict
from weakref import WeakValueDictionary

import msgspec

from orderapp.app import app
from orderapp.engine.errors import SendRefusedError, TransientError
from orderapp.engine.health.topic_watch import place as topic_place
from orderapp.engine.observe import trace_headers, tracing
from orderapp.engine.observe.blocked import blocked
from orderapp.models import now
from orderapp.order_ids import order_ids
from orderapp.web.api import sent_order
from orderapp.web.api.new_order import NewOrder
from orderapp.web.api.order_ids import id_for
from orderapp.web.api.sent_order import Known, SentOrder
from orderapp.web.server.problems import FieldError, Problem, unavailable

#: Seconds that Kafka has to confirm an order.
KAFKA_PATIENCE = 4.0
#: Orders with an idempotency key that are remembered until the store has them.
REMEMBERED = 10_000

_encode = msgspec.json.Encoder().encode


class Intake:
    """Takes orders: one at a time for each idempotency key."""

    def __init__(self) -> None:
        self._recent: OrderedDict[int, Known] = OrderedDict()
        #: Each lock is gone with the last request that holds it or waits for it.
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def take(
        self, wanted: NewOrder, key: str | None, trace: trace_headers.Headers = ()
    ) -> SentOrder:
        """Send an order, or return the one that the key has sent before.

        `trace` is the trace of the request, if it is part of one."""
        if not app.ready:
            raise unavailable("Kafka is not reachable: the order was not sent")
        if topic_place("orders") in blocked:
            raise unavailable("the topic 'orders' can't be used: the order was not sent")
        if key is None:
            return await self._send(_order(await _new_id(), wanted), key, trace)
        order_id = id_for(key)
        turn = self._turns.setdefault(order_id, asyncio.Lock())
        async with turn:
            known = self._recent.get(order_id) or await sent_order.find(order_id)
            if known and not _is_same(known.order, wanted):
                raise Problem(
                    422,
                    "this Idempotency-Key was used for another order: use a new key",
                    FieldError("Idempotency-Key", "a key that was not used with another body"),
                )
            if known and known.is_confirmed:
                return known.order
            # An order that was perhaps sent goes again as it was.
            order = known.order if known else _order(order_id, wanted)
            self._remember(Known(order, is_confirmed=False))
            await self._send(order, key, trace)
            self._remember(Known(order, is_confirmed=True))
            return order

    def _remember(self, known: Known) -> None:
        self._recent[known.order.order_id] = known
        self._recent.move_to_end(known.order.order_id)
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)

    async def _send(
        self, order: SentOrder, key: str | None, trace: trace_headers.Headers
    ) -> SentOrder:
        message = str(order.order_id).encode(), _encode(order)
        try:
            with tracing.sending("orders", message[0], trace) as headers:
                async with asyncio.timeout(KAFKA_PATIENCE):
                    await app.send_all("orders", None, [message], [headers])
        except (TransientError, TimeoutError) as error:
            trace_id = trace_headers.trace_id(headers)
            sent_order.warn("not confirmed", order.order_id, error, trace_id=trace_id)
            if isinstance(error, SendRefusedError):
                raise unavailable(
                    "Kafka takes no orders as things stand: it was not written, and the log "
                    "of the worker says what to mend"
                ) from error
            again = (
                "send it again with the same Idempotency-Key, which makes no second one"
                if key
                else "sent again it may be there twice; with an Idempotency-Key it would not"
            )
            raise unavailable(
                f"Kafka did not confirm the order in time; it may have been written: {again}"
            ) from error
        return order


async def _new_id() -> int:
    try:
        async with asyncio.timeout(KAFKA_PATIENCE):
            return await order_ids.next()
    except (TransientError, TimeoutError) as error:
        sent_order.warn("has no id", None, error)
        raise unavailable("Kafka does not answer: the order was not sent") from error


def _order(order_id: int, wanted: NewOrder) -> SentOrder:
    # 0.0: JSON knows a -0.
    amount = wanted.amount + 0.0
    return SentOrder(order_id, wanted.customer_id, amount, wanted.country, now())


def _is_same(order: SentOrder, wanted: NewOrder) -> bool:
    return (order.customer_id, order.amount, order.country) == (
        wanted.customer_id,
        wanted.amount,
        wanted.country,
    )


intake = Intake()
