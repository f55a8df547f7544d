"""Quix Streams as its documentation shows it: an application, and a process, for each service.

    python -m tests.benchmarks.contenders.quix fraud|payment|analytics

The store is a `BatchingSink`, which writes what was read since the last checkpoint. The
checkpoint's default of 5 s would be waited for at the end of a run: it is 1 s, like the others.
"""

import sys
from itertools import islice

from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch

from tests.benchmarks.contenders.common import (
    KAFKA,
    TABLES,
    Database,
    alert_for,
    is_risky,
    now,
    payment_for,
    row,
)


class DatabaseSink(BatchingSink):
    """Writes one topic into its table."""

    def __init__(self, database: Database, table: str) -> None:
        super().__init__()
        self.database = database
        self.table = table

    def write(self, batch: SinkBatch) -> None:
        items = iter(batch)
        while chunk := list(islice(items, 1000)):
            rows = [row(self.table, i.value, batch.partition, i.offset) for i in chunk]
            self.database.save_all({self.table: rows})


def make_application(group: str) -> Application:
    return Application(
        broker_address=KAFKA,
        consumer_group=group,
        auto_offset_reset="earliest",
        commit_interval=1.0,
        producer_extra_config={"acks": "all"},
        loglevel="WARNING",
    )


def fraud(app: Application) -> None:
    orders = app.dataframe(app.topic("orders", value_deserializer="json"))
    risky = orders.filter(is_risky)
    alerts = risky.apply(lambda order: alert_for(order, now()))
    alerts.to_topic(app.topic("fraud-alerts", value_serializer="json"))


def payment(app: Application) -> None:
    orders = app.dataframe(app.topic("orders", value_deserializer="json"))
    payments = orders.apply(lambda order: payment_for(order, now()))
    payments.to_topic(app.topic("payments", value_serializer="json"))


def analytics(app: Application) -> None:
    database = Database()
    for topic, table in TABLES.items():
        values = app.dataframe(app.topic(topic, value_deserializer="json"))
        values.sink(DatabaseSink(database, table))


if __name__ == "__main__":
    role = sys.argv[1]
    application = make_application(role)
    {"fraud": fraud, "payment": payment, "analytics": analytics}[role](application)
    application.run()
