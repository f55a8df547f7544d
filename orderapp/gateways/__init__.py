"""The port to whoever takes the money: what payment asks for, and what can go wrong.

Two adapters keep to it, under one contract test (`tests/gateways`): `simulated`, the default,
and `http`. Amounts are those of the orders, unchanged. Every error of a gateway is one of the
classes below; the engine's policy (`engine.errors`) follows from their second base.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Final, Protocol

import msgspec

from orderapp.engine.batches.batch import Batch
from orderapp.engine.errors import RecordError, RetryableError, TransientError
from orderapp.models import Order, PaymentStatus

PAID: Final = "PAID"
DECLINED: Final = "DECLINED"

#: Takes what the gateway said to orders of a batch, by their index, as soon as it is known.
Report = Callable[[Mapping[int, PaymentStatus]], Awaitable[None]]


class Charged(msgspec.Struct, frozen=True, gc=False):
    """What a gateway knows of a key: what it answered, and the amount it was asked for."""

    status: PaymentStatus
    amount: float


class PaymentGateway(Protocol):
    """Charges each idempotency key once, and gives the same key the same answer each time.

    The app opens it, and closes it after the last charge."""

    async def open(self) -> None:
        """Make ready; the gateway need not be there yet."""

    async def close(self) -> None:
        """Let go of all; what is under way is broken off."""

    async def charge(self, order_id: int, key: str, amount: float) -> PaymentStatus:
        """Charge `amount` under `key`; may be repeated. Raises `GatewayError`."""

    async def lookup(self, key: str) -> Charged | None:
        """What was charged under `key`, None when nothing was. Raises `GatewayError`."""

    async def charge_all(self, orders: Batch[Order], report: Report) -> Mapping[int, Exception]:
        """`charge` every order of a batch and `report` what was answered; no order waits for
        another's answer. Returns why the others failed, by their index; raises only what
        `report` does."""


def payment_id(order_id: int) -> str:
    """The same for the same order, however often it is charged: gateways call it an
    idempotency key, and charge once for each."""
    return f"pay-{order_id}"


class GatewayError(Exception):
    """The gateway did not say PAID or DECLINED. One line, without secrets."""

    #: As what it is counted (`orderapp_gateway_requests_total`).
    result: ClassVar[str]


class GatewayTimeoutError(GatewayError, RetryableError):
    """The gateway did not answer: the order may be charged or not. Ask again."""

    result = "timeout"


class GatewayUnavailableError(GatewayError, RetryableError):
    """The gateway can't be reached, or says that it can't answer now. Ask again."""

    result = "unavailable"


class GatewayAnswerError(GatewayError, RetryableError):
    """The answer makes no sense, so nothing is known of the charge. Ask again."""

    result = "unreadable"


class GatewayBlockedError(GatewayError, TransientError):
    """The gateway would refuse every order (address, token, certificate): somebody has to mend
    that. No order is given up for it. `why` is the same for all of them."""

    result = "blocked"

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(f"{why}{detail}")
        self.why = why


class ChargeRefusedError(GatewayError):
    """The gateway refuses this one charge, now and later: the order is a dead letter."""

    result = "refused"


class KeyReusedError(ChargeRefusedError, RecordError):
    """The key was charged with another amount before: the order was sent again, changed.
    `charged` is that amount, where it is known."""

    def __init__(
        self, key: str, amount: float, charged: float | None, detail: str = ""
    ) -> None:
        before = "another amount" if charged is None else f"{charged:g}"
        super().__init__(f"{key} was charged with {before} before, not {amount:g}{detail}")
        self.charged = charged
