"""A topic that goes, comes again or grows is noticed, and what it takes along is told."""

import asyncio
import logging
from types import SimpleNamespace

import pytest
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError
from faust.types import TP

from orderapp.engine.health import topic_watch
from orderapp.engine.health.topic_watch import TopicWatch, place
from orderapp.engine.kafka.topic_ids import TopicState
from orderapp.engine.kafka.topic_settings import TopicSpec
from orderapp.engine.observe.blocked import Blocked

GONE = TopicState("", 0, UnknownTopicOrPartitionError)
FORBIDDEN = TopicState("", 0, TopicAuthorizationFailedError)
OLD, NEW, GROWN = TopicState("old", 6), TopicState("new", 6), TopicState("old", 8)


class App:
    """What a watch asks of its app."""

    def __init__(self):
        self.used_topics = {"t"}
        self.topic_specs = [TopicSpec("t", 6, {"retention.ms": "-1"})]
        self.listeners, self.renewed, self.lost = [], [], []
        self.topic_listeners = [self.listeners.append]
        self.conf = SimpleNamespace(id="group")
        self.reports, self.held = [], set()
        self.rebalancing = False
        self.consumer = SimpleNamespace(
            assignment=lambda: {TP("t", 0)},
            topic_ids={"t": "old"},
            outlook=SimpleNamespace(renew_topics=self.renew),
            done={},
            holds=lambda tp: tp in self.held,
        )

    def while_asked(self):
        pass

    def running_consumer(self):
        return self.consumer

    def kafka_client(self):
        return self

    async def force_metadata_update(self):
        return True

    async def renew(self, *, rejoin):
        self.renewed.append(rejoin)

    async def report_lost(self, losses):
        self.lost += losses


@pytest.fixture
def app():
    return App()


@pytest.fixture
def look(app, monkeypatch):
    monkeypatch.setattr(topic_watch, "blocked", Blocked())
    watch = TopicWatch(app, lambda report: app.reports.append(asyncio.create_task(report)))
    watch.note({TP("t", 0): (7, 10), TP("t", 1): (4, 4), TP("u", 0): (0, 9)}, {"t": "old"})

    async def looked(*states):
        async def found(client, topics):
            app.while_asked()
            return {"t": states[0]}

        for _ in states:
            monkeypatch.setattr(topic_watch, "topic_states", found)
            await watch.look()
            await asyncio.sleep(0)
            states = states[1:]
        return watch

    return looked


def reasons():
    return topic_watch.blocked.reasons


async def test_a_topic_that_stays_what_it_is_means_nothing(app, look):
    await look(OLD, OLD, OLD)

    assert (app.listeners, app.renewed, app.lost, reasons()) == ([], [], [], [])


async def test_a_topic_that_not_every_broker_knows_yet_is_not_missing(app, look):
    watch = await look(OLD, GONE)
    assert not watch.is_there("t")

    assert (await look(OLD, OLD)).is_there("t")
    assert (app.listeners, app.renewed, app.lost, reasons()) == ([], [], [], [])


async def test_a_missing_topic_blocks_the_worker_and_what_was_unread_is_lost(app, look):
    await look(OLD, GONE, GONE, GONE)

    (reason,) = reasons()
    assert reason.startswith("the topic t does not exist: create it again (kafka-topics ")
    assert "--create --topic t --partitions 6 --config retention.ms=-1" in reason
    assert app.listeners == ["t"]
    (loss,) = app.lost
    assert (loss.topic, loss.partition, loss.first, loss.next) == ("t", 0, 7, 10)
    assert (loss.topic_id, loss.with_topic) == ("old", True)
    assert app.renewed == [False]


@pytest.mark.parametrize(("done", "first"), [(6, [7]), (9, [9]), (10, []), (11, [])])
async def test_what_was_done_since_the_last_look_is_not_lost(app, look, done, first):
    app.consumer.done[TP("t", 0), "old"] = done

    await look(OLD, GONE, GONE)

    assert [loss.first for loss in app.lost] == first


async def test_what_is_in_work_when_its_topic_goes_is_done_before_it_is_told(app, look):
    app.held.add(TP("t", 0))
    await look(OLD, GONE, GONE)
    assert app.lost == []

    app.consumer.done[TP("t", 0), "old"] = 9
    app.held.clear()
    await asyncio.gather(*app.reports)
    assert [(loss.first, loss.next) for loss in app.lost] == [(9, 10)]


async def test_what_was_done_of_a_topic_counts_although_the_new_one_is_begun_already(app, look):
    app.consumer.done |= {(TP("t", 0), "old"): 10, (TP("t", 0), "new"): 0}

    await look(OLD, NEW)

    assert app.lost == []


async def test_the_end_of_a_new_topic_is_not_taken_for_that_of_the_old_one(app, look):
    app.consumer.done[TP("t", 0), "old"] = 10
    watch = await look(OLD)

    ids = watch.ids
    watch.note({TP("t", 0): (0, 26)}, ids)
    await look(NEW)
    watch.note({TP("t", 0): (10, 11)}, ids)  # asked for before the look, and told after it
    await look(NEW, GONE, GONE)

    assert app.lost == []


async def test_what_is_noted_while_kafka_is_asked_for_ids_waits_for_the_next_look(app, look):
    watch = await look(OLD)
    app.while_asked = lambda: watch.note({TP("t", 0): (0, 26)}, watch.ids)

    await look(OLD, NEW)

    assert [(loss.first, loss.next) for loss in app.lost] == [(7, 10)]


async def test_a_topic_that_goes_takes_what_was_noted_last(app, look):
    watch = await look(OLD)
    watch.note({TP("t", 0): (8, 20)}, watch.ids)

    await look(GONE, GONE)

    assert [(loss.first, loss.next) for loss in app.lost] == [(8, 20)]


async def test_a_topic_that_is_back_frees_the_worker_and_is_read_from_its_beginning(
    app, look, caplog
):
    await look(OLD, GONE, GONE, NEW, NEW)

    assert reasons() == []
    assert app.listeners == ["t", "t"]
    assert app.renewed == [False, True, True], "until the group has divided it anew"
    assert "the topic t was recreated" in caplog.text
    app.consumer.topic_ids["t"] = "new"
    app.renewed.clear()
    await look(NEW)
    assert app.renewed == []


async def test_a_topic_that_was_made_anew_between_two_looks_is_another(app, look):
    await look(OLD, NEW)

    assert (app.listeners, app.renewed, len(app.lost)) == (["t"], [True], 1)


async def test_a_topic_that_has_grown_is_divided_anew(app, look, caplog):
    await look(OLD, GROWN)

    assert (app.listeners, app.renewed, app.lost) == (["t"], [False], [])
    assert "the topic t had 6 partitions and has 8" in caplog.text


async def test_a_topic_that_may_not_be_seen_says_which_right_is_missing(look, caplog):
    caplog.set_level(logging.CRITICAL)
    await look(FORBIDDEN, FORBIDDEN)

    assert [reason for reason in reasons() if "DESCRIBE on topic 't'" in reason]
    assert place("t") in topic_watch.blocked
