"""The log while a broker is away."""

import logging

import pytest
from aiokafka import client
from aiokafka.consumer import fetcher, group_coordinator
from aiokafka.producer import sender

import orderapp.engine.kafka.transport  # noqa: F401 - it filters aiokafka's log
from orderapp.engine.kafka.log_filter import EVERY, Once


def complaint(message, at, level=logging.ERROR, args=()):
    record = logging.LogRecord("aiokafka.conn", level, "f", 1, message, args, None)
    record.created = at
    return record


def test_the_same_complaint_is_shown_once_in_a_while():
    once = Once()

    shown = [
        at for at in range(25) if once.filter(complaint("no %s", 1000.0 + at, args=("go",)))
    ]

    assert shown == [0, EVERY, 2 * EVERY]


def test_another_complaint_and_information_are_shown():
    once = Once()

    assert once.filter(complaint("a", 1.0))
    assert once.filter(complaint("b", 1.0))
    assert once.filter(complaint("%s", 1.0, args=("c",)))
    assert once.filter(complaint("%s", 1.0, args=("d",)))
    assert once.filter(complaint("c", 1.0, logging.INFO))
    assert once.filter(complaint("c", 1.0, logging.INFO))


@pytest.mark.parametrize("module", [client, fetcher, sender, group_coordinator])
def test_the_loggers_of_aiokafkas_modules_are_quietened(module, caplog):
    for _ in range(100):
        module.log.error("a complaint of %s", module.__name__)

    assert caplog.text.count(f"a complaint of {module.__name__}") <= 1
    assert not module.log.isEnabledFor(logging.DEBUG)
