"""Input that nobody thought of, made by hypothesis.

Small and the same each time in CI; `ORDERAPP_TEST_FUZZ=20000` makes so many examples for each
test, and others each time. `python -m tests.fuzz` measures the memory as well.
"""

import os

from hypothesis import HealthCheck, settings

WANTED = int(os.environ.get("ORDERAPP_TEST_FUZZ", "0"))


def few(examples):
    """The settings of a test that makes so many examples in CI."""
    return settings(
        max_examples=WANTED or examples,
        derandomize=not WANTED,
        database=None,
        deadline=None,
        suppress_health_check=[*HealthCheck],
        print_blob=True,
    )
