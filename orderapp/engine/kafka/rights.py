"""Rights that Kafka does not give: one line that says which, on what, and how to give it.

A worker waits for a right, whether it was missing at the start or taken away later: it is
blocked meanwhile, and goes on by itself. A command ends with the same line.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    kafka_errors,
)

from orderapp.engine.delivery.retry import persist
from orderapp.engine.errors import FatalError, TransientError
from orderapp.engine.observe.blocked import blocked
from orderapp.engine.observe.texts import text_or_class

FORBIDDEN = (
    TopicAuthorizationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
)

#: Seconds between two tries of what is not allowed.
RETRY_SECONDS = 3.0


class ForbiddenError(FatalError):
    """Kafka does not allow what has to be done."""


def forbidden(operation: str, kind: str, *names: str) -> ForbiddenError:
    """The error for `operation` (as Kafka calls it, such as READ) on a `topic` or `group`."""
    names = tuple(sorted(names))
    options = " ".join(f"--{kind} {name}" for name in names)
    listed = ", ".join(map(repr, names))
    return ForbiddenError(
        f"Kafka does not allow this: {operation} on {kind} {listed} (to give the right: "
        f"kafka-acls --add --allow-principal User:… --operation {operation} {options}; "
        "deploy/confluent-acls.sh gives all)"
    )


def cause_of(error: KafkaError) -> type[KafkaError]:
    """The class of what Kafka answered: aiokafka hides some in a plain KafkaError's text."""
    if type(error) is KafkaError:
        known: dict[str, type[KafkaError]] = {e.__name__: e for e in kafka_errors.values()}
        for word in re.findall(r"\w+", str(error)):
            if word in known:
                return known[word]
    return type(error)


async def until_allowed(what: str, attempt: Callable[[], Awaitable[None]]) -> None:
    """`retry.persist`, which waits for rights too; the worker is blocked meanwhile."""
    while True:
        try:
            await persist(what, attempt)
        except ForbiddenError as error:
            blocked.block(what, str(error))
            await asyncio.sleep(RETRY_SECONDS)
        else:
            blocked.free(what)
            return


def translated(
    error: Exception, operation: str, topics: Iterable[str], group: str
) -> Exception:
    """What an error of Kafka's, or of the way to it, means for who asks about `topics`."""
    cause = cause_of(error) if isinstance(error, KafkaError) else None
    if cause is TopicAuthorizationFailedError:
        return forbidden(operation, "topic", *topics)
    if cause is GroupAuthorizationFailedError:
        return forbidden("READ", "group", group)
    return TransientError(f"Kafka does not answer: {text_or_class(error)}")
