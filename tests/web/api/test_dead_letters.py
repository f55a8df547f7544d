"""`GET /api/dead-letters`, and one of them, over a Kafka in memory."""

import json
import time

import pytest

from orderapp.engine.dead_letters import known
from orderapp.engine.dead_letters.known import Known
from orderapp.engine.dead_letters.resolutions import Place, Resolution
from orderapp.web.api.known_letters import letters as known_letters
from orderapp.web.api.letter_listing import LetterQuery, page_of
from orderapp.web.api.shown_bytes import SHOWN, shown_bytes
from tests.web.examples import ask

ONE = "/api/dead-letters/{place}"
AT = "2026-11-23T18:00:09.000+00:00"
REFUSED = ValueError("refused: <script>")


@pytest.fixture
def four(letters):
    """An open one, one open for fraud alone, a dropped one and a damaged one; their places."""
    places = [
        letters.put(1, timestamp=1_000),
        letters.put(2, "fraud,payment", REFUSED, timestamp=3_000, partition=1),
        letters.put(3, error=REFUSED, timestamp=2_000),
        letters.put(4, timestamp=4_000, headers=()),
    ]
    letters.note(places[1], Resolution("replayed", AT, "payment", 3_000, ""))
    letters.note(places[2], Resolution("dropped", AT))
    return places


async def places(client, query=""):
    status, answer = await ask(client, f"/api/dead-letters{query}")
    assert (status, answer["total"]) == (200, len(answer["letters"]))
    return [letter["place"] for letter in answer["letters"]]


async def test_they_are_listed_newest_first_with_what_was_done(client, four):
    _, answer = await ask(client, "/api/dead-letters")

    damaged, second, third, first = answer["letters"]
    assert first["place"] == four[0] == "3:0"
    assert (first["order_id"], first["state"], first["open_for"]) == (1, "open", ["payment"])
    assert (first["error_class"], first["error_text"]) == ("TimeoutError", "no answer")
    assert (first["attempts"], first["resolved_at"]) == (8, None)
    assert (second["state"], second["open_for"]) == ("open", ["fraud"])
    assert second["error_text"] == "refused: <script>"
    assert (third["state"], third["open_for"], third["resolved_at"]) == ("dropped", [], AT)
    assert (damaged["services"], damaged["error_class"]) == ([], None)
    assert damaged["error_text"].startswith("the header 'service' is missing")
    assert damaged["last_failure"] == "1970-01-01T00:00:04+00:00"
    assert answer["next"] is None
    assert answer["counts"] == {"open": 3, "replayed": 0, "dropped": 1}
    assert answer["groups"] == [
        {"error": "ValueError", "counts": {"open": 1, "replayed": 0, "dropped": 1}},
        {"error": "TimeoutError", "counts": {"open": 1, "replayed": 0, "dropped": 0}},
        {"error": "damaged", "counts": {"open": 1, "replayed": 0, "dropped": 0}},
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?status=open", [3, 1, 0]),
        ("?status=dropped", [2]),
        ("?status=replayed", []),
        ("?service=payment", [1, 2, 0]),
        # As `dlq list --service payment`: for payment nothing is left to do.
        ("?service=payment&status=open", [0]),
        ("?service=payment&status=replayed", [1]),
        ("?error=valueerror: REF", [1, 2]),
        ("?error=damaged", [3]),
        ("?order_id=2", [1]),
        ("?order_id=9", []),
    ],
)
async def test_all_that_is_asked_for_has_to_fit(client, four, query, found):
    assert await places(client, query) == [four[n] for n in found]


async def test_the_counts_are_those_of_stats_and_of_all_states(client, store, kafka, four):
    _, answer = await ask(client, "/api/dead-letters?status=dropped&error=refused")
    _, stats = await ask(client, "/api/stats")
    _, still_open = await ask(client, "/api/dead-letters?status=open")

    assert (answer["total"], answer["counts"]["open"]) == (1, 1)
    assert stats["dead_letters"] == still_open["total"] == 3


async def test_pages_give_every_letter_once_also_when_new_ones_come_between(client, letters):
    put = [letters.put(n, timestamp=n // 3, partition=n % 2) for n in range(25)]
    found, path = [], "/api/dead-letters?limit=4"

    _, answer = await ask(client, path)
    while answer["next"]:
        found += [letter["place"] for letter in answer["letters"]]
        letters.put(100, timestamp=99)
        _, answer = await ask(client, f"{path}&after={answer['next']}")
    found += [letter["place"] for letter in answer["letters"]]

    assert sorted(found) == sorted(put)
    assert len(answer["letters"]) == 1


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("status=paid", "status='paid' is not allowed: one of open, replayed, dropped"),
        ("service=web", "service='web' is not allowed: one of fraud, payment, analytics"),
        ("error=", "error='' is not allowed: 1 to 200"),
        ("order_id=seven", "order_id='seven'"),
        ("order_id=9007199254740992", "order_id='9007199254740992'"),
        ("limit=101", "limit='101'"),
        ("after=1.2", "after='1.2' is not allowed: the `next`"),
        (f"after=1.2.{'3' * 40}", "after="),
        ("place=3:17", "'place': this parameter is not known"),
    ],
)
async def test_a_wrong_parameter_is_named(client, letters, query, named):
    status, problem = await ask(client, f"/api/dead-letters?{query}")

    assert status == 400
    assert named in problem["detail"]


async def test_without_kafka_it_is_not_known_which_there_are(client, letters):
    for path, route in (("/api/dead-letters", None), ("/api/dead-letters/3:0", ONE)):
        status, problem = await ask(client, path, route=route)

        assert status == 503
        assert "a:1" not in problem["detail"]


def test_a_page_of_as_many_as_are_known_takes_no_second():
    note = Resolution("replayed", AT, "fraud,payment", None, "fraud")
    many = [
        Known(Place(n % 6, n), n, ("fraud", "payment"), n, f"E{n % 999}", "E: x", 1, AT, note)
        for n in range(6 * known.MOST)
    ]
    began = time.process_time()

    page = page_of(many, LetterQuery(100, after=(30_000, 0, 0), state="dropped", error="e: X"))

    assert time.process_time() - began < 5  # 0.3 here
    assert (page.total, len(page.letters), len(page.groups)) == (60_000, 100, 100)
    assert page.letters[0].place == "5:29999"


# One


async def one(client, place):
    status, answer = await ask(client, f"/api/dead-letters/{place}", route=ONE)
    assert status == 200, answer
    return answer["letter"]


async def test_one_is_shown_with_headers_key_and_value(client, letters):
    place = letters.put(7, "fraud,payment", value=b'{"order_id":7}')
    letters.note(place, Resolution("replayed", AT, "fraud", 1_000, ""))

    found = await one(client, place)

    assert (found["place"], found["order_id"], found["state"]) == (place, 7, "open")
    assert (found["services"], found["open_for"]) == (["fraud", "payment"], ["payment"])
    assert (found["original_topic"], found["original_partition"]) == ("orders", 3)
    assert found["resolution"] == {"action": "replayed", "at": AT, "services": ["fraud"]}
    assert (found["damage"], found["objection"]) == (None, None)
    assert found["headers"][0]["name"] == "service"
    assert found["headers"][0]["value"]["text"] == "fraud,payment"
    assert found["header_count"] == 10
    assert found["key"]["text"] == "7"
    assert found["value"] == {
        "form": "json", "text": '{"order_id":7}', "length": 14, "shown": 14, "schema_id": None,
    }  # fmt: skip


async def test_a_damaged_one_says_how_and_that_it_cannot_be_replayed(client, letters):
    headers = [(f"name {n}", None if n else b"\xff" * 1000) for n in range(150)]
    place = letters.put(headers=headers, key=None, value=None)

    found = await one(client, place)

    assert found["damage"] == found["objection"]
    assert "'service' is missing" in found["damage"]
    assert (found["error_class"], found["original_offset"], found["attempts"]) == (None,) * 3
    assert (found["key"], found["value"], found["order_id"]) == (None, None, None)
    assert (len(found["headers"]), found["header_count"]) == (100, 150)
    assert found["headers"][0]["value"]["length"] == 1000
    assert len(found["headers"][0]["value"]["text"]) == 250
    assert found["headers"][1]["value"] is None


@pytest.mark.parametrize("place", ["3:99", "5:0", "999999999:1"])
async def test_a_place_without_one_is_not_found(client, four, place):
    status, problem = await ask(client, f"/api/dead-letters/{place}", route=ONE)

    assert status == 404
    assert problem["detail"] == f"{place}: there is no dead letter at this place"


@pytest.mark.parametrize("place", ["3", "replay", "3:x", "-1:0", "3:1:7", "1" * 500])
async def test_what_is_no_place_is_named(client, four, place):
    status, problem = await ask(client, f"/api/dead-letters/{place}", route=ONE)

    assert status == 400
    assert place[:60] in problem["detail"]
    assert problem["errors"][0]["field"] == "place"


FRAMED = b"\0\0\0\0\x07"


@pytest.mark.parametrize(
    ("data", "form", "text", "schema"),
    [
        (b"", "text", "", None),
        (b"no order", "text", "no order", None),
        (b"<b>\x1b[2J", "text", "<b>\x1b[2J", None),
        ("größer".encode(), "text", "größer", None),
        (b'{"a": 1}', "json", '{"a": 1}', None),
        (b'{"a": 1', "text", '{"a": 1', None),
        (b"7", "json", "7", None),
        (b"[" * 5_000, "text", "[" * 5_000, None),
        (FRAMED + b'{"a": 1}', "json", '{"a": 1}', 7),
        (FRAMED + b"\x02\xfe\xff", "hex", "000000000702feff", 7),
        (b"\xff\0", "hex", "ff00", None),
        (b"a\0b", "hex", "610062", None),
        (b"\0\0", "hex", "0000", None),
    ],
)
def test_bytes_are_json_or_text_or_hex(data, form, text, schema):
    shown = shown_bytes(data)

    assert (shown.form, shown.text, shown.schema_id) == (form, text, schema)
    assert shown.length == shown.shown == len(data)


@pytest.mark.parametrize(
    ("data", "form", "shown", "characters"),
    [
        (json.dumps(["x" * 1_000_000]).encode(), "json", SHOWN, SHOWN),
        ("ü".encode() * 600_000, "text", SHOWN, SHOWN // 2),
        (b"x" + "ü".encode() * 600_000, "text", SHOWN - 1, SHOWN // 2),
        (b"\xff" * 1_000_000, "hex", SHOWN // 4, SHOWN // 2),
        (FRAMED + b'"' + b"x" * 1_000_000, "text", SHOWN + 5, SHOWN),
    ],
)
def test_of_a_megabyte_a_part_is_shown_with_the_whole_length(data, form, shown, characters):
    found = shown_bytes(data)

    assert (found.form, found.length, found.shown) == (form, len(data), shown)
    assert len(found.text) == characters


async def test_what_is_known_is_bounded(client, letters, monkeypatch):
    monkeypatch.setattr(known, "MOST", 3)
    put = [letters.put(7, timestamp=n) for n in range(5)]
    assert await places(client) == put[:1:-1]
    put += [letters.put(8, timestamp=n) for n in (5, 6)]

    assert await places(client) == put[:3:-1]
    assert [letter.about for letter in known_letters.of(7)] == [7]
    assert [str(letter.place) for letter in known_letters.of(8)] == put[5:]
