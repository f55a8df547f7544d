"""What an HTTP answer of the gateway means.

200, 201 with {"status": "PAID" or "DECLINED"}    that; `key`, `order_id` and `amount`, where
                                                  they are echoed, have to be those asked for
402                                               DECLINED
202, 408, 425, 429, 5xx                           asked again, a limited number of times
409                                               the same, unless the amount differs
422, 409 with another amount                      the key was charged with another amount
3xx, 401, 403, 404, 405, 407                      every order would be refused: blocked
any other 4xx                                     this charge is refused
anything else, and a body that makes no sense     asked again, a limited number of times
"""

from typing import NamedTuple

import msgspec

from orderapp.engine.observe.texts import printable
from orderapp.gateways import (
    DECLINED,
    Charged,
    ChargeRefusedError,
    GatewayAnswerError,
    GatewayBlockedError,
    GatewayError,
    GatewayUnavailableError,
    KeyReusedError,
)
from orderapp.models import PaymentStatus

#: Bytes of an answer's body that are read; and characters of it that an error shows.
MAX_BODY, MAX_SHOWN = 16 * 1024, 200

LATER = frozenset({202, 408, 425, 429})
BLOCKED = frozenset({300, 301, 302, 303, 307, 308, 401, 403, 404, 405, 407})


class KeyBusyError(GatewayUnavailableError):
    """The key is in use: by another request with it, or charged with another amount."""


class Request(NamedTuple):
    """What the gateway is asked."""

    order_id: int
    key: str
    amount: float


class Reply(NamedTuple):
    """What came back, without secrets; `body` is None when it is longer than `MAX_BODY`."""

    status: int
    body: bytes | None

    @property
    def shown(self) -> str:
        """The beginning of the body, for people."""
        return shown(self.body)


class _Body(msgspec.Struct):
    status: PaymentStatus
    amount: float | None = None
    key: str | None = None
    order_id: int | None = None


class _Conflict(msgspec.Struct):
    amount: float


_decode = msgspec.json.Decoder(_Body).decode
_decode_conflict = msgspec.json.Decoder(_Conflict).decode


def shown(body: bytes | None) -> str:
    """The beginning of a body, for the end of a line; without control characters."""
    text = printable(" ".join((body or b"").decode(errors="replace").split()))
    text = text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
    return f": {text}" if text else ""


def read_charge(request: Request, reply: Reply) -> PaymentStatus:
    """The answer to a charge. Raises `GatewayError`."""
    status = reply.status
    if status in (200, 201):
        return _status_of(request, reply)
    if status == 402:
        return DECLINED
    if status in (409, 422):
        raise _conflict(request, reply)
    raise _failure("POST", request.key, reply)


def read_lookup(key: str, reply: Reply) -> Charged | None:
    """The answer to a question after a key. Raises `GatewayError`."""
    if reply.status == 404:
        return None
    if reply.status != 200:
        raise _failure("GET", key, reply)
    body = _body(reply)
    if body.amount is None or body.key not in (None, key):
        raise GatewayAnswerError(f"the gateway's answer is not about {key}{reply.shown}")
    return Charged(body.status, body.amount)


def _status_of(request: Request, reply: Reply) -> PaymentStatus:
    body = _body(reply)
    for name in Request._fields:
        if getattr(body, name) not in (None, getattr(request, name)):
            raise GatewayAnswerError(
                f"the gateway's answer to {request.key} has another {name}{reply.shown}"
            )
    return body.status


def _body(reply: Reply) -> _Body:
    if reply.body is None:
        raise GatewayAnswerError(f"the gateway's answer is longer than {MAX_BODY} bytes")
    try:
        return _decode(reply.body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise GatewayAnswerError(
            f"the gateway's answer can't be read ({error}){reply.shown}"
        ) from None


def _conflict(request: Request, reply: Reply) -> GatewayError:
    try:
        charged = _decode_conflict(reply.body or b"").amount
    except (msgspec.MsgspecError, ValueError, RecursionError):
        charged = None
    # Not every gateway says what was charged before; some repeat what was asked.
    if charged == request.amount:
        charged = None
    if charged is None and reply.status == 409:
        return KeyBusyError(
            f"the gateway says 409: {request.key} is in use, for another request than "
            f"{request.amount:g} or at this moment{reply.shown}"
        )
    detail = f" (the gateway says {reply.status}{reply.shown})"
    return KeyReusedError(request.key, request.amount, charged, detail)


def _failure(method: str, key: str, reply: Reply) -> GatewayError:
    if reply.status in BLOCKED:
        return GatewayBlockedError(f"it says {reply.status} to {method}", reply.shown)
    says = f"the gateway says {reply.status} to {key}{reply.shown}"
    if reply.status in LATER or 500 <= reply.status <= 599:
        return GatewayUnavailableError(says)
    if 400 <= reply.status <= 499:
        return ChargeRefusedError(says)
    return GatewayAnswerError(says)
