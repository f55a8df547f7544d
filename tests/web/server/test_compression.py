"""Larger text is compressed for those who take it so."""

import gzip

import aiohttp
import pytest

from orderapp.web.server.accept import quality
from tests.web.examples import order

LARGE = ("/openapi.json", "/docs", "/", "/static/dashboard.js", "/metrics", "/api/orders")


@pytest.fixture
async def plain(client, store):
    """A client that leaves answers as they are, and adds no header of its own."""
    await store.upsert([order(n) for n in range(50)])
    async with aiohttp.ClientSession(
        client.make_url("/"), auto_decompress=False, skip_auto_headers=["Accept-Encoding"]
    ) as session:
        yield session


async def get(session, path, **headers):
    answer = await session.get(path, headers=headers)
    return answer, await answer.read()


@pytest.mark.parametrize("path", LARGE)
async def test_text_is_the_same_compressed_or_not_and_caches_can_tell(plain, path):
    (whole, body), (packed, data) = [
        await get(plain, path, **({"Accept-Encoding": "br, gzip;q=0.8"} if wanted else {}))
        for wanted in (False, True)
    ]

    assert "Content-Encoding" not in whole.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert whole.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert whole.headers["Content-Type"] == packed.headers["Content-Type"]
    assert packed.headers["Content-Length"] == str(len(data))
    assert len(data) < len(body) / 2
    if path != "/metrics":  # which goes on counting
        assert gzip.decompress(data) == body
    assert packed.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "gzip; q=0.000, br"])
async def test_who_does_not_take_it_so_gets_it_as_it_is(plain, accepted):
    answer, body = await get(plain, "/docs", **{"Accept-Encoding": accepted})

    assert "Content-Encoding" not in answer.headers
    assert body.startswith(b"<!doctype html>")


@pytest.mark.parametrize("path", ["/healthz", "/favicon.ico", "/api/orders/1"])
async def test_what_is_small_or_no_text_is_left_as_it_is(plain, path):
    answer, _ = await get(plain, path, **{"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers


async def test_a_compressed_file_is_known_again(plain):
    wanted = {"Accept-Encoding": "gzip"}
    answer, _ = await get(plain, "/static/dashboard.css", **wanted)
    etag = answer.headers["ETag"]
    assert etag.startswith("W/")

    again, body = await get(plain, "/static/dashboard.css", **wanted, **{"If-None-Match": etag})

    assert (again.status, body, again.headers["Vary"]) == (304, b"", "Accept-Encoding")


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", 0), ("text/html", 1), ("TEXT/HTML; q=0.5", 0.5), ("a/b, text/html;q=0", 0),
        ("text/html;level=1;q=0.2", 0.2), ("text/*", 0), ("text/html;q=x", 1), (",;,", 0),
    ],
)  # fmt: skip
def test_how_much_a_header_wants_a_value(header, wanted):
    assert quality(header, "text/html") == wanted
