"""What all tests share. Nothing here starts a broker."""

import os
import sys
from pathlib import Path

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


#: Whose files take long, the longest first.
_SLOW = ("e2e", "chaos", "benchmarks", "deploy", "store", "couchbase", "web_page", "web")


#: The files whose tests share one worker: they come first, so that it can end.
SHARING = pytest.StashKey[set[Path]]()


def pytest_collection_modifyitems(config, items):
    """Files that take long begin first: side by side, so that none of them ends alone."""
    places = {directory: at for at, directory in enumerate(_SLOW)}
    sharing = {item.path for item in items if "pipeline" in item.fixturenames}
    config.stash[SHARING] = sharing

    def place(item):
        return places.get(item.path.parent.name, len(_SLOW)), item.path not in sharing

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _nothing_unsaid(monkeypatch):
    """Lines that a test has left to be counted are not said in the middle of another one, which
    has room for its own."""
    begun = set()
    if logs := sys.modules.get("orderapp.engine.observe.logs"):
        room = logs.Few.room

        def noted(few, events=1):
            begun.add(few)
            return room(few, events)

        monkeypatch.setattr(logs.Few, "room", noted)
    yield
    for few in begun:
        few.say_rest()
        few._began = float("-inf")
