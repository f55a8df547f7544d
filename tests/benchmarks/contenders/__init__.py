"""The contenders, a file for each.

All do the same work: three roles, and topics between them. Fraud reads every order and sends
an alert for a risky one, payment reads every order and sends a payment, analytics reads
orders, alerts and payments from Kafka and upserts each into the store. In a run without store
there is no analytics. A `-direct` contender stores alerts and payments when it makes them,
and does not read them back: less work, and no service of its own that owns the store.

Each has the settings that its library recommends. Kept equal: `acks=all`, at least once
(an offset is committed after the work), JSON with orjson, no logging below warnings.
orderapp syncs every commit of its SQLite (`synchronous` = FULL), and so does loop-full, which
thereby makes the same promise; the others have NORMAL.

Kafka Streams is written in Java, and runs on the Java that the embedded broker has; see
`kafka_streams`. Where its jars cannot be had, it is left out with a line that says so.

`VARIANTS` of orderapp run when they are asked for: without metrics, with a rule with a window,
two and four workers on the same topics, each service in a worker of its own (`apart`), and
`before`, the package of another checkout (`--before DIRECTORY`).
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orderapp.engine.embedded.jars import Jar
from orderapp.engine.embedded.ports import LOOPBACK
from tests.benchmarks.contenders.kafka_streams import JARS
from tests.ports import free_port

#: Roles that are processes of their own where the library wants it so.
ROLES = ("fraud", "payment", "analytics")


@dataclass(frozen=True)
class Contender:
    """How to start a contender, and what it is expected to do."""

    name: str
    #: What follows `python -m`.
    command: tuple[str, ...]
    #: One process for each role, with the role as its last argument.
    by_role: bool = False
    #: Whether each role has a consumer group of its own.
    groups_by_role: bool = False
    #: Stores alerts and payments when it makes them.
    direct: bool = False
    stores: tuple[str, ...] = ("sqlite", "none")
    #: How many times it is started, to share the work.
    copies: int = 1
    #: Whether it sends orders on to `orders-by-customer`, and reads them there.
    sends_on: bool = False
    #: Whether it has a web server, which needs a port.
    has_web: bool = False
    #: What it needs of Maven's artifacts beside Kafka's own jars.
    jars: tuple[Jar, ...] = ()
    #: The checkout whose orderapp it is, when not this one.
    tree: Path | None = None

    @property
    def tells_metrics(self) -> bool:
        """Whether one process tells what it does."""
        return self.has_web and self.copies == 1 and not self.by_role

    def roles(self, store: str) -> Sequence[str]:
        return ROLES if store != "none" else ROLES[:2]

    def groups(self, store: str) -> int:
        """How many consumer groups read the orders."""
        return len(self.roles(store)) if self.groups_by_role else 1

    def topics(self, store: str) -> set[str]:
        """What it reads."""
        if store == "none" or self.direct:
            return {"orders"}
        return {"orders", "fraud-alerts", "payments"}

    def commands(self, store: str) -> list[list[str]]:
        command = [sys.executable, "-m", *self.command]
        if self.by_role and self.has_web:
            # A worker's services are a setting; `env` becomes the worker.
            services = [f"ORDERAPP_SERVICES={role}" for role in self.roles(store)]
            return [["env", one, *command, "-p", str(free_port())] for one in services]
        if self.by_role:
            return [[*command, role] for role in self.roles(store)]
        if self.has_web:
            return [[*command, "-p", str(free_port())] for _ in range(self.copies)]
        return [command] * self.copies

    def environment(self, store: str, kafka: str, data_dir: str) -> Mapping[str, str]:
        """Settings of orderapp and of the other contenders."""
        tree = {"PYTHONPATH": str(self.tree)} if self.tree else {}
        return {
            **tree,
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "ORDERAPP_DATA_DIR": data_dir,
            "ORDERAPP_SERVICES": ",".join(self.roles(store)),
            "ORDERAPP_PAYMENT_DELAY": "0",
            "ORDERAPP_WEB_HOST": LOOPBACK,
        }


def _ours(module: str) -> str:
    return f"{__name__}.{module}"


WORKER = ("worker", "-l", "warn")

ORDERAPP = Contender(
    "orderapp",
    ("faust", "-A", "orderapp", *WORKER),
    stores=("sqlite", "couchbase", "none"),
    has_web=True,
)

#: Settings of a worker whose API is asked as well.
WITH_WEB = {"ORDERAPP_SERVICES": "fraud,payment,analytics,web"}

CONTENDERS = {
    contender.name: contender
    for contender in (
        ORDERAPP,
        Contender(
            "loop",
            (_ours("loop"),),
            stores=("sqlite", "couchbase", "none"),
        ),
        Contender("loop-full", (_ours("loop"), "--full"), stores=("sqlite",)),
        Contender(
            "loop-direct",
            (_ours("loop"), "--direct"),
            direct=True,
            stores=("sqlite", "couchbase"),
        ),
        Contender("quix", (_ours("quix"),), by_role=True, groups_by_role=True),
        Contender(
            "kafka-python",
            (_ours("kafka_python"),),
            by_role=True,
            groups_by_role=True,
        ),
        Contender(
            "faust",
            (_ours("faust"), "worker", "-l", "warn", "--without-web"),
        ),
        Contender(
            "faust-direct",
            (_ours("faust_direct"), "worker", "-l", "warn", "--without-web"),
            direct=True,
            stores=("sqlite",),
        ),
        Contender("faststream", (_ours("faststream"),), groups_by_role=True),
        Contender("kafka-streams", (_ours("kafka_streams"),), jars=JARS),
    )
}

VARIANTS = {
    "without-metrics": replace(
        ORDERAPP, name="without-metrics", command=(_ours("without_metrics"), *WORKER)
    ),
    "velocity": replace(
        ORDERAPP, name="velocity", command=(_ours("velocity"), *WORKER), sends_on=True
    ),
    # They share the partitions and the store. The broker needs a core too: on a machine with
    # two cores, two workers have hardly more to share than one has.
    "two-workers": replace(ORDERAPP, name="two-workers", copies=2),
    "four-workers": replace(ORDERAPP, name="four-workers", copies=4),
    "apart": replace(ORDERAPP, name="apart", by_role=True, groups_by_role=True),
}


def before(tree: Path) -> Contender:
    """orderapp as it is in another checkout, in the same environment."""
    if not (tree / "orderapp" / "__init__.py").is_file():
        raise SystemExit(f"--before {tree}: there is no orderapp/ in it")
    return replace(ORDERAPP, name="before", tree=tree.resolve())
