"""Text is compressed for those who take it so."""

import gzip
from functools import lru_cache

from aiohttp import ETag, web

from orderapp.web.server.accept import quality

#: Bytes up to which compression is not worth it.
SMALL = 1024
_TEXTS = frozenset(
    {
        "application/json", "application/openmetrics-text", "application/problem+json",
        "image/svg+xml", "text/css", "text/html", "text/javascript", "text/plain",
    }
)  # fmt: skip


def compress(request: web.Request, answer: web.StreamResponse) -> None:
    """Compress an answer that is larger text, if its client accepts that."""
    if answer.status == 304:
        _vary(answer)
    if not isinstance(answer, web.Response) or answer.content_type not in _TEXTS:
        return
    body = answer.body
    if not isinstance(body, bytes) or len(body) <= SMALL:
        return
    _vary(answer)
    if quality(request.headers.get("Accept-Encoding", ""), "gzip") > 0:
        answer.body = _gzip(body)
        answer.headers["Content-Encoding"] = "gzip"
        if answer.etag:  # the same file, but not the same bytes
            answer.etag = ETag(answer.etag.value, is_weak=True)


def _vary(answer: web.StreamResponse) -> None:
    answer.headers["Vary"] = "Accept-Encoding"


# What many ask for, files and shared answers, is compressed once. Level 1 makes answers a
# fifth larger than the usual 6 does, in two thirds of the time.
@lru_cache(maxsize=32)
def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=1, mtime=0)
