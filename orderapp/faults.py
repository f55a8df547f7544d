"""What is broken on purpose: by the settings, and switched while workers run. Said loudly, when
it changes and once a minute."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from aiokafka import ConsumerRecord

from orderapp.app import app, settings
from orderapp.change_log import ChangeLog, next_version
from orderapp.engine.batches.codec import Json
from orderapp.engine.batches.decoder import Decoder
from orderapp.engine.observe.texts import printable
from orderapp.models import FAULT, FaultChange
from orderapp.settings import Faults

logger = logging.getLogger(__name__)

#: Seconds between reminders.
EVERY = 60.0
#: The most seconds that the store can be made slower while workers run.
MOST_SECONDS = 60.0

TEXTS = {
    "gateway_timeout": "of the requests to the gateway: no answer, after 10 times the delay",
    "gateway_decline": "of the orders: declined",
    "gateway_slow": "of the requests to the gateway: 20 times as long",
    "store_slow": "seconds that each call of the store takes longer",
    "store_refuse": "of the store's writes: refused",
    "duplicates": "of the generated orders: sent 10 times more",
    "poison": "of the generated orders: with a record that is no order",
    "attack": "of the generated orders: their customer's card is tested, with 8 small orders",
}


@dataclass(frozen=True)
class Fault:
    """A fault, and how much of it there is."""

    id: str
    #: A rate from 0 to 1, or seconds.
    value: float
    #: 1: as the settings have it.
    version: int = 1
    #: When it was changed last, and by whom; empty: never.
    changed_at: str = ""
    author: str = ""

    @property
    def text(self) -> str:
        """What the value is of."""
        return TEXTS[self.id]

    @property
    def most(self) -> float:
        """The largest value."""
        return MOST_SECONDS if self.id == "store_slow" else 1.0


class Switches(ChangeLog[Fault, FaultChange]):
    """Keeps `faults` as the log says."""

    def __init__(self, faults: Faults, decode: Callable[[ConsumerRecord], FaultChange]) -> None:
        super().__init__(decode)
        self._faults = faults
        self._declared = {name: Fault(name, value) for name, value in asdict(faults).items()}
        self._all: Mapping[str, Fault] = self._declared

    @property
    def all(self) -> Mapping[str, Fault]:
        """As they are now."""
        return self._all

    @property
    def declared(self) -> Mapping[str, Fault]:
        """As the settings have them."""
        return self._declared

    def concerns(self, key: bytes) -> bool:
        """Those of `fault_key`."""
        return key.startswith(FAULT.encode())

    def key(self, change: FaultChange) -> bytes:
        """See `fault_key`."""
        return fault_key(change)

    def changed(self, all_before: Mapping[str, Fault], change: FaultChange) -> Fault:
        """A fault as a change makes it."""
        before = all_before.get(change.fault)
        if before is None:
            raise ValueError(f"there is no fault {change.fault!r}")
        next_version(before, change.version)
        if not 0 <= change.value <= before.most:
            raise ValueError(
                f"{before.id}={change.value:g} is not allowed: from 0 to {before.most:g}"
            )
        said = change.version, change.changed_at, change.author
        return Fault(before.id, change.value, *said)

    def is_same(self, before: Fault, after: Fault) -> bool:
        """Whether it is as much. Version 1 may be another value in another worker."""
        return before.version > 1 and before.value == after.value

    def put(self, in_force: Mapping[str, Fault]) -> None:
        """Break so much from now on."""
        self._all = dict(in_force)
        for name, fault in in_force.items():
            setattr(self._faults, name, fault.value)

    def tell(self, changed: Fault, before: Fault | None = None) -> None:
        """A line in the log."""
        by = printable(changed.author) or "nobody"
        if changed.value:
            line = "BROKEN ON PURPOSE: %s=%g, switched by %s at %s"
            logger.warning(line, changed.id, changed.value, by, changed.changed_at)
        elif before is not None and before.value:
            line = "no longer broken on purpose: %s, switched off by %s at %s"
            logger.info(line, changed.id, by, changed.changed_at)


def fault_key(change: FaultChange) -> bytes:
    """`fault:` and the fault's name"""
    return f"{FAULT}{change.fault}".encode()


codec = Json(FaultChange)
switches = Switches(settings.faults, Decoder(codec).one)


def announce() -> None:
    """A warning for each fault that is switched on."""
    for fault in switches.all.values():
        if fault.version > 1 and fault.value:
            switches.tell(fault)
        elif fault.value:
            line = "BROKEN ON PURPOSE: ORDERAPP_FAULT_%s=%g"
            logger.warning(line, fault.id.upper(), fault.value)


@app.task
async def remind() -> None:
    """Say what is broken for as long as it is."""
    while not app.should_stop:
        announce()
        await asyncio.sleep(EVERY)
