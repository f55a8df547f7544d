"""The topology and messages as the API shows them, for the fake worker."""

from typing import Any

from aiohttp import web

from tests.web_page.fake_letters import shown
from tests.web_page.fake_orders import moment

Json = dict[str, Any]

READS = {
    "producer": [],
    "web": [],
    "fraud": ["orders", "orders-by-customer"],
    "payment": ["orders"],
    "analytics": ["orders", "fraud-alerts", "fraud-alerts-shadow", "payments", "orders-dlq"],
    "loyalty": ["payments"],
}
SENDS = {
    "producer": ["orders"],
    "web": ["orders", "orderapp-control"],
    "fraud": ["fraud-alerts", "fraud-alerts-shadow", "orders-by-customer"],
    "payment": ["payments"],
    "analytics": [],
    "loyalty": ["loyalty-points"],
}
TOPICS = (
    "orders", "fraud-alerts", "fraud-alerts-shadow", "payments", "orders-by-customer",
    "orderapp-control", "orders-dlq", "orders-dlq-resolved", "loyalty-points",
)  # fmt: skip
MEMBERS = [f"orderapp-client-0-7d2f8a11-0000-4000-8000-00000000000{n}" for n in range(2)]


def make_service(name: str, **changes: Any) -> Json:
    """A service that is well, in a group with two workers; or one that reads nothing."""
    reads = READS[name]
    known = {
        "group": "orderapp", "lag": 0, "oldest_seconds": None, "members": MEMBERS,
        "partitions": [
            {"topic": topic, "partition": n, "committed": 100 + n, "lag": 0,
             "member": MEMBERS[n % 2]}
            for topic in reads for n in range(6)
        ],
    }  # fmt: skip
    return {
        "name": name,
        "here": True,
        "sends": SENDS[name],
        "reads": reads,
        "follows": ["orderapp-control"] if name == "fraud" else [],
        "store": {"analytics": "writes", "web": "reads"}.get(name),
        "health": "ok",
        **(known if reads else dict.fromkeys(known)),
        **changes,
    }


def make_topic(name: str, **changes: Any) -> Json:
    """A topic with its readers and senders."""
    senders = [service for service, sends in SENDS.items() if name in sends]
    if name == "orders-dlq":
        senders = [service for service, reads in READS.items() if reads]
    if name == "orders-dlq-resolved":
        senders = ["web"]
    return {
        "name": name,
        "text": f"What {name} is for.",
        "sent_by": senders,
        "read_by": [service for service, reads in READS.items() if name in reads],
        "followed_by": ["fraud"] if name == "orderapp-control" else [],
        "partitions": 6,
        "records": 1234,
        "per_second": 12.5,
        **changes,
    }


def make_check(**changes: Any) -> Json:
    """A check of all orders that all agree, two minutes ago."""
    return {
        "at": moment(0),
        "age_seconds": 125.0,
        "is_old": False,
        "took_seconds": 3.1,
        "result": "agree",
        "orders": 1200,
        "lost": 0,
        "disagreements": [],
        **changes,
    }


def make_message(offset: int, **changes: Any) -> Json:
    """An order."""
    value = f'{{"order_id": {offset}, "amount": 350.0, "country": "DE"}}'
    return {
        "partition": 3,
        "offset": offset,
        "at": moment(offset),
        "key": shown(str(offset), "json"),
        "value": shown(value, "json"),
        "headers": [{"name": "traceparent", "value": shown("00-1-1-01")}],
        "header_count": 1,
        **changes,
    }


class FakeFlow:
    """The routes; a test changes what they answer."""

    def __init__(self) -> None:
        self.services = {name: make_service(name) for name in READS}
        self.topics = {name: make_topic(name) for name in TOPICS}
        self.store: Json = {"kind": "sqlite", "answers": True}
        self.unknown: list[str] = []
        self.messages = [make_message(n) for n in range(20, 0, -1)]
        #: What one message alone shows of its value.
        self.whole: Json | None = None
        self.complete = True
        self.problem: Any = None
        self.looks = 0
        self.reconcile: Json = {
            "last": None, "failed": None, "running": False, "waiting": False,
            "every_seconds": None, "status": "ok",
        }  # fmt: skip
        latency = {"p50": 0.022, "p99": 0.054, "orders": 1200}
        #: The last hour: paid by other workers.
        self.hour: Json = {
            "since": moment(0), "stored": latency, "paid": None, "status": "ok",
            "minutes": [
                {"at": moment(60 * n), "stored": latency, "paid": None,
                 "lag": {"fraud": n, "payment": None} if n else None}
                for n in range(60)
            ],
        }  # fmt: skip
        self.token: str | None = None
        self.checks = 0
        #: Queries for messages, with their topic.
        self.asked: list[tuple[str, Json]] = []

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/topology", self._topology)
        app.router.add_get("/api/topics/{topic}/messages", self._messages)
        app.router.add_get("/api/history", self._history)
        app.router.add_get("/api/reconcile", self._last)
        app.router.add_post("/api/reconcile", self._check)

    async def _topology(self, _: web.Request) -> web.Response:
        self.looks += 1
        if self.problem is not None:
            return self.problem()
        return web.json_response({
            "at": moment(self.looks),
            "topics": [*self.topics.values()],
            "services": [*self.services.values()],
            "store": self.store,
            "unknown": self.unknown,
            "status": "ok",
        })  # fmt: skip

    async def _history(self, _: web.Request) -> web.Response:
        return web.json_response(self.hour)

    async def _last(self, _: web.Request) -> web.Response:
        return web.json_response(self.reconcile)

    async def _check(self, request: web.Request) -> web.Response:
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"detail": "this needs the right token"}, status=401)
        self.checks += 1
        self.reconcile["running"] = True
        return web.json_response(self.reconcile, status=202)

    async def _messages(self, request: web.Request) -> web.Response:
        topic, query = request.match_info["topic"], dict(request.query)
        self.asked.append((topic, query))
        if self.problem is not None:
            return self.problem()
        found = self.messages
        if "offset" in query:
            found = [one for one in found[::-1] if one["offset"] >= int(query["offset"])]
        if query.get("limit") == "1" and self.whole is not None:
            found = [found[0] | {"value": self.whole}]
        return web.json_response({
            "topic": topic,
            "messages": found[: int(query["limit"])],
            "partitions": [{"partition": n, "begin": 0, "end": 21} for n in range(6)],
            "complete": self.complete,
            "status": "ok",
        })  # fmt: skip
