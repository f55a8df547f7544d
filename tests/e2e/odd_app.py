"""An app whose code fails for some records, on the engine of orders; it is about sensors."""

import os

import faust

from orderapp.engine.app import BatchApp
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.topic_settings import TopicSpec

BUGS = {
    1: lambda: {}["sensor"],
    2: lambda: None.sensor,
    3: lambda: next(iter(())),
    4: lambda: "\ud800".encode(),
    5: lambda: None,
}


class NoTextError(Exception):
    """Not even its text can be made."""

    def __str__(self):
        raise KeyError("text")


class Reading(faust.Record, include_metadata=False):
    """What a sensor says. Those that are negative meet a bug."""

    sensor: int


def complete(reading, record):
    """Fails for some."""
    return BUGS[-reading.sensor]() if -reading.sensor in BUGS else reading


app = BatchApp(
    "odd",
    cluster=lambda: Cluster((os.environ["KAFKA_BOOTSTRAP_SERVERS"],)),
    datadir=os.environ["ORDERAPP_DATA_DIR"],
    broker_session_timeout=10.0,
    broker_commit_interval=0.5,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    web_bind="127.0.0.1",
)
app.topic_specs.append(TopicSpec("plain", 1))
readings = app.batched_topic("readings", Reading, partitions=1, complete=complete)
letters = app.dead_letter_topic("readings-dlq", partitions=1)
plain = app.topic("plain", value_type=Reading)
seen, seen_plain = [], []


async def take(batch):
    """Fails for some."""
    if any(reading.sensor == -100 for reading in batch):
        raise NoTextError
    seen.extend(reading.sensor for reading in batch)


@app.agent(readings, name="taker")
async def taker(stream):
    """Take readings."""
    match os.environ.get("ODD_READS"):
        case "async for":
            async for reading in stream:
                seen.append(reading.sensor)
        case "group_by":
            async for reading in stream.group_by(Reading.sensor):
                seen.append(reading.sensor)
        case _:
            await app.deliver("taker", stream, take)


@app.agent(plain, name="beside")
async def beside(stream):
    """An agent as Faust documents it."""
    async for reading in stream:
        seen_plain.append(reading.sensor)


@app.page("/readyz")
async def readyz(view, request):
    """Whether there is something to read."""
    return view.json({}, status=200 if app.has_partitions() else 503)


@app.page("/seen")
async def show(view, request):
    """What was taken."""
    return view.json({"batched": seen, "plain": seen_plain})
