"""Ids of the orders that are sent over the API, and the keys that they may be made of."""

import hashlib
import re

from aiohttp import web

from orderapp.web.server.problems import bad_parameter

#: Ids of orders from here: the upper half of the 53 bits that JavaScript knows exactly. The
#: producer's ids, the time in µs, stay below it until the year 2112.
LEAST_ID = 2**52
_LEAST = str(LEAST_ID).encode()

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def read_key(request: web.Request) -> str | None:
    """`Idempotency-Key`, None when there is none; raises `Problem`."""
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        text = ", ".join(keys).encode(errors="replace").decode()
        raise bad_parameter("Idempotency-Key", text, "1 to 255 visible ASCII characters")
    return keys[0]


def id_for(key: str) -> int:
    """The order id for an idempotency key: always the same.

    52 bits of a hash: among 1,000,000 orders two share an id with a probability of 1 in
    9,000."""
    digest = hashlib.sha256(b"orderapp order\0" + key.encode()).digest()
    return LEAST_ID + (int.from_bytes(digest[:8], "big") >> 12)


def may_be_ours(key: bytes) -> bool:
    """Whether a record's key is an id that `id_for` may have made: the least has 16 digits, and
    so has every other one."""
    return len(key) == len(_LEAST) and key >= _LEAST
