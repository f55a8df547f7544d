"""Services: what authors declare, what becomes of it, and what is refused."""

import logging
import re

import faust
import pytest

from orderapp.engine import BatchApp, Codec, Record, RetryableError
from orderapp.engine.batches.batch import Batch
from orderapp.engine.batches.topic import outbox
from orderapp.engine.delivery.retry import Retry
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.observe.logs import working_for
from orderapp.engine.services import DeclarationError
from orderapp.testing import record, run, run_async

TRACE = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


class Reading(Record, include_metadata=False, serializer="json"):
    """What a sensor says."""

    sensor: int
    value: float = 0.0


class Warned(Record, include_metadata=False, serializer="json"):
    """A reading that is too high."""

    sensor: int


class Report(Record, include_metadata=False, serializer="json"):
    """What is kept of a reading."""

    name: str


class Lines(Codec[str]):
    """Text, a line for each value."""

    record = message = str

    def decode(self, data):
        return data.decode()

    def encode(self, value):
        return value.encode()


@pytest.fixture
def app():
    return BatchApp("sensors", cluster=lambda: Cluster(("127.0.0.1:1",)), retry=Retry(3))


@pytest.fixture
def readings(app):
    return app.batched_topic("readings", Reading, partitions=1, key="sensor")


@pytest.fixture
def warnings(app):
    return app.batched_topic("warnings", Warned, partitions=1, key="sensor")


@pytest.fixture
def reports(app):
    return app.batched_topic("reports", Report, partitions=1)


def many(count):
    return [Reading(sensor=n) for n in range(count)]


# -- a function of one value ---------------------------------------------------------------


def test_a_value_that_returns_nothing_sends_nothing(app, readings, warnings):
    @app.each(readings, sends=warnings)
    def watch(reading):
        return None

    assert run(watch, many(3)).sent == []


def test_what_follows_from_a_record_keeps_its_partition_trace_and_timestamp(
    app, readings, warnings
):
    @app.each(readings, sends=warnings)
    def watch(reading):
        return Warned(sensor=reading.sensor) if reading.sensor > 1 else None

    records = [
        record(
            b'{"sensor":%d}' % n, b"k%d" % n, topic="readings", partition=4, timestamp=1000 + n,
            headers=[TRACE, ("other", b"x")] if n == 2 else [],
        )
        for n in range(4)
    ]  # fmt: skip

    second, third = run(watch, records).sent

    assert (second.topic, second.partition, second.value) == ("warnings", 4, b'{"sensor":2}')
    assert (second.key, second.timestamp, second.headers) == (b"2", 1002, [TRACE])
    assert (third.key, third.timestamp, third.headers) == (b"3", 1003, [])


def test_a_topic_without_a_key_takes_that_of_the_record(app, readings, reports):
    @app.each(readings, sends=reports)
    def keep(reading):
        return Report(name="x")

    (sent,) = run(keep, [record(b'{"sensor":7}', b"its own", topic="readings")]).sent

    assert sent.key == b"its own"


def test_a_clock_that_is_ahead_is_not_handed_on(app, readings, warnings):
    @app.each(readings, sends=warnings)
    def watch(reading):
        return Warned(sensor=reading.sensor)

    ahead = record(b'{"sensor":7}', topic="readings", timestamp=2**52)

    assert run(watch, [ahead]).sent[0].timestamp is None


def test_several_messages_go_to_the_topics_of_their_types(app, readings, warnings, reports):
    @app.each(readings, sends=(warnings, reports))
    def both(reading):
        yield Warned(sensor=reading.sensor)
        yield reports.message(name=f"reading {reading.sensor}")

    sent = run(both, many(2)).sent

    assert [(one.topic, one.key, one.value) for one in sent] == [
        ("warnings", b"0", b'{"sensor":0}'),
        ("warnings", b"1", b'{"sensor":1}'),
        ("reports", b"0", b'{"name":"reading 0"}'),
        ("reports", b"1", b'{"name":"reading 1"}'),
    ]


@pytest.mark.parametrize("wrong", [Report(name="x"), "text", {"sensor": 1}, [Report(name="x")]])
def test_what_is_no_message_of_the_topic_costs_its_record_alone(app, readings, warnings, wrong):
    @app.each(readings, sends=warnings)
    def watch(reading):
        return wrong if reading.sensor == 1 else Warned(sensor=reading.sensor)

    done = run(watch, many(3))

    assert [message.sensor for message in done.messages] == [0, 2]
    (dead,) = done.dead_letters
    assert re.fullmatch(r"watch returned a \w+, and not Warned", str(dead.error))


def test_who_sends_nothing_may_return_nothing_but_none(app, readings):
    seen = []

    @app.each(readings)
    def look(reading):
        seen.append(reading.sensor)
        return "text" if reading.sensor == 1 else None

    assert len(run(look, many(2)).dead_letters) == 1
    assert seen[:2] == [0, 1]


def test_lines_about_messages_are_few_and_name_the_service(app, readings, caplog):
    caplog.set_level(logging.INFO)
    told = []
    loud = app.batched_topic(
        *("loud", Warned),
        partitions=1,
        key="sensor",
        told=lambda messages, values: told.append((len(messages), values)),
        says=lambda message: f"sensor {message.sensor} is too high",
    )

    @app.each(readings, sends=loud)
    def watch(reading):
        return loud.message(sensor=reading.sensor) if reading.sensor >= 10 else None

    run(watch, many(50))

    said = [r for r in caplog.records if "is too high" in r.getMessage()]
    assert [r.getMessage() for r in said] == [f"sensor {n} is too high" for n in range(10, 15)]
    assert {(r.service, r.key) for r in said[:1]} == {("watch", "10")}
    assert told == [(40, 50)]
    assert working_for.get() == ""


# -- a coroutine of a batch ----------------------------------------------------------------


async def test_a_batch_is_sent_from_with_its_indices(app, readings, warnings):
    @app.batches(readings, sends=warnings)
    async def watch(batch: Batch[Reading]) -> None:
        await warnings.send_all([Warned(sensor=9)], of=batch, at=[2], timestamps=[5])

    (sent,) = (await run_async(watch, many(3))).sent

    assert (sent.key, sent.value, sent.timestamp) == (b"9", b'{"sensor":9}', 5)


@pytest.mark.parametrize(("own", "attempts"), [(None, 3), (Retry(5), 5)])
def test_an_error_that_may_pass_is_tried_as_often_as_the_service_says(
    app, readings, own, attempts
):
    tries = []

    @app.batches(readings, retry=own)
    async def ask(batch):
        tries.append(len(batch))
        raise RetryableError("no answer")

    done = run(ask, many(1))

    assert len(tries) == attempts
    assert [(str(dead.error), dead.attempts) for dead in done.dead_letters] == [
        ("no answer", attempts)
    ]


def test_what_can_not_be_decoded_is_a_dead_letter(app, readings):
    @app.each(readings)
    def look(reading):
        return None

    done = run(look, [record(b"{}", topic="readings"), record(b'{"sensor":1}')])

    assert [dead.record.value for dead in done.dead_letters] == [b"{}"]


def test_a_topic_may_have_a_codec_of_its_own(app):
    lines = app.batched_topic("lines", str, partitions=1, codec=Lines())

    @app.each(lines, sends=lines)
    def shout(line):
        return line.upper() + "!"

    (sent,) = run(shout, [record(b"hello", topic="lines")]).sent

    assert sent.value == b"HELLO!"


# -- Faust's own ---------------------------------------------------------------------------


async def test_the_context_for_tests_works_as_faust_documents_it(app, readings, warnings):
    @app.each(readings, sends=warnings)
    def watch(reading):
        return Warned(sensor=reading.sensor) if reading.sensor else None

    async with watch.test_context() as agent:
        event = await agent.put(Reading(sensor=3))
        assert agent.results[event.message.offset] == [Warned(sensor=3)]
        event = await agent.put(Reading(sensor=0))
        assert agent.results[event.message.offset] == []
    assert outbox.get() is None


async def test_an_error_of_the_work_comes_out_of_the_context(app, readings):
    @app.each(readings)
    def fail(reading):
        raise KeyError("unit")

    async with fail.test_context() as agent:
        with pytest.raises(KeyError, match="unit"):
            await agent.put(Reading(sensor=3))


def test_a_service_is_called_as_the_function_that_it_is(app, readings, warnings):
    @app.each(readings, sends=warnings)
    def watch(reading):
        """Look for high readings."""
        return Warned(sensor=reading.sensor)

    assert watch(Reading(sensor=4)) == Warned(sensor=4)
    assert isinstance(watch, faust.Agent)
    assert app.agents["watch"] is watch
    assert watch.help == "Look for high readings."


def test_what_a_worker_does_not_run_is_known_and_not_started(readings, warnings):
    cluster = Cluster(("127.0.0.1:1",))
    app = BatchApp("sensors", cluster=lambda: cluster, runs={"here"}.__contains__)
    readings = app.batched_topic("readings", Reading, partitions=1, key="sensor")
    warnings = app.batched_topic("warnings", Warned, partitions=1, key="sensor")

    for name in ("here", "elsewhere"):
        with app.services.declaring(name):

            @app.each(readings, sends=warnings)
            def watch(reading):
                return Warned(sensor=reading.sensor)

            watch.function.__name__ = "other"
            app._declared_at.clear()

            async def plain(stream):
                async for _ in stream:
                    pass

            app.agent(app.topic("plain"), name=f"{name}-plain", sends=warnings)(plain)

            app.Table(f"{name}-table")
            app.timer(1.0, sends=readings)(plain)
            app.crontab("* * * * *")(plain)
            app.task(plain)
            app.task()(plain)

    assert {*app.agents} == {"watch", "here-plain"}
    assert {*app.tables} == {"here-table"}
    assert len(app.at_start) == 4
    for name, runs in (("here", True), ("elsewhere", False)):
        service = app.services.all[name]
        assert (service.reads, service.sends) == (
            ["readings", "plain"],
            ["warnings", "readings"],
        )
        assert service.runs is runs
    assert app.written == {"warnings", "readings"}


async def test_tasks_begin_when_the_worker_has_started_and_some_only_on_the_leader(
    app, monkeypatch
):
    begun = []
    leader = {"here": False}

    @app.task
    async def plain():
        begun.append("plain")

    @app.task()
    async def of_the_app(given):
        begun.append(given)

    @app.task(on_leader=True)
    async def once():
        begun.append("once")

    monkeypatch.setattr(app, "is_leader", lambda: leader["here"])
    monkeypatch.setattr(app, "add_future", begun.append)
    await app.on_started_init_extra_tasks()
    futures, begun[:] = begun[:], []
    for future in futures:
        await future
    assert begun == ["plain", app]

    leader["here"] = True
    await once()
    assert begun == ["plain", app, "once"]


def test_what_is_declared_outside_of_a_services_module_runs():
    app = BatchApp("x", cluster=lambda: Cluster(("127.0.0.1:1",)), runs=lambda name: False)
    readings = app.batched_topic("readings", Reading, partitions=1)

    app.each(readings)(named(lambda reading: None))

    assert {*app.agents} == {*app.services.readers} == {"watch"}


# -- what is refused -----------------------------------------------------------------------


def named(function, name="watch"):
    function.__name__ = name
    return function


def test_a_service_declared_twice_is_refused_with_both_places(app, readings):
    app.each(readings)(named(lambda reading: None))

    with pytest.raises(DeclarationError) as refused:
        app.each(readings)(named(lambda reading: None))

    place = r"engine/test_services\.py:\d+: watch"
    assert re.fullmatch(
        f"{place}: an agent 'watch' is declared already, {place}: give it another name",
        str(refused.value),
    )


@pytest.mark.parametrize("topic", ["raedings", None, 7])
def test_an_unknown_topic_is_refused_with_those_that_there_are(app, readings, topic):
    with pytest.raises(DeclarationError, match=re.escape(repr(topic))) as refused:
        app.each(topic)(named(lambda reading: None))

    assert "`app.batched_topic` (readings)" in str(refused.value)


def test_a_topic_that_is_not_batched_is_refused(app, readings, warnings):
    with pytest.raises(DeclarationError, match="names the topic 'plain'"):
        app.each(readings, sends=(warnings, app.topic("plain")))(named(lambda reading: None))


async def coroutine(value):
    return None


async def generator(value):
    yield value


@pytest.mark.parametrize(
    ("kind", "function", "said"),
    [
        ("each", lambda: None, "is not `def rule(value)`: too many positional"),
        ("each", lambda a, b: None, "is not `def rule(value)`: missing a required"),
        ("each", coroutine, "is not `def rule(value)`: use `app.batches`"),
        ("each", generator, "is not `def rule(value)`: use `app.batches`"),
        ("batches", lambda batch: None, "is not `async def work(batch)`: use `app.each`"),
        ("batches", generator, "is not `async def work(batch)`: use `app.each`"),
    ],
)
def test_a_function_with_the_wrong_signature_is_refused(app, readings, kind, function, said):
    with pytest.raises(DeclarationError) as refused:
        getattr(app, kind)(readings)(function)

    assert said in str(refused.value)
    assert "test_services.py:" in str(refused.value)
