"""A command with sub-commands: `faust -A orderapp <group> <command>`."""

import sys
from functools import wraps
from typing import IO, Any, ClassVar, NoReturn

import click
from faust.cli import AppCommand
from faust.cli.base import cli

from orderapp.commands.dlq_print import printable

_MAX_TEXT = 300


class WrongArgumentsError(click.ClickException):
    """Shown as one line; exit status 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"orderapp: {self.format_message()}", file=file or sys.stderr)


class Group(click.Group):
    """Says in one line what is wrong with the arguments of its commands."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that `ctx` names."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else ctx.command_path
            text = _in_one_line(error.format_message().rstrip("."))
            raise WrongArgumentsError(f"{text} (`{command} --help`)") from None


def _in_one_line(text: str) -> str:
    # It quotes an argument, which may be anything.
    shown = printable(text)
    return shown if len(shown) <= _MAX_TEXT else f"{shown[: _MAX_TEXT - 1]}…"


class SubCommand(AppCommand):
    """Base of the commands of a group; registered with it instead of with `faust`."""

    abstract: ClassVar[bool] = True
    group: ClassVar[click.Group]
    name: ClassVar[str]

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
    made = Group(name, help=description)
    cli.add_command(made)
    return made
