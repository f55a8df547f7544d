"""`/api/rules/{rule_id}/test`: the command is told what was asked, and ends when it has to."""

import asyncio
import json
import logging
from types import SimpleNamespace

import psutil
import pytest

from orderapp.judging import rules
from orderapp.web.api import rule_tests
from tests.web.examples import RULE_TEST, ask, run_instead

ROUTE = "/api/rules/{rule_id}/test"
PATH = "/api/rules/CUSTOMER_VELOCITY/test"
#: Says what it was told in place of a failure.
ECHO = f"import json; print(json.dumps({RULE_TEST!r} | {{'failure': ' '.join(sys.argv[1:])}}))"
SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def does(monkeypatch):
    """What runs instead of the command."""

    def set_to(code):
        run_instead(monkeypatch, code)

    set_to(ECHO)
    return set_to


@pytest.fixture
def patience(monkeypatch):
    """How long a test may take, in s."""
    return lambda seconds: monkeypatch.setattr(rule_tests, "LONGEST", seconds)


async def tried(client, query="", path=PATH):
    return await ask(client, f"{path}?{query}", route=ROUTE)


def running():
    """Processes that were started and have not ended."""
    return [one for one in psutil.Process().children() if SLEEP in " ".join(one.cmdline())]


async def begin(work):
    """Begin it, and wait until its process is there."""
    asking = asyncio.create_task(work)
    async with asyncio.timeout(20):
        while not running():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    return asking


async def test_what_the_command_prints_is_answered(client, does):
    does(f"print({json.dumps(RULE_TEST)!r})")

    assert await tried(client, "set=limit=3&since=7d") == (200, RULE_TEST)


async def test_the_command_is_told_what_was_asked(client, does):
    path = "/api/rules/HIGH_AMOUNT_RISKY_COUNTRY/test"
    query = "set=limit%3D3&set=safe_countries=C%C3%B4te%20d'Ivoire,-x&since=2026-11-23"
    _, found = await tried(client, query, path)

    said = "--set=limit=3 --set=safe_countries=Côte d'Ivoire,-x --since=2026-11-23 --json"
    assert found["failure"] == f"rules test HIGH_AMOUNT_RISKY_COUNTRY {said}"


@pytest.mark.parametrize(
    ("query", "named", "says"),
    [
        ("set=limit", "set", "'limit' sets nothing: give NAME=VALUE"),
        ("set=", "set", "'' sets nothing: give NAME=VALUE"),
        ("set=limit=1&set=limit=2", "set", "limit is set twice"),
        ("set=limt=1", "set", "has no parameter limt; it has limit, seconds"),
        ("set=limit=0", "set", "limit='0' is not allowed: Expected `int` >= 1"),
        ("set=seconds=3601", "set", "seconds='3601' is not allowed: Expected `int` <= 3600"),
        ("since=yesterday", "since", "'yesterday' is no time: give RFC 3339"),
        ("since=", "since", "'' is no time"),
        ("since=9999-12-31", "since", "since is later than until, which is now"),
        ("since=7d&since=8d", "since", "this parameter is given more than once"),
        ("limit=3", "limit", "this parameter is not known; allowed here: set, since"),
    ],
)
async def test_what_is_wrong_is_named_in_the_commands_words(client, does, query, named, says):
    does("raise SystemExit(7)")

    status, found = await tried(client, query)

    assert (status, found["errors"][0]["field"]) == (400, named)
    assert says in found["detail"]


async def test_what_no_process_can_be_told_is_refused(client, does):
    status, found = await tried(client, "set=countries=a%00", "/api/rules/BLOCKED_COUNTRY/test")

    assert (status, found["detail"]) == (400, "no value may have the character NUL")


async def test_an_unknown_rule_is_named_with_those_that_there_are(client, does):
    status, found = await tried(client, path="/api/rules/NOPE/test")

    there_are = ", ".join(rules.all)
    assert (status, found["detail"]) == (404, f"there is no rule 'NOPE'; there are {there_are}")


async def test_where_there_are_no_orders_the_commands_line_says_so(client, does):
    line = "there are no orders until 2026-11-23T18:00:00.000000Z in orders"
    does(f"sys.exit('orderapp: {line}')")

    status, found = await tried(client)

    assert (status, found["detail"]) == (404, line)


@pytest.mark.parametrize("code", ["sys.exit('orderapp: kafka:9092 is away')", "print('{}')"])
async def test_what_the_command_could_not_do_is_for_the_log(client, does, caplog, code):
    does(code)

    status, found = await tried(client)

    assert (status, "log says why" in found["detail"]) == (503, True)
    assert "kafka:9092" not in str(found)
    assert ("kafka:9092 is away" in caplog.text) == ("kafka" in code)


async def test_what_it_says_beside_its_result_is_for_the_log_too(client, does, caplog):
    does(f"print('odd', file=sys.stderr); {ECHO}")

    with caplog.at_level(logging.WARNING):
        assert (await tried(client))[0] == 200
    assert "rules test ended with status 0: odd" in caplog.text


async def test_a_test_that_takes_too_long_ends_and_the_way_out_is_named(client, does, patience):
    does(SLEEP)
    patience(0.5)

    status, found = await tried(client, "set=limit=3&since=7d")

    assert (status, found["errors"][0]["field"]) == (422, "since")
    command = "faust -A orderapp rules test CUSTOMER_VELOCITY --set=limit=3 --since=7d"
    assert found["detail"] == (
        "this takes longer than the 0.5 s that a test may take here: give a later since, or "
        f"run {command}"
    )
    assert running() == []


async def test_one_is_made_at_a_time_and_the_next_when_its_client_has_left(client, does):
    does(SLEEP)
    first = await begin(tried(client))

    answer = await client.get(PATH)

    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "one at a time" in (await answer.json())["detail"]
    does(ECHO)
    first.cancel()
    async with asyncio.timeout(20):
        while (await tried(client))[0] == 503:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    assert running() == []


async def test_a_test_ends_when_the_worker_stops(client, does, monkeypatch):
    does(SLEEP)
    asking = await begin(tried(client))

    monkeypatch.setattr(rule_tests, "app", SimpleNamespace(should_stop=True))
    status, found = await asking

    assert (status, running()) == (503, [])
    assert "this worker stops" in found["detail"]


async def test_a_worker_looks_by_itself_whether_its_client_has_left(does):
    """Its own server, unlike that of these tests, does not cancel views."""
    does(SLEEP)
    request = SimpleNamespace(transport=object())
    work = rule_tests._while_wanted(request, rule_tests._test(["rules", "test"]))
    asking = await begin(work)

    request.transport = None

    with pytest.raises(ConnectionResetError):
        await asking
    assert running() == []
