"""What is wrong with a command's arguments, or with its work, is told in one line.

For every command of `faust -A orderapp`, Faust's own included: click would print its usage
besides, and Faust a traceback.
"""

import sys
from collections.abc import Callable
from typing import IO, Any, ClassVar

import click
from faust.cli import AppCommand
from faust.cli.base import cli

from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.observe.texts import complaint, printable

_MAX_TEXT = 300


class WrongArgumentsError(click.ClickException):
    """Shown as one line; exit status 2."""

    exit_code = 2

    def __init__(self, error: click.UsageError, ctx: click.Context) -> None:
        # It quotes an argument, which may be anything.
        text = printable(error.format_message().rstrip("."))
        shown = text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"
        super().__init__(f"{shown} (`{_path(error.ctx or ctx)} --help`)")

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(complaint(self.format_message()), file=file or sys.stderr)


def _path(ctx: click.Context) -> str:
    """How the command is called: without `-A` Faust has only its own."""
    root = ctx.find_root()
    app = f" -A {root.params['app']}" if root.params.get("app") else ""
    return f"{root.command_path}{app}{ctx.command_path.removeprefix(root.command_path)}"


class OneLineCommand(AppCommand):
    """Base of Faust's own commands that are taken over for the sake of their errors."""

    abstract: ClassVar[bool] = True

    async def execute(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().execute(*args, **kwargs)
        except click.UsageError as error:
            wrong = WrongArgumentsError(error, self.ctx)
            wrong.show()
            sys.exit(wrong.exit_code)
        except (FatalError, TransientError) as error:
            sys.exit(complaint(error))


def _translated(invoke: Callable[[click.Context], Any]) -> Callable[[click.Context], Any]:
    def run(ctx: click.Context) -> Any:
        try:
            return invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise  # a group alone asks for its help
        except click.UsageError as error:
            raise WrongArgumentsError(error, ctx) from None

    return run


# Faust's one group of all commands. It has read its own options, and is about to look for the
# command, when it imports this app.
cli.invoke = _translated(cli.invoke)  # type: ignore[method-assign, assignment]
