"""A payment gateway that keeps to the contract over HTTP, and misbehaves as it is told."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

LIMIT = 10_000


@dataclass
class GatewayDouble:
    """Charges each key once. `script` and `rules` come before the contract."""

    #: What was charged, by key.
    charged: dict[str, float] = field(default_factory=dict)
    #: Method, path, headers and JSON of each request.
    requests: list[tuple[str, str, Any, Any]] = field(default_factory=list)
    #: Steps for the next requests, one for each: coroutines that may answer (else the contract
    #: does), given the request.
    script: list[Any] = field(default_factory=list)
    #: Steps for every request about an order, by its id.
    rules: dict[int, Any] = field(default_factory=dict)
    #: A step for every request.
    always: Any = None
    #: Requests at this moment, and the most that there were.
    now: int = 0
    most: int = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("POST", "/charges", self._charge)
        app.router.add_route("GET", "/charges/{key}", self._lookup)
        return app

    @property
    def posts(self) -> Counter[str]:
        """How often each key was charged or tried to be."""
        return Counter(h["Idempotency-Key"] for m, _, h, _ in self.requests if m == "POST")

    async def _charge(self, request: web.Request) -> web.StreamResponse:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            body = await request.json()
            self.requests.append((request.method, request.path, request.headers, body))
            return await self._misbehave(request, body["order_id"]) or self._answer(
                request.headers["Idempotency-Key"], body["amount"]
            )
        finally:
            self.now -= 1

    async def _misbehave(self, request: web.Request, order_id: int) -> Any:
        for step in (self.rules.get(order_id), self.always):
            if step is not None and (answer := await step(request)) is not None:
                return answer
        return await self.script.pop(0)(request) if self.script else None

    def _answer(self, key: str, amount: float) -> web.Response:
        before = self.charged.setdefault(key, amount)
        if before != amount:
            return web.json_response({"error": "key reused", "amount": before}, status=422)
        return web.json_response(self._payment(key))

    def _payment(self, key: str) -> dict[str, Any]:
        amount = self.charged[key]
        status = "DECLINED" if amount > LIMIT else "PAID"
        return {"id": "ch_1", "status": status, "key": key, "amount": amount}

    async def _lookup(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path, request.headers, None))
        if self.always is not None and (answer := await self.always(request)) is not None:
            return answer
        key = request.match_info["key"]
        if key not in self.charged:
            return web.json_response({"error": "not found"}, status=404)
        return web.json_response(self._payment(key))


def says(status: int, body: Any = None, **headers: str) -> Any:
    """A step that answers with this status, JSON (or text) and headers."""

    async def step(_: web.Request) -> web.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, str):
            return web.Response(status=status, text=body, headers=given)
        return web.json_response({} if body is None else body, status=status, headers=given)

    return step


def waits(seconds: float) -> Any:
    """A step that answers late."""

    async def step(_: web.Request) -> None:
        await asyncio.sleep(seconds)

    return step


async def hangs_up(request: web.Request) -> None:
    """A step that closes the connection."""
    assert request.transport is not None
    request.transport.close()


async def breaks_off(request: web.Request) -> web.StreamResponse:
    """A step that closes the connection in the middle of the body."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"status":')
    assert request.transport is not None
    request.transport.close()
    return response


@contextmanager
def in_thread(double: GatewayDouble, port: int) -> Iterator[None]:
    """Serve it on this port until the block ends, beside a test that does not wait."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(60)

    runner = web.AppRunner(double.app(), shutdown_timeout=0.1)
    try:
        run(runner.setup())
        run(web.TCPSite(runner, "127.0.0.1", port).start())
        yield
    finally:
        run(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
