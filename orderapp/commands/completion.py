"""`orderapp completion`: what a shell needs to complete orderapp's commands and options.

Faust's own asks for a package that is no longer maintained; click can do it by itself."""

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click
from click.shell_completion import get_completion_class
from faust.cli.base import cli
from faust.cli.completion import completion as faust_completion

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "orderapp"
#: By what click knows that a shell asks; it follows from the program's name.
VARIABLE = "_ORDERAPP_COMPLETE"


def _own_shell() -> str:
    return Path(os.environ.get("SHELL", "")).name


class completion(faust_completion):  # noqa: N801 - the name of the command, which it takes over
    """Print what makes a shell complete the commands and options of `orderapp`.

    SHELL is bash (4.4 or later), zsh or fish; without it that of $SHELL. In bash:
    eval "$(orderapp completion bash)"."""

    options = [  # noqa: RUF012 - declared by Faust
        click.argument(
            "shell_name", metavar="[SHELL]", type=click.Choice(SHELLS), default=_own_shell
        )
    ]

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        found = get_completion_class(self.kwargs["shell_name"])
        assert found is not None  # noqa: S101 - click has these three
        click.echo(found(cli, {}, PROGRAM, VARIABLE).source())
        sys.exit(0)
