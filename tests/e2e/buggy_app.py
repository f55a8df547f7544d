"""An app with two services, of which one has a bug while a file is there."""

import os
from pathlib import Path

import faust

from orderapp.engine.app import BatchApp
from orderapp.engine.delivery.limit import GiveUp
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.observe.blocked import blocked

BUG = Path(os.environ["ORDERAPP_DATA_DIR"]).with_name("bug")


class Reading(faust.Record, include_metadata=False):
    """What a sensor says."""

    sensor: int


def convert(reading, record):
    """Has it as well, while it decodes."""
    if BUG.exists():
        raise KeyError("unit")
    return reading


app = BatchApp(
    "buggy",
    cluster=lambda: Cluster((os.environ["KAFKA_BOOTSTRAP_SERVERS"],)),
    datadir=os.environ["ORDERAPP_DATA_DIR"],
    broker_session_timeout=10.0,
    broker_commit_interval=0.5,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    web_bind="127.0.0.1",
    give_up=GiveUp(20, 0.5),
)
sound = app.batched_topic("sound", Reading, partitions=2)
measured = app.batched_topic("measured", Reading, partitions=2)
converted = app.batched_topic("converted", Reading, partitions=2, complete=convert)
letters = app.dead_letter_topic("buggy-dlq", partitions=1)
seen = {"judge": 0, "keeper": 0, "reader": 0}


async def judge(batch):
    """Has the bug, and for -1 another."""
    if BUG.exists() or any(reading.sensor == -1 for reading in batch):
        raise KeyError("threshold")
    seen["judge"] += len(batch)


async def keep(batch):
    """Has none."""
    seen["keeper"] += len(batch)


@app.agent(measured, name="judge")
async def judging(stream):
    """Judge readings."""
    await app.deliver("judge", stream, judge, overlap=4)


@app.agent(sound, name="keeper")
async def keeping(stream):
    """Keep readings of another topic."""
    await app.deliver("keeper", stream, keep, overlap=4)


async def take(batch):
    """Never gets what could not be converted."""
    seen["reader"] += len(batch)


@app.agent(converted, name="reader")
async def reading(stream):
    """Read what has to be converted."""
    await app.deliver("reader", stream, take)


@app.page("/readyz")
async def readyz(view, request):
    """Whether there is something to read, and nothing keeps it from being read."""
    missing = [] if app.has_partitions() else ["no partitions"]
    missing += blocked.reasons
    return view.json({"missing": missing}, status=503 if missing else 200)


@app.page("/seen")
async def show(view, request):
    """How many each service has taken."""
    return view.json(seen)
