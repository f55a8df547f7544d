"""A worker for page tests: the real files, and the API over orders that the test scripts.

It answers as the real one does (tests/e2e/test_page.py compares them), can go away and come
back on its port, and heartbeats as fast as a test wants."""

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.ports import free_port
from tests.web_page.fake_faults import FakeFaults
from tests.web_page.fake_flow import FakeFlow
from tests.web_page.fake_letters import FakeLetters
from tests.web_page.fake_orders import (
    STATUSES,
    alert_of,
    letter_of,
    listed,
    make_order,
    moment,
    payment_of,
    stats_of,
    status_of,
    stored,
    story_of,
)
from tests.web_page.fake_rules import FakeRules

# By its path: importing the package would make the whole app.
STATIC = Path(__file__).parents[2] / "orderapp" / "web" / "page" / "static"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
Json = dict[str, Any]


def problem(status: int, detail: str, **more: Any) -> web.Response:
    """An RFC 9457 answer."""
    body = {"type": "about:blank", "title": "Error", "status": status, "detail": detail, **more}
    return web.json_response(body, status=status, content_type="application/problem+json")


class FakeWorker:
    """`orders` by id as the store has them; `hear` sends events to every open stream."""

    def __init__(self) -> None:
        self.orders: dict[int, Json] = {}
        self.store_error: str | None = None
        self.stats_error: str | None = None
        #: The status of the list's answers.
        self.list_status = 200
        #: Why no stream is opened.
        self.stream_error: str | None = None
        self.missing: list[str] = []
        #: Whether what is missing has been so since the worker's start.
        self.starting = False
        #: What is broken on purpose.
        self.faults: Json = {}
        self.services: Json | None = {
            name: {"group": "orderapp", "lag": 0, "oldest_seconds": None}
            for name in ("fraud", "payment", "analytics")
        }
        self.token: str | None = None
        self.forbidden: str | None = None
        #: Fields that the worker does not like, and why.
        self.wrong: dict[str, str] = {}
        #: A POST is not answered until this is set.
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        #: Lists whose query has this in it are not answered until the event is set.
        self.slow_list = ""
        self.lists_waiting = 0
        self.may_list = asyncio.Event()
        self.may_list.set()
        #: New streams are not answered until this is set.
        self.may_stream = asyncio.Event()
        self.may_stream.set()
        self.asked: list[str] = []
        self.stats_asked = 0
        #: Activity beside that of the orders, and the moment of the answer (Unix time in s).
        self.more_activity: list[Json] = []
        self.now: float | None = None
        #: How old the totals are when they are answered, in seconds.
        self.counted_before = 0.0
        #: What the answer says of the countries that it does not list.
        self.other_countries: Json | None = None
        #: Whether the open dead letters have been counted.
        self.letters_counted = True
        self.posted: list[tuple[Json, str | None]] = []
        self.resumed: list[str | None] = []
        self.heartbeat = 0.5
        self.stories_asked = 0
        #: Seconds until an order's story is answered.
        self.story_delay = 0.0
        #: Fraud's verdict on every order, if it is not what follows from the order.
        self.fraud: Json | None = None
        #: The routes of dead letters.
        self.letters = FakeLetters()
        #: The routes of the view of the flow.
        self.flow = FakeFlow()
        #: Those of what is broken on purpose.
        self.switches = FakeFaults()
        #: Those of fraud's rules.
        self.rules = FakeRules()
        self._ids: dict[str, int] = {}
        self._ring: list[tuple[str, bytes]] = []
        self._streams: set[asyncio.Queue[bytes]] = set()
        self._generation = 0
        self._port = free_port()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._streams)

    async def start(self) -> None:
        """Listen, on the port of the last time; the events before are lost."""
        self._generation += 1
        self._ring.clear()
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_static("/static/", STATIC)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/api/stats", self._stats)
        app.router.add_get("/api/access", self._access)
        app.router.add_get("/api/events", self._events)
        self.letters.add_routes(app)
        self.switches.add_routes(app)
        self.rules.add_routes(app)
        self.flow.add_routes(app)
        app.router.add_get("/api/orders", self._list)
        app.router.add_post("/api/orders", self._post)
        app.router.add_get("/api/orders/{id}", self._story)
        app.on_response_prepare.append(self._secure)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # What happens in the pipeline.

    def put(self, *orders: Json) -> None:
        """Into the store, without an event."""
        self.orders.update({order["order_id"]: order for order in orders})

    def accept(self, *orders: Json, is_stored: bool = True) -> None:
        """Onto the streams as the topic has it, and as a rule into the store."""
        if is_stored:
            self.put(*orders)
        names = ("order_id", "customer_id", "amount", "country", "created_at")
        self.hear(
            orders=[
                {name: order[name] for name in names}
                | {"partition": order["kafka_partition"], "offset": order["kafka_offset"]}
                for order in orders
            ]
        )

    def alert(self, order_id: int, reason: str = "HIGH_AMOUNT_RISKY_COUNTRY") -> None:
        """Fraud judges an order."""
        found = alert_of(self.orders[order_id], reason)
        self.orders[order_id]["alerts"].append(stored(found, "alert"))
        self.hear(alerts=[found])

    def pay(
        self,
        order_id: int,
        status: str = "PAID",
        attempts: int = 1,
        times: Sequence[Json] = (),
    ) -> None:
        """Payment charges an order; `times`: of its attempts, where they are known."""
        found = payment_of(self.orders[order_id], status, attempts)
        kept = stored(found, "payment") | {"attempt_times": [*times]}
        self.orders[order_id]["payment"] = kept
        self.hear(payments=[found])

    def bury(
        self,
        order_id: int,
        text: str = "the gateway did not answer",
        service: str = "payment",
    ) -> None:
        """A service, or several, give an order up."""
        became = {"place": "0:1", "state": "open", "open_for": service.split(",")}
        found = letter_of(order_id, text) | {"service": service, "resolved_at": None, **became}
        self.orders[order_id]["dead_letter"] = found
        self.hear(dead_letters=[{name: found[name] for name in (
            "order_id", "service", "error_class", "error_text")}])  # fmt: skip

    def drop(self, order_id: int) -> None:
        """Somebody drops an order's dead letter, of which there is no event."""
        became = {"state": "dropped", "open_for": [], "resolved_at": moment(4000)}
        self.orders[order_id]["dead_letter"] |= became

    def hear(self, **events: Any) -> None:
        """One batch of events, to all streams and into the ring."""
        kinds: Json = {"orders": [], "alerts": [], "payments": [], "dead_letters": []}
        batch = {**kinds, "skipped": 0, **events}
        self._send(f"{self._generation}-{len(self._ring)}", "batch", batch)

    def gap(self) -> None:
        """Tell the streams that they have missed something."""
        self._send(f"{self._generation}-{len(self._ring)}", "gap", {"reason": "slow reader"})

    def beat(self) -> None:
        """A heartbeat, now."""
        for stream in self._streams:
            stream.put_nowait(b": still here\n\n")

    def _send(self, event_id: str, name: str, data: Json) -> None:
        text = f"event: {name}\nid: {event_id}\ndata: {json.dumps(data)}\n\n".encode()
        self._ring.append((event_id, text))
        for stream in self._streams:
            stream.put_nowait(text)

    # What the page asks.

    async def _secure(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["Content-Security-Policy"] = CSP

    async def _page(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _ready(self, _: web.Request) -> web.Response:
        if self.missing:
            body = {
                "status": "unavailable",
                "missing": self.missing,
                "starting": self.starting,
            }
            return web.json_response(body, status=503)
        return web.json_response({"status": "ok"})

    async def _stats(self, _: web.Request) -> web.Response:
        self.stats_asked += 1
        if error := self.store_error or self.stats_error:
            return problem(503, error)
        stats = stats_of(self.orders.values(), self.services, self.counted_before)
        stats["other_countries"] = self.other_countries
        stats["activity"] += self.more_activity
        stats["faults"] = self.faults
        if self.now is not None:
            stats["at"] = datetime.fromtimestamp(self.now, UTC).isoformat()
        if not self.letters_counted:
            stats["dead_letters"] = None
        return web.json_response(stats)

    async def _access(self, _: web.Request) -> web.Response:
        changes = "refused" if self.forbidden else "token" if self.token else "free"
        return web.json_response(
            {
                "status": "ok",
                "changes": changes,
                "reason": self.forbidden,
                "environment": "staging",
            }
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        await self.may_stream.wait()
        if self.stream_error is not None:
            return problem(503, self.stream_error)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._resume(request.headers.get("Last-Event-ID"), queue)
        self._streams.add(queue)
        try:
            if not self._ring:
                await response.write(f"id: {self._generation}-\n\n".encode())
            while True:
                try:
                    text = await asyncio.wait_for(queue.get(), self.heartbeat)
                except TimeoutError:
                    text = b": still here\n\n"
                await response.write(text)
        except ConnectionResetError:
            return response
        finally:
            self._streams.discard(queue)

    def _resume(self, last: str | None, queue: asyncio.Queue[bytes]) -> None:
        self.resumed.append(last)
        if last is None:
            return
        ids = [event_id for event_id, _ in self._ring]
        if last in ids:
            for _, text in self._ring[ids.index(last) + 1 :]:
                queue.put_nowait(text)
        else:
            queue.put_nowait(b'event: gap\ndata: {"reason": "too long ago"}\n\n')

    async def _list(self, request: web.Request) -> web.Response:
        self.asked.append(request.query_string)
        if self.slow_list in request.query_string:
            self.lists_waiting += 1
            await self.may_list.wait()
            self.lists_waiting -= 1
        if self.store_error is not None:
            return problem(503, self.store_error)
        if self.list_status != 200:
            return problem(self.list_status, f"no list: {self.list_status}")
        if wrong := _wrong(request.query):
            return problem(400, f"{wrong} is not allowed: something else")
        query, limit = request.query, int(request.query.get("limit", 50))
        found = sorted(
            (order for order in self.orders.values() if _matches(order, query)),
            key=lambda order: (order["created_at"], order["order_id"]),
            reverse=True,
        )
        if "after" in query:
            place = tuple(json.loads(urlsafe_b64decode(query["after"])))
            found = [o for o in found if (o["created_at"], o["order_id"]) < place]
        page, last = found[:limit], None
        if len(found) > limit:
            place = [page[-1]["created_at"], page[-1]["order_id"]]
            last = urlsafe_b64encode(json.dumps(place).encode()).decode()
        orders = [listed(order) for order in page]
        return web.json_response({"status": "ok", "orders": orders, "next": last})

    async def _story(self, request: web.Request) -> web.Response:
        self.stories_asked += 1
        await asyncio.sleep(self.story_delay)
        if self.store_error is not None:
            return problem(503, self.store_error)
        order = self.orders.get(int(request.match_info["id"]))
        if order is None:
            return problem(404, f"order {request.match_info['id']} is not known")
        return web.json_response({"status": "ok", "order": story_of(order, self.fraud)})

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.json()
        key = request.headers.get("Idempotency-Key")
        self.posted.append((body, key))
        await self.may_answer.wait()
        if self.forbidden is not None:
            return problem(403, self.forbidden)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return problem(401, "this needs the bearer token of ORDERAPP_API_TOKEN")
        if self.wrong:
            errors = [{"field": name, "detail": text} for name, text in self.wrong.items()]
            return problem(422, "this is no order", errors=errors)
        number = self._ids.setdefault(key or "", 500 + len(self._ids))
        order = make_order(number, **body)
        names = ("order_id", "customer_id", "amount", "country", "created_at")
        path = f"orders/{order['order_id']}"
        answer = {"status": "accepted", "order": {name: order[name] for name in names}}
        self.made = order
        return web.json_response(
            {**answer, "links": {"self": path}}, status=202, headers={"Location": path}
        )


def _wrong(query: Any) -> str | None:
    status, after = query.get("status"), query.get("after")
    if status is not None and status not in STATUSES:
        return f"status={status}"
    return f"after={after}" if after == "broken" else None


def _matches(order: Json, query: Any) -> bool:
    for name in ("country", "customer_id", "trace_id"):
        if query.get(name, str(order[name])) != str(order[name]):
            return False
    if "from" in query and _moment(order["created_at"]) < _moment(query["from"]):
        return False
    if "to" in query and _moment(order["created_at"]) >= _moment(query["to"]):
        return False
    wanted = query.get("status")
    if wanted == "alert":
        return bool(order["alerts"])
    return wanted is None or status_of(order) == wanted


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
