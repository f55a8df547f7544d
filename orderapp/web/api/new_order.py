"""An order as a client sends it: parsed strictly; every wrong field is named."""

import json
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

from orderapp.models import Country, CustomerId
from orderapp.web.server.problems import FieldError, Problem

MAX_AMOUNT = 1_000_000


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

#: What decoding raises for what is not JSON; beside msgspec's own: for bytes that are not
#: UTF-8 (before msgspec 0.23), and for what is nested too deep.
NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def parse(body: bytes) -> NewOrder:
    """The order in a body; raises `Problem` with 400 (no JSON) or 422 (no such order)."""
    try:
        order = _decode(body)
    except msgspec.ValidationError:
        raise _all_wrong(body) from None
    except NO_JSON as error:
        raise unreadable(body, error) from None
    if round(order.amount, 2) != order.amount:
        raise _unprocessable([FieldError("amount", ALLOWED["amount"])])
    return order


def unreadable(body: bytes, error: Exception) -> Problem:
    """400 for a body that is no JSON."""
    if surrogate := _lone_surrogate(body):
        text = f"{surrogate} is half of a surrogate pair, and no character"
        return Problem(400, f"the body can't be read: {text}")
    if isinstance(error, RecursionError):
        return Problem(400, "the body can't be read: it is nested too deep")
    try:
        body.decode()
    except UnicodeDecodeError:
        return Problem(400, "the body is not JSON: it is not UTF-8")
    return Problem(400, f"the body is not JSON: {error}")


def _lone_surrogate(body: bytes) -> str | None:
    """The first in JSON that would be right without it. (msgspec takes it for an early end.)"""
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        return ascii(error.object[error.start])
    except (ValueError, RecursionError):
        pass
    return None


def _all_wrong(body: bytes) -> Problem:
    """Every field that is wrong; msgspec itself stops at the first."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)  # to its end: it may be no JSON there
        fields = _decode_fields(body)
    except msgspec.ValidationError:
        text = f"an object with {', '.join(ALLOWED)}"
        return _unprocessable([FieldError("", text)])
    except NO_JSON as error:
        return unreadable(body, error)
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
    # Only the last of several with one name is looked at here; msgspec refused an earlier one.
    return _unprocessable(errors[:16] or [FieldError("", "a field is given more than once")])


def _is_right(value: msgspec.Raw, expected: Any) -> bool:
    try:
        msgspec.json.decode(value, type=expected)
    except (*NO_JSON, msgspec.ValidationError):
        return False
    return True


def _unprocessable(errors: list[FieldError]) -> Problem:
    wrong = "; ".join(f"{error.field or 'the body'}: {error.detail}" for error in errors)
    return Problem(422, f"this is no order that can be sent: {wrong}", *errors)
