"""The orders of the list as a file: CSV and JSON."""

import asyncio
import csv
import io
import json

import pytest
from aiohttp import ClientPayloadError

from orderapp.store import StoreUnavailable
from orderapp.web.api import export, order_pages
from tests.web.examples import alert, dead_letter, order, payment

CSV, JSON = "/api/orders/export.csv", "/api/orders/export.json"


async def rows_of(client, query=""):
    answer = await client.get(CSV + query)
    assert answer.status == 200
    return list(csv.DictReader(io.StringIO(await answer.text(), newline="")))


async def put(store, count):
    times = {n: f"2026-11-23T{n // 60:02}:{n % 60:02}:00.000000Z" for n in range(count)}
    await store.upsert([order(n, times[n], country="DE" if n % 2 else "US") for n in times])


@pytest.mark.parametrize(
    "query", ["", "?country=DE", "?from=2026-11-23T02:00:00Z&to=2026-11-23T04:30:00Z"]
)
async def test_a_file_has_the_orders_that_the_list_has_in_all_its_pages(client, store, query):
    await put(store, 350)
    listed, after = [], ""
    while after is not None:
        more = f"{'&' if query else '?'}limit=100{after and f'&after={after}'}"
        page = await (await client.get(f"/api/orders{query}{more}")).json()
        listed, after = listed + page["orders"], page["next"]

    answer = await client.get(JSON + query)
    assert await answer.json() == {"orders": listed, "next": None, "status": "ok"}
    ids = [str(one["order_id"]) for one in listed]
    assert [row["order_id"] for row in await rows_of(client, query)] == ids
    assert len(ids) > 100


async def test_a_line_has_what_became_of_an_order(client, store, letters):
    await store.upsert([order(7, country="Côte d'Ivoire, 'x'"), alert(7, "A"), alert(7, "B")])
    await store.upsert([payment(7), dead_letter(7, "fraud")])

    answer = await client.get(CSV)

    assert (answer.content_type, answer.charset) == ("text/csv", "utf-8")
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="orders-20')
    assert disposition.endswith('Z.csv"')
    assert answer.headers["Content-Security-Policy"]
    (row,) = csv.DictReader(io.StringIO(await answer.text(), newline=""))
    names = ("country", "order_status", "alerts", "payment_id", "dead_letter_of", "amount")
    assert [row[name] for name in names] == [
        "Côte d'Ivoire, 'x'", "paid", "A B", "pay-7", "fraud", "350.0",
    ]  # fmt: skip


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
async def test_text_is_no_formula_for_a_spreadsheet(client, store, begin):
    evil = f"{begin}HYPERLINK(0)"
    await store.upsert([order(7, country=evil)])

    (row,) = await rows_of(client)
    assert row["country"] == f"'{evil}"
    found = await (await client.get(JSON)).json()
    assert found["orders"][0]["country"] == evil, "JSON is for programs"


async def test_a_file_that_is_cut_says_so_and_where_the_next_begins(client, store, monkeypatch):
    await put(store, 250)
    monkeypatch.setattr(export, "MOST", 130)

    *rows, last = await rows_of(client)
    first = await (await client.get(JSON)).json()

    assert len(rows) == len(first["orders"]) == 130
    assert last["order_id"] == f"# not all: the next begin with after={first['next']}"
    rest = await (await client.get(f"{JSON}?after={first['next']}")).json()
    assert [one["order_id"] for one in rest["orders"]] == list(range(119, -1, -1))
    assert rest["next"] is None


async def test_what_takes_too_long_is_cut_as_well(client, store, monkeypatch):
    await put(store, 250)
    monkeypatch.setattr(export, "LONGEST", -1)

    found = await (await client.get(JSON)).json()

    assert len(found["orders"]) == 100
    assert found["next"]


async def test_no_orders_are_a_file_without_any(client, store):
    assert await rows_of(client) == []
    assert json.loads(await (await client.get(JSON)).text())["orders"] == []


@pytest.mark.parametrize("path", [CSV, JSON])
async def test_a_store_that_goes_away_in_between_breaks_the_connection(
    client, store, monkeypatch, path
):
    await put(store, 250)
    page, asked = store.page, []

    async def fail_later(query):
        asked.append(query)
        if len(asked) > 1:
            raise StoreUnavailable("gone")
        return await page(query)

    monkeypatch.setattr(order_pages.store, "page", fail_later)
    answer = await client.get(path)
    with pytest.raises(ClientPayloadError):
        await answer.read()
    assert export._room._value == export.AT_ONCE

    store.fail(StoreUnavailable("gone"))
    monkeypatch.setattr(order_pages.store, "page", page)
    assert (await client.get(path)).status == 503


async def test_a_worker_makes_few_files_at_once(client, store, monkeypatch):
    monkeypatch.setattr(export, "_room", asyncio.Semaphore(0))

    answer = await client.get(CSV)

    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert "exports are under way" in (await answer.json())["detail"]


@pytest.mark.parametrize("query", ["?status=lost", "?limit=5", "?to=x"])
async def test_wrong_parameters_are_refused_as_those_of_the_list(client, store, query):
    assert (await client.get(CSV + query)).status == 400
