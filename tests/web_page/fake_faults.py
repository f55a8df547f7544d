"""What is broken on purpose as the API shows it, for the fake worker."""

from typing import Any

from aiohttp import web

from tests.web_page.fake_orders import moment

Json = dict[str, Any]
TEXTS = {
    "gateway_timeout": "of the requests to the gateway: no answer, after 10 times the delay",
    "store_slow": "seconds that each call of the store takes longer",
    "poison": "of the generated orders: with a record that is no order",
}


class FakeFaults:
    """The routes of faults."""

    def __init__(self) -> None:
        self.faults: dict[str, Json] = {
            name: {
                "name": name,
                "text": text,
                "value": 0.0,
                "most": 60.0 if name == "store_slow" else 1.0,
                "version": 1,
                "changed_at": None,
                "author": "",
                "refused": None,
            }
            for name, text in TEXTS.items()
        }
        self.changes: list[Json] = []
        self.token: str | None = None
        #: The answer to whatever is to be changed, in place of doing it.
        self.problem: Any = None
        self.away: Any = None
        #: Values of `If-Match` that came.
        self.matched: list[str] = []

    def put(self, name: str, value: float, author: str) -> Json:
        """Somebody switches it."""
        fault = self.faults[name]
        at = moment(fault["version"])
        fault |= {"value": value, "author": author, "changed_at": at}
        fault["version"] += 1
        said = ("name", "value", "version", "changed_at", "author")
        self.changes.insert(0, {one: fault[one] for one in said})
        return fault

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/faults", self._list)
        app.router.add_put("/api/faults/{name}", self._put)
        app.router.add_post("/api/faults/off", self._off)

    def _listed(self) -> web.Response:
        faults = [*self.faults.values()]
        return web.json_response({"faults": faults, "changes": self.changes, "status": "ok"})

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"detail": "this needs the right token"}, status=401)
        return self.problem() if self.problem else None

    async def _list(self, _: web.Request) -> web.Response:
        return self.away() if self.away else self._listed()

    async def _put(self, request: web.Request) -> web.Response:
        if refused := self._refusal(request):
            return refused
        fault, body = self.faults[request.match_info["name"]], await request.json()
        self.matched.append(request.headers["If-Match"])
        if self.matched[-1] != f'"{fault["version"]}"':
            return web.json_response({"detail": "it has another version"}, status=412)
        fault = self.put(fault["name"], body["value"], body["author"])
        return web.json_response({"fault": fault, "status": "ok"})

    async def _off(self, request: web.Request) -> web.Response:
        if refused := self._refusal(request):
            return refused
        author = (await request.json())["author"]
        for name in [name for name, fault in self.faults.items() if fault["value"]]:
            self.put(name, 0.0, author)
        return self._listed()
