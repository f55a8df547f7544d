"""The web server: Faust's, with connections that are limited in time and number."""

import resource
from typing import Any

from aiohttp import web
from faust.web.drivers import aiohttp as driver

from orderapp.web.server.connections import Connection
from orderapp.web.server.heads import LIMITS

#: Seconds that a connection may be idle between two requests; longer than a load balancer keeps
#: it (120 in `terraform/`), or the balancer would send a request into one that is closing.
IDLE_SECONDS = 130.0
#: Seconds for what is left of a body after its answer.
LINGER_SECONDS = 5.0


def most_connections() -> int:
    """At most so many at a time: half of the files that the process may open, as Kafka and the
    store need some too."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 5_000 if allowed == resource.RLIM_INFINITY else max(32, min(5_000, allowed // 2))


class Server(web.Server):
    """Makes `Connection`s, at most so many at a time."""

    def __init__(self, made: web.Server, **options: Any) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory)
        self._options = options
        self._most = most_connections()

    def __call__(self) -> Connection:
        """A connection for a client that has just come."""
        return Connection(self, self._make_room, loop=self._loop, **self._options)

    def _make_room(self, new: Connection) -> None:
        """When there are too many, cut the oldest idle one, or else the new one."""
        if len(self._connections) > self._most:
            old = (c for c in self.connections if isinstance(c, Connection) and c.is_waiting)
            next(old, new).cut()


class Runner(web.AppRunner):
    """Serves the application with `Server`."""

    async def _make_server(self) -> web.Server:
        options = {
            "keepalive_timeout": IDLE_SECONDS,
            "lingering_time": LINGER_SECONDS,
            **LIMITS,
        }
        return Server(await super()._make_server(), access_log=None, **options)


class Web(driver.Web):
    """Faust's web server with `Runner`; other applications may have ports of their own."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._runner = Runner(self.web_app, access_log=None)
        self._apart: list[tuple[Runner, int]] = []

    def serve_apart(self, application: web.Application, port: int) -> None:
        """Serve it too, at the same address."""
        self._apart.append((Runner(application, access_log=None), port))

    async def start_server(self) -> None:
        await super().start_server()
        for runner, port in self._apart:
            await runner.setup()
            await web.TCPSite(runner, self.app.conf.web_bind, port).start()

    async def stop_server(self) -> None:
        for runner, _ in self._apart:
            await runner.cleanup()
        await super().stop_server()
