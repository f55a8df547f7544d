"""Streams of batched topics are for `deliver` alone.

What Faust's documentation does with a stream (`async for reading in readings`, `group_by`,
`take`) would get batches for values, ack them before their work is certain, and lose records.
So it is refused when the agent starts, before anything is read, with the line that says what
to write.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import faust
from faust.agents import current_agent

from orderapp.engine.errors import FatalError


class BatchStream(faust.Stream[Any]):
    """A Faust stream; one of a batched topic is only for `deliver`."""

    #: Set by `deliver`.
    is_delivered = False

    def batched_topics(self) -> list[str]:
        """Those of its topics whose records come in batches."""
        topics = getattr(self.channel, "topics", None) or ()
        return [topic for topic in topics if self.app.is_batched(topic)]  # type: ignore[attr-defined]

    def __aiter__(self) -> AsyncIterator[Any]:
        topics = self.batched_topics()
        if topics and not self.is_delivered:
            return self._refuse("`async for`", topics[0])
        return super().__aiter__()

    def _refuse(self, what: str, topic: str) -> "Refused":
        agent = current_agent()
        reader = f"the agent {agent.name!r}" if agent is not None else "a stream"
        name = agent.name.rpartition(".")[2] if agent is not None else "service"
        return refuse(
            self.app,
            f"{reader} uses {what} on the topic {topic!r}, whose records come in batches: "
            f"write `await app.deliver({name!r}, stream, work)` instead, where "
            "`async def work(batch)` goes through the values in order (`for value in batch`)",
        )


def _only_for_single_records(name: str) -> Any:
    usual = getattr(faust.Stream, name)

    def method(self: BatchStream, *args: Any, **kwargs: Any) -> Any:
        if topics := self.batched_topics():
            return self._refuse(f"`{name}`", topics[0])
        return usual(self, *args, **kwargs)

    method.__name__, method.__doc__ = name, usual.__doc__
    return method


for _name in (
    *("combine", "contribute_to_stream", "echo", "enumerate", "filter", "group_by", "items"),
    *("inner_join", "join", "left_join", "noack", "noack_take", "outer_join", "events"),
    *("take", "take_events", "take_with_timestamp", "through"),
):
    setattr(BatchStream, _name, _only_for_single_records(_name))


def refuse(app: Any, line: str) -> "Refused":
    """End the worker with this line; raises `FatalError` where there is none."""
    if not app.in_worker:
        raise FatalError(line)
    if app.failure is None:
        app.fail(FatalError(line))
    return Refused()


class Refused:
    """In place of a stream until the worker has ended: nothing ever comes, whatever is made of
    it. An error would be a traceback beside the line, and a restart of the agent."""

    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: self

    def __and__(self, _: object) -> "Refused":
        return self

    def __aiter__(self) -> "Refused":
        return self

    async def __anext__(self) -> Any:
        await asyncio.Event().wait()
