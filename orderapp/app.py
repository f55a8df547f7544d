"""Settings become the Faust app: what runs, in which group, and who owns which lifetime."""

import os
import sys

from orderapp.engine import BatchApp, FatalError, Retry
from orderapp.engine.delivery.limit import GiveUp
from orderapp.engine.embedded.service import EmbeddedKafka
from orderapp.engine.kafka.cluster import METADATA_MAX_AGE_MS, Cluster
from orderapp.engine.observe.log_lines import json_config
from orderapp.engine.observe.texts import complaint
from orderapp.engine.private import PrivateDirectory
from orderapp.environ import SettingsError
from orderapp.gateways.keeper import GatewayKeeper, gateway_for
from orderapp.plugins import PluginError
from orderapp.services import known
from orderapp.settings import Settings
from orderapp.store.adapters import FILES, store_for
from orderapp.store.keeper import StoreKeeper
from orderapp.store.measured import MeasuredStore
from orderapp.web.server.driver import Web
from orderapp.web.server.guard import guard
from orderapp.web.server.hosts import Hosts
from orderapp.web.server.measure import measure
from orderapp.web.server.middleware import MIDDLEWARES

try:
    #: What may run, and the module of each.
    SERVICES = {**known(), "web": "orderapp.web.service"}
    settings = Settings.from_env(os.environ, tuple(SERVICES))
except (PluginError, SettingsError) as _error:
    sys.exit(complaint(_error))
cluster = Cluster(
    settings.kafka_bootstrap_servers, settings.confluent_api_key, settings.confluent_api_secret
)


def _fail(error: Exception) -> None:
    app.fail(FatalError(str(error)))


directory = PrivateDirectory(settings.data_dir, "faust", "kafka", *FILES)
embedded = None if cluster.servers else EmbeddedKafka(directory, failed=_fail)

#: What every worker has.
MODULES = [
    "orderapp.web.api.health",
    "orderapp.web.api.metrics",
    "orderapp.commands.acls",
    "orderapp.commands.couchbase",
    "orderapp.commands.root",
    "orderapp.commands.worker",
    "orderapp.commands.completion",
    "orderapp.commands.tables",
    "orderapp.commands.send",
    "orderapp.commands.dlq",
    "orderapp.commands.doctor",
    "orderapp.commands.reconcile",
    "orderapp.commands.rules",
    "orderapp.commands.faults",
]

app = BatchApp(
    settings.group,
    origin="orderapp",
    cluster=embedded.find if embedded else lambda: cluster,
    runs=settings.services.__contains__,
    retry=Retry(settings.max_attempts),
    give_up=GiveUp(settings.dead_letter_limit, settings.dead_letter_share),
    stall_seconds=settings.stall_seconds,
    # Faust's 1.5 s holds up whatever comes behind such a fetch: a partition left out of it, the
    # first one after a rebalance, the ends that `watch` asks for. An idle worker takes as
    # little of a core (0.5%; 0.9% at 0.1 s), p50 and p99 at 200 and 1,000 orders/s are the
    # same, and so is the CPU time of an order (at 0.25 s perhaps some percent more).
    fetch_wait=0.5,
    directory=directory,
    datadir=str(settings.data_dir / "faust"),
    # Every topic's key is the order id.
    key_name="order_id",
    logging_config=json_config("order_id") if settings.log_format == "json" else None,
    # -- Kafka
    broker="kafka://" + ";kafka://".join(settings.kafka_bootstrap_servers or ("embedded",)),
    broker_credentials=cluster.credentials,
    # A killed worker's partitions move after this (default 60 s), or after twice this when it
    # dies in the middle of a rebalance. 6 s is the least that brokers allow by default.
    broker_session_timeout=settings.session_timeout,
    # A heartbeat is also how the others hear that a worker leaves: with 3 s between them a
    # clean stop hands over in 3.4 s at most, with 1 s in 1.3 s, with this in 0.9 s.
    broker_heartbeat_interval=0.5,
    consumer_group_instance_id=settings.instance_id,
    broker_max_poll_records=1000,
    broker_commit_interval=1.0,
    consumer_auto_offset_reset="earliest",
    consumer_metadata_max_age_ms=METADATA_MAX_AGE_MS,
    producer_metadata_max_age_ms=METADATA_MAX_AGE_MS,
    producer_request_timeout=30.0,
    # A batch of payments is one request; a dead letter is a record of Kafka's full size, and
    # its headers.
    producer_max_batch_size=512 * 1024,
    producer_max_request_size=4 * 1024 * 1024,
    stream_wait_empty=True,
    # No standby tables, hence Kafka's round-robin assignor instead of Faust's, which takes it
    # for granted that all workers of a group subscribe to the same topics.
    table_standby_replicas=0,
    # Only workers that run the producer may become the leader, which runs it.
    topic_disable_leader="producer" not in settings.services,
    # -- web
    web_bind=settings.web.host,
    web_application_options={
        "middlewares": (
            measure,
            *MIDDLEWARES,
            guard(
                Hosts([settings.web.host, *settings.web.allowed_hosts]),
                of_any_host={"/healthz", "/readyz"},
            ),
        ),
        "client_max_size": 64 * 1024,
    },
    # Faust's own pages show data and internals.
    web_router_enabled=False,
    web_tables_enabled=False,
    web_graph_enabled=False,
    web_stats_enabled=False,
    web_metrics_enabled=False,
)
app.web = Web(app)
gateway = gateway_for(settings)
store = StoreKeeper(MeasuredStore(store_for(settings)), rejected=_fail)
if embedded:
    app.resources.append(embedded)
# The web alone reads no topic, and Kafka's consumers can't subscribe to none.
app.producer_only = settings.services == {"web"}
if settings.services & {"analytics", "web"}:
    app.resources.append(store)
if "payment" in settings.services:
    app.resources.append(GatewayKeeper(gateway))
