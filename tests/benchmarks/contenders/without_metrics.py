"""orderapp's worker with nothing counted: what it would cost without its metrics.

python -m tests.benchmarks.contenders.without_metrics worker -l warn
"""

from orderapp import app, metrics
from orderapp.engine.delivery import policy as delivery
from orderapp.store import measured


class Nothing:
    """A meter that counts nothing."""

    def settled(self, records, began, buried):
        """See `Meter`."""

    def retried(self):
        """See `Meter`."""


NOTHING = Nothing()


def ignore(*_):
    """Count nothing."""


# Each is looked up by its name when it is used.
delivery.meter = lambda service, topic: NOTHING
measured._timed = lambda operation, call: call
metrics.judged = metrics.charged = metrics.unanswered = ignore

if __name__ == "__main__":
    app.main()
