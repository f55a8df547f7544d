"""`GET /api/events`: new orders, alerts, payments and dead letters, as they arrive."""

import asyncio
from contextlib import suppress

import msgspec
from aiohttp import web

from orderapp.app import app
from orderapp.engine.kafka.feed import Feed, Message, Place
from orderapp.metrics import EVENT_STREAMS
from orderapp.web.api import event_format
from orderapp.web.api.routes import Answer, Parameter, Route, application, serve
from orderapp.web.server.middleware import set_headers
from orderapp.web.server.problems import Problem

#: Streams of one worker.
MOST = 500
#: Bytes that wait for a client. One that is further behind misses messages.
BEHIND = 128 * 1024
#: Seconds between comments that show a quiet stream to be alive, and between looks at who left.
HEARTBEAT, SWEEP = 10.0, 1.0
#: Seconds that a new stream waits for Kafka. Without it the stream opens, and waits.
STARTING = 3.0

ROUTE = Route(
    "GET",
    "/api/events",
    "New orders, alerts, payments and dead letters as server-sent events.",
    {
        200: Answer(
            "`event: batch` at most four times a second: the new items of each kind (orders as "
            "they will be stored, the others as they are on their topics), the newest 200, "
            "and how many were `skipped`. "
            "`event: gap` when something was missed: ask again for all. A comment "
            "every 10 s.",
            content_type="text/event-stream",
        )
    },
    parameters=(
        Parameter(
            "Last-Event-ID",
            {"type": "string"},
            "the id of the last event that was seen: the stream goes on behind it, or says "
            "`gap`",
            "header",
        ),
    ),
    errors=(503,),
)


class Stream:
    """One client. What it does not take in time is left out, and it is told."""

    def __init__(self, request: web.Request) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        self._transport = transport
        self._is_chunked = request.version >= (1, 1)
        self._is_behind = False
        self._last: Place | None = None
        self.closed = asyncio.Event()

    def take(self, message: Message) -> None:
        """Send a message, or note that it was missed."""
        if self._transport.is_closing():
            self.closed.set()
        elif self._transport.get_write_buffer_size() > BEHIND:
            self._is_behind = True
            self._last = message.place
        elif self._is_behind:
            self.missed(message.place, "this client does not read fast enough")
        else:
            self.write(message.data)

    def missed(self, place: Place, reason: str) -> None:
        """Send a `gap`."""
        self._is_behind = False
        self.write(
            event_format.event("gap", place, msgspec.json.encode(event_format.Gap(reason)))
        )

    def beat(self) -> None:
        """Show that the stream is alive, and say what was missed as soon as there is room."""
        if self._transport.is_closing():
            self.closed.set()
        elif self._transport.get_write_buffer_size() > BEHIND:
            return
        elif self._is_behind and self._last:
            self.missed(self._last, "this client does not read fast enough")
        else:
            self.write(b": alive\n\n")

    def look(self) -> None:
        """Notice that the client has left."""
        if self._transport.is_closing():
            self.closed.set()

    def write(self, data: bytes) -> None:
        """Send bytes. Not by aiohttp's `write`, which would wait for a slow client."""
        self._transport.write(_chunk(data) if self._is_chunked else data)

    def close(self) -> None:
        """End the stream."""
        if self._transport.get_write_buffer_size():
            self._transport.abort()  # its end would wait until the client has read all
        self.closed.set()


class _Chunk:
    """HTTP's frame around the last message, made once for all streams."""

    data = framed = b""


def _chunk(data: bytes) -> bytes:
    if data is not _Chunk.data:
        _Chunk.data, _Chunk.framed = data, b"%x\r\n%b\r\n" % (len(data), data)
    return _Chunk.framed


class Live(Feed):
    """The feed and its streams."""

    def __init__(self) -> None:
        super().__init__(lambda: app.cluster, tuple(event_format.KINDS), event_format.render)
        self.streams: set[Stream] = set()
        self._sweeping: asyncio.Task[None] | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One stream, until its client leaves or the worker stops."""
        if len(self.streams) >= MOST:
            raise Problem(
                503,
                f"all {MOST} streams of this worker are taken",
                headers={"Retry-After": "5"},
            )
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
        # From here on without a wait: nothing may come between what was and what will be.
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
        beats = 0.0
        while self.streams:
            await asyncio.sleep(SWEEP)
            beats += SWEEP
            if app.should_stop:
                self.close_streams()
            for stream in tuple(self.streams):
                stream.look() if beats < HEARTBEAT else stream.beat()
            if beats >= HEARTBEAT:
                beats = 0.0

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


live = Live()
app.resources.append(live)
app.topic_listeners.append(lambda _: live.begin_anew())
EVENT_STREAMS.set_function(lambda: len(live.streams))


async def _close_streams(_: web.Application) -> None:
    live.close_streams()


application.on_shutdown.append(_close_streams)


@serve(ROUTE, seconds=None)
async def stream(request: web.Request) -> web.StreamResponse:
    """See `ROUTE`."""
    return await live.serve(request)
