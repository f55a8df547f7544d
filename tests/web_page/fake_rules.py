"""Rules as the API shows them, for the fake worker."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.web_page.fake_orders import FIRST_ID, moment

Json = dict[str, Any]
AMOUNT = {"type": "number", "minimum": 0, "maximum": 1e12}
COUNTRIES = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 64}}
LIMIT = {"type": "integer", "minimum": 1, "exclusiveMaximum": 1000}
SECONDS = {"type": "integer", "minimum": 1, "maximum": 3600, "default": 60}


#: What a test has found: many countries, and twelve orders of two hours.
TEST: Json = {
    "rule": "CUSTOMER_VELOCITY", "parameters": {"limit": 4, "seconds": 60}, "since": moment(0),
    "until": moment(1), "records": 1200, "unreadable": 1, "failures": 2,
    "failure": "order 7: it failed", "raised": 12, "already": 5, "new": 7, "gone": 3,
    "by_country": [
        {"country": f"<b>{n}", "raised": 12 - n, "already": 5, "new": 7 - n, "gone": 0}
        for n in range(30)
    ],
    "by_hour": [
        {"hour": f"2026-11-23T1{n}:00Z", "raised": 6, "already": 3, "new": 3, "gone": n}
        for n in range(2)
    ],
    "examples": [
        {
            "order_id": FIRST_ID + n, "customer_id": 1234, "amount": 350.0, "country": "DE",
            "created_at": moment(n), "detail": "5 orders in 60 s", "link": "http://elsewhere/",
        }
        for n in range(1, 11)
    ],
}  # fmt: skip


async def answer_test() -> web.Response:
    """The answer to every test."""
    return web.json_response(TEST)


class FakeRules:
    """The routes of rules."""

    def __init__(self) -> None:
        self.rules: dict[str, Json] = {}
        self.changes: list[Json] = []
        self.token: str | None = None
        #: The answer to whatever is to be changed, in place of doing it.
        self.problem: Any = None
        #: Lists that were asked for, and what came as `If-Match` and body.
        self.listed = 0
        self.came: list[tuple[str, Json]] = []
        #: What was to be tested, and the answer, which may be late or a problem.
        self.tested: list[tuple[str, str]] = []
        self.answer_test: Callable[[], Awaitable[web.Response]] = answer_test
        seconds = SECONDS | {"description": "How long a customer's orders are remembered."}
        self.declare(
            "CUSTOMER_VELOCITY",
            "More orders of one customer than the limit, within so many seconds.",
            "off",
            limit=LIMIT | {"default": 3},
            seconds=seconds,
        )
        self.declare(
            "HIGH_AMOUNT_RISKY_COUNTRY",
            "An order above the limit from a country that is not known to be safe.",
            "active",
            limit=AMOUNT | {"default": 300.0},
            safe_countries=COUNTRIES | {"default": ["CA", "US"]},
        )
        self.count("HIGH_AMOUNT_RISKY_COUNTRY", 1, "active", 1000, 34, 0)

    def declare(self, rule_id: str, text: str, state: str, **schemas: Json) -> None:
        """There is a rule, with these parameters."""
        self.rules[rule_id] = {
            "id": rule_id,
            "text": text,
            "state": state,
            "version": 1,
            "parameters": {name: one["default"] for name, one in schemas.items()},
            "schemas": schemas,
            "changed_at": None,
            "author": "",
            "counted": [],
        }

    def count(
        self, rule_id: str, version: int, state: str, orders: int, raised: int, failed: int
    ) -> None:
        """What the worker has counted of a version."""
        names = {"rule": rule_id, "version": version, "state": state}
        numbers = {"orders": orders, "raised": raised, "failed": failed, "seconds": 0.1}
        self.rules[rule_id]["counted"].insert(0, names | numbers)

    def put(self, rule_id: str, author: str, state: str | None = None, **values: Any) -> Json:
        """Somebody changes it."""
        rule = self.rules[rule_id]
        rule |= {"author": author, "changed_at": moment(rule["version"])}
        rule["state"] = state or rule["state"]
        rule["parameters"] = rule["parameters"] | values
        rule["version"] += 1
        said = ("id", "state", "version", "parameters", "changed_at", "author")
        self.changes.insert(0, {one: rule[one] for one in said})
        return rule

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/rules", self._list)
        app.router.add_put("/api/rules/{rule_id}", self._put)
        app.router.add_get("/api/rules/{rule_id}/test", self._test)

    async def _list(self, _: web.Request) -> web.Response:
        self.listed += 1
        rules = [*self.rules.values()]
        return web.json_response({"rules": rules, "changes": self.changes, "status": "ok"})

    async def _test(self, request: web.Request) -> web.Response:
        self.tested.append((request.match_info["rule_id"], request.query_string))
        return await self.answer_test()

    async def _put(self, request: web.Request) -> web.Response:
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"detail": "this needs the right token"}, status=401)
        if self.problem:
            return self.problem()
        rule, body = self.rules[request.match_info["rule_id"]], await request.json()
        self.came.append((request.headers["If-Match"], body))
        if request.headers["If-Match"] != f'"{rule["version"]}"':
            return web.json_response({"detail": "it has another version"}, status=412)
        values = body.get("parameters", {})
        rule = self.put(rule["id"], body["author"], body.get("state"), **values)
        return web.json_response({"rule": rule, "status": "ok"})
