"""`GET /api/topology`: what is connected with what, and what is not known of it."""

import asyncio

import pytest
from aiokafka import TopicPartition

from orderapp.app import app
from orderapp.engine.health.lag import LagUnknownError, Look, Position
from orderapp.engine.kafka.offsets import Member
from orderapp.engine.services import Service
from orderapp.store import StoreUnavailable
from orderapp.web.api import flow, progress, topology
from tests.web.examples import ask

ORDERS = [TopicPartition("orders", n) for n in range(2)]
SIZES = {ORDERS[0]: (2, 10), ORDERS[1]: (0, 5)}
MEMBERS = (Member("w-1", frozenset(ORDERS[:1])), Member("w-2", frozenset(ORDERS[1:])))


def position(oldest=None, members=MEMBERS, **more):
    waiting = {ORDERS[0]: 3} if oldest else {}
    return Position("orderapp", {ORDERS[0]: 7}, sum(waiting.values()), oldest, waiting, members)


@pytest.fixture
def view(client, store, kafka, monkeypatch):
    """Asks the view; `sizes` is what Kafka says of the topics."""

    class View:
        sizes = SIZES
        asked = 0

        async def get(self):
            topology.shared.forget()
            status, answer = await ask(client, "/api/topology")
            assert status == 200
            for kind in ("topics", "services"):
                answer[kind] = {one["name"]: one for one in answer[kind]}
            return answer

    made = View()

    async def sizes(_):
        made.asked += 1
        if made.sizes is None:
            raise LagUnknownError("away")
        return made.sizes

    monkeypatch.setattr(progress.monitor, "sizes", sizes)
    monkeypatch.setattr(topology, "_rates", flow.Rates())
    topology.shared.forget()
    return made


async def test_it_follows_from_what_services_declare(view, monkeypatch):
    found = await view.get()

    orders = found["topics"]["orders"]
    assert orders["sent_by"] == ["producer", "web"]
    assert orders["read_by"] == ["fraud", "payment", "analytics"]
    assert orders["text"].startswith("Orders of customers")
    assert found["topics"]["orders-dlq"]["sent_by"] == ["fraud", "payment", "analytics"]
    assert found["topics"]["orderapp-control"]["followed_by"][0] == "producer"
    assert found["services"]["payment"]["sends"] == ["payments"]
    assert found["services"]["analytics"]["store"] == "writes"
    assert found["store"] == {"kind": "sqlite", "answers": True}

    loyalty = Service("loyalty", reads=["payments"], sends=["loyalty-points"])
    monkeypatch.setitem(app.services.all, "loyalty", loyalty)
    found = await view.get()
    assert found["topics"]["payments"]["read_by"] == ["analytics", "loyalty"]
    assert found["services"]["loyalty"]["sends"] == ["loyalty-points"]


async def test_lag_and_members_are_those_of_a_services_group(view, kafka):
    kafka.look = Look({"fraud": position(98_500), "payment": position()}, {}, {}, at=100.0)

    found = (await view.get())["services"]

    fraud = found["fraud"]
    assert (fraud["health"], fraud["lag"], fraud["oldest_seconds"]) == ("ok", 3, 1.5)
    assert fraud["members"] == ["w-1", "w-2"]
    assert fraud["partitions"] == [
        {"topic": "orders", "partition": 0, "committed": 7, "lag": 3, "member": "w-1"},
        {"topic": "orders", "partition": 1, "committed": None, "lag": 0, "member": "w-2"},
    ]
    assert found["payment"]["oldest_seconds"] is None
    assert (found["analytics"]["health"], found["analytics"]["members"]) == ("nobody", None)
    assert (found["producer"]["health"], found["producer"]["lag"]) == ("ok", None)


@pytest.mark.parametrize(
    ("found", "health"),
    [
        (position(), "ok"),
        (position(95_100), "ok"),
        (position(95_000), "slow"),
        (position(40_000), "stuck"),
        (position(40_000, members=()), "nobody"),
        (None, "nobody"),
    ],
)
async def test_a_services_health_is_how_long_its_oldest_record_waits(
    view, kafka, found, health
):
    kafka.look = Look({"fraud": found}, {}, {}, at=100.0)

    assert (await view.get())["services"]["fraud"]["health"] == health


async def test_sizes_and_rates_are_those_of_the_topics(view):
    first = await view.get()
    topology._rates._seen[0] = (topology._rates._seen[0][0] - 10, {"orders": 5, "gone": 1})
    second = await view.get()

    orders = first["topics"]["orders"]
    assert (orders["partitions"], orders["records"], orders["per_second"]) == (2, 13, None)
    assert "rates: this was the first look for a minute; ask again" in first["unknown"]
    assert second["topics"]["orders"]["per_second"] == pytest.approx(1.0, abs=0.1)
    assert first["topics"]["payments"]["partitions"] is None
    assert any("payments" in text and "not there" in text for text in first["unknown"])


def test_rates_are_over_a_minute_and_of_no_topic_that_was_made_anew():
    rates = flow.Rates()

    assert rates.take({ORDERS[0]: (0, 100)}, 1000.0) == {}
    assert rates.take({ORDERS[0]: (0, 130)}, 1030.0) == {"orders": 1.0}
    assert rates.take({ORDERS[0]: (0, 490)}, 1090.0) == {"orders": 6.0}
    assert rates.take({ORDERS[0]: (0, 3)}, 1091.0) == {}


async def test_what_can_not_be_read_is_null_and_said(view, store, kafka):
    kafka.look, view.sizes = None, None
    store.fail(StoreUnavailable("away"))

    found = await view.get()

    assert found["store"]["answers"] is False
    assert (
        found["services"]["fraud"] | {"health": "unknown", "lag": None, "members": None}
        == (found["services"]["fraud"])
    )
    assert found["topics"]["orders"]["records"] is None
    assert found["topics"]["orders"]["read_by"], "what is declared is known"
    assert len(found["unknown"]) == 2


async def test_what_takes_too_long_is_left_out(view, kafka, monkeypatch):
    monkeypatch.setattr(topology, "PATIENCE", 0.05)

    async def never(_=None):
        await asyncio.sleep(60)

    monkeypatch.setattr(progress.monitor, "sizes", never)
    kafka.look = Look({"fraud": position()}, {}, {}, at=100.0)

    found = await view.get()

    assert found["services"]["fraud"]["group"] == "orderapp", "what was said is there"
    assert found["topics"]["orders"]["records"] is None


async def test_many_who_look_cost_one_look(client, view):
    await asyncio.gather(*(client.get("/api/topology") for _ in range(20)))

    assert view.asked == 1
