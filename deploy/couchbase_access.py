"""What the set-up of Couchbase is given: orderapp's own settings, and an administrator.

They are read as orderapp reads them, and a wrong one is told in its words (a test compares the
two); but the set-up runs where orderapp is not installed.
"""

import re
import ssl
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import NamedTuple, NoReturn

PLAIN_PORT, TLS_PORT = 11210, 11207
HTTP_PORTS = (*range(8091, 8098), *range(18091, 18098))
CAPELLA = "cloud.couchbase.com"
#: The scope and the collection that every bucket has.
DEFAULT = "_default"

ALLOWED = "[couchbase[s]://]host[:port][,host[:port]]"
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
BUCKET = re.compile(r"[A-Za-z0-9_%-][A-Za-z0-9_.%-]{0,99}")
COLLECTION = re.compile(r"_default|[A-Za-z0-9-][A-Za-z0-9_%-]{0,250}")


class SetupError(Exception):
    """The set-up can't succeed; the text is one line for the log."""


class Access(NamedTuple):
    """Where, who, and what is to be set up."""

    #: Names or addresses, IPv6 ones in brackets.
    hosts: tuple[str, ...]
    #: None: without TLS.
    tls: ssl.SSLContext | None
    #: Name and password.
    user: tuple[str, str]
    admin: tuple[str, str]
    bucket: str
    scope: str
    collection: str


def read(environ: Mapping[str, str]) -> Access:
    """Raises `SetupError` for what is wrong or lacks."""
    values = {name: value.strip() for name, value in environ.items() if value.strip()}
    scope, collection = _collection(values)
    address = _needed(values, "COUCHBASE_HOST")
    ca_names = ("COUCHBASE_CA_FILE", "COUCHBASE_CA_PEM")
    ca = next((name for name in ca_names if name in values), None)
    hosts, tls = _hosts(address, ca)
    names = ("COUCHBASE_USERNAME", "COUCHBASE_PASSWORD", "COUCHBASE_BUCKET")
    reason = ", but COUCHBASE_HOST is: set it too"
    username, password, bucket = (_needed(values, name, reason) for name in names)
    if not BUCKET.fullmatch(bucket):
        _wrong("COUCHBASE_BUCKET", bucket, "1 to 100 letters, digits and _ - . %")
    context = _context(*(values.get(name) for name in ca_names))
    names = ("COUCHBASE_ADMIN_USERNAME", "COUCHBASE_ADMIN_PASSWORD")
    admin, admin_password = (_needed(values, name) for name in names)
    if any(host.endswith(CAPELLA) for host in hosts):
        _refuse(address, "a cluster of your own (Capella's is set up on its web page)")
    people = (username, password), (admin, admin_password)
    return Access(hosts, context if tls else None, *people, bucket, scope, collection)


def _needed(values: Mapping[str, str], name: str, reason: str = "") -> str:
    if name not in values:
        raise SetupError(f"{name} is not set{reason}")
    return values[name]


def _collection(values: Mapping[str, str]) -> tuple[str, str]:
    names = ("COUCHBASE_SCOPE", "COUCHBASE_COLLECTION")
    scope, collection = (values.get(name, DEFAULT) for name in names)
    for name, value in zip(names, (scope, collection), strict=True):
        if not COLLECTION.fullmatch(value):
            allowed = "1 to 251 letters, digits and _ - %, not beginning with _ or %"
            _wrong(name, value, allowed)
    if collection == DEFAULT != scope:
        raise SetupError(
            "COUCHBASE_COLLECTION is not set, but COUCHBASE_SCOPE is: set it too "
            "(only the scope _default has a collection _default)"
        )
    return scope, collection


def _hosts(text: str, ca: str | None) -> tuple[tuple[str, ...], bool]:
    """The hosts without scheme and port, and whether they are reached by TLS."""
    schemes, found = set(), []
    for part in text.lower().split(","):
        scheme, has_scheme, rest = part.strip().rpartition("://")
        if has_scheme:
            schemes.add(scheme)
        found.append(_host(text, rest.removesuffix("/")))
    if not schemes <= {"couchbase", "couchbases"}:
        _refuse(text, f"{ALLOWED}, and no other scheme")
    if len(schemes) > 1:
        _refuse(text, "either couchbase:// or couchbases:// (TLS), for all hosts")
    is_plain = "couchbase" in schemes
    if is_plain and ca:
        raise SetupError(
            f"{ca} is set, but COUCHBASE_HOST begins with couchbase://, which is without TLS: "
            "begin it with couchbases://"
        )
    is_capella = any(name.endswith(CAPELLA) for name, _ in found)
    if is_plain and is_capella:
        _refuse(text, "couchbases:// (Capella has TLS only)")
    tls = "couchbases" in schemes or is_capella or ca is not None
    for _, port in found:
        _check_port(text, port, tls=tls)
    return tuple(name for name, _ in found), tls


def _host(text: str, host: str) -> tuple[str, int | None]:
    """The name, and the port for documents."""
    if "@" in host:
        _refuse(text, f"{ALLOWED}; name and password are COUCHBASE_USERNAME and _PASSWORD")
    if "?" in host:
        _refuse(text, f"{ALLOWED}; options behind a ? are not taken")
    if "/" in host:
        _refuse(text, f"{ALLOWED}; the bucket is COUCHBASE_BUCKET")
    match = HOST.fullmatch(host)
    if not match or not _is_address(match[1]) or not 1 <= int(match[2] or 1) <= 65535:
        _refuse(text, f"{ALLOWED}, with ports from 1 to 65535")
    name = match[1].removesuffix(".")
    if not HOST.fullmatch(name):
        _refuse(text, ALLOWED)
    return name, match[2] and int(match[2])


def _is_address(name: str) -> bool:
    """Whether what stands in brackets, if any do, is an address."""
    try:
        return not name.startswith("[") or bool(IPv6Address(name[1:-1]))
    except ValueError:
        return False


def _check_port(text: str, port: int | None, *, tls: bool) -> None:
    if port in HTTP_PORTS:
        kind = "management port" if port in {8091, 18091} else "port for HTTP"
        right = TLS_PORT if tls or port > 18000 else PLAIN_PORT
        _refuse(text, f"{port} is a {kind}: leave it out (that for documents is {right})")
    if port == TLS_PORT and not tls:
        _refuse(text, f"{port} is the port for TLS: begin with couchbases://, or leave it out")
    if port == PLAIN_PORT and tls:
        _refuse(text, f"{port} is the port without TLS: leave it out (with TLS: {TLS_PORT})")


def _context(path: str | None, pem: str | None) -> ssl.SSLContext:
    """Trusts this CA only; all public ones without one."""
    if path is not None and pem is not None:
        raise SetupError(
            "COUCHBASE_CA_PEM is set, but COUCHBASE_CA_FILE is too: set one of them"
        )
    try:
        context = ssl.create_default_context(cafile=path, cadata=pem)
    except (OSError, ValueError, TypeError) as error:
        if path is None:
            raise SetupError(
                "COUCHBASE_CA_PEM is not allowed: the text of certificates in PEM, all of its "
                "lines"
            ) from error
        reason = "it has no certificate in PEM"
        if not isinstance(error, ssl.SSLError):
            reason = getattr(error, "strerror", None) or str(error)
        _wrong("COUCHBASE_CA_FILE", path, f"a file with certificates in PEM ({reason})")
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # which the SDK does not ask for either
    return context


def _refuse(text: str, allowed: str) -> NoReturn:
    # What stands behind a question mark may be a secret.
    _wrong("COUCHBASE_HOST", text.partition("?")[0], allowed)


def _wrong(name: str, value: str, allowed: str) -> NoReturn:
    # What stands before an @ in an address is a password.
    shown = re.sub(r"^([a-zA-Z_]+://)?.*@", r"\1…@", value, flags=re.DOTALL)
    shown = shown if len(shown) <= 100 else f"{shown[:99]}…"
    raise SetupError(f"{name}={shown!r} is not allowed: {allowed}")
