"""The topic `orderapp-control` in memory, for the rules that this process knows."""

from orderapp import control, topics
from tests.records import record


class ControlLog:
    """Stands in for Kafka: `look` and `send` are those of `control.change`."""

    def __init__(self):
        self.records = []
        self.read = 0
        #: What somebody else sends just before the next change; what sending raises.
        self.before = self.away = None
        control.changes.take([], True)

    async def look(self):
        if self.away:
            raise self.away
        new, self.read = self.records[self.read :], len(self.records)
        control.changes.take(new, False)

    async def send(self, change):
        for one in filter(None, (self.before, change)):
            value, key = topics.control.codec.encode(one), topics.control.key_of(one)
            self.records.append(
                record(value, key, topic=control.TOPIC, offset=len(self.records))
            )
        self.before = None

    def close(self):
        """All rules are again as their files have them."""
        control.changes.take([], True)
