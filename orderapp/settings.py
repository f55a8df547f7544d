"""Settings: read once from the environment into one frozen object.

Nothing here imports Faust or opens anything, so a bad setting is found before the program
starts, and a test can make settings from a plain mapping.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from typing import ClassVar, NoReturn, Self

#: Services that take orders from Kafka. They decide the consumer group.
CONSUMERS = ("fraud", "payment", "analytics")
SERVICES = ("producer", *CONSUMERS, "web")

_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")
#: Characters of a wrong value that an error shows.
_MAX_SHOWN = 100
#: Faust's time for one request to Kafka, which has to be longer.
LONGEST_SESSION = 80.0
# Couchbase's own rule for bucket names.
_BUCKET = re.compile(r"[A-Za-z0-9_.%-]{1,100}")


class SettingsError(ValueError):
    """A setting is wrong; the text is one line: its name, its value and what is allowed."""


@dataclass(frozen=True)
class Couchbase:
    """Where the documents go when it is not SQLite."""

    host: str
    username: str
    password: str = field(repr=False)
    bucket: str

    @property
    def connection_string(self) -> str:
        """`couchbases://` (TLS) for Capella, `couchbase://` for a cluster of one's own."""
        scheme = "couchbases" if "cloud.couchbase.com" in self.host else "couchbase"
        return f"{scheme}://{self.host}"


@dataclass(frozen=True)
class PaymentApi:
    """A payment gateway over HTTP."""

    #: Where charges are posted to; without a slash at the end.
    url: str
    token: str | None = field(default=None, repr=False)
    #: Seconds until a request that has no answer is given up.
    timeout: float = 10.0
    #: Requests at one time.
    requests: int = 100
    #: Hours for which the gateway keeps idempotency keys.
    key_hours: int = 24


@dataclass(frozen=True)
class Faults:
    """What is broken on purpose, for tests and for people who want to see it; all off.

    Rates are from 0 (never) to 1 (always)."""

    #: Of the requests to the gateway: no answer, and nothing is known of the charge.
    gateway_timeout: float = 0.0
    #: Of the orders: the gateway declines them.
    gateway_decline: float = 0.0
    #: Of the requests to the gateway: they take `SLOW` times as long.
    gateway_slow: float = 0.0
    #: Seconds that each call of the store takes longer.
    store_slow: float = 0.0
    #: Of the store's writes: refused, as by a store that is away.
    store_refuse: float = 0.0
    #: Of the generated orders: sent again, several times.
    duplicates: float = 0.0
    #: Generated beside an order: a record that is no order.
    poison: float = 0.0

    #: How many times as long as usual a slow request to the gateway takes.
    SLOW: ClassVar[int] = 20

    def on(self) -> dict[str, float]:
        """Those that are switched on."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True)
class Settings:
    """All settings of a worker. The README has the table; a test holds both together."""

    #: `host:port` of each broker; empty: the embedded broker.
    kafka_bootstrap_servers: tuple[str, ...] = ()
    confluent_api_key: str | None = None
    confluent_api_secret: str | None = field(default=None, repr=False)
    #: None: SQLite in the data directory.
    couchbase: Couchbase | None = None
    services: frozenset[str] = frozenset(SERVICES)
    #: None: the group follows from the services.
    own_group: str | None = None
    data_dir: Path = Path("orderapp-data")
    #: Seconds between generated orders.
    order_interval: float = 2.0
    #: Seconds that the simulated gateway takes for each order.
    payment_delay: float = 0.1
    #: None: the simulated gateway.
    payment_api: PaymentApi | None = None
    web_host: str = "127.0.0.1"
    api_token: str | None = field(default=None, repr=False)
    #: How often an order is tried at a gateway that does not answer, until it is given up.
    max_attempts: int = 8
    #: Records a minute, and the share of its records, that a service may give up for reasons
    #: that do not lie in them; above both it waits.
    dead_letter_limit: int = 100
    dead_letter_share: float = 0.5
    #: Seconds without progress, with work waiting, after which `/healthz` says so.
    stall_seconds: float = 120.0
    #: Kafka's `group.instance.id`: a worker that comes back under it keeps its partitions.
    instance_id: str | None = None
    #: What may stand around the JSON of orders: `none` or `schema-registry`.
    framing: str = "none"
    #: Seconds without a heartbeat after which Kafka gives a worker's partitions to others.
    session_timeout: float = 6.0
    #: `text` or `json`.
    log_format: str = "text"
    faults: Faults = Faults()

    @classmethod
    def from_env(cls, environ: Mapping[str, str], known: Collection[str] = SERVICES) -> Self:
        """Read all settings; raise `SettingsError` for the first one that is wrong.

        `known` are the names that ORDERAPP_SERVICES may hold."""
        # An empty variable counts as unset: that is how Compose passes on what is not there.
        env = {name: value.strip() for name, value in environ.items() if value.strip()}
        key, secret = _confluent(env)
        return cls(
            kafka_bootstrap_servers=_servers(env),
            confluent_api_key=key,
            confluent_api_secret=secret,
            couchbase=_couchbase(env),
            services=_services(env, known),
            own_group=_name(env, "ORDERAPP_GROUP"),
            data_dir=Path(env.get("ORDERAPP_DATA_DIR", cls.data_dir)),
            order_interval=_seconds(env, "ORDERAPP_ORDER_INTERVAL", cls.order_interval, 0.001),
            payment_delay=_seconds(env, "ORDERAPP_PAYMENT_DELAY", cls.payment_delay, 0),
            payment_api=_payment_api(env),
            web_host=_host(env),
            api_token=env.get("ORDERAPP_API_TOKEN"),
            max_attempts=_count(env, "ORDERAPP_MAX_ATTEMPTS", cls.max_attempts, 1, 1000),
            dead_letter_limit=_count(
                env, "ORDERAPP_DEAD_LETTER_LIMIT", cls.dead_letter_limit, 1, 10_000_000
            ),
            dead_letter_share=_share(
                env,
                "ORDERAPP_DEAD_LETTER_SHARE",
                cls.dead_letter_share,
                "a share from 0 to 1 (no limit)",
            ),
            stall_seconds=_seconds(env, "ORDERAPP_STALL_SECONDS", cls.stall_seconds, 1),
            instance_id=_name(env, "ORDERAPP_INSTANCE_ID"),
            framing=_choice(env, "ORDERAPP_FRAMING", ("none", "schema-registry")),
            session_timeout=_session(env),
            log_format=_choice(env, "ORDERAPP_LOG_FORMAT", ("text", "json")),
            faults=_faults(env),
        )

    @property
    def group(self) -> str:
        """The Faust id, which is Kafka's consumer group.

        Workers of one group must all do the same work, or orders would go to a worker that
        lacks a service, and be lost to it. Services from elsewhere count only where none of
        `CONSUMERS` runs: adding one never moves a running deployment to another group.
        """
        if self.own_group is not None:
            return self.own_group
        consumers = sorted(self.services.intersection(CONSUMERS))
        if len(consumers) == len(CONSUMERS):
            return "orderapp"
        return "-".join([*(consumers or sorted(self.services)), "group"])


def _wrong(name: str, value: str, allowed: str) -> NoReturn:
    # What stands before an @ in an address is a password; and a value may be a whole file.
    shown = re.sub(r"^([a-zA-Z_]+://)?.*@", r"\1…@", value, flags=re.DOTALL)
    shown = shown if len(shown) <= _MAX_SHOWN else f"{shown[: _MAX_SHOWN - 1]}…"
    raise SettingsError(f"{name}={shown!r} is not allowed: {allowed}")


def _servers(env: Mapping[str, str]) -> tuple[str, ...]:
    name = "KAFKA_BOOTSTRAP_SERVERS"
    if name not in env:
        return ()
    servers = tuple(part.strip() for part in env[name].split(","))
    for server in servers:
        match = _HOST_AND_PORT.fullmatch(server)
        if not match or not _is_port(match["port"]):
            _wrong(name, env[name], "host:port[,host:port], with ports from 1 to 65535")
    return servers


def _is_port(text: str | None) -> bool:
    return text is not None and 1 <= int(text) <= 65535


def _confluent(env: Mapping[str, str]) -> tuple[str | None, str | None]:
    names = ("CONFLUENT_API_KEY", "CONFLUENT_API_SECRET")
    key, secret = (env.get(name) for name in names)
    if (key is None) != (secret is None):
        there, missing = names if key else reversed(names)
        raise SettingsError(f"{missing} is not set, but {there} is: set both, or neither")
    if key and "KAFKA_BOOTSTRAP_SERVERS" not in env:
        raise SettingsError(
            "KAFKA_BOOTSTRAP_SERVERS is not set, but CONFLUENT_API_KEY is: "
            "set it to the cluster's host:port"
        )
    return key, secret


def _couchbase(env: Mapping[str, str]) -> Couchbase | None:
    host = env.get("COUCHBASE_HOST")
    if host is None:
        return None
    for part in host.split(","):
        match = _HOST_AND_PORT.fullmatch(part.strip())
        if not match or (match["port"] and not _is_port(match["port"])):
            _wrong("COUCHBASE_HOST", host, "host[:port][,host[:port]], without couchbase://")
    for name in ("COUCHBASE_USERNAME", "COUCHBASE_PASSWORD", "COUCHBASE_BUCKET"):
        if name not in env:
            raise SettingsError(f"{name} is not set, but COUCHBASE_HOST is: set it too")
    bucket = env["COUCHBASE_BUCKET"]
    if not _BUCKET.fullmatch(bucket):
        _wrong("COUCHBASE_BUCKET", bucket, "1 to 100 letters, digits and _ - . %")
    return Couchbase(
        host.replace(" ", ""), env["COUCHBASE_USERNAME"], env["COUCHBASE_PASSWORD"], bucket
    )


def _payment_api(env: Mapping[str, str]) -> PaymentApi | None:
    name, api = "ORDERAPP_PAYMENT_URL", PaymentApi
    url, token = env.get(name), env.get("ORDERAPP_PAYMENT_TOKEN")
    timeout = _seconds(env, "ORDERAPP_PAYMENT_TIMEOUT", api.timeout, 0.1, 30)
    requests = _count(env, "ORDERAPP_PAYMENT_REQUESTS", api.requests, 1, 10_000)
    key_hours = _count(env, "ORDERAPP_PAYMENT_KEY_HOURS", api.key_hours, 1, 1_000_000)
    if url is None:
        if token is not None:
            raise SettingsError(f"{name} is not set, but ORDERAPP_PAYMENT_TOKEN is: set it too")
        return None
    if not _is_plain_url(url):
        # What stands behind a question mark may be a secret.
        _wrong(name, url.split("?")[0], "http[s]://host[:port][/path], and nothing else in it")
    for fault in _faults(env).on():
        if fault.startswith("gateway_"):
            raise SettingsError(
                f"ORDERAPP_FAULT_{fault.upper()} is set, but {name} is too: "
                "only the simulated gateway can be broken on purpose"
            )
    if token is not None and not re.fullmatch(r"[!#-\[\]-~]{1,4096}", token):
        raise SettingsError(
            "ORDERAPP_PAYMENT_TOKEN is not allowed: up to 4096 ASCII characters, "
            "without spaces, quotation marks and backslashes"
        )
    return PaymentApi(url.rstrip("/"), token, timeout, requests, key_hours)


def _is_plain_url(url: str) -> bool:
    match = re.fullmatch(r"https?://([^/?#@\\]+)(/[!-~]*)?", url, re.IGNORECASE)
    if not match or "?" in url or "#" in url:
        return False
    host = _HOST_AND_PORT.fullmatch(match[1])
    return host is not None and (host["port"] is None or _is_port(host["port"]))


def _services(env: Mapping[str, str], known: Collection[str]) -> frozenset[str]:
    name = "ORDERAPP_SERVICES"
    wanted = frozenset(part.strip() for part in env.get(name, "all").split(","))
    if wanted == {"all"}:
        return frozenset(known)
    if not wanted.issubset(known):
        _wrong(name, env[name], f"all, or some of {','.join(known)}")
    return wanted


def _seconds(
    env: Mapping[str, str], name: str, default: float, least: float, most: float = 86_400
) -> float:
    try:
        seconds = float(env.get(name, default))
    except ValueError:
        seconds = -1.0
    if not least <= seconds <= most:
        _wrong(name, env[name], f"a number of seconds from {least:g} to {most:.0f}")
    return seconds


def _count(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = env.get(name, str(default))
    if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
        _wrong(name, text, f"a whole number from {least} to {most}")
    return int(text)


def _choice(env: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = env.get(name, choices[0])
    if value not in choices:
        _wrong(name, value, " or ".join(choices))
    return value


def _name(env: Mapping[str, str], name: str) -> str | None:
    value = env.get(name)
    if value is not None and not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", value):
        _wrong(name, value, "1 to 200 letters, digits and . _ -")
    return value


def _session(env: Mapping[str, str]) -> float:
    name = "ORDERAPP_SESSION_TIMEOUT"
    # Who has an instance id is waited for: it is to come back to its partitions.
    default = 30.0 if "ORDERAPP_INSTANCE_ID" in env else Settings.session_timeout
    return _seconds(env, name, default, 2, LONGEST_SESSION)


def _faults(env: Mapping[str, str]) -> Faults:
    return Faults(
        gateway_timeout=_rate(env, "ORDERAPP_FAULT_GATEWAY_TIMEOUT"),
        gateway_decline=_rate(env, "ORDERAPP_FAULT_GATEWAY_DECLINE"),
        gateway_slow=_rate(env, "ORDERAPP_FAULT_GATEWAY_SLOW"),
        store_slow=_seconds(env, "ORDERAPP_FAULT_STORE_SLOW", 0.0, 0),
        store_refuse=_rate(env, "ORDERAPP_FAULT_STORE_REFUSE"),
        duplicates=_rate(env, "ORDERAPP_FAULT_DUPLICATES"),
        poison=_rate(env, "ORDERAPP_FAULT_POISON"),
    )


def _rate(env: Mapping[str, str], name: str) -> float:
    return _share(env, name, 0.0, "a rate from 0 (never) to 1 (always)")


def _share(env: Mapping[str, str], name: str, default: float, allowed: str) -> float:
    try:
        share = float(env.get(name, default))
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        _wrong(name, env[name], allowed)
    return share


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _host(env: Mapping[str, str]) -> str:
    name = "ORDERAPP_WEB_HOST"
    host = env.get(name, Settings.web_host)
    if not re.fullmatch(r"[A-Za-z0-9._-]+", host) and not _is_ipv6(host):
        _wrong(name, host, "a host name or an address, without a port")
    return host
