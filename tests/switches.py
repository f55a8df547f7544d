"""Faults that are switched in a test: the topic `orderapp-control` in memory."""

from dataclasses import replace

from orderapp import control
from orderapp.control import Switch
from tests.records import record


class SwitchLog:
    """Stands in for Kafka: `look` and `send` are those of `control.switch`."""

    def __init__(self):
        self.records = []
        self.read = 0
        #: What looking and sending raise, and somebody else's record just before the next one.
        self.away = self.before = None

    async def look(self):
        if self.away:
            raise self.away
        new, self.read = self.records[self.read :], len(self.records)
        control.switches.take(new, False)

    async def send(self, key, value):
        if self.before:
            self.records.append(self.before)
            self.before = None
        place = {"topic": control.TOPIC, "offset": len(self.records)}
        self.records.append(record(value, key, **place))

    async def switch(self, name, value, version=None):
        return await control.switch(Switch(name, value, "ann", version), self.look, self.send)

    def close(self):
        """All faults are again as the settings have them."""
        control.switches.take([], True)


def allow(monkeypatch, **changes):
    """Let `control` have these settings."""
    monkeypatch.setattr(control, "settings", replace(control.settings, **changes))
