"""The settings of Couchbase: which cluster, how to get in, where the documents are."""

import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NoReturn, Self

from orderapp.environ import Environ, SettingsError, is_host, wrong

#: Where documents are read and written, without TLS and with it.
PLAIN_PORT, TLS_PORT = 11210, 11207
#: Management, queries and so on: HTTP, without TLS and with it.
_HTTP_PORTS = (*range(8091, 8098), *range(18091, 18098))
#: What COUCHBASE_DURABILITY may be, the default first.
DURABILITIES = ("majority", "none", "majorityAndPersistActive", "persistToMajority")
_CAPELLA = "cloud.couchbase.com"
_HOST, _CA_FILE, _CA_PEM = "COUCHBASE_HOST", "COUCHBASE_CA_FILE", "COUCHBASE_CA_PEM"
_ALLOWED = "[couchbase[s]://]host[:port][,host[:port]]"

#: Couchbase's rules. Names are pasted into statements between backquotes, and only a backquote
#: could end them there: these are also what keeps other text out of statements.
BUCKET_NAME = re.compile(r"[A-Za-z0-9_%-][A-Za-z0-9_.%-]{0,99}")
COLLECTION_NAME = re.compile(r"_default|[A-Za-z0-9-][A-Za-z0-9_%-]{0,250}")


@dataclass(frozen=True)
class Couchbase:
    """Where the documents go when it is not SQLite."""

    #: `host[:port]`, with commas between several.
    host: str
    username: str
    password: str = field(repr=False)
    bucket: str
    #: How safe a write is when it is acknowledged.
    durability: str = "majority"
    scope: str = "_default"
    collection: str = "_default"
    tls: bool = False
    #: PEM: whose certificates are accepted. None: those of Capella's and of all public CAs.
    ca_file: str | None = None
    #: The same as text, where there is no file.
    ca_pem: str | None = field(default=None, repr=False)
    #: Days after which a document is deleted that was not written again. None: never.
    expiry_days: int | None = None

    @property
    def connection_string(self) -> str:
        """`couchbases://` (TLS) or `couchbase://`, and the hosts."""
        return f"{'couchbases' if self.tls else 'couchbase'}://{self.host}"

    @property
    def hosts(self) -> list[tuple[str, int]]:
        """Each host with its port, IPv6 addresses without brackets."""
        found = []
        for part in self.host.split(","):
            name, port = _split(part)
            default = TLS_PORT if self.tls else PLAIN_PORT
            found.append((name.strip("[]"), default if port is None else port))
        return found

    @property
    def may_have_srv(self) -> bool:
        """Whether DNS may have the nodes' names for it, as for a cluster of Capella."""
        return "," not in self.host and _split(self.host)[1] is None

    @property
    def is_readable(self) -> bool:
        """Whether the password crosses a network as it is: each query's HTTP header has it."""
        return not self.tls and not all(_is_loopback(name) for name, _ in self.hosts)

    @property
    def has_own_ca(self) -> bool:
        """Whether only the certificates of one CA are accepted."""
        return self.ca_file is not None or self.ca_pem is not None

    @property
    def is_capella(self) -> bool:
        """Whether it is Couchbase's own cloud."""
        return any(name.endswith(_CAPELLA) for name, _ in self.hosts)

    @classmethod
    def from_env(cls, env: Environ) -> Self | None:
        """None where no host is set."""
        address, ca_file, ca_pem = env.get(_HOST), env.get(_CA_FILE), env.get(_CA_PEM)
        names = ("COUCHBASE_USERNAME", "COUCHBASE_PASSWORD", "COUCHBASE_BUCKET")
        username, password, bucket = (env.get(name) or "" for name in names)
        scope, collection = _collection(env)
        durability = env.choice("COUCHBASE_DURABILITY", DURABILITIES)
        # Couchbase's own limit is 50 years.
        expiry_days = env.count("COUCHBASE_EXPIRY_DAYS", 0, 1, 18_000) or None
        if address is None:
            return None
        host, tls = _hosts(address, ca=_CA_FILE if ca_file else _CA_PEM if ca_pem else None)
        for name, value in zip(names, (username, password, bucket), strict=True):
            if not value:
                raise SettingsError(f"{name} is not set, but COUCHBASE_HOST is: set it too")
        if not BUCKET_NAME.fullmatch(bucket):
            wrong("COUCHBASE_BUCKET", bucket, "1 to 100 letters, digits and _ - . %")
        _check_ca(ca_file, ca_pem)
        return cls(
            *(host, username, password, bucket, durability, scope, collection, tls),
            ca_file=ca_file,
            ca_pem=ca_pem,
            expiry_days=expiry_days,
        )


def _collection(env: Environ) -> tuple[str, str]:
    """The scope and the collection."""
    names = ("COUCHBASE_SCOPE", "COUCHBASE_COLLECTION")
    scope, collection = (env.get(name) or "_default" for name in names)
    for name, value in zip(names, (scope, collection), strict=True):
        if not COLLECTION_NAME.fullmatch(value):
            allowed = "1 to 251 letters, digits and _ - %, not beginning with _ or %"
            wrong(name, value, allowed)
    if collection == "_default" != scope:
        raise SettingsError(
            "COUCHBASE_COLLECTION is not set, but COUCHBASE_SCOPE is: set it too "
            "(only the scope _default has a collection _default)"
        )
    return scope, collection


def _hosts(text: str, *, ca: str | None) -> tuple[str, bool]:
    """The hosts, in lower case and without a scheme, and whether they are reached by TLS.

    `ca`: the setting that has a CA, which means TLS."""
    schemes, hosts = set(), []
    for part in text.lower().split(","):
        scheme, found, rest = part.strip().rpartition("://")
        if found:
            schemes.add(scheme)
        hosts.append(_host(text, rest.removesuffix("/")))
    if not schemes <= {"couchbase", "couchbases"}:
        _refuse(text, f"{_ALLOWED}, and no other scheme")
    if len(schemes) > 1:
        _refuse(text, "either couchbase:// or couchbases:// (TLS), for all hosts")
    is_plain = "couchbase" in schemes
    if is_plain and ca:
        raise SettingsError(
            f"{ca} is set, but {_HOST} begins with couchbase://, which is without TLS: begin "
            "it with couchbases://"
        )
    is_capella = any(_split(host)[0].endswith(_CAPELLA) for host in hosts)
    if is_plain and is_capella:
        _refuse(text, "couchbases:// (Capella has TLS only)")
    tls = "couchbases" in schemes or is_capella or ca is not None
    for host in hosts:
        _check_port(text, _split(host)[1], tls=tls)
    return ",".join(hosts), tls


def _host(text: str, host: str) -> str:
    """One `host[:port]`, without the dot that may end a name."""
    if "@" in host:
        _refuse(text, f"{_ALLOWED}; name and password are COUCHBASE_USERNAME and _PASSWORD")
    if "?" in host:
        _refuse(text, f"{_ALLOWED}; options behind a ? are not taken")
    if "/" in host:
        _refuse(text, f"{_ALLOWED}; the bucket is COUCHBASE_BUCKET")
    if not is_host(host):
        _refuse(text, f"{_ALLOWED}, with ports from 1 to 65535")
    name, port = _split(host)
    name = name.removesuffix(".")
    if not is_host(name):
        _refuse(text, _ALLOWED)
    return name if port is None else f"{name}:{port}"


def _check_port(text: str, port: int | None, *, tls: bool) -> None:
    if port is not None and port in _HTTP_PORTS:
        kind = "management port" if port in {8091, 18091} else "port for HTTP"
        right = TLS_PORT if tls or port > 18000 else PLAIN_PORT
        _refuse(text, f"{port} is a {kind}: leave it out (that for documents is {right})")
    if port == TLS_PORT and not tls:
        _refuse(text, f"{port} is the port for TLS: begin with couchbases://, or leave it out")
    if port == PLAIN_PORT and tls:
        _refuse(text, f"{port} is the port without TLS: leave it out (with TLS: {TLS_PORT})")


def _split(host: str) -> tuple[str, int | None]:
    name, _, port = host.rpartition(":")
    if not name or port.endswith("]"):
        return host, None
    return name, int(port)


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _refuse(text: str, allowed: str) -> NoReturn:
    # What stands behind a question mark may be a secret.
    wrong(_HOST, text.partition("?")[0], allowed)


def _check_ca(path: str | None, pem: str | None) -> None:
    if path is None and pem is None:
        return
    if path is not None and pem is not None:
        raise SettingsError(f"{_CA_PEM} is set, but {_CA_FILE} is too: set one of them")
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=path, cadata=pem)
    # An SSLError is an OSError; a TypeError says that the text is not in ASCII.
    except (OSError, ValueError, TypeError) as error:
        if path is None:  # not shown: who errs may have put a key there
            raise SettingsError(
                f"{_CA_PEM} is not allowed: the text of certificates in PEM, all of its lines"
            ) from error
        reason = "it has no certificate in PEM"
        if not isinstance(error, ssl.SSLError):
            reason = getattr(error, "strerror", None) or str(error)
        wrong(_CA_FILE, path, f"a file with certificates in PEM ({reason})")
