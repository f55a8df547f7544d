"""An order as a client sends it: read strictly, and every field that is wrong is named."""

import asyncio
import hashlib
import re
import secrets
from typing import Annotated, Any, get_type_hints

import msgspec
from aiohttp import web
from msgspec import Meta

from orderapp.models import Country, CustomerId
from orderapp.web.server.problems import FieldError, Problem, bad_parameter

#: Seconds that a client may take to send the body.
BODY_SECONDS = 5.0
MAX_AMOUNT = 1_000_000

#: Ids of orders from here: the upper half of the 53 bits that JavaScript knows exactly. The
#: producer's ids, the time in µs, stay below it until the year 2112.
LEAST_ID = 2**52
_LEAST = str(LEAST_ID).encode()

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class NewOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order that is to be sent. `amount` has at most 2 decimals."""

    customer_id: CustomerId
    amount: Annotated[float, Meta(ge=0, le=MAX_AMOUNT, description="with at most 2 decimals")]
    country: Country


ALLOWED = {
    "customer_id": "a whole number from 1000 to 9999",
    "amount": f"a number from 0 to {MAX_AMOUNT}, with at most 2 decimals",
    "country": "text of 1 to 64 characters",
}
_TYPES = get_type_hints(NewOrder, include_extras=True)
_decode = msgspec.json.Decoder(NewOrder).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

#: What msgspec raises for what is not JSON (beside its own): bytes that are no UTF-8, and what
#: is nested too deep.
_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


async def read_order(request: web.Request) -> NewOrder:
    """The order in the body; raises `Problem`."""
    if request.content_type != "application/json":
        raise Problem(
            415,
            "the body must be JSON: Content-Type: application/json",
            FieldError("Content-Type", "application/json"),
            headers={"Accept": "application/json"},
        )
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(
            415,
            "the body must not be compressed",
            FieldError("Content-Encoding", "identity, or none"),
            headers={"Accept-Encoding": "identity"},
        )
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.read()
    except TimeoutError:
        raise Problem(
            408,
            f"the body did not arrive within {BODY_SECONDS:g} s",
            headers={"Connection": "close"},
        ) from None
    return parse(body)


def parse(body: bytes) -> NewOrder:
    """The order in a body; raises `Problem` with 400 (no JSON) or 422 (no such order)."""
    try:
        order = _decode(body)
    except msgspec.ValidationError:
        raise _all_wrong(body) from None
    except _NO_JSON as error:
        raise _no_json(error) from None
    if round(order.amount, 2) != order.amount:
        raise _unprocessable([FieldError("amount", ALLOWED["amount"])])
    return order


def _no_json(error: Exception) -> Problem:
    reason = str(error) if isinstance(error, msgspec.DecodeError) else "no UTF-8, or too deep"
    return Problem(400, f"the body is not JSON: {reason}")


def _all_wrong(body: bytes) -> Problem:
    """Every field that is wrong; msgspec itself stops at the first."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)  # to its end: it may be no JSON there
        fields = _decode_fields(body)
    except msgspec.ValidationError:
        text = f"an object with {', '.join(ALLOWED)}"
        return _unprocessable([FieldError("", text)])
    except _NO_JSON as error:
        return _no_json(error)
    errors = [
        FieldError(name, f"this field is missing: {text}" if name not in fields else text)
        for name, text in ALLOWED.items()
        if name not in fields or not _is_right(fields[name], _TYPES[name])
    ]
    known = ", ".join(ALLOWED)
    errors += [
        FieldError(name[:64], f"this field is not known; allowed are {known}")
        for name in fields
        if name not in ALLOWED
    ]
    return _unprocessable(errors[:16])


def _is_right(value: msgspec.Raw, expected: Any) -> bool:
    try:
        msgspec.json.decode(value, type=expected)
    except (*_NO_JSON, msgspec.ValidationError):
        return False
    return True


def _unprocessable(errors: list[FieldError]) -> Problem:
    wrong = "; ".join(f"{error.field or 'the body'}: {error.detail}" for error in errors)
    return Problem(422, f"this is no order that can be sent: {wrong}", *errors)


def read_key(request: web.Request) -> str | None:
    """`Idempotency-Key`, None when there is none; raises `Problem`."""
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        text = ", ".join(keys).encode(errors="replace").decode()
        raise bad_parameter("Idempotency-Key", text, "1 to 255 visible ASCII characters")
    return keys[0]


def id_for(key: str | None) -> int:
    """The order id for an idempotency key: always the same. A new one without a key.

    52 bits of a hash: among 1,000,000 orders two share an id with a probability of 1 in 9,000.
    Ids without a key are looked up before they are used."""
    if key is None:
        return LEAST_ID + secrets.randbits(52)
    digest = hashlib.sha256(b"orderapp order\0" + key.encode()).digest()
    return LEAST_ID + (int.from_bytes(digest[:8], "big") >> 12)


def may_be_ours(key: bytes) -> bool:
    """Whether a record's key is an id that `id_for` may have made: the least has 16 digits, and
    so has every other one."""
    return len(key) == len(_LEAST) and key >= _LEAST
