"""`faust -A orderapp send`: Faust's own, which says in one line why it can't send."""

import asyncio
import logging
import math
from typing import Any

import click
from aiokafka.errors import KafkaError
from faust import Record
from faust.cli.send import send as faust_send
from faust.exceptions import FaustError
from faust.types import AgentT

from orderapp.app import app
from orderapp.commands.one_line import OneLineCommand
from orderapp.engine.errors import FatalError
from orderapp.engine.kafka.produce_errors import REFUSED, reason_for
from orderapp.engine.kafka_app import COMMAND_PATIENCE
from orderapp.engine.observe.texts import one_line, text_or_class
from orderapp.program import called


class send(OneLineCommand, faust_send):  # noqa: N801 - the name of the command
    """Send message to agent/topic."""

    def __init__(self, ctx: click.Context, *args: Any, **kwargs: Any) -> None:
        super().__init__(ctx, *args, **kwargs)
        # Here, so that nothing is started when an argument is wrong.
        self._check(**self.kwargs)

    def _check(
        self,
        *,
        entity: str,
        value: str | None,
        key: str | None,
        key_type: str | None,
        value_type: str | None,
        partition: int | None,
        repeat: int,
        min_latency: float,
        max_latency: float,
    ) -> None:
        self.to_topic(entity)
        if key is not None:
            self.to_key(key_type, key)
        if value is not None:
            self.to_value(value_type, value)
        if partition is not None and partition < 0:
            raise click.UsageError(f"--partition {partition} is none: give 0 or more")
        if repeat < 1:
            raise click.UsageError(f"--repeat {repeat} sends nothing: give 1 or more")
        for option, seconds in (("min", min_latency), ("max", max_latency)):
            if not (seconds >= 0 and math.isfinite(seconds)):
                raise click.UsageError(
                    f"--{option}-latency {seconds} is no time: give seconds, 0 or more"
                )

    def to_model(self, typ: str | None, value: str, serializer: Any) -> Any:
        """The bytes of an argument, or the Record that they make."""
        record = self._find(typ) if typ else None
        if typ and not (isinstance(record, type) and issubclass(record, Record)):
            raise click.UsageError(
                f"{typ!r} is no model: `{called('models')}` lists those that are"
            )
        try:
            return super().to_model(typ, value, serializer)
        except Exception as error:  # whatever a codec, or the Record, has against it
            what = f"no {typ}" if typ else "no text"
            # Faust makes the constructor of a Record in a function of this name.
            text = one_line(error).removeprefix("__outer__.<locals>.__init__() ")
            raise click.UsageError(f"{value!r} is {what}: {text}") from error

    def to_topic(self, entity: str) -> Any:
        """The topic, or the agent whose name follows an `@`."""
        if entity.startswith("@") and not isinstance(self._find(entity[1:]), AgentT):
            raise click.UsageError(
                f"{entity!r} is no agent that Python can import: give the topic that it reads "
                f"(`{called('agents')}` lists both)"
            )
        return super().to_topic(entity)

    def _find(self, name: str) -> object:
        try:
            return self.import_relative_to_app(name)
        except Exception:  # whatever the modules that the name makes Python import may raise
            return None

    async def run(self, entity: str, value: str, *args: Any, **kwargs: Any) -> None:
        """Send message to topic/agent/channel."""
        # Its failure is told in one line, and not by each client and future that it passes.
        for library in ("aiokafka", "faust"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        target = self.to_topic(entity)
        channel = target.channel if isinstance(target, AgentT) else target
        topic = channel.get_topic_name()
        try:
            await _check_topic(topic, kwargs["partition"])
            await super().run(entity, value, *args, **kwargs)
        except (FaustError, KafkaError, TimeoutError) as error:
            cause = error.__cause__ if isinstance(error.__cause__, KafkaError) else error
            text = text_or_class(cause)
            if type(cause) in REFUSED:
                text = reason_for(topic, cause)
            raise FatalError(
                f"Kafka at {app.cluster} did not confirm a send to {topic!r}: {text}"
            ) from error


async def _check_topic(topic: str, partition: int | None) -> None:
    """Raise `FatalError` when they do not exist, of which a send tells too late, or badly."""
    await app.maybe_start_producer()
    async with asyncio.timeout(COMMAND_PATIENCE):
        # All topics: being asked for one by its name, a broker may create it.
        metadata = await app.kafka_client().fetch_all_metadata()
    partitions = metadata.partitions_for_topic(topic)
    if not partitions:
        names = ", ".join(spec.name for spec in app.topic_specs)
        raise FatalError(
            f"the topic {topic!r} does not exist on Kafka at {app.cluster}: there are {names}"
        )
    if partition is not None and partition not in partitions:
        raise FatalError(
            f"the topic {topic!r} has no partition {partition}: "
            f"it has {min(partitions)} to {max(partitions)}"
        )
