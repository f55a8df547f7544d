"""A command with sub-commands: `faust -A orderapp <group> <command>`."""

import sys
from functools import wraps
from typing import Any, ClassVar, NoReturn

import click
from faust.cli import AppCommand
from faust.cli.base import cli


class SubCommand(AppCommand):
    """Base of the commands of a group; registered with it instead of with `faust`."""

    abstract: ClassVar[bool] = True
    group: ClassVar[click.Group]
    name: ClassVar[str]

    def wants_json(self) -> bool:
        """Whether `--json` was given, here or to `faust`."""
        return bool(self.kwargs.pop("as_json") or self.json)

    @classmethod
    def as_click_command(cls) -> Any:
        """Called by Faust for each subclass."""

        @click.pass_context
        @wraps(cls, updated=())
        def run(*args: Any, **kwargs: Any) -> NoReturn:
            cls(*args, **kwargs)()
            sys.exit(0)

        command: Any = cls.group.command(cls.name, help=cls.__doc__)(run)
        for option in cls.options or []:
            option(command)
        return command


def group(name: str, description: str) -> click.Group:
    """A new group of commands of `faust -A orderapp`."""
    made = click.Group(name, help=description)
    cli.add_command(made)
    return made
