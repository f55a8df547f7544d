"""Rules and faults are changed live: `orderapp-control` is followed, and changes are sent to
it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord

from orderapp import faults, topics
from orderapp.app import app, settings
from orderapp.change_log import WrongVersion
from orderapp.changes import Changes
from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.following import Follower
from orderapp.faults import Fault, switches
from orderapp.judging import rules
from orderapp.models import FaultChange, RuleChange, RuleState, now
from orderapp.rule import Rule

TOPIC = topics.control.name
#: How often a switch for whatever version is tried while others are quicker.
TRIES = 5

changes = Changes(rules, app.decoder(TOPIC).one)

#: Brings what is changed up to date.
Look = Callable[[], Awaitable[None]]


def take(records: Sequence[ConsumerRecord], anew: bool) -> None:
    """Go by what follows from these records: rules where there are any, and faults where they
    may be switched."""
    if rules.declared:
        changes.take(records, anew)
    if settings.live_faults:
        switches.take(records, anew)


#: That of a worker, which begins with it.
follower = Follower(lambda: app.cluster, TOPIC, take)

with app.services.declaring("web"):
    app.declare("web", sends=topics.control)
    app.follow(follower)
if settings.live_faults:
    for _name in ("producer", "payment", "analytics"):
        with app.services.declaring(_name):
            app.follow(follower)


class Wanted(NamedTuple):
    """What a rule shall be from now on."""

    rule: str
    #: None: as it is.
    state: RuleState | None
    #: The other parameters stay as they are.
    values: Mapping[str, Any]
    author: str
    #: Only if this one is in force; None: whatever is.
    version: int | None = None


async def change(
    wanted: Wanted, look: Look, send: Callable[[RuleChange], Awaitable[object]]
) -> tuple[Rule, Rule]:
    """Change a rule; see `ChangeLog.change`."""

    def make(before: Rule) -> RuleChange:
        message: RuleChange = topics.control.message(
            rule=before.id,
            state=wanted.state or before.state,
            version=before.version + 1,
            parameters=before.written(wanted.values),
            changed_at=now(),
            author=wanted.author,
        )
        return message

    return await changes.change(wanted.rule, wanted.version, make, look, send)


class NotAllowed(FatalError):  # noqa: N818 - what is wrong is said by its text
    """Faults are not switched here."""


class Switch(NamedTuple):
    """How much of a fault there shall be from now on."""

    fault: str
    value: float
    author: str
    #: As in `Wanted`.
    version: int | None = None


def all_off(author: str) -> list[Switch]:
    """What switches off whatever may be on, in this worker or another; `NotAllowed`."""
    if why := refusal(""):
        raise NotAllowed(why)
    return [Switch(name, 0.0, author) for name in switches.all if refusal(name) is None]


async def switch(
    wanted: Switch, look: Look, send: Callable[[bytes, bytes], Awaitable[object]]
) -> tuple[Fault, Fault]:
    """Switch a fault; see `ChangeLog.change`. `send` takes a key and a value.

    Without a version somebody who was quicker keeps it from nothing: it is a value, whatever
    there was before."""
    allowed(wanted)

    def make(before: Fault) -> FaultChange:
        made: FaultChange = faults.codec.message(
            fault=before.id,
            value=wanted.value,
            version=before.version + 1,
            changed_at=now(),
            author=wanted.author,
        )
        return made

    async def send_it(made: FaultChange) -> None:
        await send(faults.fault_key(made), faults.codec.encode(made))

    tries = 1 if wanted.version else TRIES
    while True:
        tries -= 1
        try:
            return await switches.change(wanted.fault, wanted.version, make, look, send_it)
        except WrongVersion:
            if not tries:
                raise


def allowed(wanted: Switch) -> Switch:
    """The same, if it may be done here; raises `NotAllowed`."""
    if why := refusal(wanted.fault):
        raise NotAllowed(why)
    return wanted


def refusal(fault: str) -> str | None:
    """Why a fault may not be switched by this process; None: it may."""
    if not settings.live_faults:
        return (
            "faults are switched live only where workers bring their own broker along: if "
            "nobody needs what this Kafka has, set ORDERAPP_LIVE_FAULTS=yes for all workers, "
            "and for this command"
            if settings.kafka_bootstrap_servers
            else "faults are not switched live here: ORDERAPP_LIVE_FAULTS=no"
        )
    if fault.startswith("gateway_") and settings.payment_api is not None:
        return (
            f"{fault} is of the simulated gateway, and ORDERAPP_PAYMENT_URL names another one: "
            "it can't be broken on purpose"
        )
    return None
