"""Kafka records for unit tests."""

from orderapp import testing


def record(value=b"{}", key=b"7", **place):
    return testing.record(value, key, **place)
