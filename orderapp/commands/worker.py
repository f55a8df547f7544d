"""`faust -A orderapp worker`: Faust's own, whose banner is left out where lines are JSON."""

from faust.cli.worker import worker as faust_worker
from mode import Worker

from orderapp.app import settings


class worker(faust_worker):  # noqa: N801 - the name of the command, which it takes over
    """Start worker instance for given app."""

    def on_worker_created(self, worker: Worker) -> None:
        """Print the banner."""
        if settings.log_format == "text":
            super().on_worker_created(worker)
