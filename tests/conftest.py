"""What all tests share. Nothing here starts a broker."""

import os
import sys

import pytest

# The app reads its settings when it is imported; tests must not see those of their user.
for _name in [*os.environ]:
    if _name.startswith(("ORDERAPP_", "KAFKA_", "CONFLUENT_", "COUCHBASE_")) and not (
        _name.startswith("ORDERAPP_TEST_")
    ):
        del os.environ[_name]

pytest_plugins = ("tests.browser",)


@pytest.fixture(autouse=True)
def _nothing_unsaid():
    """Lines that a test has left to be counted are not said in the middle of another one."""
    yield
    if logs := sys.modules.get("orderapp.engine.observe.logs"):
        logs.say_rest()
