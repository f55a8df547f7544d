"""`faust -A orderapp worker`: Faust's own, whose banner and help say what is orderapp's too."""

from faust.cli.worker import worker as faust_worker
from faust.utils.terminal.tables import TableDataT
from mode import Worker

from orderapp.app import settings
from orderapp.commands.root import VERSIONS
from orderapp.store.adapters import FILES


class worker(faust_worker):  # noqa: N801 - the name of the command, which it takes over
    """Start a worker: the services of ORDERAPP_SERVICES, all by default.

    Settings are environment variables. The most used ones:

    \b
    ORDERAPP_SERVICES        what it runs: producer,fraud,payment,analytics,web
    KAFKA_BOOTSTRAP_SERVERS  host:port of Kafka; without it a broker comes along
    COUCHBASE_HOST           where orders are stored; without it in SQLite
    ORDERAPP_DATA_DIR        where data is kept
    ORDERAPP_WEB_HOST        where the page and the API listen: 127.0.0.1
    ORDERAPP_API_TOKEN       what whoever changes something has to send
    ORDERAPP_LOG_FORMAT      text or json

    All of them: docs/settings.md. `doctor` looks whether all is there that they ask for."""

    def on_worker_created(self, worker: Worker) -> None:
        """Print the banner, unless lines are JSON."""
        if settings.log_format == "text":
            super().on_worker_created(worker)

    def faust_ident(self) -> str:
        """The banner's title."""
        return VERSIONS

    def _banner_data(self, worker: Worker) -> TableDataT:
        # Faust's own name its tables' store, and a broker that there may not be yet.
        ours = {"transport": ("kafka", kafka()), "store": ("store", store())}
        rows = [ours.get(name, (name, value)) for name, value in super()._banner_data(worker)]
        return [("services", ", ".join(sorted(settings.services))), *rows]


def kafka() -> str:
    """Which broker a worker uses."""
    if servers := settings.kafka_bootstrap_servers:
        return ", ".join(servers)
    return f"embedded, in {settings.data_dir / 'kafka'}"


def store() -> str:
    """Where a worker stores orders."""
    if not settings.services & {"analytics", "web"}:
        return "none: neither analytics nor web runs here"
    if (couchbase := settings.couchbase) is not None:
        return f"Couchbase, {couchbase.connection_string}, bucket {couchbase.bucket}"
    return f"SQLite, {settings.data_dir / FILES[0]}"
