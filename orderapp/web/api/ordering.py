"""`POST /api/orders`: an order goes to Kafka, and is confirmed before it is answered for."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

import msgspec
from aiohttp import web
from aiokafka import TopicPartition
from aiokafka.partitioner import murmur2

from orderapp.app import app, store
from orderapp.engine.errors import SendRefusedError, TransientError
from orderapp.engine.health.lag import Look
from orderapp.engine.health.topic_watch import place as topic_place
from orderapp.engine.kafka.search import Search
from orderapp.engine.observe import trace_headers, tracing
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.logs import Few
from orderapp.models import now
from orderapp.store import StoreError
from orderapp.web.api import progress
from orderapp.web.api.access import check_writer
from orderapp.web.api.new_order import NewOrder, id_for, may_be_ours, read_key, read_order
from orderapp.web.api.routes import PATIENCE, Answer, Parameter, Route, json, serve
from orderapp.web.server.middleware import logger
from orderapp.web.server.problems import FieldError, Problem

#: Seconds that Kafka has to confirm an order; all that a request may take.
KAFKA_PATIENCE, REQUEST_PATIENCE = 4.0, 15.0
#: Orders with an idempotency key that are remembered until the store has them.
REMEMBERED = 10_000

_encode = msgspec.json.Encoder().encode
_few = Few(logger, logging.WARNING, "orders that Kafka did not answer for", most=50)


class SentOrder(msgspec.Struct, frozen=True):
    """An order as it was sent."""

    order_id: int
    customer_id: int
    amount: float
    country: str
    created_at: str


class Links(msgspec.Struct, frozen=True):
    """Where to look next."""

    self: str


class Accepted(msgspec.Struct, frozen=True):
    """Kafka has the order."""

    order: SentOrder
    links: Links
    status: Literal["accepted"] = "accepted"


ROUTE = Route(
    "POST",
    "/api/orders",
    "Send an order. Its id comes from the worker.",
    {
        202: Answer(
            "Kafka has the order; the services take it from there.",
            Accepted,
            headers={"Location": "where the order will be"},
        )
    },
    parameters=(
        Parameter(
            "Idempotency-Key",
            {"type": "string", "pattern": "^[!-~]{1,255}$"},
            "makes the request safe to repeat: the same key and body give the same order, and "
            "no second one; another body under the same key is 422",
            "header",
        ),
        Parameter(
            trace_headers.PARENT,
            {"type": "string"},
            "the trace that the request belongs to (W3C Trace Context); one that is not valid "
            "counts for nothing",
            "header",
        ),
        Parameter(trace_headers.STATE, {"type": "string"}, "what goes with it", "header"),
    ),
    body=NewOrder,
    errors=(401, 403, 408, 413, 415, 422, 503),
    guarded=True,
)


class _Known(NamedTuple):
    order: SentOrder
    is_confirmed: bool


class Desk:
    """Takes orders: one at a time for each idempotency key."""

    def __init__(self) -> None:
        self._recent: OrderedDict[int, _Known] = OrderedDict()
        self._turns: dict[int, tuple[asyncio.Lock, int]] = {}

    async def take(
        self, wanted: NewOrder, key: str | None, trace: trace_headers.Headers = ()
    ) -> SentOrder:
        """Send an order, or return the one that the key has sent before.

        `trace` is the trace of the request, if it is part of one."""
        if not app.ready:
            raise _unavailable("Kafka is not reachable: the order was not sent")
        if topic_place("orders") in blocked:
            raise _unavailable("the topic 'orders' can't be used: the order was not sent")
        if key is None:
            return await self._send(_order(await _free_id(), wanted), key, trace)
        order_id = id_for(key)
        async with self._turn(order_id):
            known = self._recent.get(order_id) or await _find(order_id)
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
            self._remember(_Known(order, is_confirmed=False))
            await self._send(order, key, trace)
            self._remember(_Known(order, is_confirmed=True))
            return order

    def _remember(self, known: _Known) -> None:
        self._recent[known.order.order_id] = known
        self._recent.move_to_end(known.order.order_id)
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)

    @asynccontextmanager
    async def _turn(self, order_id: int) -> AsyncIterator[None]:
        lock, users = self._turns.get(order_id, (asyncio.Lock(), 0))
        self._turns[order_id] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._turns.pop(order_id)
            if users > 1:
                self._turns[order_id] = lock, users - 1

    async def _send(
        self, order: SentOrder, key: str | None, trace: trace_headers.Headers
    ) -> SentOrder:
        message = str(order.order_id).encode(), _encode(order)
        try:
            with tracing.sending("orders", message[0], trace) as headers:
                async with asyncio.timeout(KAFKA_PATIENCE):
                    await app.send_all("orders", None, [message], [headers])
        except (TransientError, TimeoutError) as error:
            about = {"order_id": order.order_id, "trace_id": trace_headers.trace_id(headers)}
            if _few.room():
                line = "order %d: not confirmed: %r"
                logger.warning(line, order.order_id, error, extra=about)
            if isinstance(error, SendRefusedError):
                raise _unavailable(
                    "Kafka takes no orders as things stand: it was not written, and the log "
                    "of the worker says what to mend"
                ) from error
            again = (
                "send it again with the same Idempotency-Key, which makes no second one"
                if key
                else "sent again it may be there twice; with an Idempotency-Key it would not"
            )
            raise _unavailable(
                f"Kafka did not confirm the order in time; it may have been written: {again}"
            ) from error
        return order


def _unavailable(text: str) -> Problem:
    return Problem(503, text, headers={"Retry-After": "5"})


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


async def _free_id() -> int:
    while True:
        order_id = id_for(None)
        try:
            async with asyncio.timeout(PATIENCE / 4):
                if await store.story(order_id) is None:
                    return order_id
        except (StoreError, TimeoutError):
            return order_id  # orders are taken without the store too


async def _find(order_id: int) -> _Known | None:
    """The order, if the store has it, or the topic where the store has not got to."""
    # Before the store is asked: what analytics has committed by now, the store has by then. So
    # has what was committed at an earlier look, which will do while Kafka is slow.
    look = await progress.look() or progress.last_look()
    async with asyncio.timeout(PATIENCE):
        story = await store.story(order_id)
    if story is not None:
        order = story.order
        sent = SentOrder(
            order_id, order.customer_id, order.amount, order.country, order.created_at
        )
        return _Known(sent, is_confirmed=True)
    if look is None:
        raise _unavailable("Kafka is not reachable: the order was not sent")
    key = str(order_id).encode()
    tp = _partition_of(look, key)
    analytics = look.services.get("analytics")
    stored = analytics.committed.get(tp, 0) if analytics else 0
    try:
        record = await search.find(tp, key, stored)
    except TransientError as error:
        if _few.room():
            about = {"order_id": order_id}
            logger.warning("order %d: not looked up: %r", order_id, error, extra=about)
        raise _unavailable("Kafka does not answer: the order was not sent") from error
    if record is None:
        return None
    try:
        order = app.decoder("orders").one(record)
    except Exception:
        return None  # somebody's record that is no order has its key
    return _Known(msgspec.convert(order, SentOrder, from_attributes=True), True)


def _partition_of(look: Look, key: bytes) -> TopicPartition:
    """Where Kafka's own partitioner, which is ours too, puts a key."""
    partitions = sum(tp.topic == "orders" for tp in look.ends)
    if not partitions:
        raise _unavailable("the topic 'orders' does not exist: the order was not sent")
    return TopicPartition("orders", (murmur2(key) & 0x7FFFFFFF) % partitions)


search = Search(lambda: app.cluster, may_be_ours)
app.resources.append(search)
app.topic_listeners.append(search.forget)
desk = Desk()
app.writes("orders")


@serve(ROUTE, seconds=REQUEST_PATIENCE)
async def send_order(request: web.Request) -> web.Response:
    """See `ROUTE`."""
    check_writer(request)
    key = read_key(request)
    trace = trace_headers.from_http(request.headers)
    order = await desk.take(await read_order(request), key, trace)
    link = f"/api/orders/{order.order_id}"
    return json(Accepted(order, Links(link)), 202, {"Location": link})
