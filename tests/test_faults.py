"""What is broken on purpose follows from the settings and from the log of changes."""

import asyncio
import json
import logging

import pytest

from orderapp import control
from orderapp.change_log import WrongVersion
from orderapp.control import NotAllowed, Switch
from orderapp.engine.batches.decoder import Decoder
from orderapp.faults import MOST_SECONDS, TEXTS, Switches, codec
from orderapp.settings import Faults, PaymentApi
from orderapp.store.faulty import FaultyStore
from tests.records import record
from tests.store.fake import MemoryStore
from tests.switches import SwitchLog, allow

TIME = "2026-11-29T18:00:00.000000Z"


def of(fault="poison", value=0.5, version=2, key=None, offset=0):
    data = {"fault": fault, "value": value, "version": version, "changed_at": TIME}
    key = f"fault:{fault}".encode() if key is None else key
    place = {"topic": "orderapp-control", "offset": offset}
    return record(json.dumps(data | {"author": "ann"}).encode(), key, **place)


def switches(*records, **settings):
    faults = Faults(**settings)
    made = Switches(faults, Decoder(codec).one)
    made.take(records, True)
    return made, faults


def test_every_fault_says_what_it_is():
    assert TEXTS.keys() == switches()[0].all.keys()


def test_a_change_outweighs_the_settings_and_says_who_made_it():
    made, faults = switches(of(value=0.5), attack=1.0, poison=0.1)

    assert faults.on() == {"attack": 1.0, "poison": 0.5}
    fault = made.all["poison"]
    assert (fault.value, fault.version, fault.changed_at, fault.author) == (0.5, 2, TIME, "ann")
    made.take([of(value=0, version=3)], False)
    assert faults.on() == {"attack": 1.0}
    # A log that begins anew has nothing of it.
    made.take([], True)
    assert faults.on() == {"attack": 1.0, "poison": 0.1}


BAD = {
    "no JSON": (record(b"{", b"fault:poison"), "Input data was truncated"),
    "another key": (of(key=b"fault:attack"), "and not 'fault:poison'"),
    "an unknown one": (of("meteor"), "there is no fault 'meteor'"),
    "a rate above 1": (of(value=1.5, version=3), "poison=1.5 is not allowed: from 0 to 1"),
    "below 0": (of(value=-1, version=3), "Expected `float` >= 0"),
    "too slow": (of("store_slow", 61), f"from 0 to {MOST_SECONDS:g}"),
    "no number": (of(value="much", version=3), "Expected `float`"),
    "the same version": (of(value=1), "poison has version 2, and the next one is not 2"),
}


@pytest.mark.parametrize(("bad", "said"), BAD.values(), ids=BAD)
def test_a_bad_record_is_refused_in_a_line_and_the_last_good_state_holds(bad, said, caplog):
    with caplog.at_level(logging.ERROR):
        _, faults = switches(of(value=0.5), bad)

    assert faults.on() == {"poison": 0.5}
    (line,) = caplog.messages
    assert said in line
    assert "\n" not in line


def test_rules_are_nothing_to_faults(caplog):
    with caplog.at_level(logging.ERROR):
        switches(record(b"{", b"rule:LARGE"), record(b"{", None))

    assert caplog.messages == []


def test_what_is_switched_is_said(caplog):
    with caplog.at_level(logging.INFO):
        switches(of(value=0.5))
        made, _ = switches(of(value=0.5))
        made.take([of(value=0, version=3)], False)
        made.take([of(value=0, version=4), of("attack", 0)], False)

    switched, again, off = caplog.messages
    assert switched == again == f"BROKEN ON PURPOSE: poison=0.5, switched by ann at {TIME}"
    assert off == f"no longer broken on purpose: poison, switched off by ann at {TIME}"


async def test_a_call_that_a_slow_store_holds_up_ends_when_it_is_mended():
    faults = Faults(store_slow=60.0)
    store = FaultyStore(MemoryStore(), faults)
    await store.open()
    call = asyncio.create_task(store.ping())
    await asyncio.sleep(0)

    faults.store_slow = 0.0
    await asyncio.wait_for(call, 5)


@pytest.fixture
def log():
    log = SwitchLog()
    yield log
    log.close()


async def test_a_fault_is_switched_by_its_version(log):
    before, after = await log.switch("poison", 0.5)

    assert (before.value, after.value, after.version) == (0.0, 0.5, 2)
    assert await log.switch("poison", 0.5) == (after, after)
    assert len(log.records) == 1
    with pytest.raises(WrongVersion, match="poison has version 2, not 1"):
        await log.switch("poison", 1.0, version=1)
    with pytest.raises(ValueError, match="poison=2 is not allowed"):
        await log.switch("poison", 2.0)


async def test_a_switch_for_any_version_holds_though_somebody_else_was_quicker(log):
    log.before = of(value=0.7)
    assert (await log.switch("poison", 0.0))[1].version == 3
    log.before = of(value=0.7, version=4)
    with pytest.raises(WrongVersion, match="has version 4, somebody else was quicker"):
        await log.switch("poison", 1.0, version=3)
    assert control.switches.all["poison"].value == 0.7


async def test_off_is_written_though_it_is_off_here_since_another_worker_may_have_it(log):
    for wanted in control.all_off("ann"):
        await control.switch(wanted, log.look, log.send)

    assert len(log.records) == len(TEXTS)
    assert {fault.version for fault in control.switches.all.values()} == {2}


async def test_where_it_is_not_allowed_nothing_is_sent(log, monkeypatch):
    allow(monkeypatch, live_faults=False)
    with pytest.raises(NotAllowed, match="ORDERAPP_LIVE_FAULTS=no"):
        await log.switch("poison", 1.0)
    allow(monkeypatch, live_faults=False, kafka_bootstrap_servers=("kafka:9092",))
    with pytest.raises(NotAllowed, match="ORDERAPP_LIVE_FAULTS=yes for all workers"):
        await log.switch("poison", 1.0)
    allow(monkeypatch, live_faults=True, payment_api=PaymentApi("http://gateway.example"))
    with pytest.raises(NotAllowed, match="ORDERAPP_PAYMENT_URL"):
        await log.switch("gateway_slow", 1.0)
    assert log.records == []

    await log.switch("poison", 1.0)
    names = [one.fault for one in control.all_off("ann")]
    assert "poison" in names
    assert not any(name.startswith("gateway_") for name in names)


def test_faults_are_not_followed_where_they_may_not_be_switched(log, monkeypatch):
    allow(monkeypatch, live_faults=False)
    control.take([of(value=0.5)], False)

    assert control.settings.faults.on() == {}
    assert Switch("poison", 1.0, "ann").version is None
