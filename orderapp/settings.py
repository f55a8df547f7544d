"""Settings: read once from the environment into one frozen object.

Nothing here imports Faust or opens anything (but looks at the CA's file), so a bad setting is
found before the program starts, and a test can make settings from a plain mapping.
"""

import random
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import ClassVar, Self

from orderapp.couchbase_settings import Couchbase
from orderapp.environ import Environ, SettingsError, wrong
from orderapp.program import user_data_dir
from orderapp.web_settings import Web

#: Services that take orders from Kafka. They decide the consumer group.
CONSUMERS = ("fraud", "payment", "analytics")
SERVICES = ("producer", *CONSUMERS, "web")

#: By which Kafka is to know a worker, or its group.
KAFKA_NAME = (r"[A-Za-z0-9._-]{1,200}", "1 to 200 letters, digits and . _ -")
#: Faust's time for one request to Kafka, which has to be longer.
LONGEST_SESSION = 80.0


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

    @classmethod
    def from_env(cls, env: Environ, faults: "Faults") -> Self | None:
        """None where no address is set."""
        name = "ORDERAPP_PAYMENT_URL"
        url, token = env.url(name), env.get("ORDERAPP_PAYMENT_TOKEN")
        timeout = env.seconds("ORDERAPP_PAYMENT_TIMEOUT", cls.timeout, 0.1, 30)
        requests = env.count("ORDERAPP_PAYMENT_REQUESTS", cls.requests, 1, 10_000)
        key_hours = env.count("ORDERAPP_PAYMENT_KEY_HOURS", cls.key_hours, 1, 1_000_000)
        if url is None:
            if token is not None:
                raise SettingsError(
                    f"{name} is not set, but ORDERAPP_PAYMENT_TOKEN is: set it too"
                )
            return None
        for fault in faults.on():
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
        return cls(url, token, timeout, requests, key_hours)


@dataclass
class Faults:
    """What is broken on purpose, for tests and for people who want to see it; all off.

    Rates are from 0 (never) to 1 (always). Unlike all other settings they may be changed while
    a worker runs (`faults.py`), and are read each time."""

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
    #: Of the generated orders: their customer's card is tested, with several small orders.
    attack: float = 0.0

    #: How many times as long as usual a slow request to the gateway takes.
    SLOW: ClassVar[int] = 20

    def on(self) -> dict[str, float]:
        """Those that are switched on."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_env(cls, env: Environ) -> Self:
        """All of them: `ORDERAPP_FAULT_` and the name."""
        names = [field.name for field in fields(cls) if field.name != "store_slow"]
        rates = {name: env.rate(f"ORDERAPP_FAULT_{name.upper()}") for name in names}
        return cls(store_slow=env.seconds("ORDERAPP_FAULT_STORE_SLOW", 0.0, 0), **rates)

    @staticmethod
    def happens(rate: float) -> bool:
        """Whether what happens at this rate happens now."""
        return random.random() < rate  # noqa: S311 - no secret


@dataclass(frozen=True)
class Settings:
    """All settings of a worker. docs/settings.md has the tables; a test holds both together."""

    #: `host:port` of each broker; empty: the embedded broker.
    kafka_bootstrap_servers: tuple[str, ...] = ()
    confluent_api_key: str | None = None
    confluent_api_secret: str | None = field(default=None, repr=False)
    #: None: SQLite in the data directory.
    couchbase: Couchbase | None = None
    #: Days after which SQLite deletes an order; None: never.
    keep_days: int | None = None
    services: frozenset[str] = frozenset(SERVICES)
    #: None: the group follows from the services.
    own_group: str | None = None
    #: Below the working directory; where a wheel was installed the user's, see `program.py`.
    data_dir: Path = Path("orderapp-data")
    #: Of each topic with orders that is created; those that exist keep theirs.
    partitions: int = 6
    #: Seconds between generated orders.
    order_interval: float = 2.0
    #: Seconds that the simulated gateway takes for each order.
    payment_delay: float = 0.1
    #: None: the simulated gateway.
    payment_api: PaymentApi | None = None
    web: Web = field(default_factory=Web)
    #: Hours for which the order of an idempotency key is known.
    idempotency_hours: int = 24
    #: How often an order is tried at a gateway that does not answer, until it is given up.
    max_attempts: int = 8
    #: Records a minute, and the share of its records, that a service may give up for reasons
    #: that do not lie in them; above both it waits.
    dead_letter_limit: int = 100
    dead_letter_share: float = 0.5
    #: Seconds without progress, with work waiting, after which `/healthz` says so.
    stall_seconds: float = 120.0
    #: Seconds from its start after which `/healthz` says so of a worker that has never had what
    #: it needs; None: it waits.
    ready_seconds: float | None = None
    #: Kafka's `group.instance.id`: a worker that comes back under it keeps its partitions.
    instance_id: str | None = None
    #: What may stand around the JSON of orders: `none` or `schema-registry`.
    framing: str = "none"
    #: Seconds without a heartbeat after which Kafka gives a worker's partitions to others.
    session_timeout: float = 6.0
    #: `text` or `json`.
    log_format: str = "text"
    faults: Faults = field(default_factory=Faults)
    #: Whether faults may be switched while workers run.
    live_faults: bool = True

    @classmethod
    def from_env(cls, environ: Mapping[str, str], known: Collection[str] = SERVICES) -> Self:
        """Read all settings; raise `SettingsError` for the first one that is wrong.

        `known` are the names that ORDERAPP_SERVICES may hold."""
        env = Environ(environ)
        settings = cls.read(env, known)
        # Only of ours: KAFKA_, CONFLUENT_ and COUCHBASE_ are other programs' prefixes too.
        env.refuse_unknown()
        return settings

    @classmethod
    def read(cls, env: Environ, known: Collection[str] = SERVICES) -> Self:
        """The same. It asks for every variable, whatever the others hold: so `env.names` are
        the names of all settings."""
        allowed = "host:port[,host:port], with ports from 1 to 65535"
        servers = env.hosts("KAFKA_BOOTSTRAP_SERVERS", allowed, port_required=True)
        key, secret = _confluent(env, servers)
        faults = Faults.from_env(env)
        live = ("no", "yes") if servers else ("yes", "no")
        couchbase = Couchbase.from_env(env)
        # Who has an instance id is waited for: it is to come back to its partitions.
        instance_id = env.text("ORDERAPP_INSTANCE_ID", *KAFKA_NAME)
        session = cls.session_timeout if instance_id is None else 30.0
        return cls(
            kafka_bootstrap_servers=servers,
            confluent_api_key=key,
            confluent_api_secret=secret,
            couchbase=couchbase,
            keep_days=_keep_days(env, couchbase),
            services=_services(env, known),
            own_group=env.text("ORDERAPP_GROUP", *KAFKA_NAME),
            data_dir=Path(env.get("ORDERAPP_DATA_DIR") or user_data_dir() or cls.data_dir),
            partitions=env.count("ORDERAPP_PARTITIONS", cls.partitions, 1, 1000),
            order_interval=env.seconds("ORDERAPP_ORDER_INTERVAL", cls.order_interval, 0.001),
            payment_delay=env.seconds("ORDERAPP_PAYMENT_DELAY", cls.payment_delay, 0),
            payment_api=PaymentApi.from_env(env, faults),
            web=Web.from_env(env),
            idempotency_hours=env.count(
                "ORDERAPP_IDEMPOTENCY_HOURS", cls.idempotency_hours, 1, 8760
            ),
            max_attempts=env.count("ORDERAPP_MAX_ATTEMPTS", cls.max_attempts, 1, 1000),
            dead_letter_limit=env.count(
                "ORDERAPP_DEAD_LETTER_LIMIT", cls.dead_letter_limit, 1, 10_000_000
            ),
            dead_letter_share=env.share("ORDERAPP_DEAD_LETTER_SHARE", cls.dead_letter_share),
            stall_seconds=env.seconds("ORDERAPP_STALL_SECONDS", cls.stall_seconds, 1),
            ready_seconds=env.seconds("ORDERAPP_READY_SECONDS", 0.0, 1) or None,
            instance_id=instance_id,
            framing=env.choice("ORDERAPP_FRAMING", ("none", "schema-registry")),
            session_timeout=env.seconds(
                "ORDERAPP_SESSION_TIMEOUT", session, 2, LONGEST_SESSION
            ),
            log_format=env.choice("ORDERAPP_LOG_FORMAT", ("text", "json")),
            faults=faults,
            live_faults=env.choice("ORDERAPP_LIVE_FAULTS", live) == "yes",
        )

    @property
    def days_kept(self) -> int | None:
        """Days after which the store deletes a document, whichever it is; None: never."""
        return self.couchbase.expiry_days if self.couchbase else self.keep_days

    @property
    def group(self) -> str:
        """The Faust id, which is Kafka's consumer group.

        Workers of one group must all do the same work, or orders would go to a worker that
        lacks a service, and be lost to it. Services from elsewhere count only where none of
        `CONSUMERS` runs: adding one never moves a running deployment to another group."""
        if self.own_group is not None:
            return self.own_group
        consumers = sorted(self.services.intersection(CONSUMERS))
        if len(consumers) == len(CONSUMERS):
            return "orderapp"
        return "-".join([*(consumers or sorted(self.services)), "group"])


def _confluent(env: Environ, servers: Collection[str]) -> tuple[str | None, str | None]:
    names = ("CONFLUENT_API_KEY", "CONFLUENT_API_SECRET")
    key, secret = (env.get(name) for name in names)
    if (key is None) != (secret is None):
        there, missing = names if key else reversed(names)
        raise SettingsError(f"{missing} is not set, but {there} is: set both, or neither")
    if key and not servers:
        raise SettingsError(
            "KAFKA_BOOTSTRAP_SERVERS is not set, but CONFLUENT_API_KEY is: "
            "set it to the cluster's host:port"
        )
    return key, secret


def _keep_days(env: Environ, couchbase: Couchbase | None) -> int | None:
    days = env.count("ORDERAPP_KEEP_DAYS", 0, 1, 18_000) or None
    if days is not None and couchbase is not None:
        raise SettingsError(
            "ORDERAPP_KEEP_DAYS is set, but COUCHBASE_HOST is too: Couchbase keeps documents "
            "for COUCHBASE_EXPIRY_DAYS"
        )
    return days


def _services(env: Environ, known: Collection[str]) -> frozenset[str]:
    name = "ORDERAPP_SERVICES"
    value = env.get(name) or "all"
    wanted = frozenset(part.strip() for part in value.split(","))
    if wanted == {"all"}:
        return frozenset(known)
    if not wanted.issubset(known):
        wrong(name, value, f"all, or some of {','.join(known)}")
    return wanted
