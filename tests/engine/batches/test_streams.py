"""Streams of batched topics are refused to whoever reads them record by record."""

import asyncio

import faust
import pytest

from orderapp.engine.app import BatchApp
from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.cluster import Cluster


class Reading(faust.Record, include_metadata=False):
    sensor: int


@pytest.fixture
def app(tmp_path):
    app = BatchApp("sensors", cluster=lambda: Cluster(()), datadir=str(tmp_path))
    app.batched_topic("readings", Reading, partitions=1)
    app.dead_letter_topic("readings-dlq", partitions=1)
    return app


@pytest.fixture
def failed(app, monkeypatch):
    """As in a worker: what it ended with."""
    lines = []

    def fail(error):
        app.failure = str(error)
        lines.append(str(error))

    monkeypatch.setattr(app, "fail", fail)
    app.in_worker = True
    return lines


async def keep(batch):
    raise AssertionError


async def values(stream):
    async for _ in stream:
        pass


USES = {
    "`async for`": values,
    "`items`": lambda stream: values(stream.items()),
    "`events`": lambda stream: values(stream.events()),
    "`take`": lambda stream: values(stream.take(10, within=1)),
    "`enumerate`": lambda stream: values(stream.enumerate()),
    "`noack`": lambda stream: values(stream.noack()),
    "`group_by`": lambda stream: values(stream.group_by(Reading.sensor)),
    "`through`": lambda stream: values(stream.through("elsewhere")),
    "`echo`": lambda stream: values(stream.echo("elsewhere")),
    "`filter`": lambda stream: values(stream.filter(bool).group_by(Reading.sensor)),
    "`join`": lambda stream: values(stream.join(Reading.sensor)),
    "`combine`": lambda stream: values(stream & stream),
}


@pytest.mark.parametrize("topic", ["batched", "by its name", "dead letters"])
@pytest.mark.parametrize(("what", "use"), USES.items(), ids=USES)
async def test_whatever_takes_records_one_by_one_is_refused_in_one_line(
    app, failed, what, use, topic
):
    made = {
        "batched": app.topic("readings", schema=app._schema),
        "by its name": app.topic("readings", value_type=Reading),
        "dead letters": app.topic("readings-dlq", schema=app._schema),
    }[topic]

    with pytest.raises(TimeoutError):  # nothing comes until the worker has ended
        await asyncio.wait_for(use(made.stream()), 0.05)

    (line,) = failed
    assert f"uses {what} on the topic {made.get_topic_name()!r}" in line
    assert "write `await app.deliver(" in line
    assert line.isprintable()


async def test_no_service_is_delivered_a_stream_that_was_changed(app, failed):
    stream = app.topic("readings", schema=app._schema).stream().filter(bool)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(app.deliver("keeper", stream, keep), 0.05)

    assert "uses `filter` on the topic 'readings'" in failed[0]
    assert app.readers == {}


@pytest.mark.parametrize("name", ["clicks", "readings"])
async def test_a_topic_that_is_not_batched_is_not_delivered(app, failed, name):
    stream = app.topic(name, value_type=Reading).stream()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(app.deliver("keeper", stream, keep), 0.05)

    assert failed == [
        f"'keeper' gives `deliver` the topic {name!r}, which was not made by `batched_topic`: "
        "make it so, or use `async for`"
    ]


async def test_what_has_no_place_for_dead_letters_is_not_delivered(app, failed):
    app.dead_letters = None
    stream = app.topic("readings", schema=app._schema).stream()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(app.deliver("keeper", stream, keep), 0.05)

    assert "make one with `app.dead_letter_topic`" in failed[0]


async def test_outside_of_a_worker_it_is_an_error(app):
    with pytest.raises(FatalError, match="a stream uses `async for` on the topic 'readings'"):
        await values(app.topic("readings").stream())


async def test_other_streams_are_faust_s_own(app, failed):
    got = [value async for value in app.stream([1, 2, 3])]
    even = [v async for v in app.stream([1, 2, 3, 4]).filter(lambda value: value % 2 == 0)]
    numbered = [pair async for pair in app.stream(["a", "b"]).enumerate()]

    assert (got, even, numbered) == ([1, 2, 3], [2, 4], [(0, "a"), (1, "b")])
    assert failed == []
