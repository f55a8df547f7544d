"""The feed of what arrives in Kafka, and the clients that are sent it."""

import asyncio
from contextlib import suppress

from aiohttp import web

from orderapp.app import app
from orderapp.engine.kafka.feed import Feed, Place
from orderapp.web.api import event_format
from orderapp.web.api.event_items import KINDS
from orderapp.web.api.event_stream import Stream
from orderapp.web.server.middleware import set_headers
from orderapp.web.server.problems import unavailable

#: Streams of one worker at a time.
MOST = 500
#: Seconds between comments that show an idle stream to be alive, and between looks at who left.
HEARTBEAT, SWEEP = 10.0, 1.0
#: Seconds that a new stream waits for Kafka; after that it opens without it.
STARTING = 3.0


class Live(Feed):
    """The feed and its streams."""

    def __init__(self) -> None:
        super().__init__(lambda: app.cluster, tuple(KINDS), event_format.render)
        self.streams: set[Stream] = set()
        self._sweeping: asyncio.Task[None] | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One stream, until its client leaves or the worker stops."""
        if len(self.streams) >= MOST:
            raise unavailable(f"all {MOST} streams of this worker are taken")
        stream = Stream(request)
        self.streams.add(stream)
        try:
            if self._sweeping is None or self._sweeping.done():
                self._sweeping = asyncio.create_task(self._sweep())
            return await self._serve(request, stream)
        finally:
            self.discard(stream)
            self.streams.discard(stream)

    async def _serve(self, request: web.Request, stream: Stream) -> web.StreamResponse:
        wanted = request.headers.get("Last-Event-ID")
        before = self.place
        await self.wake(STARTING)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        set_headers(request, response)
        await response.prepare(request)
        # No await from here until `add`: no message may come between those sent now and later.
        if wanted is None:
            self._begin_at(stream, before if before.epoch == self.place.epoch else None)
        else:
            self._resume(stream, event_format.read_event_id(wanted[:64]))
        self.add(stream)
        await stream.closed.wait()
        return response

    def _begin_at(self, stream: Stream, place: Place | None) -> None:
        place = place or Place(self.place.epoch, 0)
        # An event without data only tells the client where it is.
        stream.write(b"retry: 2000\nid: %b\n\n" % event_format.event_id(place))
        for message in self.since(place) or ():
            stream.write(message.data)

    def _resume(self, stream: Stream, place: Place) -> None:
        messages = self.since(place)
        if messages is None:
            stream.missed(self.place, "what followed the last event is not kept any more")
            return
        stream.write(b"retry: 2000\n\n")
        for message in messages:
            stream.take(message)

    async def _sweep(self) -> None:
        waited = 0.0
        while self.streams:
            await asyncio.sleep(SWEEP)
            waited = SWEEP + (0.0 if waited >= HEARTBEAT else waited)
            if app.should_stop:
                self.close_streams()
            for stream in tuple(self.streams):
                stream.beat() if waited >= HEARTBEAT else stream.has_left()

    def close_streams(self) -> None:
        """End all streams at once."""
        for stream in tuple(self.streams):
            stream.close()

    async def on_stop(self) -> None:
        """End the streams and let go of Kafka."""
        self.close_streams()
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping
        await super().on_stop()
