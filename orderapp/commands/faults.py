"""`faust -A orderapp faults`: what is broken on purpose, shown and switched."""

import json
import math
import sys
from dataclasses import asdict
from typing import Any, ClassVar, NoReturn

import click

from orderapp import control
from orderapp.commands.changing import (
    AUTHOR,
    JSON,
    catch_up_if_possible,
    changing,
    read_author,
    version_option,
)
from orderapp.commands.fit import hanging
from orderapp.commands.group import SubCommand, group
from orderapp.commands.option_types import OptionType
from orderapp.commands.running import run
from orderapp.control import Switch
from orderapp.engine.observe.texts import complaint, printable
from orderapp.faults import Fault, switches

#: What `faults set` takes instead of a name: all of them, and then only 0.
ALL = "all"
AS_SET = "the faults as the settings have them"

faults_group = group("faults", "What is broken on purpose: list and switch it.")


def _read_name(text: str) -> str:
    if text != ALL and text not in switches.all:
        raise ValueError(f"there is no fault {text!r}; there are {', '.join(switches.all)}")
    return text


def _read_value(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"{text!r} is no rate from 0 to 1, and no number of seconds")
    return value


class _Faults(SubCommand):
    abstract: ClassVar[bool] = True
    group = faults_group


class ListCommand(_Faults):
    """List the faults, with how much of each there is, and who has switched it when.

    Where they are not switched live, or Kafka can't be read, as this command's settings have
    them, which a line on stderr says. With --json each line is an object with name, value,
    most, version, changed_at, author and text."""

    name = "list"
    options = [JSON]  # noqa: RUF012 - declared by Faust

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        as_json = self.wants_json()
        if why := control.refusal(""):
            click.echo(complaint(f"{AS_SET}: {why}"), err=True)
        else:
            run(catch_up_if_possible(AS_SET))
        for fault in switches.all.values():
            click.echo(json.dumps(fault_as_json(fault)) if as_json else _line(fault))
        sys.exit(0)


class SetCommand(_Faults):
    """Switch a fault to a rate from 0 (never) to 1 (always), or, of store_slow, to seconds.

    `faults set all 0` switches all of them off. Every worker follows within a second, and a
    new one begins with it. It is possible where workers bring their own broker along, and where
    ORDERAPP_LIVE_FAULTS=yes. Printed is what there was, and what there is. Exit status: 0 done,
    or nothing to change; 1 another version than --version is in force, Kafka does not answer,
    or it is not allowed here; 2 wrong arguments."""

    name = "set"
    options = [  # noqa: RUF012 - declared by Faust
        click.argument("fault", type=OptionType("fault", _read_name)),
        click.argument("value", type=OptionType("value", _read_value)),
        version_option("faults list"),
        AUTHOR,
        JSON,
    ]

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        as_json, name, value = self.wants_json(), self.kwargs["fault"], self.kwargs["value"]
        author, version = read_author(self.kwargs["author"]), self.kwargs["version"]
        wanted = None
        if name != ALL:
            most = switches.all[name].most
            if value > most:
                raise click.UsageError(f"{name} is from 0 to {most:g}, not {value:g}")
            wanted = Switch(name, value, author, version)
        elif value or version:
            raise click.UsageError(f"{ALL} can be switched off only, without --version")
        for before, after in run(_set(wanted, author)):
            if as_json:
                both = {"before": fault_as_json(before), "after": fault_as_json(after)}
                click.echo(json.dumps(both))
            elif before == after:
                click.echo(f"{after.id} is {after.value:g} already")
            else:
                click.echo(f"{after.id} was {before.value:g}, and is {after.value:g}")
        sys.exit(0)


async def _set(wanted: Switch | None, author: str) -> list[tuple[Fault, Fault]]:
    every = control.all_off(author) if wanted is None else [control.allowed(wanted)]
    async with changing() as (look, send):
        return [await control.switch(one, look, send) for one in every]


def fault_as_json(fault: Fault) -> dict[str, Any]:
    """The fields of `faults list --json`."""
    fields = asdict(fault)
    return {"name": fields.pop("id"), **fields, "most": fault.most, "text": fault.text}


def _line(fault: Fault) -> str:
    by = f", by {fault.author or 'nobody'} at {fault.changed_at}" if fault.changed_at else ""
    return hanging(f"{fault.id:<16} {fault.value:>5g}  ", printable(f"{fault.text}{by}"))
