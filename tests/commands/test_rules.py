"""`faust -A orderapp rules list|set`: what is printed, and one line for what is not done."""

import json

import pytest

from orderapp import topics
from orderapp.commands import changing
from orderapp.engine.errors import FatalError, SendFailedError
from tests.commands.conftest import called
from tests.rules.log import ControlLog

RULE = "HIGH_AMOUNT_RISKY_COUNTRY"
AS_DECLARED = f"{RULE} was active, version 1, limit=300.0 safe_countries=CA,US"


@pytest.fixture
def log(follow):
    log = ControlLog()

    async def send(key, value):
        assert key == f"rule:{RULE}".encode()
        if log.refused:
            raise log.refused
        await log.send(topics.control.codec.decode(value))

    log.refused = None
    follow(log, send)
    yield log
    log.close()


def run(*arguments):
    return called("rules", *arguments)


def refused(*arguments):
    """The status and the one line of what is not possible."""
    # Click's runner has what `sys.exit` would write to stderr in the output.
    status, out, err = run("set", *arguments)
    (line,) = (out + err).splitlines()
    assert line.startswith("orderapp: ")
    return status, line


def test_what_a_rule_was_and_is_is_printed(log):
    status, out, err = run("set", RULE, "--state", "shadow", "--set", "limit=500")

    assert (status, err) == (0, "")
    assert out.splitlines() == [
        AS_DECLARED,
        f"{RULE} is  shadow, version 2, limit=500.0 safe_countries=CA,US",
    ]
    listed = run("list")[1]
    assert f"{RULE}  shadow  An order above the limit" in listed
    assert "version 2  limit=500.0 safe_countries=CA,US\n" in listed
    change = json.loads(log.records[0].value)
    assert listed.endswith(f" changed at {change['changed_at']} by {change['author']}\n")
    assert listed.count("changed at") == 1


def test_json_has_both(log):
    changed = json.loads(run("set", RULE, "--state", "off", "--author", "ann", "--json")[1])

    assert (changed["before"]["state"], changed["after"]["state"]) == ("active", "off")
    assert json.loads(log.records[0].value)["author"] == "ann"
    listed = [json.loads(line) for line in run("list", "--json")[1].splitlines()]
    assert [rule["version"] for rule in listed] == [1, 1, 1, 1, 2]
    assert [rule["author"] for rule in listed] == ["", "", "", "", "ann"]
    at = json.loads(log.records[0].value)["changed_at"]
    assert [rule["changed_at"] for rule in listed] == [None] * 4 + [at]


def test_nothing_to_change_is_said_and_no_error(log):
    status, out, err = run("set", RULE, "--state", "active", "--set", "limit=300")

    assert (status, err) == (0, "")
    assert out.startswith(f"{RULE} is so already: active, version 1, limit=300.0")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["NOPE", "--state", "off"], 2, "there is no rule 'NOPE'; there are BLOCKED_COUNTRY,"),
        ([RULE], 2, "nothing to change: give --state or --set"),
        ([RULE, "--state", "on"], 2, "'on' is not one of 'off', 'shadow', 'active'"),
        ([RULE, "--set", "colour=red"], 2, "has no parameter colour; it has limit, safe_count"),
        ([RULE, "--set", "limit=-1"], 2, "limit='-1' is not allowed: Expected `float` >= 0.0"),
        ([RULE, "--set", "limit"], 2, "'limit' sets nothing: give NAME=VALUE"),
        ([RULE, "--set", "limit=1", "--set", "limit=2"], 2, "limit is set twice"),
        ([RULE, "--state", "off", "--version", "7"], 1, "has version 1, not 7: nothing was"),
        ([RULE, "--state", "off", "--version", "0"], 2, "'--version'"),
        ([RULE, "--state", "off", "--author", "a\nb"], 2, "--author: give a name"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_line_and_nothing_is_changed(log, arguments, status, said):
    found, line = refused(*arguments)

    assert found == status
    assert said in line
    assert log.records == []


def test_without_kafka_nothing_is_changed_and_the_list_is_that_of_the_files(log, monkeypatch):
    run("set", RULE, "--state", "off")

    async def away():
        raise FatalError("Kafka is away")

    log.close()
    monkeypatch.setattr(changing, "existing_cluster", away)

    assert refused(RULE, "--state", "off") == (1, "orderapp: Kafka is away")
    status, out, err = run("list")
    assert (status, err) == (
        0,
        "orderapp: the rules as their files have them, since Kafka is away\n",
    )
    assert f"{RULE}  active" in out


def test_a_change_that_kafka_does_not_confirm_is_one_line(log):
    log.refused = SendFailedError("Kafka at k:9092 did not confirm it: no answer")

    assert refused(RULE, "--state", "off") == (
        1,
        "orderapp: Kafka at k:9092 did not confirm it: no answer",
    )
