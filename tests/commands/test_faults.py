"""`faust -A orderapp faults list|set`: what is printed, and one line for what is not done."""

import json

import pytest

from orderapp.app import settings
from orderapp.commands import changing
from orderapp.engine.errors import FatalError
from tests.commands.conftest import called
from tests.switches import SwitchLog, allow


@pytest.fixture
def log(monkeypatch, follow):
    log = SwitchLog()

    async def found():
        if log.away:
            raise log.away
        return "a cluster"

    follow(log, log.send)
    monkeypatch.setattr(changing, "existing_cluster", found)
    yield log
    log.close()


def run(*arguments):
    return called("faults", *arguments)


def test_a_fault_is_switched_and_listed(log):
    assert run("set", "store_slow", "2", "--author", "ann") == (
        *(0, "store_slow was 0, and is 2\n", ""),
    )
    assert run("set", "store_slow", "2") == (0, "store_slow is 2 already\n", "")
    (line,) = [line for line in run("list")[1].splitlines() if "store_slow" in line]
    assert line.startswith("store_slow           2  seconds that each call")
    assert ", by ann at 2" in line


def test_json_has_all(log):
    _, out, _ = run("set", "poison", "0.5", "--json")
    made = json.loads(out)
    assert (made["before"]["value"], made["after"]["value"]) == (0, 0.5)

    listed = [json.loads(line) for line in run("list", "--json")[1].splitlines()]
    assert made["after"] in listed
    assert made["after"].keys() == {
        *("name", "value", "most", "version", "changed_at", "author", "text"),
    }


def test_all_are_switched_off(log):
    run("set", "poison", "1")
    run("set", "attack", "1")
    status, out, err = run("set", "all", "0")

    assert (status, err, settings.faults.on()) == (0, "", {})
    assert "poison was 1, and is 0" in out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("meteor 1", "there is no fault 'meteor'"),
        ("poison much", "'much' is no rate"),
        ("poison nan", "'nan' is no rate"),
        ("poison 1.5", "poison is from 0 to 1, not 1.5"),
        ("store_slow 61", "store_slow is from 0 to 60, not 61"),
        ("all 1", "all can be switched off only"),
        ("all 0 --version 1", "all can be switched off only"),
        ("poison 1 --version 7", "poison has version 1, not 7"),
        ("poison", "VALUE"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_changed(log, arguments, said):
    status, out, err = run("set", *arguments.split())

    (line,) = (out + err).splitlines()
    assert line.startswith("orderapp: ")
    assert said in line
    assert status == (1 if "has version" in said else 2)
    assert log.records == []


def test_where_it_is_not_allowed_the_line_says_what_to_do(log, monkeypatch):
    allow(monkeypatch, live_faults=False, kafka_bootstrap_servers=("kafka:9092",))
    log.away = FatalError("nobody is there")  # Kafka is not even asked
    for what in (("poison", "1"), ("all", "0")):
        status, out, err = run("set", *what)

        assert status == 1
        assert "ORDERAPP_LIVE_FAULTS=yes" in out + err
    # That workers may have others is not hidden.
    status, out, err = run("list")
    assert (status, len(out.splitlines())) == (0, 8)
    assert "the faults as the settings have them: " in err
    assert "ORDERAPP_LIVE_FAULTS=yes" in err


def test_without_kafka_the_list_is_that_of_the_settings(log):
    log.away = FatalError("nobody is there")
    status, out, err = run("list")

    assert (status, len(out.splitlines())) == (0, 8)
    assert "the faults as the settings have them, since nobody is there" in err
