"""Dead letters as the API shows them, for the fake worker."""

import json
from collections import Counter
from typing import Any

from aiohttp import web

from tests.web_page.fake_orders import moment

Json = dict[str, Any]


def make_letter(offset: int, **changes: Any) -> Json:
    """One in the list; a later one for a greater offset."""
    return {
        "place": f"{offset % 6}:{offset}",
        "order_id": 700 + offset,
        "state": "open",
        "services": ["payment"],
        "open_for": ["payment"],
        "error_class": "GatewayTimeoutError",
        "error_text": "the gateway did not answer",
        "attempts": 8,
        "last_failure": moment(offset),
        "resolved_at": None,
    } | changes


def shown(text: str, form: str = "text", **changes: Any) -> Json:
    """Bytes, as the API shows them."""
    found = {"form": form, "text": text, "length": len(text), "shown": len(text)}
    return found | {"schema_id": None} | changes


def in_full(letter: Json, **changes: Any) -> Json:
    """The same letter, with its headers, key and value."""
    names = ("place", "order_id", "state", "services", "open_for", "error_class", "error_text")
    value = json.dumps({"order_id": letter["order_id"], "amount": 350})
    resolution = {"at": letter["resolved_at"], "services": letter["services"]}
    return {
        **{name: letter[name] for name in (*names, "attempts", "last_failure")},
        "original_topic": "orders",
        "original_partition": 3,
        "original_offset": 17,
        "original_timestamp": 1_795_458_572_562,
        "first_failure": moment(1),
        "damage": None,
        "resolution": {**resolution, "action": letter["state"]}
        if letter["resolved_at"]
        else None,
        "objection": None,
        "headers": [{"name": "service", "value": shown(letter["services"][0])}],
        "header_count": 1,
        "key": shown(str(letter["order_id"]), "json"),
        "value": shown(value, "json"),
    } | changes


class FakeLetters:
    """The routes of dead letters over `letters`, by place; `details` has what is not usual."""

    def __init__(self) -> None:
        self.letters: dict[str, Json] = {}
        self.details: dict[str, Json] = {}
        #: Bodies of the requests that were to change something, with their verb.
        self.asked: list[tuple[str, Json]] = []
        #: Letters that one request resolves at most; later ones need another.
        self.most = 1000
        self.problem: Any = None
        self.token: str | None = None

    def put(self, *letters: Json) -> None:
        self.letters.update({letter["place"]: letter for letter in letters})

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/dead-letters", self._list)
        app.router.add_get("/api/dead-letters/{place}", self._one)
        app.router.add_post("/api/dead-letters/{verb}", self._change)

    async def _list(self, request: web.Request) -> web.Response:
        if self.problem is not None:
            return self.problem()
        query = request.query
        fitting = sorted(
            (letter for letter in self.letters.values() if _fits(letter, query)),
            key=lambda letter: letter["last_failure"],
            reverse=True,
        )
        wanted = [one for one in fitting if query.get("status") in (None, one["state"])]
        begin = int(query.get("after", "0"))
        end = begin + int(query["limit"])
        groups: dict[str, Counter[str]] = {}
        for letter in fitting:
            name = letter["error_class"] or "damaged"
            groups.setdefault(name, Counter())[letter["state"]] += 1
        return web.json_response({
            "letters": wanted[begin:end],
            "next": str(end) if len(wanted) > end else None,
            "total": len(wanted),
            "counts": _counts(Counter(letter["state"] for letter in fitting)),
            "groups": [{"error": e, "counts": _counts(found)} for e, found in groups.items()],
            "status": "ok",
        })  # fmt: skip

    async def _one(self, request: web.Request) -> web.Response:
        place = request.match_info["place"]
        letter = self.letters.get(place)
        if letter is None:
            body = {"detail": f"{place}: there is no dead letter at this place"}
            return web.json_response(body, status=404)
        found = in_full(letter) | self.details.get(place, {})
        return web.json_response({"letter": found, "status": "ok"})

    async def _change(self, request: web.Request) -> web.Response:
        verb, body = request.match_info["verb"], await request.json()
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"detail": "this needs the right token"}, status=401)
        self.asked.append((verb, body))
        if self.problem is not None:
            return self.problem()
        named = [self.letters[place] for place in body.get("places", [])]
        chosen = named or [one for one in self.letters.values() if _fits(one, body)]
        found = [one for one in chosen if one["state"] == "open"]
        action = {"replay": "replayed", "drop": "dropped"}[verb]
        doing = found if body["dry_run"] else found[: self.most]
        for letter in [] if body["dry_run"] else doing:
            letter |= {"state": action, "open_for": [], "resolved_at": moment(3500)}
        return web.json_response({
            "action": action,
            "dry_run": body["dry_run"],
            "done": len(doing),
            "already_done": len(named) - len(found) if named else 0,
            "skipped": 0,
            "complete": len(doing) == len(found),
            "errors": [],
            "notices": [],
            "status": "ok",
        })  # fmt: skip


def _fits(letter: Json, query: Any) -> bool:
    error = f"{letter['error_class'] or 'damaged'}: {letter['error_text']}"
    return (
        query.get("service") in (None, *letter["services"])
        and str(query.get("order_id", letter["order_id"])) == str(letter["order_id"])
        and query.get("error", "").casefold() in error.casefold()
    )


def _counts(found: Counter[str]) -> Json:
    return {state: found[state] for state in ("open", "replayed", "dropped")}
