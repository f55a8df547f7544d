"""What all tests share. Nothing here starts a broker."""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

# The app reads its settings when it is imported; tests must not see those of their user.
for _name in [*os.environ]:
    if _name.startswith(("ORDERAPP_", "KAFKA_", "CONFLUENT_", "COUCHBASE_")) and not (
        _name.startswith("ORDERAPP_TEST_")
    ):
        del os.environ[_name]

# A machine that pauses for a moment is no slow example.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

pytest_plugins = ("tests.browser",)


@pytest.fixture(autouse=True)
def _nothing_unsaid():
    """Lines that a test has left to be counted are not said in the middle of another one, which
    has room for its own."""
    yield
    if logs := sys.modules.get("orderapp.engine.observe.logs"):
        for few in tuple(logs._unfinished):
            few.say_rest()
            few._began = float("-inf")
