"""`python -m tests.couchbase_double --port 0`: run the double until its input ends.

It prints one JSON line with `port` and `control_port`. Control is HTTP on its own port, so that
it still answers while the node is stopped: POST /inject (fields of `Faults`, those not named
are reset), /put (key, value), /stop, /start, /clear; GET /documents, /count, /requests.
"""

import argparse
import asyncio
import contextlib
import json
import sys
from typing import Any

from aiohttp import web

from tests.couchbase_double.node import Faults, Node
from tests.couchbase_double.server import Connection


class Double:
    """The node's listener, which can stop and come back on the same port."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: Connection(self.node), self.node.host, self.node.port, backlog=512
            )
            self.node.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse new connections and cut those that are open; the documents stay."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for transport in list(self.node.transports):
            transport.abort()

    async def command(self, name: str, fields: dict[str, Any]) -> Any:
        if name == "inject":
            self.node.faults = Faults(**fields)
        elif name == "clear":
            self.node.documents.clear()
            self.node.queries.indexes.clear()
        elif name == "put":
            self.node.documents[fields["key"].encode()] = json.dumps(fields["value"]).encode()
        elif name == "drop_indexes":
            self.node.queries.indexes.clear()
        elif name == "stop":
            await self.stop()
        elif name == "start":
            await self.start()
        else:
            return self._look(name)
        return None

    def _look(self, name: str) -> Any:
        if name == "count":
            return len(self.node.documents)
        if name == "requests":
            return self.node.requests
        if name == "indexes":
            return sorted(self.node.queries.indexes)
        if name == "documents":
            items = self.node.documents.items()
            return {key.decode(): json.loads(value) for key, value in items}
        raise web.HTTPNotFound

    async def control(self, request: web.Request) -> web.Response:
        fields = await request.json() if request.can_read_body else {}
        return web.json_response(await self.command(request.match_info["name"], fields))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.couchbase_double", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--username", default="orderapp")
    parser.add_argument("--password", default="secret-of-the-double")
    parser.add_argument("--bucket", default="orders")
    parser.add_argument(
        "--fail-sets", action="append", default=[], metavar="STATUS:COUNT",
        help="answer the next COUNT writes with STATUS (-1: all)",
    )  # fmt: skip
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before an answer")
    parser.add_argument("--forever", action="store_true", help="do not end with the input")
    return parser.parse_args()


async def _until_input_ends() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()


async def main() -> None:
    """Serve until the input ends: the double never outlives the test that started it."""
    options = _arguments()
    failures = [[name, int(n)] for name, _, n in (x.partition(":") for x in options.fail_sets)]
    faults = Faults(fail_sets=failures, delay=options.delay)
    node = Node(
        options.username, options.password, options.bucket, port=options.port, faults=faults
    )
    double = Double(node)
    await double.start()
    app = web.Application()
    app.router.add_route("*", "/{name}", double.control)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, node.host, options.control_port)
    await site.start()
    control_port = runner.addresses[0][1]
    print(json.dumps({"port": node.port, "control_port": control_port}), flush=True)
    await (asyncio.Event().wait() if options.forever else _until_input_ends())
    await double.stop()
    await runner.cleanup()


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
