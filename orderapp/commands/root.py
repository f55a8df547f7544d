"""What `orderapp` says before it comes to a command: its version, and which app is not there.

Of the program `faust` this is Faust's own: it has done both before it imports an app."""

import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import click
from faust.cli.base import cli

from orderapp.engine.observe.texts import complaint

VERSIONS = f"orderapp {version('orderapp')}, Faust {version('faust-streaming')}"


def _with_our_version(params: list[click.Parameter]) -> list[click.Parameter]:
    shown = click.Command("shown")
    click.version_option(message=VERSIONS, version=VERSIONS)(shown)
    return [*(one for one in params if one.name != "version"), *shown.params]


def _complaining(make: Callable[..., click.Context]) -> Callable[..., click.Context]:
    def run(*args: Any, **kwargs: Any) -> click.Context:
        try:
            return make(*args, **kwargs)
        except ModuleNotFoundError as error:
            wanted = _wanted_app(sys.argv)
            # What the app itself misses is its author's to see, with the place.
            if wanted is None or not f"{wanted}.".startswith(f"{error.name}."):
                raise
            sys.exit(complaint(f"there is no app {wanted!r} (-A names a module with an `app`)"))

    return run


def _wanted_app(arguments: list[str]) -> str | None:
    for index, argument in enumerate(arguments):
        if argument in {"-A", "--app"}:
            return next(iter(arguments[index + 1 :]), None)
        if argument.startswith("--app="):
            return argument.partition("=")[2]
    return None


cli.params = _with_our_version(cli.params)
cli.make_context = _complaining(cli.make_context)
