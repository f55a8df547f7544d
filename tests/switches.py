"""Faults that are switched in a test."""

from dataclasses import replace

from orderapp import control
from orderapp.control import Switch
from tests.rules.log import Log


class SwitchLog(Log):
    """`look` and `send` are those of `control.switch`."""

    def __init__(self):
        super().__init__(control.switches.take)

    async def send(self, key, value):
        if self.before:
            self.put(self.before.key, self.before.value)
        self.before = None
        self.put(key, value)

    async def switch(self, name, value, version=None):
        return await control.switch(Switch(name, value, "ann", version), self.look, self.send)


def allow(monkeypatch, **changes):
    """Let `control` have these settings."""
    monkeypatch.setattr(control, "settings", replace(control.settings, **changes))
