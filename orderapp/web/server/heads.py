"""How large the head of a request may be, and what is wrong with one that can't be read.

aiohttp limits each line and their number. Here it is all of them together, at what an
Application Load Balancer lets through: large enough for the cookies and tokens of logins.
"""

from typing import Any

from aiohttp import http_exceptions as bad
from aiohttp.streams import EMPTY_PAYLOAD

#: Bytes of the target; bytes of all headers together, and how many they may be.
TARGET_BYTES = 16 * 1024
HEADERS_BYTES = 64 * 1024
HEADERS = 128

#: Of aiohttp's connections.
LIMITS = {
    "max_line_size": TARGET_BYTES,
    "max_field_size": HEADERS_BYTES,
    "max_headers": HEADERS,
}


class BoundedParser:
    """aiohttp's parser, for heads with a bound."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser
        #: Bytes of a head that is not complete, and the body of the request before it.
        self._fed = 0
        self._body: Any = EMPTY_PAYLOAD

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def feed_data(self, data: bytes) -> Any:
        """What arrived: the requests that are complete now, and what aiohttp wants besides."""
        self._fed = self._fed + len(data) if self._body.is_eof() else 0
        found = messages, _, _ = self._parser.feed_data(data)
        if self._fed > HEADERS_BYTES:
            if not messages and self._fed > TARGET_BYTES + HEADERS_BYTES:
                raise bad.LineTooLong("a head without an end", HEADERS_BYTES)
            if any(_size(message.raw_headers) > HEADERS_BYTES for message, _ in messages):
                raise bad.LineTooLong("all headers", HEADERS_BYTES)
        if messages:
            self._fed, self._body = 0, messages[-1][1]
        return found


def _size(headers: Any) -> int:
    return sum(len(name) + len(value) + len(": \r\n") for name, value in headers)


def refusal(error: BaseException | None) -> tuple[int, str]:
    """The status and the text for what can't be read. It repeats nothing that was sent, which
    may hold a token; so does aiohttp's own text."""
    if isinstance(error, bad.LineTooLong) and error.args[1] == TARGET_BYTES:
        return 414, f"the target of the request is larger than the {TARGET_BYTES} bytes allowed"
    message = getattr(error, "message", "")
    if isinstance(error, bad.LineTooLong) or message.startswith("Too many headers"):
        return 431, (
            f"the headers of the request are larger than the {HEADERS_BYTES} bytes allowed in "
            f"all, or more than {HEADERS}"
        )
    return 400, _malformed(error, message)


def _malformed(error: BaseException | None, message: str) -> str:
    if message.startswith("Received HTTPS"):
        return "this port speaks HTTP, and not HTTPS"
    if message.startswith("Missing 'Host'"):
        return "the header 'Host' is missing"
    if isinstance(error, bad.InvalidURLError):
        return "the target of the request is malformed"
    if isinstance(error, bad.BadStatusLine):
        return "the first line is not one of an HTTP/1.1 request, such as 'GET / HTTP/1.1'"
    return "a header of the request is malformed"
