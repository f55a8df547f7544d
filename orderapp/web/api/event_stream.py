"""One client of the event stream."""

import asyncio
from functools import lru_cache

import msgspec
from aiohttp import web

from orderapp.engine.kafka.feed import Message, Place
from orderapp.web.api import event_format

#: Bytes that may wait for a client; one that is further behind misses messages.
BEHIND = 128 * 1024
_TOO_SLOW = "this client does not read fast enough"


class Stream:
    """One client. What it does not read in time is left out, and it is told."""

    def __init__(self, request: web.Request) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        self._transport = transport
        self._is_chunked = request.version >= (1, 1)
        #: The last message that was left out, until the client has been told.
        self._left_out: Place | None = None
        self.closed = asyncio.Event()

    def take(self, message: Message) -> None:
        """Send a message, or note that it was missed."""
        if self.has_left():
            return
        if self._is_full():
            self._left_out = message.place
        elif self._left_out:
            self.missed(message.place, _TOO_SLOW)
        else:
            self.write(message.data)

    def missed(self, place: Place, reason: str) -> None:
        """Send a `gap`."""
        self._left_out = None
        gap = msgspec.json.encode(event_format.Gap(reason))
        self.write(event_format.event("gap", place, gap))

    def beat(self) -> None:
        """Show that the stream is alive, and say what was missed as soon as there is room."""
        if self.has_left() or self._is_full():
            return
        if self._left_out:
            self.missed(self._left_out, _TOO_SLOW)
        else:
            self.write(b": alive\n\n")

    def has_left(self) -> bool:
        """Whether the client has left; if so, the stream is closed."""
        if self._transport.is_closing():
            self.closed.set()
            return True
        return False

    def write(self, data: bytes) -> None:
        """Send bytes. Not by aiohttp's `write`, which would wait for a slow client."""
        self._transport.write(_chunk(data) if self._is_chunked else data)

    def close(self) -> None:
        """End the stream."""
        if self._transport.get_write_buffer_size():
            self._transport.abort()  # its end would wait until the client has read all
        self.closed.set()

    def _is_full(self) -> bool:
        return self._transport.get_write_buffer_size() > BEHIND


@lru_cache(maxsize=1)
def _chunk(data: bytes) -> bytes:
    """HTTP's frame around a message, made once for all streams."""
    return b"%x\r\n%b\r\n" % (len(data), data)
