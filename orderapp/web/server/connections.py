"""A client's connection: limited in time, and without a word about internals.

aiohttp does not limit the time that a client takes for the head of a request, and its answers
and log lines show the bytes that it can't parse, which may hold a token.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from orderapp.engine.observe.logs import Few
from orderapp.web.server.alarm import Alarm
from orderapp.web.server.heads import BoundedParser, refusal
from orderapp.web.server.middleware import set_headers
from orderapp.web.server.problems import answer

logger = logging.getLogger(__name__)
_few = Few(logger, what="requests that can't be read")

#: Seconds that a client may take for the head of a request, from its first byte on.
HEAD_SECONDS = 10.0
#: Seconds that a client with much to read may read nothing.
STUCK_SECONDS = 30.0
#: Seconds that a client whose request is refused may go on sending it.
HEAR_OUT_SECONDS = 2.0


class Connection(web.RequestHandler):
    """One client's connection, which is cut when it takes too long."""

    __slots__ = ("_arrived", "_head", "_left", "_lost", "_refused", "_unread")

    def __init__(
        self, server: web.Server, arrived: Callable[["Connection"], None], **options: Any
    ) -> None:
        """`arrived` is called with each new connection; it may cut others, or this one."""
        super().__init__(server, **options)
        self._parser: Any = BoundedParser(self._parser)
        self._arrived = arrived
        self._head = Alarm(self._loop, self.cut)
        self._unread = Alarm(self._loop, self._look)
        #: Bytes that the client had not read at the last look.
        self._left = 0
        self._refused = False
        self._lost: asyncio.Future[None] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being handled; the next one may have arrived in part."""
        return self._waiter is not None and not self._waiter.done()

    def cut(self) -> None:
        """Close it at once; what its client has not read is lost."""
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()

    def _watch(self) -> None:
        if self.transport is not None:
            self._left = self.transport.get_write_buffer_size()
            self._unread.set(STUCK_SECONDS)

    def _look(self) -> None:
        if self.transport is not None and self.transport.get_write_buffer_size() < self._left:
            self._unread.clear()
            self._watch()
        else:
            self.cut()

    # -- called by asyncio --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there: the time for its first request begins."""
        self._head.set(HEAD_SECONDS)
        super().connection_made(transport)
        self._arrived(self)

    def data_received(self, data: bytes) -> None:
        """A part of a request arrives: it is complete in time, or the connection is cut."""
        super().data_received(data)
        if self.is_waiting:
            self._head.set(HEAD_SECONDS)
        else:
            self._head.clear()

    def pause_writing(self) -> None:
        """The client does not read what is sent."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        self._unread.clear()
        super().resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._head.clear()
        self._unread.clear()
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)
        super().connection_lost(exc)

    # -- errors that no view sees -------------------------------------------------------

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is not HTTP; it repeats none of the bytes that were sent."""
        if isinstance(exc, ConnectionError) and self.transport is None:
            raise exc  # the client left in the middle of its body
        if isinstance(exc, UnicodeError):
            status = 400  # aiohttp repeats a header that is no text: `Expect`
        if status >= 500:
            self.log_exception("%s %s failed", request.method, request.path[:200], exc_info=exc)
        elif _few.room(1):
            # Without its text, which quotes the request.
            logger.info("refused a request that can't be read (%s)", type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        found = answer(*((status, "internal error") if status >= 500 else refusal(exc)))
        set_headers(request, found)
        found.force_close()
        self._refused = True
        return found

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; aiohttp's own errors, as to `Expect`, become problems too."""
        if isinstance(resp, web.HTTPException) and resp.status >= 400:
            resp = answer(resp.status, resp.reason.partition(":")[0])
            set_headers(request, resp)
            resp.force_close()
        finished = await super().finish_response(request, resp, start_time)
        if self._refused:
            await self._hear_out()
        return finished

    async def _hear_out(self) -> None:
        """Drop what a client still sends: closed with bytes unread, the connection would break
        before its client has seen the answer."""
        self.close()
        if self.transport is None:
            return
        with suppress(OSError):  # it has gone
            self.transport.write_eof()
        self._lost = self._loop.create_future()
        await asyncio.wait([self._lost], timeout=HEAR_OUT_SECONDS)
