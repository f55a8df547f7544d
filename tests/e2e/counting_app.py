"""An app that has nothing to do with orders, on the same engine: no batches, and a table."""

import os

import faust

from orderapp.engine.app import BatchApp
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.topic_settings import TopicSpec


class Click(faust.Record, include_metadata=False, serializer="json"):
    page: str


app = BatchApp(
    "counting",
    cluster=lambda: Cluster((os.environ["KAFKA_BOOTSTRAP_SERVERS"],)),
    datadir=os.environ["ORDERAPP_DATA_DIR"],
    broker_session_timeout=10.0,
    broker_commit_interval=0.5,
    topic_partitions=6,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    web_bind="127.0.0.1",
)
app.topic_specs.append(TopicSpec("clicks", 6))
clicks = app.topic("clicks", value_type=Click)
counts = app.Table("counts", default=int, partitions=6)


@app.agent(clicks, name="count")
async def count(stream):
    """Count the clicks of each page."""
    async for click in stream.group_by(Click.page):
        counts[click.page] += 1


@app.page("/healthz")
async def healthz(view, request):
    return view.json({"status": "ok"})


@app.page("/counts")
async def show(view, request):
    return view.json(dict(counts.items()))
