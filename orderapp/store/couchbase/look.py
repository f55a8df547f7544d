"""One plain look at the hosts before the SDK connects: the name, the port, TLS.

The SDK says "Failed to connect" after 4 s of all that can be wrong with them; and it accepts a
certificate that is for another host (4.6.3), to which it would send the password.
"""

import socket
import ssl
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

from orderapp.couchbase_settings import PLAIN_PORT, TLS_PORT, Couchbase
from orderapp.store import StoreError, StoreRejected, StoreUnavailable

# Seconds, for each step.
LIMIT = 2.0

# Memcached binary, SASL_LIST_MECHS: what may be asked without logging in.
_ASK = struct.pack(">BBHBBHIIQ", 0x80, 0x20, 0, 0, 0, 0, 0, 0, 0)
_HEADER_SIZE, _ANSWERS, _TLS_ALERT = 24, b"\x81", b"\x15"
_SILENCE = b"(no answer in time)"
_HTTP_ASK, _HTTP_ANSWERS = b"GET / HTTP/1.0\r\n\r\n", b"HTTP/"

# OpenSSL's codes of what is wrong with a certificate.
_TIMES = {9: "is not valid yet", 10: "has expired"}
_NAMES = {62, 64}


class _Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class UnknownHost(StoreUnavailable):
    """A name without an address. It may still have SRV records, for which the SDK looks."""


def look(couchbase: Couchbase) -> None:
    """Raise `StoreRejected` for what will not get better by itself at any of the hosts, and
    `StoreUnavailable` when none of them answers; `UnknownHost` when there is but one, and it
    has no address."""
    hosts = couchbase.hosts
    with ThreadPoolExecutor(len(hosts), thread_name_prefix="couchbase-look") as threads:
        found = list(threads.map(lambda host: _finding(couchbase, _Address(*host)), hosts))
    if rejected := [error for error in found if isinstance(error, StoreRejected)]:
        raise rejected[0]
    away = [error for error in found if error is not None]
    if len(away) == len(hosts):
        raise away[0] if len(away) == 1 else StoreUnavailable("; ".join(map(str, away)))


def _finding(couchbase: Couchbase, where: _Address) -> StoreError | None:
    try:
        if couchbase.tls:
            _look_by_tls(where, _context(couchbase))
        else:
            _look_plainly(where)
    except StoreError as error:
        return error
    return None


def _look_plainly(where: _Address) -> None:
    answer = _answer(where, _ASK)
    if _is_couchbase(answer):
        if answer[_HEADER_SIZE:].split() == [b"PLAIN"]:
            raise StoreRejected(
                f"{where} takes passwords in plain text only, as for accounts of LDAP: that is "
                "done by TLS; begin COUCHBASE_HOST with couchbases://"
            )
        return
    if _answer(where, _HTTP_ASK).startswith(_HTTP_ANSWERS):
        raise _http(where, PLAIN_PORT)
    if answer.startswith(_TLS_ALERT) or (answer != _SILENCE and _is_tls(where)):
        raise StoreRejected(f"{where} wants TLS: begin COUCHBASE_HOST with couchbases://")
    raise _silence(where)


def _look_by_tls(where: _Address, context: ssl.SSLContext) -> None:
    try:
        if _is_couchbase(_answer(where, _ASK, context)):
            return
        if _answer(where, _HTTP_ASK, context).startswith(_HTTP_ANSWERS):
            raise _http(where, TLS_PORT)
    except ssl.SSLCertVerificationError as error:
        raise StoreRejected(_of_certificate(where, error)) from error
    except OSError as error:
        if _is_couchbase(_answer(where, _ASK)):
            raise StoreRejected(
                f"{where} answers without TLS: COUCHBASE_HOST needs another port (for TLS "
                f"usually {TLS_PORT}), or couchbase:// where the network is trusted"
            ) from error
        if _answer(where, _HTTP_ASK).startswith(_HTTP_ANSWERS):
            raise _http(where, TLS_PORT) from error
        if isinstance(error, ssl.SSLError):
            raise StoreUnavailable(f"{where} breaks TLS off: {error.reason}") from error
    raise _silence(where)


def _is_couchbase(answer: bytes) -> bool:
    return answer.startswith(_ANSWERS)


def _http(where: _Address, right: int) -> StoreRejected:
    return StoreRejected(
        f"{where} speaks HTTP, as the management port does: COUCHBASE_HOST needs the port for "
        f"documents, usually {right}"
    )


def _of_certificate(where: _Address, error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _NAMES:
        return (
            f"{where}: the certificate is not for {where.host}; COUCHBASE_HOST needs a name "
            "that is in the certificate"
        )
    if error.verify_code in _TIMES:
        return f"{where}: the certificate {_TIMES[error.verify_code]}"
    return (
        f"{where}: the certificate is of an unknown CA ({error.verify_message}); "
        "COUCHBASE_CA_FILE has to name the file with the CA's certificate (or COUCHBASE_CA_PEM "
        "to be its text)"
    )


def _context(couchbase: Couchbase) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=couchbase.ca_file, cadata=couchbase.ca_pem)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # which the SDK does not ask for either
    if couchbase.is_capella and not couchbase.has_own_ca:
        # Capella's own CA is in the SDK only, which therefore has to judge.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def _connected(where: _Address) -> Iterator[socket.socket]:
    try:
        connected = socket.create_connection(where, LIMIT)
    except socket.gaierror as error:
        raise UnknownHost(
            f"{where.host} is no host that DNS knows ({error.strerror}): check COUCHBASE_HOST"
        ) from error
    except TimeoutError as error:
        raise StoreUnavailable(
            f"{where} does not answer, as behind a firewall (Capella: allow this machine's "
            "address)"
        ) from error
    except ConnectionRefusedError as error:
        raise StoreUnavailable(
            f"{where} is closed: Couchbase is not up yet, or listens on another port"
        ) from error
    except OSError as error:
        raise StoreUnavailable(f"{where}: {error.strerror or error}") from error
    with connected:
        yield connected


def _answer(where: _Address, question: bytes, context: ssl.SSLContext | None = None) -> bytes:
    """What is answered first; nothing when the connection is cut.

    Raises `OSError` when TLS does not come about."""
    with _connected(where) as connection:
        if context is not None:
            connection = context.wrap_socket(connection, server_hostname=where.host)
        with connection:
            try:
                connection.sendall(question)
                return connection.recv(4096)
            except TimeoutError:
                return _SILENCE
            except OSError:
                return b""


def _is_tls(where: _Address) -> bool:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        _answer(where, b"", context)
    except OSError:
        return False
    return True


def _silence(where: _Address) -> StoreUnavailable:
    return StoreUnavailable(
        f"{where} takes connections and answers none: Couchbase is not up yet, or hangs"
    )
