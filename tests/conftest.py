"""What all tests share. Nothing here starts a broker."""

import os

# The app reads its settings when it is imported; tests must not see those of their user.
for _name in [*os.environ]:
    if _name.startswith(("ORDERAPP_", "KAFKA_", "CONFLUENT_", "COUCHBASE_")) and not (
        _name.startswith("ORDERAPP_TEST_")
    ):
        del os.environ[_name]

pytest_plugins = ("tests.browser",)
