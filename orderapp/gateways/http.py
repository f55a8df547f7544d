"""A payment gateway over HTTP.

    POST <ORDERAPP_PAYMENT_URL>         Idempotency-Key: pay-7
    {"order_id": 7, "key": "pay-7", "amount": 350.0}
    200 {"status": "PAID"}              or DECLINED; `answers` has the others

    GET <ORDERAPP_PAYMENT_URL>/pay-7    what became of a key
    200 {"status": "PAID", "amount": 350.0}, or 404

Redirects are not followed, and neither proxies nor passwords are taken from the environment or
the home directory. TLS trusts the system's certificates (`SSL_CERT_FILE` names others).
"""

import asyncio
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TypeVar

import aiohttp
import msgspec

from orderapp import metrics
from orderapp.gateways import (
    Charged,
    GatewayAnswerError,
    GatewayBlockedError,
    GatewayError,
    GatewayTimeoutError,
    GatewayUnavailableError,
    KeyReusedError,
)
from orderapp.gateways.answers import (
    MAX_BODY,
    KeyBusyError,
    Reply,
    Request,
    read_charge,
    read_lookup,
    shown,
)
from orderapp.gateways.one_by_one import OneByOneGateway
from orderapp.models import PaymentStatus
from orderapp.settings import PaymentApi

T = TypeVar("T")

#: Seconds that a connection may take to be made, at most.
CONNECT_SECONDS = 5.0
#: Seconds that the gateway may make us wait by `Retry-After`, at most.
LONGEST_PAUSE = 30.0


class HttpGateway(OneByOneGateway):
    """Charges by POST; see the module."""

    def __init__(self, api: PaymentApi) -> None:
        super().__init__(api.requests, api.key_hours)
        self._api = api
        self._session: aiohttp.ClientSession | None = None
        #: When the gateway wants to be asked again (`time.monotonic`).
        self._not_before = 0.0

    async def open(self) -> None:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self._api.token:
            headers["Authorization"] = f"Bearer {self._api.token}"
        total = self._api.timeout
        self._session = aiohttp.ClientSession(
            # The number of requests is limited where no time-out runs yet.
            connector=aiohttp.TCPConnector(limit=0, resolver=aiohttp.ThreadedResolver()),
            timeout=aiohttp.ClientTimeout(total, sock_connect=min(total, CONNECT_SECONDS)),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def charge(self, order_id: int, key: str, amount: float) -> PaymentStatus:
        request = Request(order_id, key, amount)
        try:
            return await self._ask(
                "POST", self._api.url, partial(read_charge, request), request
            )
        except (KeyReusedError, KeyBusyError) as error:
            if isinstance(error, KeyReusedError) and error.charged is not None:
                raise
            return await self._explain(request, error)

    async def lookup(self, key: str) -> Charged | None:
        return await self._ask("GET", f"{self._api.url}/{key}", partial(read_lookup, key))

    async def _explain(self, request: Request, error: GatewayError) -> PaymentStatus:
        """What the gateway knows of a key that it does not take, else `error`."""
        try:
            found = await self.lookup(request.key)
        except GatewayError:
            raise error from None
        if found is None:
            raise error
        if found.amount != request.amount:
            raise KeyReusedError(request.key, request.amount, found.amount) from error
        return found.status  # the first request with it has come to its end

    async def _ask(
        self, method: str, url: str, read: Callable[[Reply], T], request: Request | None = None
    ) -> T:
        try:
            answer = read(await self._send(method, url, request))
        except GatewayError as error:
            metrics.asked(error.result)
            raise
        metrics.asked("answered")
        return answer

    async def _send(self, method: str, url: str, request: Request | None) -> Reply:
        if self._session is None or self._session.closed:
            raise GatewayUnavailableError("the gateway's client is closed: the worker stops")
        if (wait := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        headers, body = {}, None
        if request is not None:
            headers = {"Idempotency-Key": request.key, "Content-Type": "application/json"}
            body = msgspec.json.encode(request._asdict())
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status in (429, 503):
                    self._pause(response.headers.get("Retry-After", ""))
                return Reply(response.status, self._hushed(await _body(response)))
        except TimeoutError:
            raise GatewayTimeoutError(
                f"the gateway did not answer within {self._api.timeout:g} s"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._translated(error) from None

    def _hushed(self, text: bytes | None) -> bytes | None:
        """What the gateway says, without our token: some repeat it."""
        if text is not None and self._api.token is not None:
            token = self._api.token.encode()
            for form in (token, token.replace(b"/", b"\\/")):  # as some write it in JSON
                text = text.replace(form, b"...")
        return text

    def _translated(self, error: Exception) -> GatewayError:
        what = shown(self._hushed(str(error).encode()))
        text = f"{self._api.url}: {type(error).__name__}{what}"
        if isinstance(error, (aiohttp.ClientResponseError, aiohttp.ClientPayloadError)):
            return GatewayAnswerError(f"the gateway's answer can't be read: {text}")
        if _is_misconfigured(error):
            return GatewayBlockedError(f"it can't be reached: {text}")
        return GatewayUnavailableError(f"the gateway can't be reached: {text}")

    def _pause(self, retry_after: str) -> None:
        seconds = min(_seconds(retry_after), LONGEST_PAUSE)
        self._not_before = max(self._not_before, time.monotonic() + seconds)


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    try:
        await response.content.readexactly(MAX_BODY + 1)
    except asyncio.IncompleteReadError as end:
        return end.partial
    response.close()
    return None


def _is_misconfigured(error: Exception) -> bool:
    """Whether nothing gets through: an unknown host name, a certificate that is not trusted."""
    if isinstance(error, aiohttp.ClientSSLError):
        return True
    cause = getattr(error, "os_error", None)
    return isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME


def _seconds(retry_after: str) -> float:
    """`Retry-After`: seconds, or a date; 0 when it can't be read."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
        return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0
