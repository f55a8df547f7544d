"""Brings a file of an older version up to date, in one transaction.

Version 2 has more fields, dead letters and totals, version 3 several alerts of an order, 4 a
table of what rules in the shadow have found, 5 customers and traces in the index of time, 6 the
times of a payment's attempts, 7 what active rules could not judge.
"""

_COLUMNS = (
    "ALTER TABLE orders ADD COLUMN kafka_timestamp INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE orders ADD COLUMN stored_at TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE orders ADD COLUMN trace_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE alerts ADD COLUMN created_at TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE alerts ADD COLUMN kafka_timestamp INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE payments ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE payments ADD COLUMN country TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE payments ADD COLUMN created_at TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE payments ADD COLUMN kafka_timestamp INTEGER NOT NULL DEFAULT 0",
)

_DAY_AGO = "strftime('%Y-%m-%dT%H:%M:%S', 'now', '-1 day')"

# Kafka's timestamps were not kept: for the last day, which is all that the
#: activity shows, the senders' own times stand in for them.
_CONTENTS = (
    f"""UPDATE orders SET kafka_timestamp = ifnull(strftime('%s', created_at), 0) * 1000
        WHERE created_at > {_DAY_AGO}""",  # noqa: S608 - our own names
    f"""UPDATE alerts SET kafka_timestamp = ifnull(strftime('%s', detected_at), 0) * 1000
        WHERE detected_at > {_DAY_AGO}""",  # noqa: S608 - our own names
    """UPDATE alerts SET created_at = ifnull(
        (SELECT created_at FROM orders WHERE order_id = alerts.order_id), detected_at)""",
    """UPDATE payments SET (country, created_at) = (
        SELECT ifnull(max(country), ''), ifnull(max(created_at), payments.paid_at)
        FROM orders WHERE order_id = payments.order_id)""",
    """INSERT INTO countries (country, orders, alerts, paid, declined, revenue)
        SELECT country, sum(orders), sum(alerts), sum(paid), sum(declined), sum(revenue) FROM (
            SELECT country, count(*) AS orders, 0 AS alerts, 0 AS paid, 0 AS declined,
                0.0 AS revenue FROM orders GROUP BY country
            UNION ALL SELECT country, 0, count(*), 0, 0, 0.0 FROM alerts GROUP BY country
            UNION ALL SELECT country, 0, 0, sum(status = 'PAID'), sum(status = 'DECLINED'),
                sum(CASE status WHEN 'PAID' THEN amount ELSE 0.0 END)
                FROM payments GROUP BY country
        ) GROUP BY country""",
    """INSERT INTO activity (bucket, orders, alerts)
        SELECT kafka_timestamp / 10000, sum(orders), sum(alerts) FROM (
            SELECT kafka_timestamp, 1 AS orders, 0 AS alerts FROM orders
            UNION ALL SELECT kafka_timestamp, 0, 1 FROM alerts
        ) WHERE kafka_timestamp > 0 GROUP BY kafka_timestamp / 10000""",
)

# A table's primary key can't be changed.
_ALERTS_ASIDE = (
    "DROP INDEX IF EXISTS alerts_by_time",
    "ALTER TABLE alerts RENAME TO alerts_before",
)
_ALERT = (
    "order_id, kafka_partition, kafka_offset, reason, amount, country, customer_id, "
    "detected_at, created_at, kafka_timestamp"
)
_ALERTS_BACK = (
    f"INSERT INTO alerts ({_ALERT}) SELECT {_ALERT} FROM alerts_before ORDER BY order_id",  # noqa: S608 - our own names
    "DROP TABLE alerts_before",
)

#: By the versions of the files that need them. Before the tables are made that are missing:
BEFORE = (
    (range(1, 2), _COLUMNS),
    (range(1, 3), _ALERTS_ASIDE),
    # Its columns are others now.
    (range(1, 5), ("DROP INDEX IF EXISTS orders_by_time",)),
    (range(1, 6), ("ALTER TABLE payments ADD COLUMN attempt_times TEXT NOT NULL DEFAULT ''",)),
    # Older ones have no such table: it is made as it has to be.
    (range(4, 7), ("ALTER TABLE shadows ADD COLUMN failed INTEGER NOT NULL DEFAULT 0",)),
)
#: And after that.
AFTER = ((range(1, 3), _ALERTS_BACK), (range(1, 2), _CONTENTS))


def needed(steps: tuple[tuple[range, tuple[str, ...]], ...], version: int) -> list[str]:
    """The statements that a file of this version needs."""
    return [text for versions, found in steps if version in versions for text in found]
