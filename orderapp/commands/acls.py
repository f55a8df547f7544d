"""`faust -A orderapp acls`: what the pipeline has to be allowed in Kafka."""

import json
import shlex
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

import click
from faust.cli import AppCommand, option

from orderapp import control
from orderapp.app import app
from orderapp.commands.running import run
from orderapp.engine.dead_letters.resolutions import resolutions_topic
from orderapp.engine.services import Service
from orderapp.settings import Settings

_OPERATIONS = ("create", "read", "write")


class Right(NamedTuple):
    """An operation that is needed on a topic or a consumer group."""

    kind: str
    name: str
    operation: str
    service: str


def rights(*, together: bool = False) -> Iterator[Right]:
    """The rights that follow from what each service reads and sends, with a consumer group for
    each service, or `together` in one."""
    for spec in app.topic_specs:
        yield Right("topic", spec.name, "create", "workers, where it does not exist")
    for service in app.services.all.values():
        yield from _of_service(service)
        if service.reads or service.leads:
            chosen = frozenset(app.services.all) if together else frozenset({service.name})
            yield from _of_group(service, Settings(services=chosen).group)
    letters = _dead_letter_topics()
    for topic in dict.fromkeys([*app.batched, *letters]):
        yield Right("topic", topic, "read", "web, dlq, reconcile, rules")
    yield Right("topic", control.TOPIC, "write", "rules")
    read = [topic for service in app.services.all.values() for topic in service.reads]
    for topic in dict.fromkeys([*read, *letters]):
        yield Right("topic", topic, "write", "web, dlq")


def _dead_letter_topics() -> list[str]:
    return [app.dead_letters, resolutions_topic(app.dead_letters)] if app.dead_letters else []


def _of_service(service: Service) -> Iterator[Right]:
    for topic in (*service.reads, *service.follows):
        yield Right("topic", topic, "read", service.name)
    for topic in (*service.sends, *(_dead_letter_topics() if service.reads else ())):
        yield Right("topic", topic, "write", service.name)


def _of_group(service: Service, group: str) -> Iterator[Right]:
    yield Right("group", group, "read", service.name)
    if service.leads:
        # By it the workers of a group agree on one of them.
        leader = f"{group}-__assignor-__leader"
        yield Right("topic", leader, "create", service.name)
        yield Right("topic", leader, "read", service.name)


class acls(AppCommand):  # noqa: N801 - the name of the command
    """Show what the pipeline has to be allowed in Kafka, and for which service.

    With --confluent or --kafka as commands that allow it."""

    options = [  # noqa: RUF012 - declared by Faust
        option("--together", is_flag=True, help="All services in one worker's group."),
        option("--json", "as_json", is_flag=True, help="JSON, one object in a line."),
        option("--confluent", metavar="ACCOUNT", help="Commands for Confluent's CLI."),
        option("--kafka", metavar="PRINCIPAL", help="Commands for kafka-acls.sh."),
    ]

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        run(self._print(**self.kwargs))
        sys.exit(0)

    async def _print(
        self, together: bool, as_json: bool, confluent: str | None, kafka: str | None
    ) -> None:
        needed: defaultdict[tuple[str, str], defaultdict[str, list[str]]]
        needed = defaultdict(lambda: defaultdict(list))
        for right in rights(together=together):
            services = needed[right.kind, right.name][right.operation]
            if right.service not in services:
                services.append(right.service)
        for (kind, name), found in sorted(needed.items(), reverse=True):
            operations = [operation for operation in _OPERATIONS if operation in found]
            if confluent is not None:
                click.echo(_confluent(confluent, kind, name, operations))
            elif kafka is not None:
                click.echo(_kafka(kafka, kind, name, operations))
            elif as_json or self.json:
                click.echo(json.dumps({"resource": kind, "name": name, "operations": found}))
            else:
                _show(kind, name, {operation: found[operation] for operation in operations})


def _confluent(account: str, kind: str, name: str, operations: list[str]) -> str:
    option = "--topic" if kind == "topic" else "--consumer-group"
    who = f"--service-account {shlex.quote(account)} --operations {','.join(operations)}"
    return f"confluent kafka acl create --allow {who} {option} {name}"


def _kafka(principal: str, kind: str, name: str, operations: list[str]) -> str:
    allowed = " ".join(f"--operation {operation}" for operation in operations)
    who = f"--allow-principal {shlex.quote(principal)}"
    return f"kafka-acls.sh --add {who} {allowed} --{kind} {name}"


def _show(kind: str, name: str, found: dict[str, list[str]]) -> None:
    click.echo(f"{kind} {name}")
    for operation, services in found.items():
        click.echo(f"  {operation:<7}{', '.join(services)}")
