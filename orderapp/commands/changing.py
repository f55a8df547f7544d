"""What commands have in common that change something live, over `orderapp-control`."""

import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import click

from orderapp import control
from orderapp.commands.running import existing_cluster
from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.kafka.cluster import Cluster
from orderapp.engine.kafka.following import Follower
from orderapp.engine.kafka.sending import send_once
from orderapp.engine.observe.texts import complaint
from orderapp.models import LARGEST, LONGEST_AUTHOR

JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
AUTHOR = click.option("--author", help="Who changes it, for people; default: your user name.")
Send = Callable[[bytes, bytes], Awaitable[object]]


def version_option(where: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`--version`; `where` one finds it."""
    return click.option(
        "--version",
        type=click.IntRange(1, LARGEST),
        help=f"Only if this version is in force (`{where}`).",
    )


def read_author(text: str | None) -> str:
    """The name of who makes a change; raises `UsageError`."""
    if text is None:
        try:
            text = getpass.getuser()
        except (KeyError, OSError):  # a user without a name, in a container
            text = str(os.getuid())
    if not text.isprintable() or len(text) > LONGEST_AUTHOR:
        raise click.UsageError(f"--author: give a name of {LONGEST_AUTHOR} characters at most")
    return text


@asynccontextmanager
async def following(cluster: Cluster) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """What brings rules and faults up to date."""
    follower = Follower(lambda: cluster, control.TOPIC, control.take)
    try:
        yield follower.look
    finally:
        await follower.close()


@asynccontextmanager
async def changing() -> AsyncIterator[tuple[control.Look, Send]]:
    """The same for who changes something: and what sends a key and a value to the topic.

    A ValueError of the block is raised as `FatalError`."""
    cluster = await existing_cluster()

    async def send(key: bytes, value: bytes) -> None:
        await send_once(cluster, control.TOPIC, key, value)

    async with following(cluster) as look:
        try:
            yield look, send
        except ValueError as error:
            raise FatalError(str(error)) from error


async def catch_up_if_possible(otherwise: str, cluster: Cluster | None = None) -> None:
    """Bring them up to date, or say that they are as `otherwise`, and why."""
    try:
        async with following(cluster or await existing_cluster()) as look:
            await look()
    except (FatalError, TransientError) as error:
        click.echo(complaint(f"{otherwise}, since {error}"), err=True)
