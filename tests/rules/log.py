"""The topic `orderapp-control` in memory."""

from orderapp import control, topics
from tests.records import record


class Log:
    """Stands in for Kafka; `take` is that of rules or of faults."""

    def __init__(self, take):
        self.records = []
        self.read = 0
        #: What somebody else sends just before the next change; what sending raises.
        self.before = self.away = None
        self._take = take
        take([], True)

    async def look(self):
        if self.away:
            raise self.away
        new, self.read = self.records[self.read :], len(self.records)
        self._take(new, False)

    def put(self, key, value):
        place = {"topic": control.TOPIC, "offset": len(self.records)}
        self.records.append(record(value, key, **place))

    def close(self):
        """All is again as it was declared."""
        self._take([], True)


class ControlLog(Log):
    """For the rules of this process: `look` and `send` are those of `control.change`."""

    def __init__(self):
        super().__init__(control.changes.take)

    async def send(self, change):
        for one in filter(None, (self.before, change)):
            self.put(topics.control.key_of(one), topics.control.codec.encode(one))
        self.before = None
